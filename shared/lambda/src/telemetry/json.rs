//! One JSON object per line, flat: what the line says, then what its spans say. The nearer wins where both use a name.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use domain::ports::Clock;
use jiff::Timestamp;
use serde::Serializer;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::is_ours;

/// The most characters of a value. Some of it comes from outside: a page of it is neither wanted nor paid for.
const LONGEST: usize = 300;

/// Writes lines for one function.
pub(super) struct JsonLines<W> {
    pub(super) function: &'static str,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) writer: W,
}

/// What a span knows, and since when it is there.
struct Known {
    since: Timestamp,
    fields: Fields,
}

#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        // Other people's spans repeat what ours say, under names of their own.
        let Some(span) = context.span(id).filter(|span| is_ours(span.metadata().target())) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(Known { since: self.clock.now(), fields });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(known) = span.extensions_mut().get_mut::<Known>() {
            values.record(&mut known.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let now = self.clock.now();
        let metadata = event.metadata();
        let mut line = Fields::default();
        line.add("timestamp", format!("{now:.3}").into());
        line.add("level", metadata.level().as_str().into());
        line.add("function", self.function.into());
        event.record(&mut line);
        // Who spoke matters where something is wrong, and where it was not us.
        if *metadata.level() <= Level::WARN || !is_ours(metadata.target()) {
            line.add("target", metadata.target().into());
        }
        let mut timed = false;
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let Some(known) = extensions.get::<Known>() else { continue };
            if !std::mem::replace(&mut timed, true) {
                let took = now.duration_since(known.since).as_millis();
                line.add("duration_ms", u64::try_from(took).unwrap_or(0).into());
            }
            for (name, value) in &known.fields.0 {
                line.add(name, value.clone());
            }
        }
        let mut text = Vec::with_capacity(512);
        let fields = line.0.iter().map(|(name, value)| (name, value));
        if serde_json::Serializer::new(&mut text).collect_map(fields).is_ok() {
            text.push(b'\n');
            // In one piece, so that no other line can get into it. A log that is gone stops nobody.
            let _ = self.writer.make_writer().write_all(&text);
        }
    }
}

impl Fields {
    /// Adds a value unless its name is taken.
    fn add(&mut self, name: &'static str, value: Value) {
        if self.0.iter().all(|(taken, _)| *taken != name) {
            self.0.push((name, value));
        }
    }

    /// What is recorded later counts.
    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name().trim_start_matches("r#");
        match self.0.iter_mut().find(|(taken, _)| *taken == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, bounded(value).into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, bounded(&format!("{value:?}")).into());
    }
}

/// The text, or its beginning and an ellipsis.
fn bounded(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests;
