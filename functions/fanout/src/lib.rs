//! Turns a fact into work: records every event, calls the user's server, sends what it answers on its way.
//!
//! One message is one receipt: open the envelope, look whether this receipt has been here, decide what to do
//! ([`plan`]), record that it begins (`record`), call (`call`), record how it ended. One that was under way when a process
//! died is kept apart meanwhile (`isolation`). Start with [`Fanout`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod answer;
mod arrival;
mod call;
mod isolation;
mod plan;
mod record;
mod room;
pub mod settings;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::error::PortError;
use domain::event::EventStatus;
use domain::ids::ReceiptId;
use domain::ports::{
    BodyReader, Clock, EventLog, HeadReader, HourLog, Message, ReleaseLog, Secrets, ServerLog, StatusQueue, YourServer,
};
use domain::reasons::FailureReason;
use domain::retry::{Admission, GIVE_UP_AFTER, jittered};
use domain::run::{Run, TakeUp};
use jiff::{SignedDuration, Timestamp};
use lambda::batch::{HandleMessage, Verdict};
use lambda::meter::{Fact, Meter};

use crate::arrival::Arrival;
use crate::isolation::Isolation;
use crate::plan::Plan;
use crate::room::Room;

/// How long a run goes back to the queue for when it cannot have the company that it needs: about one attempt of another.
const STEP_ASIDE: Duration = Duration::from_secs(4);

/// What the `fanout` function needs from the world.
pub struct Ports {
    /// Events and runs.
    pub log: Arc<dyn EventLog>,
    /// Releases.
    pub releases: Arc<dyn ReleaseLog>,
    /// What became of events, hour by hour.
    pub hours: Arc<dyn HourLog>,
    /// How the server does.
    pub servers: Arc<dyn ServerLog>,
    /// Heads of contexts: an echo of our own status is recognised by them.
    pub heads: Arc<dyn HeadReader>,
    /// Bodies that were too large for the bus.
    pub bodies: Arc<dyn BodyReader>,
    /// The user's server; none when none is configured.
    pub server: Option<Arc<dyn YourServer>>,
    /// Where the statuses of an answer go.
    pub statuses: Arc<dyn StatusQueue>,
    /// Signs what is sent to the server.
    pub server_secrets: Arc<dyn Secrets>,
    /// Signs call-back tokens.
    pub callback_secrets: Arc<dyn Secrets>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// What a server is told about calling back.
#[derive(Debug, Clone)]
pub struct CallBack {
    /// `<public URL>/v1/statuses`.
    pub url: String,
    /// How long a token is good for.
    pub ttl: Duration,
}

/// The `fanout` function: one handler for every message of its queue.
pub struct Fanout {
    ports: Ports,
    call_back: CallBack,
    meter: Arc<dyn Meter>,
    isolation: Isolation,
    room: Room,
}

impl CallBack {
    /// At the API with that base.
    pub fn under(base: &str, ttl: Duration) -> Self {
        Self { url: format!("{}/v1/statuses", base.trim_end_matches('/')), ttl }
    }
}

impl Fanout {
    /// A fanout over its ports; `meter` counts what becomes of events.
    pub fn new(ports: Ports, call_back: CallBack, meter: Arc<dyn Meter>) -> Self {
        Self { ports, call_back, meter, isolation: Isolation::new(), room: Room::new() }
    }

    async fn take(&self, arrival: &Arrival, message: &str) -> Result<Verdict, PortError> {
        let found = self.ports.clock.now();
        let recorded = self.ports.log.look_up(&arrival.event.id, arrival.receipt).await?;
        let new = recorded.run.is_none();
        if new {
            self.record_release(arrival).await?;
        }
        let mut called = false;
        let mut run = match recorded.run {
            None => arrival.new_run(recorded.redelivery, found),
            Some(mut run) => match run.take_up(found, run.working(recorded.redelivery), message) {
                TakeUp::Go => run,
                TakeUp::Finished => {
                    tracing::info!(outcome = "copy_dropped", "a copy of a finished receipt was dropped");
                    return Ok(Verdict::Done);
                }
                TakeUp::NotBefore(until) => {
                    return Ok(Verdict::Defer { until, why: "its attempt is under way or not due yet".to_owned() });
                }
                TakeUp::TooManyCutOffs => {
                    self.save(arrival, &mut run).await?;
                    self.meter.count(Fact::Errored);
                    self.count(&run, new).await;
                    let reason = "Hookyard was cut off five times while it worked on this message".to_owned();
                    return Ok(Verdict::DeadLetter { reason });
                }
            },
        };
        let Some(_pass) = self.isolation.enter(run.company(), self.ports.clock.as_ref()).await else {
            // Nothing has been written of the run: the next look finds what this one found.
            return Ok(self.step_aside(run.receipt, "a run that was cut off has the process to itself"));
        };
        let now = self.ports.clock.now();
        match plan::plan(arrival, self.ports.server.is_some(), self.ports.heads.as_ref()).await? {
            Plan::Ignore(reason) => {
                run.reason = Some(reason);
                run.finish(EventStatus::Ignored, None, now);
            }
            Plan::NoServer => {
                run.reason = Some("no server is configured: set YOUR_SERVER_URL, then replay it".to_owned());
                run.finish(EventStatus::Unhandled, None, now);
            }
            Plan::Call => {
                // Only missing when there is no server, which the plan has ruled out.
                let Some(server) = self.ports.server.clone() else {
                    return Err(PortError::transient("the server's settings changed while a message was handled"));
                };
                match self.admit(&run, server.as_ref(), now).await? {
                    Admission::Rest(at) => self.park(&mut run, at, now),
                    admitted @ (Admission::Go | Admission::Probe) => {
                        let request = self.request(arrival, &run, now).await?;
                        let working = run.working(recorded.redelivery);
                        run.start_attempt(now, working);
                        self.save(arrival, &mut run).await?;
                        let probe = admitted == Admission::Probe;
                        self.call(arrival, &mut run, server.as_ref(), request, probe).await;
                        called = true;
                    }
                }
            }
        }
        match self.save(arrival, &mut run).await {
            Err(PortError::Permanent(why)) if called => return self.set_aside(arrival, run, new, message, why).await,
            saved => saved?,
        }
        self.count(&run, new).await;
        Ok(self.conclude(&run))
    }

    /// Back to the queue for some seconds, spread, because others are in the way.
    fn step_aside(&self, receipt: ReceiptId, why: &str) -> Verdict {
        let now = self.ports.clock.now();
        let wait = SignedDuration::try_from(jittered(STEP_ASIDE, seed(receipt))).unwrap_or_default();
        let until = now.checked_add(wait).unwrap_or(now);
        Verdict::Defer { until, why: why.to_owned() }
    }

    /// Says and counts what has become of the run.
    fn conclude(&self, run: &Run) -> Verdict {
        let last = run.attempts.last();
        let outcome = if run.next_attempt_at.is_some() { "retrying" } else { run.state.as_str() };
        tracing::info!(
            outcome,
            tries = run.tries(),
            code = run.last_answer().and_then(|answer| answer.code),
            server_ms = last.and_then(|attempt| attempt.ms),
            reason = run.failure.map(FailureReason::as_str),
            until = run.next_attempt_at.map(tracing::field::display),
            "an event is {outcome}"
        );
        self.meter.count(match run.state {
            EventStatus::Processed => {
                let answered = last.and_then(|attempt| attempt.ended_at);
                Fact::Processed(answered.zip(run.receipt.made_at()).map(|(end, start)| end.duration_since(start)))
            }
            EventStatus::Errored => Fact::Errored,
            EventStatus::Ignored => Fact::Ignored,
            EventStatus::Unhandled => Fact::Unhandled,
            EventStatus::Processing | EventStatus::Unprocessed | EventStatus::Reprocessing => Fact::Retried,
        });
        match run.next_attempt_at {
            Some(until) => Verdict::Defer { until, why: "it waits for its next attempt".to_owned() },
            None => Verdict::Done,
        }
    }

    /// A server that rests is not called: the run waits, without an attempt, until eight hours are over.
    fn park(&self, run: &mut Run, at: Timestamp, now: Timestamp) {
        let end = SignedDuration::try_from(GIVE_UP_AFTER).ok().and_then(|d| run.started_at.checked_add(d).ok());
        if end.is_some_and(|end| at > end) {
            run.finish(EventStatus::Errored, Some(FailureReason::GaveUp), now);
        } else {
            run.defer(at);
        }
    }

    /// Whether the server may be called for this run; takes the probe when it rests and one is due.
    async fn admit(&self, run: &Run, server: &dyn YourServer, now: Timestamp) -> Result<Admission, PortError> {
        let health = self.ports.servers.health(server.key()).await?;
        let admission = health.admit(now, seed(run.receipt));
        if admission != Admission::Probe {
            return Ok(admission);
        }
        let probing = health.probing(now);
        if self.ports.servers.save_health(server.key(), &probing).await? {
            return Ok(Admission::Probe);
        }
        // Somebody else took the probe, or woke the server: one more look decides.
        match self.ports.servers.health(server.key()).await?.admit(now, seed(run.receipt)) {
            Admission::Probe => Ok(Admission::Rest(now.checked_add(SignedDuration::from_secs(1)).unwrap_or(now))),
            other => Ok(other),
        }
    }
}

#[async_trait]
impl HandleMessage for Fanout {
    async fn handle(&self, message: &Message, _later: &[Message]) -> Result<Verdict, PortError> {
        let envelope = match arrival::read(message) {
            Ok(envelope) => envelope,
            Err(reason) => return Ok(Verdict::DeadLetter { reason }),
        };
        let Some(_room) = self.room.take(&envelope, self.ports.clock.as_ref()).await else {
            return Ok(self.step_aside(envelope.receipt, "the bodies of others take the memory"));
        };
        match arrival::open(envelope, self.ports.bodies.as_ref()).await? {
            Ok(arrival) => self.take(&arrival, &message.id).await,
            Err(reason) => Ok(Verdict::DeadLetter { reason }),
        }
    }

    fn gave_back(&self) {
        self.meter.count(Fact::Retried);
    }
}

/// Different for each run, and the same for one: spreads retries.
pub(crate) fn seed(receipt: ReceiptId) -> u64 {
    let (high, low) = receipt.0.as_u64_pair();
    high ^ low
}
