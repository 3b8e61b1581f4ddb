//! What a request has changed, and what health looks like.

use domain::dead_letters;
use domain::event::GithubEvent;
use domain::ids::{EventId, EventType, ReceiptId, Repository, StatusId};
use domain::replay::Refusal;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::openapi::names;

/// What was sent back.
#[derive(Serialize, ToSchema)]
pub(crate) struct Redriven {
    #[schema(value_type = names::QueueName)]
    queue: &'static str,
    /// How many.
    redriven: usize,
    /// The ids that they had as dead letters.
    ids: Vec<String>,
    /// Asked for and not found: sent back before, or held by somebody else at this moment.
    missing: Vec<String>,
    /// Whether there may be more to send back by the same call.
    more: bool,
}

impl Redriven {
    pub(crate) fn new(queue: dead_letters::DeadLetterQueue, redriven: dead_letters::Redriven) -> Self {
        let dead_letters::Redriven { ids, missing, more } = redriven;
        Self { queue: queue.as_str(), redriven: ids.len(), ids, missing, more }
    }
}

/// An event that runs again.
#[derive(Serialize, ToSchema)]
pub(crate) struct Replayed {
    #[schema(value_type = names::EventId)]
    pub(crate) event: EventId,
    /// The receipt of the new run: always the same for this event and this replay.
    #[schema(value_type = names::ReceiptId)]
    pub(crate) receipt: ReceiptId,
    #[schema(value_type = names::ReplayId)]
    pub(crate) replay: String,
}

/// One call's share of a replay.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReplayPage {
    /// Goes into the next call, and into every repeat of this one.
    #[schema(value_type = names::ReplayId)]
    pub(crate) replay: String,
    /// Events of this call that match.
    #[schema(maximum = 100)]
    pub(crate) matched: usize,
    pub(crate) replayed: usize,
    /// Replayed by an earlier call.
    pub(crate) already: usize,
    /// Not replayed; each result says why.
    pub(crate) left: usize,
    /// Oldest first.
    pub(crate) results: Vec<ReplayResult>,
    /// Goes into `cursor` for the next call; null when there is nothing more.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

/// What became of one event.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReplayResult {
    #[schema(value_type = names::EventId)]
    event: EventId,
    #[serde(rename = "type")]
    #[schema(value_type = names::EventType)]
    event_type: EventType,
    #[schema(value_type = Option<names::Repository>, required)]
    repository: Option<Repository>,
    received_at: Timestamp,
    result: Fate,
    #[schema(value_type = Option<names::ReceiptId>, required)]
    receipt: Option<ReceiptId>,
    /// Why it was left.
    #[schema(value_type = Option<names::ReplayRefusal>, required)]
    reason: Option<&'static str>,
}

/// What a replay did with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReplayFate)]
pub(crate) enum Fate {
    /// It was a dry run.
    Matched,
    /// It runs again.
    Replayed,
    /// An earlier call replayed it.
    Already,
    /// It was left as it is.
    Left,
}

impl ReplayResult {
    pub(crate) fn new(event: &GithubEvent, result: Fate, receipt: Option<ReceiptId>, left: Option<Refusal>) -> Self {
        Self {
            event: event.id.clone(),
            event_type: event.event_type.clone(),
            repository: event.repository.clone(),
            received_at: event.received_at,
            result,
            receipt,
            reason: left.map(Refusal::as_str),
        }
    }
}

/// What became of the statuses of one request, in the order sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatusResults {
    pub(crate) results: Vec<StatusResult>,
}

/// What became of one status.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatusResult {
    /// Null where it is invalid.
    #[schema(value_type = Option<names::StatusId>, required)]
    pub(crate) id: Option<StatusId>,
    /// As it was given, as far as it could be read.
    #[schema(required)]
    pub(crate) context: Option<String>,
    pub(crate) result: Verdict,
    /// Why it is invalid, or what was changed to accept it.
    #[schema(required)]
    pub(crate) reason: Option<String>,
}

/// Whether a status was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StatusVerdict)]
pub(crate) enum Verdict {
    /// It is on its way to GitHub.
    Accepted,
    /// It cannot be used; the others are accepted all the same.
    Invalid,
}

/// The port answers, and what it needs is there.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(examples("ok"))]
    pub(crate) status: &'static str,
    /// Which function answers: `api`, or `ingest` on the webhook port.
    #[schema(examples("api"))]
    pub(crate) function: &'static str,
    /// Deliveries that were refused; only on one machine, and only for who may read the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Refused)]
    pub(crate) refused: Option<Value>,
}

/// Refused deliveries, since the process began. As [`lambda::meter::refusals::Refusals::to_json`] writes them.
#[derive(ToSchema)]
#[schema(as = RefusedDeliveries)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Refused {
    since: Timestamp,
    /// One entry for each reason that was seen, such as `signature`.
    by_reason: std::collections::BTreeMap<String, RefusedCount>,
}

/// How often, and when last.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct RefusedCount {
    count: u64,
    last_at: Timestamp,
}
