//! What travels on the `statuses` queue.

use serde::{Deserialize, Serialize};

use super::row::{StatusOutcome, StatusRow};
use super::{Accepted, Content, ContextKey, Via};
use crate::ids::{EventId, ReceiptId, Repository, Sha, StatusId};

/// One accepted status, on its way to GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusMessage {
    /// Its id, also the de-duplication id.
    pub id: StatusId,
    /// The repository.
    pub repository: Repository,
    /// The commit.
    pub sha: Sha,
    /// What it says.
    pub content: Content,
    /// Its place in time.
    pub accepted: Accepted,
    /// Whether a pending may follow a result of the same run.
    pub reopen: bool,
    /// How it came in.
    pub via: Via,
    /// The run it belongs to; none by key.
    pub run: Option<ReceiptId>,
    /// The event it belongs to; none by key.
    pub event: Option<EventId>,
}

/// The message as JSON, versioned in its tag so that an old consumer refuses what it cannot read.
#[derive(Serialize, Deserialize)]
#[serde(tag = "v", deny_unknown_fields)]
enum Wire {
    #[serde(rename = "1")]
    V1 {
        id: StatusId,
        repository: Repository,
        sha: Sha,
        content: Content,
        accepted: Accepted,
        reopen: bool,
        via: Via,
        run: Option<ReceiptId>,
        event: Option<EventId>,
    },
}

impl StatusMessage {
    /// The line it belongs to.
    pub fn key(&self) -> ContextKey {
        ContextKey::new(self.repository.clone(), self.sha.clone(), &self.content.context)
    }

    /// Its row, nothing done yet.
    pub fn row(&self) -> StatusRow {
        StatusRow {
            id: self.id.clone(),
            repository: self.repository.clone(),
            sha: self.sha.clone(),
            content: self.content.clone(),
            accepted: self.accepted,
            via: self.via,
            run: self.run,
            event: self.event.clone(),
            outcome: StatusOutcome::Waiting,
            why: None,
            reason: None,
            until: None,
            written_at: None,
            github_id: None,
            tries: 0,
        }
    }

    /// The bytes for the queue: JSON in printable ASCII, because SQS refuses some characters.
    pub fn encode(&self) -> String {
        let wire = Wire::V1 {
            id: self.id.clone(),
            repository: self.repository.clone(),
            sha: self.sha.clone(),
            content: self.content.clone(),
            accepted: self.accepted,
            reopen: self.reopen,
            via: self.via,
            run: self.run,
            event: self.event.clone(),
        };
        crate::ascii::to_json(&wire)
    }

    /// Reads them again.
    ///
    /// # Errors
    /// When it is not a message of a version that this code knows.
    pub fn decode(text: &str) -> Result<Self, serde_json::Error> {
        let Wire::V1 { id, repository, sha, content, accepted, reopen, via, run, event } = serde_json::from_str(text)?;
        Ok(Self { id, repository, sha, content, accepted, reopen, via, run, event })
    }
}
