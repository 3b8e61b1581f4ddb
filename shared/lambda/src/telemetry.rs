//! Log lines: readable for people on a terminal, JSON with queryable fields on Lambda.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged when the filter cannot be read.
const DEFAULT_FILTER: &str = "info";

/// Starts logging for this process, once, and keeps the text of panics out of the log: it may hold anything, a
/// body too, so only the place is told.
///
/// With `json` one object per line goes to standard output, where Lambda takes it; otherwise text goes to standard
/// error. `filter` is in the manner of `info` or `warn,fanout=debug`.
pub fn init(json: bool, filter: &str) {
    let (read, fault) = match EnvFilter::builder().parse(filter) {
        Ok(read) => (read, None),
        Err(error) => (EnvFilter::new(DEFAULT_FILTER), Some(error)),
    };
    // A second call finds a subscriber in place: the first one stays.
    let started = if json {
        tracing_subscriber::registry().with(read).with(lines(std::io::stdout)).try_init()
    } else {
        let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        tracing_subscriber::registry().with(read).with(text).try_init()
    };
    if started.is_err() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => tracing::error!(file = place.file(), line = place.line(), "panicked"),
        None => tracing::error!("panicked"),
    }));
    if let Some(error) = fault {
        tracing::warn!(filter, %error, "the log filter cannot be read; logging at {DEFAULT_FILTER}");
    }
}

/// One JSON object per line, its fields at top level.
fn lines<S, W>(writer: W) -> impl tracing_subscriber::Layer<S>
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
        let subscriber = tracing_subscriber::registry().with(lines(move || writer.clone()));
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
