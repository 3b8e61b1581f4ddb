//! The story of one event, step by step: it reads from top to bottom, and new steps append at the end.

use domain::event::EventStatus;
use domain::run::Outcome;
use domain::statuses::row::StatusOutcome;
use jiff::Timestamp;

use crate::remote::records::{Attempt, Event, Run, Status, Story};
use crate::terminal::moment::between;
use crate::terminal::prose::Line;
use crate::terminal::screen::Screen;
use crate::terminal::{Mark, duration, size};
use crate::words::counted;

/// What happened, from the delivery to where it stands.
pub(super) fn lines(event: &Event, story: &Story, screen: &Screen) -> Vec<Line> {
    let mut lines = head(event, screen);
    lines.push(Line::blank());
    lines.extend(verdict(event, screen));
    for (place, run) in story.runs.iter().enumerate() {
        lines.push(Line::blank());
        lines.extend(steps(event, run, place + 1, screen));
    }
    lines.push(Line::blank());
    lines.push(Line::head("Statuses"));
    if story.statuses.is_empty() {
        lines.push(Line::new("none of this event").indented(2));
    }
    // Oldest first, as the runs are.
    for status in story.statuses.iter().rev() {
        lines.push(told(status, screen).indented(2));
    }
    lines
}

fn head(event: &Event, screen: &Screen) -> Vec<Line> {
    let about =
        [event.repository.clone(), event.about.clone(), event.sender.as_ref().map(|sender| format!("by {sender}"))];
    let about: Vec<_> = std::iter::once(event.name()).chain(about.into_iter().flatten()).collect();
    let received = format!(
        "{}, received {}",
        size(usize::try_from(event.body_bytes).unwrap_or(0)),
        screen.moment(event.received_at)
    );
    let mut lines = vec![Line::head(about.join("  ")), Line::new(format!("{}  {received}", event.id))];
    if let Some(other) = &event.same_body_as {
        lines.push(Line::new(format!("the same bytes came before as {other}")));
    }
    lines
}

/// Where it stands, what that means, and what to do.
fn verdict(event: &Event, screen: &Screen) -> Vec<Line> {
    let (mark, word) = event.word();
    let id = event.short();
    let detail = |text: String| Line::new(text).indented(2);
    match (event.failure(), event.next_attempt_at) {
        (Some(failure), _) => vec![
            Line::new(format!("{word}: {}", failure.happened)).marked(mark),
            detail(failure.means.to_owned()),
            detail(failure.todo.to_owned()),
            detail(format!("Once more: hookyard events replay {id}")),
        ],
        (None, Some(at)) => vec![Line::new(format!("{word}: again at {}", screen.short(at))).marked(mark)],
        (None, None) => {
            let why = event.reason.as_ref().or(event.failure_reason.as_ref()).map(|why| format!(": {why}"));
            vec![Line::new(format!("{word}{}", why.unwrap_or_default())).marked(mark)]
        }
    }
}

fn steps(event: &Event, run: &Run, number: usize, screen: &Screen) -> Vec<Line> {
    let began = if number == 1 { event.received_at.min(run.started_at) } else { run.started_at };
    let asked = match &run.replay {
        Some(replay) => format!("replayed by {} ({replay})", run.asked_by),
        None if number == 1 => "delivered by GitHub".to_owned(),
        None => "delivered again by GitHub".to_owned(),
    };
    let mut lines = vec![Line::head(format!("Run {number}: {asked}, receipt {}", run.receipt))];
    let step = |mark: Mark, at: Timestamp, text: String| {
        let offset = format!("+{}", duration(between(began, at)));
        Line::new(format!("{offset:<13} {text}")).marked(mark).indented(2)
    };
    let arrived = if number == 1 { "received, the signature fits" } else { "taken up" };
    lines.push(Line::new(format!("{:<13} {arrived}", screen.moment(began))).marked(Mark::Ok).indented(2));
    for (place, attempt) in run.attempts.iter().enumerate() {
        let (mark, words) = called(attempt);
        lines.push(step(mark, attempt.started_at, format!("attempt {}: {words}", place + 1)));
    }
    let ended = run.ended_at.unwrap_or(began);
    let reason = run.reason.as_deref().unwrap_or("by a rule");
    match (run.state(), run.next_attempt_at) {
        (Some(EventStatus::Ignored), _) => {
            lines.push(step(Mark::Quiet, ended, format!("ignored: {reason}; nothing was sent, by design")));
        }
        (Some(EventStatus::Unhandled), _) => lines.push(step(Mark::Quiet, ended, format!("not sent: {reason}"))),
        (_, Some(at)) => {
            let due = if at > screen.now() {
                format!("in {}", duration(between(screen.now(), at)))
            } else {
                "due".to_owned()
            };
            let next = run.attempts.len() + 1;
            lines.push(step(
                Mark::Wait,
                screen.now(),
                format!("waiting: attempt {next} at {} ({due})", screen.short(at)),
            ));
        }
        (Some(EventStatus::Errored), _) => {
            let why = run.failure_reason.as_deref().unwrap_or("not known");
            lines.push(step(Mark::Bad, ended, format!("given up: {why}")));
        }
        _ => {}
    }
    lines
}

/// What a call came to.
fn called(attempt: &Attempt) -> (Mark, String) {
    let took = attempt.ms.map(|ms| format!(" in {}", duration(ms))).unwrap_or_default();
    let note = attempt.note.as_deref().unwrap_or_default();
    match (attempt.outcome(), attempt.outcome.as_deref(), attempt.code) {
        (_, None, _) => (Mark::Quiet, "waits for the answer".to_owned()),
        (Some(Outcome::Taken), _, code) => {
            let code = code.map(|code| format!("{code}")).unwrap_or_default();
            let statuses = counted(attempt.statuses.len(), "status", "statuses");
            (Mark::Ok, format!("taken, {code}{took}, {statuses} in the answer"))
        }
        (outcome, Some(word), code) => {
            let mark = if outcome.is_some_and(Outcome::is_retryable) { Mark::Wait } else { Mark::Bad };
            let what = match (code, attempt.words()) {
                (Some(code), _) => format!("answered {code}{took}"),
                (None, Some(words)) if note.is_empty() => words.happened.trim_end_matches('.').to_owned(),
                (None, _) if note.is_empty() => word.to_owned(),
                (None, _) => return (mark, note.to_owned()),
            };
            (mark, if note.is_empty() { what } else { format!("{what}: {note}") })
        }
    }
}

/// What became of a status.
pub(crate) fn told(status: &Status, screen: &Screen) -> Line {
    let Status { context, state, .. } = status;
    let (mark, word) = status.word();
    let via = match status.via.as_str() {
        "answer" => "in the answer",
        "token" => "by call-back",
        "key" => "with the key",
        other => other,
    };
    let came = format!("{context} {state}, came {via} at {}", screen.short(status.accepted_at));
    let why = status.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let became = match status.outcome() {
        Some(StatusOutcome::Written) => {
            let after = status.written_at.map(|at| duration(between(status.accepted_at, at))).unwrap_or_default();
            format!("on GitHub {after} later")
        }
        Some(StatusOutcome::Waiting) => {
            let until = status.until.map(|at| format!(" until {}", screen.short(at))).unwrap_or_default();
            format!("waits{until}{why}")
        }
        Some(StatusOutcome::Superseded) => "not written: a newer one was there already".to_owned(),
        Some(StatusOutcome::Unchanged) => "not written: GitHub shows exactly this already".to_owned(),
        Some(StatusOutcome::Refused) => format!("GitHub refused it for good{why}"),
        Some(StatusOutcome::NotSent) => "recorded only: the gateway has no GitHub token".to_owned(),
        None => format!("{word}{why}"),
    };
    Line::new(format!("{came}; {became}")).marked(mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const RECEIPT: &str = "019aa1b2-0000-7000-8000-000000000001";

    fn rendered(event: Value) -> String {
        let screen = Screen::of_test(Some(100));
        let (head, story) = (serde_json::from_value(event.clone()).unwrap(), serde_json::from_value(event).unwrap());
        lines(&head, &story, &screen).iter().map(|line| line.show(screen.out) + "\n").collect()
    }

    fn event(more: Value) -> Value {
        let mut event = json!({
            "id": "48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516", "type": "pull_request", "action": "synchronize",
            "repository": "acme/api", "pull_request": 7, "about": "#7 9fceb02", "sender": "ana", "body_bytes": 14_230,
            "received_at": "2026-11-20T14:06:31.204Z", "tries": 2,
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    }

    #[test]
    fn refused_by_the_server() {
        insta::assert_snapshot!(rendered(event(json!({
            "status": "errored", "failure_reason": "server_denied", "same_body_as": "48211900-other",
            "runs": [{
                "receipt": RECEIPT, "state": "errored", "asked_by": "github", "started_at": "2026-11-20T14:06:31.210Z",
                "ended_at": "2026-11-20T14:07:12.600Z", "failure_reason": "server_denied",
                "attempts": [
                    { "started_at": "2026-11-20T14:06:31.214Z", "outcome": "server_timeout", "ms": 10_000 },
                    { "started_at": "2026-11-20T14:07:12.400Z", "outcome": "server_denied", "code": 401, "ms": 212 },
                ],
            }],
            "statuses": [],
        }))));
    }

    #[test]
    fn replayed_and_done_with_hostile_words() {
        let status = |context: &str, outcome: &str, more: Value| {
            let mut status = json!({ "context": context, "state": "pending", "accepted_at": "2026-11-20T14:08:00Z",
                "outcome": outcome, "via": "answer" });
            status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            status
        };
        let run = |state: &str, more: Value| {
            let mut run = json!({ "receipt": RECEIPT, "state": state, "started_at": "2026-11-20T14:08:00Z", "asked_by": "github" });
            run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            run
        };
        insta::assert_snapshot!(rendered(event(json!({
            "status": "unprocessed", "action": "evil\u{1b}[2J\u{202e}", "next_attempt_at": "2026-11-20T14:12:10Z",
            "runs": [
                run("unhandled", json!({ "reason": "no server is configured: set YOUR_SERVER_URL, then replay it" })),
                run("processed", json!({ "asked_by": "key: ana\u{7}", "replay": "r-7f3a", "attempts": [
                    { "started_at": "2026-11-20T14:08:00.01Z", "outcome": "taken", "code": 200, "ms": 96, "statuses": ["a", "b"] },
                ] })),
                run("unprocessed", json!({ "next_attempt_at": "2026-11-20T14:12:10Z", "attempts": [
                    { "started_at": "2026-11-20T14:08:01Z", "outcome": "server_unreachable", "note": "Nothing listens at ci.example:80." },
                    { "started_at": "2026-11-20T14:08:02Z" },
                ] })),
            ],
            "statuses": [
                status("f", "of-the-future", json!({})),
                status("e", "not_sent", json!({})),
                status("d", "refused", json!({ "why": "GitHub answered 404: \"\u{1b}]0;x\u{7}\"", "via": "token" })),
                status("c", "superseded", json!({ "via": "key" })),
                status("b\u{9b}", "waiting", json!({ "until": "2026-11-20T14:20:00Z", "why": "GitHub asked for a pause" })),
                status("a", "written", json!({ "written_at": "2026-11-20T14:08:00.310Z" })),
            ],
        }))));
    }
}
