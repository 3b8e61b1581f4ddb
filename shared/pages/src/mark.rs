//! Shape, word and colour of every state: the shape and the word carry it, the colour only helps.

use domain::event::EventStatus;
use domain::release::ReleaseState;
use domain::run::Outcome;
use domain::statuses::State;
use domain::statuses::row::StatusOutcome;

/// What a state means to the reader; each role has a colour and an icon of its own shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A circle with a tick: nothing to do.
    Ok,
    /// An octagon with a cross: nobody will try again.
    Bad,
    /// A triangle with a clock hand: something will be tried again, and when.
    Wait,
    /// A half-filled circle: under way.
    Busy,
    /// A circle with a dash: nothing was done, by a rule.
    Quiet,
}

impl Role {
    /// The name in class names and in the sprite of icons.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Bad => "bad",
            Self::Wait => "wait",
            Self::Busy => "busy",
            Self::Quiet => "quiet",
        }
    }
}

/// A state as it is shown: an icon and a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Shape and colour.
    pub role: Role,
    /// The word.
    pub word: &'static str,
}

impl Mark {
    /// The state of an event or a run.
    pub fn of_event(status: EventStatus) -> Self {
        let (role, word) = match status {
            EventStatus::Processed => (Role::Ok, "Done"),
            EventStatus::Errored => (Role::Bad, "Failed"),
            EventStatus::Unprocessed => (Role::Wait, "Retrying"),
            EventStatus::Processing => (Role::Busy, "In progress"),
            EventStatus::Reprocessing => (Role::Busy, "Running again"),
            EventStatus::Ignored => (Role::Quiet, "Ignored"),
            EventStatus::Unhandled => (Role::Quiet, "No server"),
        };
        Self { role, word }
    }

    /// What became of a status.
    pub fn of_outcome(outcome: StatusOutcome) -> Self {
        let (role, word) = match outcome {
            StatusOutcome::Written => (Role::Ok, "written"),
            StatusOutcome::Waiting => (Role::Wait, "waiting"),
            StatusOutcome::Refused => (Role::Bad, "refused"),
            StatusOutcome::Superseded => (Role::Quiet, "superseded"),
            StatusOutcome::Unchanged => (Role::Quiet, "unchanged"),
            StatusOutcome::NotSent => (Role::Quiet, "not sent"),
        };
        Self { role, word }
    }

    /// Where a release stands.
    pub fn of_release(state: ReleaseState) -> Self {
        let role = match state {
            ReleaseState::Published => Role::Ok,
            ReleaseState::Prerelease => Role::Busy,
            ReleaseState::Draft | ReleaseState::Unpublished | ReleaseState::Deleted => Role::Quiet,
        };
        Self { role, word: state.as_str() }
    }

    /// What a status says.
    pub fn of_state(state: State) -> Self {
        let role = match state {
            State::Success => Role::Ok,
            State::Failure | State::Error => Role::Bad,
            State::Pending => Role::Busy,
        };
        Self { role, word: state.as_str() }
    }

    /// How an attempt ended; none while it runs.
    pub fn of_attempt(outcome: Option<Outcome>) -> Self {
        let (role, word) = match outcome {
            None => (Role::Busy, "under way"),
            Some(Outcome::Taken) => (Role::Ok, "taken"),
            Some(Outcome::AnswerUnreadable) => (Role::Wait, "taken, answer unreadable"),
            Some(outcome) if outcome.is_retryable() => (Role::Wait, "tried again later"),
            Some(_) => (Role::Bad, "refused"),
        };
        Self { role, word }
    }
}
