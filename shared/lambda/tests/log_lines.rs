//! What the batch loop logs. Alone in its file: whether a line is logged at all is remembered for the whole process,
//! and a test beside it, without a subscriber, could be the first to get there.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::error::PortError;
use domain::ports::{Clock, Inbox, Message};
use jiff::Timestamp;
use lambda::batch::{self, HandleMessage, Verdict};
use testkit::clock::ManualClock;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct ById;

#[async_trait]
impl HandleMessage for ById {
    async fn handle(&self, message: &Message, _: &[Message]) -> Result<Verdict, PortError> {
        match message.id.as_str() {
            "done" => Ok(Verdict::Done),
            "defer" => Ok(Verdict::Defer { until: ManualClock::default().now(), why: "the credential rests".into() }),
            "transient" => Err(PortError::transient("throttled")),
            "permanent" => Err(PortError::permanent("denied")),
            "dead" => Ok(Verdict::DeadLetter { reason: "unreadable".into() }),
            _ => panic!("{}", message.body),
        }
    }
}

#[async_trait]
impl Inbox for ById {
    async fn defer(&self, _: &Message, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }
    async fn dead_letter(&self, _: &Message, _: &str) -> Result<(), PortError> {
        Ok(())
    }
}

#[tokio::test]
async fn one_line_per_outcome_and_never_a_body() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let message = |id: &str, group: Option<&str>| Message {
        id: id.into(),
        handle: "receipt-handle".into(),
        body: "hush".into(),
        group: group.map(str::to_owned),
        receives: 1,
    };
    let alone = ["done", "defer", "transient", "permanent", "dead"];
    let group = ["panics", "follows"];
    let messages = alone.iter().map(|id| message(id, None)).chain(group.iter().map(|id| message(id, Some("g"))));
    batch::run(&ById, &ById, &ManualClock::default(), messages.collect()).await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for id in alone.iter().chain(&group) {
        assert_eq!(text.matches(&format!("message_id=\"{id}\"")).count(), 1, "{id} in {text}");
    }
    assert_eq!(text.lines().count(), 7, "{text}");
    for why in ["the credential rests", "throttled", "denied", "unreadable", "the handler panicked"] {
        assert!(text.contains(why), "{why} in {text}");
    }
    assert!(!text.contains("hush") && !text.contains("receipt-handle"), "{text}");
}
