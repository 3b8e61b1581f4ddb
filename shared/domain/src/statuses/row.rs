//! The record of one status: what it said and what became of it.

use jiff::Timestamp;

use super::{Accepted, Content, Via};
use crate::ids::{EventId, ReceiptId, Repository, Sha, StatusId};
use crate::reasons::StatusReason;

/// What became of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusOutcome {
    /// Not ended: `why` and `until` say what it waits for.
    Waiting,
    /// It stands at GitHub.
    Written,
    /// A newer one was there, or will be.
    Superseded,
    /// GitHub shows exactly this already.
    Unchanged,
    /// GitHub refused it for good.
    Refused,
    /// Recorded here only: no token is configured.
    NotSent,
}

impl StatusOutcome {
    /// Every outcome.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Written, Self::Superseded, Self::Unchanged, Self::Refused, Self::NotSent];

    /// The word in the API and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Written => "written",
            Self::Superseded => "superseded",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
            Self::NotSent => "not_sent",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == word)
    }

    /// Whether it has ended.
    pub fn is_final(self) -> bool {
        self != Self::Waiting
    }
}

/// One status as the table holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRow {
    /// Its id.
    pub id: StatusId,
    /// The repository.
    pub repository: Repository,
    /// The commit.
    pub sha: Sha,
    /// What it says.
    pub content: Content,
    /// Its place in time.
    pub accepted: Accepted,
    /// How it came in.
    pub via: Via,
    /// The run it belongs to.
    pub run: Option<ReceiptId>,
    /// The event it belongs to.
    pub event: Option<EventId>,
    /// What became of it.
    pub outcome: StatusOutcome,
    /// Why: in words, ours and GitHub's; for waiting ones, what for.
    pub why: Option<String>,
    /// The closed reason, for refused and paused ones.
    pub reason: Option<StatusReason>,
    /// Waiting until then.
    pub until: Option<Timestamp>,
    /// When GitHub took it.
    pub written_at: Option<Timestamp>,
    /// GitHub's id of the entry.
    pub github_id: Option<u64>,
    /// Times it was tried without an end; the delay grows with it.
    pub tries: u32,
}
