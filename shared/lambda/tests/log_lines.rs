//! What is logged of a batch: one line per outcome, each with all that is known of its message, and never a body. Alone
//! in its file: whether a line is logged at all is remembered for the whole process, and a test beside it, without a
//! subscriber, could be the first to get there; the hook for panics is the process' own as well.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::error::PortError;
use domain::ids::{EventId, ReceiptId, Repository};
use domain::ports::{Clock, Inbox, Message};
use domain::trace::TraceId;
use jiff::Timestamp;
use lambda::batch::{self, HandleMessage, Verdict};
use lambda::telemetry::{about, lines_of, panics_without_their_text};
use serde_json::Value;
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

#[derive(Default)]
struct ById {
    gave_back: Mutex<usize>,
}

const RECEIPT: &str = "019320aa-0000-7000-8000-000000000001";

#[async_trait]
impl HandleMessage for ById {
    async fn handle(&self, message: &Message, _: &[Message]) -> Result<Verdict, PortError> {
        let event = EventId::parse(&format!("1-{}", message.id)).unwrap();
        let receipt = ReceiptId::parse(RECEIPT).unwrap();
        about(Some(&event), Some(receipt), Some(&Repository::parse("o/r").unwrap()), Some(&TraceId::of(receipt)));
        // Let the others in between: what one message is about must not stand in another's lines.
        tokio::task::yield_now().await;
        match message.id.as_str() {
            "done" => {
                tracing::info!(outcome = "processed", "an event is processed");
                Ok(Verdict::Done)
            }
            "defer" => {
                tracing::info!(outcome = "retrying", "an event is retrying");
                Ok(Verdict::Defer { until: ManualClock::default().now(), why: "the credential rests".into() })
            }
            "transient" => Err(PortError::transient("throttled")),
            "permanent" => Err(PortError::permanent("denied")),
            "dead" => Ok(Verdict::DeadLetter { reason: "unreadable".into() }),
            _ => panic!("{}", message.body),
        }
    }

    fn gave_back(&self) {
        *self.gave_back.lock().unwrap() += 1;
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
    let clock = Arc::new(ManualClock::default());
    let _guard = tracing::subscriber::set_default(lines_of("fanout", clock.clone(), move || writer.clone()));
    panics_without_their_text();
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
    let handler = ById::default();
    batch::run(&handler, &handler, clock.as_ref(), messages.collect()).await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (id, outcome, why) in [
        ("done", "processed", None),
        ("defer", "retrying", None),
        ("transient", "given_back", Some("throttled")),
        ("permanent", "dead_lettered", Some("denied")),
        ("dead", "dead_lettered", Some("unreadable")),
        ("panics", "given_back", Some("the handler panicked")),
    ] {
        let of: Vec<_> = lines.iter().filter(|line| line["event"] == format!("1-{id}")).collect();
        let told: Vec<_> = of.iter().filter(|line| line["outcome"].is_string()).collect();
        assert_eq!(told.len(), 1, "{id} in {text}");
        assert_eq!(told[0]["outcome"], outcome, "{id}");
        assert_eq!(told[0]["why"].as_str(), why, "{id}");
        assert_eq!(of.len(), if id == "panics" { 2 } else { 1 }, "{id} in {text}");
        for line in of {
            assert_eq!((&line["function"], &line["repository"]), (&"fanout".into(), &"o/r".into()), "{line}");
            assert_eq!(line["receipt"], RECEIPT, "{line}");
            assert_eq!(line["trace_id"], RECEIPT.replace('-', ""), "{line}");
            assert!(line["duration_ms"].is_u64(), "{line}");
        }
    }
    assert_eq!(lines.len(), 7, "what only follows has no outcome yet: {text}");
    let panic = lines.iter().find(|line| line["message"] == "panicked").unwrap();
    assert_eq!((&panic["level"], &panic["event"]), (&"ERROR".into(), &"1-panics".into()));
    assert!(panic["file"].as_str().unwrap().ends_with("log_lines.rs"), "{panic}");
    assert!(!text.contains("hush") && !text.contains("receipt-handle"), "{text}");
    assert_eq!(*handler.gave_back.lock().unwrap(), 2, "what failed and what panicked; not what merely waits");
}
