//! The words and marks of states, wherever the command line shows them.

use domain::event::EventStatus;
use domain::statuses::State;
use domain::statuses::row::StatusOutcome;

use crate::terminal::Mark;

/// Of an event or a run.
pub(crate) fn of_event(state: EventStatus) -> (Mark, &'static str) {
    match state {
        EventStatus::Processed => (Mark::Ok, "done"),
        EventStatus::Unprocessed => (Mark::Wait, "retrying"),
        EventStatus::Errored => (Mark::Bad, "failed"),
        EventStatus::Ignored => (Mark::Quiet, "ignored"),
        EventStatus::Unhandled => (Mark::Quiet, "no server"),
        EventStatus::Processing | EventStatus::Reprocessing => (Mark::Quiet, "working"),
    }
}

/// Of what a commit status says.
pub(crate) fn of_state(state: State) -> Mark {
    match state {
        State::Pending => Mark::Wait,
        State::Success => Mark::Ok,
        State::Failure | State::Error => Mark::Bad,
    }
}

/// Of what became of a commit status.
pub(crate) fn of_outcome(outcome: StatusOutcome) -> (Mark, &'static str) {
    match outcome {
        StatusOutcome::Written => (Mark::Ok, "written"),
        StatusOutcome::Waiting => (Mark::Wait, "waiting"),
        StatusOutcome::Refused => (Mark::Bad, "refused"),
        StatusOutcome::Superseded => (Mark::Quiet, "superseded"),
        StatusOutcome::Unchanged => (Mark::Quiet, "unchanged"),
        StatusOutcome::NotSent => (Mark::Quiet, "not sent"),
    }
}

/// A count and the word it counts: `1 event`, `2 events`.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
