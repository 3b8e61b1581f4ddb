//! What is written down when the record does not take everything, and that replays tell nothing of releases.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::delivery::ContentType;
use domain::envelope::{Body, Envelope};
use domain::error::PortError;
use domain::event::{EventStatus, GithubEvent, Source};
use domain::hours::Counted;
use domain::ids::{BodyKey, EventId, EventType, ReceiptId, Repository};
use domain::ports::{
    BodyReader, Clock, EventLog, HeadReader, HourLog, Ids, KeptBody, Message, Recorded, ReleaseLog, ServerLog,
    ServerReply, ServerRequest, StatusQueue, YourServer,
};
use domain::reasons::FailureReason;
use domain::release::ReleaseEvent;
use domain::retry::ServerHealth;
use domain::run::{AskedBy, Run};
use domain::secrets::{FixedSecrets, Keyring};
use domain::statuses::message::StatusMessage;
use domain::statuses::{ContextKey, Head};
use fanout::{CallBack, Fanout, Ports};
use jiff::Timestamp;
use lambda::batch::{HandleMessage, Verdict};
use lambda::meter::Silent;
use testkit::clock::{CountingIds, ManualClock};

/// A record of one run, a server that takes everything, and a list of what happened, in order.
struct World {
    run: Mutex<Option<Run>>,
    /// Which runs are refused for ever.
    refuses: Mutex<fn(&Run) -> bool>,
    /// What the record says to a release.
    release: Mutex<Option<PortError>>,
    happened: Mutex<Vec<String>>,
    answer: Mutex<&'static str>,
}

impl World {
    fn note(&self, what: impl Into<String>) {
        self.happened.lock().unwrap().push(what.into());
    }

    fn run(&self) -> Run {
        self.run.lock().unwrap().clone().unwrap()
    }

    fn write(&self, run: &Run) -> Result<bool, PortError> {
        if (self.refuses.lock().unwrap())(run) {
            return Err(PortError::permanent("the row is too large"));
        }
        self.note(run.state.as_str());
        *self.run.lock().unwrap() = Some(Run { version: run.version + 1, ..run.clone() });
        Ok(true)
    }
}

#[async_trait]
impl EventLog for World {
    async fn look_up(&self, _: &EventId, _: ReceiptId) -> Result<Recorded, PortError> {
        Ok(Recorded { run: self.run.lock().unwrap().clone(), redelivery: false })
    }
    async fn begin(&self, _: &GithubEvent, run: &Run, _: &[(String, String)], _: &KeptBody) -> Result<bool, PortError> {
        self.write(run)
    }
    async fn save(&self, run: &Run) -> Result<bool, PortError> {
        self.write(run)
    }
}

#[async_trait]
impl ReleaseLog for World {
    async fn record_release(
        &self,
        repository: &Repository,
        event: &ReleaseEvent,
        _: ReceiptId,
        _: Timestamp,
    ) -> Result<(), PortError> {
        self.note(format!("release {} of {repository}", event.id));
        self.release.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl HourLog for World {
    async fn count(&self, _: Timestamp, what: &[Counted]) -> Result<(), PortError> {
        let what: Vec<_> = what.iter().map(|what| what.as_str()).collect();
        self.note(format!("counted {}", what.join(", ")));
        Err(PortError::permanent("nobody minds"))
    }
}

#[async_trait]
impl ServerLog for World {
    async fn health(&self, _: &str) -> Result<ServerHealth, PortError> {
        Ok(ServerHealth::default())
    }
    async fn save_health(&self, _: &str, _: &ServerHealth) -> Result<bool, PortError> {
        Ok(true)
    }
}

#[async_trait]
impl HeadReader for World {
    async fn head(&self, _: &ContextKey) -> Result<Head, PortError> {
        Ok(Head::default())
    }
}

#[async_trait]
impl BodyReader for World {
    async fn get(&self, _: &BodyKey) -> Result<Option<Bytes>, PortError> {
        Ok(None)
    }
}

#[async_trait]
impl YourServer for World {
    fn key(&self) -> &str {
        "server"
    }
    fn host(&self) -> &str {
        "server:1"
    }
    async fn call(&self, _: ServerRequest) -> ServerReply {
        self.note("called");
        let body = Some(Bytes::from_static(self.answer.lock().unwrap().as_bytes()));
        ServerReply::Answered { code: 200, retry_after: None, moved_to: None, body }
    }
}

#[async_trait]
impl StatusQueue for World {
    async fn send(&self, _: &[StatusMessage]) -> Result<(), PortError> {
        Ok(())
    }
}

/// Everything is taken, until somebody says otherwise.
fn world() -> Arc<World> {
    Arc::new(World {
        run: Mutex::default(),
        refuses: Mutex::new(|_| false),
        release: Mutex::default(),
        happened: Mutex::default(),
        answer: Mutex::default(),
    })
}

async fn handle(world: &Arc<World>, message: &str, asked_by: AskedBy) -> Result<Verdict, PortError> {
    let clock = Arc::new(ManualClock::default());
    let secret = |text: &str| Arc::new(FixedSecrets(Keyring::new(text.into(), None)));
    let ports = Ports {
        log: world.clone(),
        releases: world.clone(),
        hours: world.clone(),
        servers: world.clone(),
        heads: world.clone(),
        bodies: world.clone(),
        server: Some(world.clone()),
        statuses: world.clone(),
        server_secrets: secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        callback_secrets: secret("signs call-back tokens"),
        clock: clock.clone(),
    };
    let body = br#"{"action":"published","repository":{"full_name":"o/r"},"release":{"id":7}}"#;
    let envelope = Envelope {
        event: EventId::parse("1-a").unwrap(),
        event_type: EventType::parse("release").unwrap(),
        receipt: ReceiptId(CountingIds::default().next(clock.now())),
        source: Source::Repository,
        received_at: clock.now(),
        content_type: ContentType::Json,
        headers: Vec::new(),
        body: Body::Inline(Bytes::from_static(body)),
        asked_by,
    };
    let message =
        Message { id: message.to_owned(), handle: String::new(), body: envelope.encode(), group: None, receives: 1 };
    let call_back = CallBack { url: "http://127.0.0.1/v1/statuses".to_owned(), ttl: Duration::from_secs(60) };
    Fanout::new(ports, call_back, Arc::new(Silent)).handle(&message, &[]).await
}

fn happened(world: &World) -> Vec<String> {
    std::mem::take(&mut *world.happened.lock().unwrap())
}

#[tokio::test]
async fn the_release_comes_first_and_a_count_that_fails_changes_nothing() {
    let world = world();
    assert_eq!(handle(&world, "m1", AskedBy::Github).await, Ok(Verdict::Done));
    assert_eq!(
        happened(&world),
        ["release 7 of o/r", "processing", "called", "processed", "counted received, processed"]
    );
    handle(&world, "m1", AskedBy::Github).await.unwrap();
    assert_eq!(happened(&world), [""; 0], "a copy of the message does nothing");
}

#[tokio::test]
async fn a_replay_tells_nothing_of_a_release() {
    let world = world();
    let replay = AskedBy::Replay { replay: "one".to_owned(), by: "ana".to_owned() };
    handle(&world, "m1", replay).await.unwrap();
    assert_eq!(happened(&world), ["processing", "called", "processed", "counted received, processed"]);
}

#[tokio::test]
async fn a_release_that_cannot_be_written_is_waited_for_or_done_without() {
    let world = world();
    *world.release.lock().unwrap() = Some(PortError::transient("throttled"));
    assert!(handle(&world, "m1", AskedBy::Github).await.unwrap_err().is_transient());
    assert_eq!(happened(&world), ["release 7 of o/r"], "the server is not called before it is written");
    *world.release.lock().unwrap() = Some(PortError::permanent("refused"));
    assert_eq!(handle(&world, "m1", AskedBy::Github).await, Ok(Verdict::Done));
    assert_eq!(happened(&world).last().unwrap(), "counted received, processed");
}

#[tokio::test]
async fn an_end_that_cannot_be_written_whole_is_written_short() {
    let world = world();
    let status = r#"{"sha":"9fceb02d0ae598e95dc970b74767f19372d61af8","statuses":[{"name":"ci","status":"success"}]}"#;
    *world.answer.lock().unwrap() = status;
    *world.refuses.lock().unwrap() = |run| run.attempts.iter().any(|attempt| !attempt.statuses.is_empty());
    let reason = "the row is too large".to_owned();
    assert_eq!(handle(&world, "m1", AskedBy::Github).await, Ok(Verdict::DeadLetter { reason }));
    let run = world.run();
    assert_eq!((run.state, run.failure), (EventStatus::Errored, Some(FailureReason::Internal)));
    assert_eq!((run.set_aside.as_deref(), run.is_open()), (Some("m1"), false));
    assert_eq!(run.attempts[0].code, Some(200), "what fits is kept");
    assert_eq!(happened(&world).last().unwrap(), "counted received, errored");

    *world.answer.lock().unwrap() = "";
    assert_eq!(handle(&world, "m2", AskedBy::Github).await, Ok(Verdict::Done), "a redrive runs again");
    assert_eq!(world.run().state, EventStatus::Processed);
}

#[tokio::test]
async fn when_nothing_can_be_written_the_first_reason_stands() {
    let world = world();
    *world.refuses.lock().unwrap() = |run| !run.is_open();
    let refused = handle(&world, "m1", AskedBy::Github).await;
    assert_eq!(refused, Err(PortError::permanent("the row is too large")));
    assert_eq!(world.run().state, EventStatus::Processing);
    assert_eq!(happened(&world), ["release 7 of o/r", "processing", "called"], "and nothing is counted");
}
