//! Log lines: readable for people on a terminal, JSON with queryable fields on Lambda.

use tracing::Level;
pub use tracing_subscriber::filter::ParseError;
use tracing_subscriber::filter::{FilterExt, FilterFn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// The crates that never log a body, a secret or a signature, at any level. The DynamoDB client does: below info its
/// lines repeat whole rows.
const OURS: [&str; 12] = [
    "hookyard", "ingest", "fanout", "status", "api", "lambda", "domain", "store", "aws", "github", "server", "embedded",
];

/// How lines look, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// One object per line on standard output, where Lambda takes it.
    Json,
    /// Text on standard error.
    Text {
        /// Whether somebody sees colours there.
        color: bool,
    },
}

/// Starts logging for this process, once, and keeps the text of panics out of the log: it may hold anything, a
/// body too, so only the place is told.
///
/// `filter` is in the manner of `info` or `warn,fanout=debug`; other people's crates stay at info, whatever it says.
///
/// # Errors
/// When the filter cannot be read; nothing is logged then.
pub fn init(lines: Lines, filter: &str) -> Result<(), ParseError> {
    let read = EnvFilter::builder().parse(filter)?;
    let harmless = FilterFn::new(|line| {
        let krate = line.target().split("::").next().unwrap_or_default();
        *line.level() <= Level::INFO || OURS.contains(&krate)
    });
    let layer = match lines {
        Lines::Json => json(std::io::stdout).boxed(),
        Lines::Text { color } => tracing_subscriber::fmt::layer().with_ansi(color).with_writer(std::io::stderr).boxed(),
    };
    // A second call finds a subscriber in place: the first one stays.
    let started = tracing_subscriber::registry().with(layer.with_filter(read.and(harmless))).try_init();
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| match panic.location() {
            Some(place) => tracing::error!(file = place.file(), line = place.line(), "panicked"),
            None => tracing::error!("panicked"),
        }));
    }
    Ok(())
}

/// One JSON object per line, its fields at top level.
fn json<S, W>(writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(writer)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn fields_stand_at_the_top_of_the_object() {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = tracing_subscriber::registry().with(json(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(message_id = "m-1", verdict = "done", "worked");
        });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["message_id"], &line["verdict"]), (&"m-1".into(), &"done".into()));
        assert_eq!((&line["message"], &line["level"]), (&"worked".into(), &"INFO".into()));
    }
}
