//! Turns work into an answer: writes each accepted status to GitHub once, in the right order.
//!
//! One message at a time per context (the queue's FIFO group): look at the status' own row, settle what an earlier
//! write left open, decide, put the intent, POST once, record. Start with [`Writer`]; the settling is in `settle`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod pace;
pub mod settings;
mod settle;
mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::error::PortError;
use domain::github_reply::{Meaning, meaning};
use domain::ids::{CredentialId, ReceiptId};
use domain::ports::{Clock, GithubStatuses, Message, Pause, PauseLog, PostReply, StatusLog};
use domain::reasons::StatusReason;
use domain::retry::jittered;
use domain::statuses::message::StatusMessage;
use domain::statuses::order::{Decision, as_written, decide, may_skip};
use domain::statuses::row::{StatusOutcome, StatusRow};
use domain::statuses::{Content, ContextKey, Head, Intent, Refused, State, Via};
use jiff::{SignedDuration, Timestamp};
use lambda::batch::{HandleMessage, Verdict};
use lambda::meter::{Fact, Meter};
use lambda::telemetry::about;

use crate::pace::Pace;
use crate::settle::Settled;

/// How long GitHub may take to show an applied POST in its list: an intent is not looked into before.
pub const SETTLE_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// The `status` function: one handler for every message of the `statuses` queue.
pub struct Writer {
    log: Arc<dyn StatusLog>,
    github: Arc<dyn GithubStatuses>,
    clock: Arc<dyn Clock>,
    pace: Pace,
    meter: Arc<dyn Meter>,
}

/// What becomes of a status once its turn is over.
enum End {
    Ended(StatusOutcome, Option<StatusReason>, String),
    Wait(Timestamp, Option<StatusReason>, String),
    /// Too many statuses of its credential are under way: back to the queue for a moment, nothing to record.
    Crowded,
}

impl Writer {
    /// A writer over its ports; `meter` counts what becomes of statuses.
    pub fn new(
        log: Arc<dyn StatusLog>,
        pauses: Arc<dyn PauseLog>,
        github: Arc<dyn GithubStatuses>,
        clock: Arc<dyn Clock>,
        meter: Arc<dyn Meter>,
    ) -> Self {
        Self { log, github, clock: clock.clone(), pace: Pace::new(pauses, clock), meter }
    }

    async fn take(&self, status: &StatusMessage, next: Option<&StatusMessage>) -> Result<Verdict, PortError> {
        let row = self.log.status(&status.repository, &status.sha, &status.id).await?;
        if row.as_ref().is_some_and(|row| row.outcome.is_final()) {
            tracing::info!(outcome = "copy_dropped", status = %status.id, "a copy of a status that has ended was dropped");
            return Ok(Verdict::Done);
        }
        let mut row = row.unwrap_or_else(|| status.row());
        let end = self.bring_to_an_end(status, next, &mut row).await?;
        self.record(row, end).await
    }

    async fn bring_to_an_end(
        &self,
        status: &StatusMessage,
        next: Option<&StatusMessage>,
        row: &mut StatusRow,
    ) -> Result<End, PortError> {
        let key = status.key();
        let credential = match self.github.credential(&status.repository).await {
            Ok(credential) => credential,
            Err(error) => return Ok(self.no_token(row, &error)),
        };
        let mut head = self.log.head(&key).await?;
        if let Some(intent) = head.intent.clone() {
            head = match self.settle(&key, head, &intent, status, credential.as_ref()).await? {
                Settled::Clear(head) => *head,
                Settled::Stands(github_id) => return Ok(self.written(row, github_id)),
                Settled::Later(until, reason, why) => return Ok(End::Wait(until, reason, why)),
                Settled::Crowded => return Ok(End::Crowded),
                Settled::Blind(reason, why) => return Ok(End::Ended(StatusOutcome::Refused, Some(reason), why)),
            };
        }
        match decide(&head, status, credential.is_some()) {
            Decision::Write => {}
            Decision::Stands(Some(github_id)) => return Ok(self.written(row, github_id)),
            Decision::Stands(None) => return Ok(not_sent()),
            Decision::Superseded(why) => return Ok(End::Ended(StatusOutcome::Superseded, None, why)),
            Decision::Unchanged => {
                if head.refused.is_some() {
                    self.save_head(&key, &head.without_refused()).await?;
                }
                let why = "GitHub shows exactly this already.".to_owned();
                return Ok(End::Ended(StatusOutcome::Unchanged, None, why));
            }
        }
        let Some(credential) = credential else {
            // Recorded in order all the same, so that the record shows what GitHub would show.
            self.save_head(&key, &head.with_written(as_written(status, None))).await?;
            return Ok(not_sent());
        };
        // What a pause made wait is skipped when something newer waits behind it, while it lasts and when it is over:
        // the first requests after a pause are the dearest.
        let waited = self.pace.last_pause(&credential).await?.filter(|pause| pause.until > status.accepted.at);
        if waited.is_some()
            && let Some(next) = next.filter(|next| may_skip(&head, status, next))
            && self.is_open(next).await?
        {
            let why = format!("A newer one ({}) was accepted while GitHub's pause lasted.", next.content.state);
            return Ok(End::Ended(StatusOutcome::Superseded, None, why));
        }
        let Some(permit) = self.pace.permit(&credential).await else {
            return Ok(End::Crowded);
        };
        // Asked with the place in hand, because others may have met the limit while we waited for it.
        if let Some(pause) = self.pace.paused(&credential).await? {
            return Ok(paused(pause));
        }
        let started_at = self.clock.now();
        let intent = Intent { status: as_written(status, None), started_at };
        let head = self.save_head(&key, &Head { intent: Some(intent.clone()), ..head }).await?;
        let reply = self.github.post(&credential, &status.repository, &status.sha, &status.content).await;
        drop(permit);
        self.after_post(&key, head, status, row, &credential, &intent, reply).await
    }

    #[expect(clippy::too_many_arguments, reason = "one POST and everything it was about; used once")]
    async fn after_post(
        &self,
        key: &ContextKey,
        head: Head,
        status: &StatusMessage,
        row: &mut StatusRow,
        credential: &CredentialId,
        intent: &Intent,
        reply: PostReply,
    ) -> Result<End, PortError> {
        let now = self.clock.now();
        let answer = match reply {
            PostReply::Created(github_id) => {
                self.save_head(key, &head.with_written(as_written(status, Some(github_id)))).await?;
                return Ok(self.written(row, github_id));
            }
            PostReply::NotSent(why) => {
                self.pace.never_sent(intent);
                self.save_head(key, &head.without_intent()).await?;
                self.pace.settled(intent);
                let why = format!("GitHub could not be reached: {why}");
                return Ok(End::Wait(later(now, row, 2), None, why));
            }
            PostReply::Unknown(why) => return Ok(unknown(now, row, intent.started_at, &why)),
            PostReply::Answered(answer) => answer,
        };
        let before = self.pace.last_pause(credential).await?;
        match meaning(&answer, &status.repository, before, intent.started_at, now) {
            Meaning::Refused { reason, why } => {
                let wait = self.other_token(credential, &status.repository, reason).await;
                let after = if wait.is_some() {
                    self.pace.never_sent(intent);
                    head.without_intent()
                } else {
                    head.with_refused(refused(status, reason, &why, now))
                };
                self.save_head(key, &after).await?;
                self.pace.settled(intent);
                Ok(match wait {
                    Some((until, why)) => End::Wait(until, None, why),
                    None => End::Ended(StatusOutcome::Refused, Some(reason), why),
                })
            }
            Meaning::Limited(pause) => {
                // The pause first: if we die here, the intent only costs a look at GitHub.
                self.pace.pause(credential, pause).await?;
                self.pace.never_sent(intent);
                self.save_head(key, &head.without_intent()).await?;
                self.pace.settled(intent);
                Ok(paused(pause))
            }
            Meaning::Unknown(why) => Ok(unknown(now, row, intent.started_at, &why)),
        }
    }

    /// Whether a status has not ended: a copy of one that has would be acknowledged without being written.
    async fn is_open(&self, status: &StatusMessage) -> Result<bool, PortError> {
        let row = self.log.status(&status.repository, &status.sha, &status.id).await?;
        Ok(row.is_none_or(|row| !row.outcome.is_final()))
    }

    /// Writes the head and returns it as it now stands. Somebody else's version means that this message is in two
    /// hands; it goes back to the queue, and the next look sees what the other did.
    async fn save_head(&self, key: &ContextKey, head: &Head) -> Result<Head, PortError> {
        if self.log.save_head(key, head).await? {
            Ok(Head { version: head.version + 1, ..head.clone() })
        } else {
            Err(PortError::transient("another writer has changed the head of this context meanwhile"))
        }
    }

    fn written(&self, row: &mut StatusRow, github_id: u64) -> End {
        row.github_id = Some(github_id);
        row.written_at = Some(self.clock.now());
        End::Ended(StatusOutcome::Written, None, String::new())
    }

    /// What stands behind a waiting status of its context waits as long, and its row says so.
    async fn record_waiting(&self, status: &StatusMessage, until: Timestamp) -> Result<(), PortError> {
        let known = self.log.status(&status.repository, &status.sha, &status.id).await?;
        if known.as_ref().is_some_and(|row| row.outcome.is_final() || row.until >= Some(until)) {
            return Ok(());
        }
        let why = "An earlier status of this context waits.".to_owned();
        let row = known.unwrap_or_else(|| status.row());
        self.log.save_status(&StatusRow { until: Some(until), why: Some(why), reason: None, ..row }).await
    }

    /// How long a status took from GitHub's request on is known of those that the gateway alone decides about: what an
    /// answer brings, and the first word of a call-back. A result comes when the checks are over, and tells of those.
    fn count(&self, row: &StatusRow) {
        self.meter.count(Fact::Status(row.outcome));
        let ours = row.via == Via::Answer || row.content.state == State::Pending;
        let received = row.run.filter(|_| ours).and_then(ReceiptId::made_at);
        if let (StatusOutcome::Written, Some(at), Some(received)) = (row.outcome, row.written_at, received) {
            self.meter.count(Fact::Written(at.duration_since(received)));
        }
    }

    async fn record(&self, mut row: StatusRow, end: End) -> Result<Verdict, PortError> {
        let verdict = match end {
            End::Ended(outcome, reason, why) => {
                (row.outcome, row.reason, row.until) = (outcome, reason, None);
                row.why = Some(why).filter(|why| !why.is_empty());
                Verdict::Done
            }
            End::Wait(until, reason, why) => {
                (row.outcome, row.reason, row.until) = (StatusOutcome::Waiting, reason, Some(until));
                row.why = Some(why.clone());
                row.tries = row.tries.saturating_add(1);
                Verdict::Defer { until, why }
            }
            End::Crowded => {
                let now = self.clock.now();
                let until = now.checked_add(SignedDuration::from_secs(1)).unwrap_or(now);
                return Ok(Verdict::Defer { until, why: "many statuses of its credential are under way".to_owned() });
            }
        };
        self.log.save_status(&row).await?;
        let outcome = row.outcome.as_str();
        tracing::info!(
            outcome, status = %row.id, sha = %row.sha, state = row.content.state.as_str(),
            reason = row.reason.map(StatusReason::as_str), until = row.until.map(tracing::field::display),
            "a status is {outcome}"
        );
        self.count(&row);
        Ok(verdict)
    }
}

#[async_trait]
impl HandleMessage for Writer {
    async fn handle(&self, message: &Message, later: &[Message]) -> Result<Verdict, PortError> {
        let Ok(status) = StatusMessage::decode(&message.body) else {
            return Ok(Verdict::DeadLetter { reason: "not a status message of a known version".to_owned() });
        };
        about(status.event.as_ref(), status.run, Some(&status.repository), status.trace_id().as_ref());
        // Only its own context can make a status pointless; groups hold one context each.
        let behind = || later.iter().filter_map(|next| StatusMessage::decode(&next.body).ok());
        let next = behind().next().filter(|next| next.key() == status.key());
        let verdict = self.take(&status, next.as_ref()).await?;
        if let Verdict::Defer { until, .. } = verdict {
            for waiting in behind() {
                self.record_waiting(&waiting, until).await?;
            }
        }
        Ok(verdict)
    }
}

/// What the head of its context keeps of a status that GitHub refused.
fn refused(status: &StatusMessage, reason: StatusReason, why: &str, at: Timestamp) -> Refused {
    let Content { context, state, .. } = &status.content;
    Refused { context: context.clone(), state: *state, reason, why: why.to_owned(), at }
}

fn not_sent() -> End {
    let why = "Recorded here only: no GitHub token is configured (GITHUB_TOKEN).".to_owned();
    End::Ended(StatusOutcome::NotSent, None, why)
}

fn paused(pause: Pause) -> End {
    let why = format!("GitHub asked for a pause until {}.", pause.until.strftime("%Y-%m-%dT%H:%M:%SZ"));
    End::Wait(pause.until, Some(StatusReason::RateLimited), why)
}

fn unknown(now: Timestamp, row: &StatusRow, started_at: Timestamp, why: &str) -> End {
    let look = started_at.checked_add(SETTLE_AFTER).unwrap_or(now);
    let why = format!("{why}. It may have been written: Hookyard looks at GitHub before it tries again.");
    End::Wait(look.max(later(now, row, 15)), None, why)
}

/// A wait that doubles with every try, from `first` seconds to five minutes.
fn later(now: Timestamp, row: &StatusRow, first: u64) -> Timestamp {
    let wait = Duration::from_secs(first << row.tries.min(8)).min(Duration::from_secs(300));
    let wait = jittered(wait, u64::from(row.tries) ^ row.accepted.at.as_millisecond().unsigned_abs());
    now.checked_add(SignedDuration::try_from(wait).unwrap_or_default()).unwrap_or(now)
}
