use super::*;

use std::sync::Mutex;

use jiff::SignedDuration;
use testkit::clock::ManualClock;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // In pieces: a line must be written in one call all the same.
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged meanwhile, line by line.
fn lines(clock: &Arc<ManualClock>, work: impl FnOnce()) -> Vec<Value> {
    let page = Page::default();
    let writer = page.clone();
    let layer = JsonLines { function: "fanout", clock: clock.clone(), writer: move || writer.clone() };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn fields_stand_at_the_top_and_spans_add_theirs() {
    let clock = Arc::new(ManualClock::default());
    let lines = lines(&clock, || {
        let outer = tracing::error_span!("invocation", request_id = "r-1", cold_start = true, place = "outer");
        let _outer = outer.enter();
        clock.advance_by(SignedDuration::from_millis(5));
        let inner = tracing::error_span!(
            "about",
            event = tracing::field::Empty,
            place = "inner",
            never = tracing::field::Empty
        );
        inner.in_scope(|| {
            clock.advance_by(SignedDuration::from_millis(7));
            tracing::Span::current().record("event", tracing::field::display("1-a"));
            tracing::info!(outcome = "processed", r#type = "push", tries = 2, "an event is processed");
            tracing::warn!(place = "line", error = ?std::fmt::Error, "odd");
        });
        tracing::info!(target: "aws_config", "theirs");
    });
    insta::assert_json_snapshot!(lines);
}

#[test]
fn other_peoples_spans_say_nothing() {
    let lines = lines(&Arc::default(), || {
        let theirs = tracing::info_span!(target: "lambda_runtime", "Lambda runtime invoke", requestId = "r-1");
        theirs.in_scope(|| tracing::info!("ours"));
    });
    assert_eq!((lines.len(), &lines[0]["requestId"], &lines[0]["message"]), (1, &Value::Null, &"ours".into()));
    assert_eq!(lines[0]["duration_ms"], Value::Null, "no span, nothing to measure");
}

#[test]
fn hostile_text_is_escaped_and_bounded() {
    let hostile = "\"}\n{\"level\":\"ERROR\"}\u{1b}[31m\u{2028}\0".repeat(1000);
    let lines = lines(&Arc::default(), || {
        let span = tracing::error_span!("about", event = tracing::field::display(&hostile));
        span.in_scope(|| tracing::info!(why = hostile, debug = ?hostile, display = %hostile, "{hostile}"));
    });
    assert_eq!(lines.len(), 1, "one line stays one line");
    for name in ["why", "debug", "display", "event", "message"] {
        let text = lines[0][name].as_str().unwrap();
        assert_eq!(text.chars().count(), LONGEST + 1, "{name}");
        assert!(text.ends_with('…'), "{name}");
    }
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(bounded(&"é".repeat(LONGEST)), "é".repeat(LONGEST), "as long as allowed is left alone");
}
