//! What the API answers, as far as the commands look at it. Fields that a gateway of another version lacks count as
//! not known; words that it has invented since are shown as they are.

use domain::event::EventStatus;
use domain::ids::{EventId, ReceiptId};
use domain::reasons::{FailureReason, StatusReason, Words, outcome_words};
use domain::run::Outcome;
use domain::statuses::State;
use domain::statuses::row::StatusOutcome;
use jiff::Timestamp;
use serde::Deserialize;

use crate::terminal::Mark;
use crate::words;

/// The code and the time of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct LastAnswer {
    pub(crate) code: Option<u16>,
    pub(crate) ms: u64,
}

/// An event as it stands in a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: EventId,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) action: Option<String>,
    #[serde(default)]
    pub(crate) repository: Option<String>,
    #[serde(default)]
    pub(crate) sender: Option<String>,
    #[serde(default)]
    pub(crate) sha: Option<String>,
    #[serde(default)]
    pub(crate) pull_request: Option<u64>,
    #[serde(default)]
    pub(crate) about: Option<String>,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) failure_reason: Option<String>,
    #[serde(default)]
    pub(crate) receipts: Vec<ReceiptId>,
    pub(crate) received_at: Timestamp,
    #[serde(default)]
    pub(crate) processed_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) tries: u32,
    #[serde(default)]
    pub(crate) last_answer: Option<LastAnswer>,
    #[serde(default)]
    pub(crate) next_attempt_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) body_bytes: u64,
    #[serde(default)]
    pub(crate) same_body_as: Option<EventId>,
}

/// What else is told of a single event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Story {
    #[serde(default)]
    pub(crate) runs: Vec<Run>,
    #[serde(default)]
    pub(crate) statuses: Vec<Status>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Run {
    pub(crate) receipt: ReceiptId,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) asked_by: String,
    #[serde(default)]
    pub(crate) replay: Option<String>,
    pub(crate) started_at: Timestamp,
    #[serde(default)]
    pub(crate) ended_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) failure_reason: Option<String>,
    #[serde(default)]
    pub(crate) next_attempt_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) attempts: Vec<Attempt>,
}

/// One call of the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) started_at: Timestamp,
    #[serde(default)]
    pub(crate) outcome: Option<String>,
    #[serde(default)]
    pub(crate) code: Option<u16>,
    #[serde(default)]
    pub(crate) ms: Option<u64>,
    #[serde(default)]
    pub(crate) note: Option<String>,
    #[serde(default)]
    pub(crate) statuses: Vec<String>,
}

/// One commit status.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Status {
    pub(crate) context: String,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) target_url: Option<String>,
    pub(crate) accepted_at: Timestamp,
    #[serde(default)]
    pub(crate) written_at: Option<Timestamp>,
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) why: Option<String>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) until: Option<Timestamp>,
    #[serde(default)]
    pub(crate) via: String,
    #[serde(default)]
    pub(crate) event: Option<EventId>,
    #[serde(default)]
    pub(crate) github_id: Option<u64>,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Release {
    pub(crate) repository: String,
    #[serde(default)]
    pub(crate) tag: Option<String>,
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) author: Option<String>,
    #[serde(default)]
    pub(crate) published_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) url: Option<String>,
}

/// One message that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct DeadLetter {
    pub(crate) id: String,
    pub(crate) queue: String,
    #[serde(default)]
    pub(crate) event: Option<EventId>,
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) context: Option<String>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) tries: Option<u32>,
    pub(crate) since: Timestamp,
}

impl Event {
    /// Where it stands, if this version knows the word.
    pub(crate) fn state(&self) -> Option<EventStatus> {
        EventStatus::from_word(&self.status)
    }

    /// The mark and the word for where it stands; a word that this version does not know, as it is.
    pub(crate) fn word(&self) -> (Mark, &str) {
        match self.state() {
            Some(state) => words::of_event(state),
            None => (Mark::Quiet, &self.status),
        }
    }

    /// `pull_request.opened`, or the type alone.
    pub(crate) fn name(&self) -> String {
        match &self.action {
            Some(action) => format!("{}.{action}", self.kind),
            None => self.kind.clone(),
        }
    }

    /// `acme/api#7`, `acme/api`, or nothing.
    pub(crate) fn place(&self) -> Option<String> {
        let repository = self.repository.as_ref()?;
        Some(self.pull_request.map_or_else(|| repository.clone(), |number| format!("{repository}#{number}")))
    }

    /// By what a line names it: the first eight characters of its GUID.
    pub(crate) fn short(&self) -> String {
        short(&self.id)
    }

    /// Why it failed, in the words of the closed set.
    pub(crate) fn failure(&self) -> Option<Words> {
        FailureReason::from_word(self.failure_reason.as_deref()?).map(FailureReason::words)
    }
}

impl Run {
    /// Where it stands, if this version knows the word.
    pub(crate) fn state(&self) -> Option<EventStatus> {
        EventStatus::from_word(&self.state)
    }
}

impl Attempt {
    /// How it ended, if it has, and if this version knows the word.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        Outcome::from_word(self.outcome.as_deref()?)
    }

    /// What that means, where it is trouble.
    pub(crate) fn words(&self) -> Option<Words> {
        self.outcome().and_then(outcome_words)
    }
}

impl Status {
    /// What became of it, if this version knows the word.
    pub(crate) fn outcome(&self) -> Option<StatusOutcome> {
        StatusOutcome::from_word(&self.outcome)
    }

    /// What it says, if this version knows the word.
    pub(crate) fn state(&self) -> Option<State> {
        State::from_word(&self.state)
    }

    /// The mark and the word for what became of it.
    pub(crate) fn word(&self) -> (Mark, &str) {
        match self.outcome() {
            Some(outcome) => words::of_outcome(outcome),
            None => (Mark::Quiet, &self.outcome),
        }
    }

    /// Why GitHub did not take it, in the words of the closed set.
    pub(crate) fn words(&self) -> Option<Words> {
        StatusReason::from_word(self.reason.as_deref()?).map(StatusReason::words)
    }
}

/// The first eight characters of an event's GUID.
pub(crate) fn short(id: &EventId) -> String {
    id.delivery().as_str().chars().take(8).collect()
}
