//! The record: events, runs, statuses, dead letters.

use domain::dead_letters::DeadLetter as Letter;
use domain::event::GithubEvent;
use domain::ids::{DeliveryGuid, EventId, EventType, HookId, ReceiptId, Repository, Sha, StatusId};
use domain::reasons::{FailureReason, StatusReason, Words as Sentences, outcome_words};
use domain::run::{AskedBy, Attempt as Call, Outcome, Run as Receipt};
use domain::statuses::row::StatusRow;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::openapi::names;

/// One thing that happened at GitHub, as one hook told it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Event {
    #[schema(value_type = names::EventId)]
    id: EventId,
    #[serde(rename = "type")]
    #[schema(value_type = names::EventType)]
    event_type: EventType,
    /// The payload's `action`; free text for `repository_dispatch`.
    #[schema(required, examples("synchronize"))]
    action: Option<String>,
    #[schema(value_type = names::DeliveryGuid)]
    delivery: DeliveryGuid,
    #[schema(value_type = names::HookId)]
    hook_id: HookId,
    #[schema(value_type = names::Source)]
    source: &'static str,
    /// The App installation that the payload names.
    #[schema(required)]
    installation_id: Option<u64>,
    #[schema(value_type = Option<names::Repository>, required)]
    repository: Option<Repository>,
    /// Login of whoever caused it.
    #[schema(required, examples("ana"))]
    sender: Option<String>,
    #[schema(value_type = Option<names::Sha>, required)]
    sha: Option<Sha>,
    /// Number of the pull request.
    #[schema(required, examples(7))]
    pull_request: Option<u64>,
    /// What a person would call it.
    #[schema(required, examples("#7 9fceb02"))]
    about: Option<String>,
    /// Where its newest run stands.
    #[schema(value_type = names::EventStatus)]
    status: &'static str,
    /// Why nothing was sent, for ignored and unhandled events.
    #[schema(required)]
    reason: Option<String>,
    #[schema(value_type = Option<names::FailureReason>, required)]
    failure_reason: Option<&'static str>,
    /// Oldest first.
    #[schema(value_type = Vec<names::ReceiptId>)]
    receipts: Vec<ReceiptId>,
    /// When the first receipt was made.
    received_at: Timestamp,
    /// When the newest run ended.
    #[schema(required)]
    processed_at: Option<Timestamp>,
    /// Attempts of the newest run.
    tries: u32,
    #[schema(required)]
    last_answer: Option<LastAnswer>,
    /// When the next attempt is due.
    #[schema(required)]
    next_attempt_at: Option<Timestamp>,
    /// SHA-256 of the body, hexadecimal.
    body_sha256: String,
    /// Size of the body.
    body_bytes: u64,
    /// An earlier event with exactly these bytes.
    #[schema(value_type = Option<names::EventId>, required)]
    same_body_as: Option<EventId>,
}

/// What your server said last.
#[derive(Serialize, ToSchema)]
pub(crate) struct LastAnswer {
    /// The HTTP status; null when there was no answer.
    #[schema(required)]
    code: Option<u16>,
    /// How long it took.
    ms: u64,
}

impl From<&GithubEvent> for Event {
    fn from(event: &GithubEvent) -> Self {
        Self {
            id: event.id.clone(),
            event_type: event.event_type.clone(),
            action: event.action.clone(),
            delivery: event.delivery().clone(),
            hook_id: event.hook().clone(),
            source: event.source.as_str(),
            installation_id: event.installation_id,
            repository: event.repository.clone(),
            sender: event.sender.clone(),
            sha: event.sha.clone(),
            pull_request: event.pull_request,
            about: event.about.clone(),
            status: event.status.as_str(),
            reason: event.reason.clone(),
            failure_reason: event.failure_reason.map(FailureReason::as_str),
            receipts: event.receipts.clone(),
            received_at: event.received_at,
            processed_at: event.processed_at,
            tries: event.tries,
            last_answer: event.last_answer.map(|answer| LastAnswer { code: answer.code, ms: answer.ms }),
            next_attempt_at: event.next_attempt_at,
            body_sha256: event.body_sha256.clone(),
            body_bytes: event.body_bytes,
            same_body_as: event.same_body_as.clone(),
        }
    }
}

/// One page of events, newest first. It may hold fewer than the limit, even none, while there is a next one.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventPage {
    pub(crate) events: Vec<Event>,
    /// Goes into `cursor` for the next page; null at the end.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

/// An event with everything that belongs to it.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventStory {
    #[serde(flatten)]
    pub(crate) event: Event,
    /// The failure in words.
    #[schema(required)]
    pub(crate) failure: Option<Words>,
    /// Oldest first.
    pub(crate) runs: Vec<Run>,
    /// Newest first.
    pub(crate) statuses: Vec<Status>,
    /// Where the exact bytes are.
    pub(crate) payload_url: String,
    /// GitHub's JSON as it came. Absent when it is larger than 256 KB, nested deeper than 100, or not kept any more.
    // As text, because a tree would reorder and rewrite it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub(crate) payload: Option<Box<RawValue>>,
}

/// What was done about one receipt.
#[derive(Serialize, ToSchema)]
pub(crate) struct Run {
    #[schema(value_type = names::ReceiptId)]
    receipt: ReceiptId,
    #[schema(value_type = names::EventStatus)]
    state: &'static str,
    /// `github`, or how somebody was let in who asked for a replay, and the name that they gave.
    #[schema(examples("key: ana, command line"))]
    asked_by: String,
    /// The replay that it belongs to.
    #[schema(value_type = Option<names::ReplayId>, required)]
    replay: Option<String>,
    started_at: Timestamp,
    #[schema(required)]
    ended_at: Option<Timestamp>,
    /// Why nothing was sent.
    #[schema(required)]
    reason: Option<String>,
    #[schema(value_type = Option<names::FailureReason>, required)]
    failure_reason: Option<&'static str>,
    #[schema(required)]
    next_attempt_at: Option<Timestamp>,
    /// Oldest first.
    attempts: Vec<Attempt>,
}

impl From<&Receipt> for Run {
    fn from(run: &Receipt) -> Self {
        let (asked_by, replay) = match &run.asked_by {
            AskedBy::Github => ("github", None),
            AskedBy::Replay { replay, by } => (by.as_str(), Some(replay.clone())),
        };
        Self {
            receipt: run.receipt,
            state: run.state.as_str(),
            asked_by: asked_by.to_owned(),
            replay,
            started_at: run.started_at,
            ended_at: run.ended_at,
            reason: run.reason.clone(),
            failure_reason: run.failure.map(FailureReason::as_str),
            next_attempt_at: run.next_attempt_at,
            attempts: run.attempts.iter().map(Attempt::from).collect(),
        }
    }
}

/// One call of your server.
#[derive(Serialize, ToSchema)]
pub(crate) struct Attempt {
    started_at: Timestamp,
    #[schema(required)]
    ended_at: Option<Timestamp>,
    /// Null while it runs.
    #[schema(value_type = Option<names::AttemptOutcome>, required)]
    outcome: Option<&'static str>,
    /// The HTTP status, if there was one.
    #[schema(required)]
    code: Option<u16>,
    /// How long it took, measured.
    #[schema(required)]
    ms: Option<u64>,
    /// What happened, in Hookyard's words.
    #[schema(required)]
    note: Option<String>,
    /// What it means and what to do, where it was trouble.
    #[schema(required)]
    help: Option<Words>,
    /// Statuses that the answer brought.
    #[schema(value_type = Vec<names::StatusId>)]
    statuses: Vec<StatusId>,
}

impl From<&Call> for Attempt {
    fn from(attempt: &Call) -> Self {
        Self {
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            outcome: attempt.outcome.map(Outcome::as_str),
            code: attempt.code,
            ms: attempt.ms,
            note: attempt.note.clone(),
            help: attempt.outcome.and_then(outcome_words).map(Words::from),
            statuses: attempt.statuses.clone(),
        }
    }
}

/// A failure in three sentences.
#[derive(Serialize, ToSchema)]
pub(crate) struct Words {
    what_happened: &'static str,
    what_it_means: &'static str,
    what_to_do: &'static str,
}

impl From<Sentences> for Words {
    fn from(words: Sentences) -> Self {
        Self { what_happened: words.happened, what_it_means: words.means, what_to_do: words.todo }
    }
}

/// A status of a commit, and what became of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    #[schema(value_type = names::StatusId)]
    id: StatusId,
    #[schema(examples("integration-testing"))]
    context: String,
    #[schema(value_type = names::CommitState)]
    state: &'static str,
    #[schema(required)]
    description: Option<String>,
    #[schema(required)]
    target_url: Option<String>,
    accepted_at: Timestamp,
    #[schema(required)]
    written_at: Option<Timestamp>,
    #[schema(value_type = names::StatusOutcome)]
    outcome: &'static str,
    /// Why, in words: Hookyard's and GitHub's.
    #[schema(required)]
    why: Option<String>,
    #[schema(value_type = Option<names::StatusReason>, required)]
    reason: Option<&'static str>,
    /// Until when it waits.
    #[schema(required)]
    until: Option<Timestamp>,
    #[schema(value_type = names::Via)]
    via: &'static str,
    #[schema(value_type = Option<names::EventId>, required)]
    event: Option<EventId>,
    #[schema(value_type = Option<names::ReceiptId>, required)]
    receipt: Option<ReceiptId>,
    /// GitHub's id of it.
    #[schema(required)]
    github_id: Option<u64>,
}

impl From<&StatusRow> for Status {
    fn from(row: &StatusRow) -> Self {
        Self {
            id: row.id.clone(),
            context: row.content.context.clone(),
            state: row.content.state.as_str(),
            description: row.content.description.clone(),
            target_url: row.content.target_url.clone(),
            accepted_at: row.accepted.at,
            written_at: row.written_at,
            outcome: row.outcome.as_str(),
            why: row.why.clone(),
            reason: row.reason.map(StatusReason::as_str),
            until: row.until,
            via: row.via.as_str(),
            event: row.event.clone(),
            receipt: row.run,
            github_id: row.github_id,
        }
    }
}

/// One page of a commit's statuses, newest accepted first.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatusPage {
    pub(crate) statuses: Vec<Status>,
    /// Goes into `cursor` for the next page; null at the end.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

/// A message that was set aside, without its bytes.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    /// The same at every look; another one should it be set aside again.
    id: String,
    #[schema(value_type = names::QueueName)]
    queue: &'static str,
    #[schema(value_type = Option<names::EventId>, required)]
    event: Option<EventId>,
    #[serde(rename = "type")]
    #[schema(value_type = Option<names::EventType>, required)]
    event_type: Option<EventType>,
    #[schema(value_type = Option<names::ReceiptId>, required)]
    receipt: Option<ReceiptId>,
    #[schema(value_type = Option<names::StatusId>, required)]
    status: Option<StatusId>,
    /// The status's context.
    #[schema(required)]
    context: Option<String>,
    #[schema(value_type = Option<names::Repository>, required)]
    repository: Option<Repository>,
    #[schema(value_type = Option<names::Sha>, required)]
    sha: Option<Sha>,
    /// Why it was set aside; a queue that gave up by itself does not say.
    #[schema(required)]
    reason: Option<String>,
    /// How often it had been received.
    #[schema(required)]
    tries: Option<u32>,
    since: Timestamp,
}

impl From<Letter> for DeadLetter {
    fn from(letter: Letter) -> Self {
        let about = letter.about;
        Self {
            id: letter.id,
            queue: letter.queue.as_str(),
            event: about.event,
            event_type: about.event_type,
            receipt: about.receipt,
            status: about.status,
            context: about.context,
            repository: about.repository,
            sha: about.sha,
            reason: letter.reason,
            tries: letter.tries,
            since: letter.since,
        }
    }
}

/// Dead letters, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetterPage {
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// The queues that were asked for.
    pub(crate) queues: Vec<QueueCount>,
}

/// How many dead letters a queue holds, listed or not; approximate on AWS.
#[derive(Serialize, ToSchema)]
pub(crate) struct QueueCount {
    #[schema(value_type = names::QueueName)]
    pub(crate) queue: &'static str,
    pub(crate) count: u64,
}
