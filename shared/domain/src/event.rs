//! GithubEvent: what is known of one event, and which states may follow each other.

use jiff::Timestamp;

use crate::ids::{DeliveryGuid, EventId, EventType, HookId, ReceiptId, Repository, Sha};
use crate::reasons::FailureReason;

/// Where an event stands. The event shows the state of its newest run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventStatus {
    /// The first run works on it.
    Processing,
    /// It waits for its next attempt.
    Unprocessed,
    /// The server took it.
    Processed,
    /// Nobody will try again; `failure_reason` says why.
    Errored,
    /// Nothing was sent, by a rule; `reason` says which.
    Ignored,
    /// There is no server to send it to.
    Unhandled,
    /// A redelivery or a replay works on it.
    Reprocessing,
}

impl EventStatus {
    /// Every state, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Processing,
        Self::Unprocessed,
        Self::Processed,
        Self::Errored,
        Self::Ignored,
        Self::Unhandled,
        Self::Reprocessing,
    ];

    /// The word in the API and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Unprocessed => "unprocessed",
            Self::Processed => "processed",
            Self::Errored => "errored",
            Self::Ignored => "ignored",
            Self::Unhandled => "unhandled",
            Self::Reprocessing => "reprocessing",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether a run in this state is finished: it is never run again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Processed | Self::Errored | Self::Ignored | Self::Unhandled)
    }

    /// The one table of legal transitions. Within one run only; that a newer receipt takes the event over
    /// is [`EventStatus::may_be_taken_over`].
    ///
    /// What follows `errored` exists for a redriven dead letter: the same receipt, set aside by Hookyard's own fault
    /// (`internal`), gets its run back, and may find the server resting, or gone from the settings.
    pub fn may_become(self, next: Self) -> bool {
        use EventStatus as S;
        match self {
            S::Processing => !matches!(next, S::Reprocessing),
            S::Reprocessing => !matches!(next, S::Processing),
            S::Unprocessed => true,
            S::Errored => next != S::Processed,
            S::Processed | S::Ignored | S::Unhandled => self == next,
        }
    }

    /// What the event may become when a newer receipt arrives: any state a run of a redelivery can start in.
    pub fn may_be_taken_over(next: Self) -> bool {
        matches!(next, Self::Reprocessing | Self::Unprocessed | Self::Ignored | Self::Unhandled)
    }

    /// All states from which `next` may follow within a run: the condition that the store puts on its write.
    pub fn predecessors(next: Self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |from| from.may_become(next))
    }
}

/// Which kind of hook delivered, from `X-GitHub-Hook-Installation-Target-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A repository's hook.
    Repository,
    /// An organization's hook.
    Organization,
    /// A GitHub App's hook (the header says `integration`).
    App,
    /// A kind this code does not know, or no header.
    Unknown,
}

impl Source {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Repository, Self::Organization, Self::App, Self::Unknown];

    /// Reads the header's value.
    pub fn from_header(value: Option<&str>) -> Self {
        match value {
            Some("repository") => Self::Repository,
            Some("organization") => Self::Organization,
            Some("integration") => Self::App,
            _ => Self::Unknown,
        }
    }

    /// The word in the API, the table and the bus attributes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Organization => "organization",
            Self::App => "app",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Self {
        match word {
            "repository" => Self::Repository,
            "organization" => Self::Organization,
            "app" => Self::App,
            _ => Self::Unknown,
        }
    }
}

/// The code and the time of the server's last answer, kept on the event so that a list needs no second read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAnswer {
    /// HTTP status; none when there was no answer (time-out, connection failure).
    pub code: Option<u16>,
    /// How long the attempt took, in milliseconds.
    pub ms: u64,
}

/// One event as the table holds it and the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubEvent {
    /// `<hook id>-<delivery GUID>`.
    pub id: EventId,
    /// From the header.
    pub event_type: EventType,
    /// The payload's `action`, when it has one: free text for `repository_dispatch`.
    pub action: Option<String>,
    /// Which kind of hook.
    pub source: Source,
    /// The App installation, when the payload names one.
    pub installation_id: Option<u64>,
    /// Where it happened, when the payload says so.
    pub repository: Option<Repository>,
    /// Login of whoever caused it.
    pub sender: Option<String>,
    /// The commit that a status would be about.
    pub sha: Option<Sha>,
    /// Number of the pull request.
    pub pull_request: Option<u64>,
    /// What a person would call it: `#7 9fceb02`, `v1.2.0`, `refs/heads/main 9fceb02`.
    pub about: Option<String>,
    /// SHA-256 of the body, hexadecimal.
    pub body_sha256: String,
    /// Size of the body in bytes.
    pub body_bytes: u64,
    /// Another event that carried exactly these bytes, seen first.
    pub same_body_as: Option<EventId>,
    /// Receipts, oldest first.
    pub receipts: Vec<ReceiptId>,
    /// When the first receipt was made.
    pub received_at: Timestamp,
    /// Where it stands.
    pub status: EventStatus,
    /// Why nothing was sent, for ignored and unhandled events.
    pub reason: Option<String>,
    /// Why it errored; cleared on success.
    pub failure_reason: Option<FailureReason>,
    /// When the newest run ended.
    pub processed_at: Option<Timestamp>,
    /// Attempts of the newest run.
    pub tries: u32,
    /// The newest answer.
    pub last_answer: Option<LastAnswer>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<Timestamp>,
}

impl GithubEvent {
    /// The delivery GUID.
    pub fn delivery(&self) -> &DeliveryGuid {
        self.id.delivery()
    }

    /// The hook.
    pub fn hook(&self) -> &HookId {
        self.id.hook()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_are_exactly_this_table() {
        // Rows: from; columns: to, in the order of ALL.
        // pg = processing, un = unprocessed, ed = processed, er = errored, ig = ignored, uh = unhandled, rp = reprocessing
        let table = [
            //            pg un ed er ig uh rp
            ("processing", "1  1  1  1  1  1  0"),
            ("unprocessed", "1  1  1  1  1  1  1"),
            ("processed", "0  0  1  0  0  0  0"),
            ("errored", "1  1  0  1  1  1  1"),
            ("ignored", "0  0  0  0  1  0  0"),
            ("unhandled", "0  0  0  0  0  1  0"),
            ("reprocessing", "0  1  1  1  1  1  1"),
        ];
        for (from, row) in table {
            let from = EventStatus::from_word(from).unwrap();
            for (to, bit) in EventStatus::ALL.into_iter().zip(row.split_whitespace()) {
                assert_eq!(from.may_become(to), bit == "1", "{} -> {}", from.as_str(), to.as_str());
            }
        }
    }

    #[test]
    fn a_newer_receipt_never_shows_processing() {
        assert!(!EventStatus::may_be_taken_over(EventStatus::Processing));
        assert!(EventStatus::may_be_taken_over(EventStatus::Reprocessing));
    }
}
