//! The record as JSON: one function per entity, so that every answer shows it alike.

use domain::dead_letters::DeadLetter;
use domain::event::GithubEvent;
use domain::ports::EventStory;
use domain::reasons::{FailureReason, StatusReason, Words, outcome_words};
use domain::release::Release;
use domain::run::{AskedBy, Attempt, Outcome, Run};
use domain::statuses::row::StatusRow;
use serde_json::{Value, json};

/// An event as it stands in a list.
pub(crate) fn event(event: &GithubEvent) -> Value {
    json!({
        "id": event.id,
        "type": event.event_type,
        "action": event.action,
        "delivery": event.delivery(),
        "hook_id": event.hook(),
        "source": event.source.as_str(),
        "installation_id": event.installation_id,
        "repository": event.repository,
        "sender": event.sender,
        "sha": event.sha,
        "pull_request": event.pull_request,
        "about": event.about,
        "status": event.status.as_str(),
        "reason": event.reason,
        "failure_reason": event.failure_reason.map(FailureReason::as_str),
        "receipts": event.receipts,
        "received_at": event.received_at,
        "processed_at": event.processed_at,
        "tries": event.tries,
        "last_answer": event.last_answer.map(|answer| json!({ "code": answer.code, "ms": answer.ms })),
        "next_attempt_at": event.next_attempt_at,
        "body_sha256": event.body_sha256,
        "body_bytes": event.body_bytes,
        "same_body_as": event.same_body_as,
    })
}

/// An event with its runs and statuses, without its payload.
pub(crate) fn story(story: &EventStory, statuses: &[StatusRow]) -> Value {
    let mut value = event(&story.event);
    if let Some(object) = value.as_object_mut() {
        object.insert("failure".to_owned(), story.event.failure_reason.map(|reason| words(reason.words())).into());
        object.insert("runs".to_owned(), story.runs.iter().map(run).collect());
        object.insert("statuses".to_owned(), statuses.iter().map(status).collect());
    }
    value
}

fn run(run: &Run) -> Value {
    let (asked_by, replay) = match &run.asked_by {
        AskedBy::Github => ("github", None),
        AskedBy::Replay { replay, by } => (by.as_str(), Some(replay)),
    };
    json!({
        "receipt": run.receipt,
        "state": run.state.as_str(),
        "asked_by": asked_by,
        "replay": replay,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "reason": run.reason,
        "failure_reason": run.failure.map(FailureReason::as_str),
        "next_attempt_at": run.next_attempt_at,
        "attempts": run.attempts.iter().map(attempt).collect::<Vec<_>>(),
    })
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "outcome": attempt.outcome.map(Outcome::as_str),
        "code": attempt.code,
        "ms": attempt.ms,
        "note": attempt.note,
        "help": attempt.outcome.and_then(outcome_words).map(words),
        "statuses": attempt.statuses,
    })
}

/// A release.
pub(crate) fn release(release: &Release) -> Value {
    json!({
        "repository": release.repository,
        "tag": release.facts.tag,
        "name": release.facts.name,
        "state": release.state.as_str(),
        "author": release.facts.author,
        "published_at": release.facts.published_at,
        "created_at": release.facts.created_at,
        "url": release.facts.url,
    })
}

/// A status.
pub(crate) fn status(row: &StatusRow) -> Value {
    json!({
        "id": row.id,
        "context": row.content.context,
        "state": row.content.state.as_str(),
        "description": row.content.description,
        "target_url": row.content.target_url,
        "accepted_at": row.accepted.at,
        "written_at": row.written_at,
        "outcome": row.outcome.as_str(),
        "why": row.why,
        "reason": row.reason.map(StatusReason::as_str),
        "until": row.until,
        "via": row.via.as_str(),
        "event": row.event,
        "receipt": row.run,
        "github_id": row.github_id,
    })
}

/// A dead letter, without its bytes.
pub(crate) fn dead_letter(letter: &DeadLetter) -> Value {
    let about = &letter.about;
    json!({
        "id": letter.id,
        "queue": letter.queue.as_str(),
        "event": about.event,
        "type": about.event_type,
        "receipt": about.receipt,
        "status": about.status,
        "context": about.context,
        "repository": about.repository,
        "sha": about.sha,
        "reason": letter.reason,
        "tries": letter.tries,
        "since": letter.since,
    })
}

fn words(words: Words) -> Value {
    json!({ "what_happened": words.happened, "what_it_means": words.means, "what_to_do": words.todo })
}
