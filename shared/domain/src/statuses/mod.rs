//! Commit statuses: what is accepted, in which order it counts, and how each reaches GitHub once.

pub mod id;
pub mod message;
pub mod order;
pub mod request;
pub mod row;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{ReceiptId, Repository, Sha};
use crate::reasons::StatusReason;

/// Longest description that GitHub takes, in characters; longer ones are answered 422.
pub const DESCRIPTION_LIMIT: usize = 140;

/// Longest context we accept, in characters. GitHub documents none; 255 is what its own storage is known to take.
pub const CONTEXT_LIMIT: usize = 255;

/// Longest `target_url` we accept, in bytes.
pub const TARGET_URL_LIMIT: usize = 2048;

/// How many of our entries a head remembers: more than a server reports before GitHub has told of the first.
pub const RECENT: usize = 16;

/// The four states of a commit status (GitHub: "REST API endpoints for commit statuses").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not decided yet.
    Pending,
    /// ✓
    Success,
    /// ✗
    Failure,
    /// The check itself broke.
    Error,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Success, Self::Failure, Self::Error];

    /// GitHub's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }

    /// Reads GitHub's word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }

    /// Whether it is a result: success, failure or error.
    pub fn is_final(self) -> bool {
        self != Self::Pending
    }
}

/// What a status says: the part that GitHub shows, and that two equal statuses share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Content {
    /// The context as written; GitHub compares without case.
    pub context: String,
    /// The state.
    pub state: State,
    /// At most 140 characters.
    pub description: Option<String>,
    /// http(s).
    pub target_url: Option<String>,
}

impl Content {
    /// Equal as GitHub sees it: contexts compared without case, everything else exactly; an absent text and an
    /// empty one are the same.
    pub fn same_as(&self, other: &Self) -> bool {
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        self.context.to_lowercase() == other.context.to_lowercase()
            && self.state == other.state
            && text(&self.description) == text(&other.description)
            && text(&self.target_url) == text(&other.target_url)
    }
}

/// The place of a status in time: when it was accepted, and among several of one context in one list, which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Accepted {
    /// For an answer, when its attempt started; for a call-back, when it was accepted.
    pub at: Timestamp,
    /// Position among the statuses of the same context in the same list, from 0.
    pub index: u32,
}

/// Which line a status belongs to: one repository, one commit, one context.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContextKey {
    /// The repository, as written by the first to name it; compared without case.
    pub repository: Repository,
    /// The commit.
    pub sha: Sha,
    /// Lower-case.
    pub context: String,
}

impl ContextKey {
    /// The line of `context` on that commit.
    pub fn new(repository: Repository, sha: Sha, context: &str) -> Self {
        Self { repository, sha, context: context.to_lowercase() }
    }

    /// The FIFO group of the `statuses` queue: the first 32 hex digits of
    /// SHA-256 over `lowercase(repository) "\n" sha "\n" lowercase(context)`.
    pub fn group(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.repository.key());
        hash.update("\n");
        hash.update(self.sha.as_str());
        hash.update("\n");
        hash.update(&self.context);
        hex::encode(&hash.finalize()[..16])
    }
}

/// How a status came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// In the server's answer.
    Answer,
    /// By call-back with the event's token.
    Token,
    /// By call-back with the API key (or from loopback where no key is set).
    Key,
}

impl Via {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Answer, Self::Token, Self::Key];

    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Token => "token",
            Self::Key => "key",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == word)
    }
}

/// What a status was last written as: the newest fact about a context at GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Our id.
    pub id: crate::ids::StatusId,
    /// The run it belongs to; none when it came by key.
    pub run: Option<ReceiptId>,
    /// Its place in time.
    pub accepted: Accepted,
    /// What it says.
    pub content: Content,
    /// GitHub's id of the entry; none when it was only recorded (no token was configured).
    pub github_id: Option<u64>,
}

/// A POST that was begun and whose end nobody has recorded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The status that was being written, `github_id` still none.
    pub status: Written,
    /// When the POST was begun.
    pub started_at: Timestamp,
}

/// A status that GitHub refused for good, as the newest word in its context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The context as written.
    pub context: String,
    /// What GitHub was to show.
    pub state: State,
    /// Why, out of the closed set.
    pub reason: StatusReason,
    /// Why, in GitHub's words and ours.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// The head row of one context: the newest fact, at most one intent, and a version for conditional writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// What was written last.
    pub last: Option<Written>,
    /// The newest run that ever wrote here; a key's write does not clear it.
    pub newest_run: Option<ReceiptId>,
    /// GitHub's ids of our newest entries here, oldest first, at most [`RECENT`]: an echo is recognised by them.
    pub recent: Vec<u64>,
    /// A POST under way, or of unknown end.
    pub intent: Option<Intent>,
    /// What GitHub refused last, until something is written here again.
    pub refused: Option<Refused>,
    /// 0 for a context without a row.
    pub version: u64,
}

impl Head {
    /// The head after `written` stands: the intent is gone, the newest run never goes back.
    #[must_use]
    pub fn with_written(&self, written: Written) -> Self {
        let mut recent = self.recent.clone();
        recent.extend(written.github_id);
        Self {
            newest_run: self.newest_run.max(written.run),
            recent: recent.split_off(recent.len().saturating_sub(RECENT)),
            last: Some(written),
            intent: None,
            refused: None,
            version: self.version,
        }
    }

    /// The head without its intent.
    #[must_use]
    pub fn without_intent(&self) -> Self {
        Self { intent: None, ..self.clone() }
    }

    /// The head after GitHub refused its intent for good.
    #[must_use]
    pub fn with_refused(&self, refused: Refused) -> Self {
        Self { intent: None, refused: Some(refused), ..self.clone() }
    }

    /// The head after a newer word turned out to be what GitHub shows already: what was refused before is past.
    #[must_use]
    pub fn without_refused(&self) -> Self {
        Self { refused: None, ..self.clone() }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
