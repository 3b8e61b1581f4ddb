//! What travels on the `statuses` queue.

use serde::{Deserialize, Serialize};

use super::row::{StatusOutcome, StatusRow};
use super::{Accepted, Content, ContextKey, Via};
use crate::ids::{EventId, ReceiptId, Repository, Sha, StatusId};
use crate::trace::TraceId;

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
    /// The trace that the caller named, where it is not the run's own.
    pub trace: Option<TraceId>,
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<TraceId>,
    },
}

impl StatusMessage {
    /// The line it belongs to.
    pub fn key(&self) -> ContextKey {
        ContextKey::new(self.repository.clone(), self.sha.clone(), &self.content.context)
    }

    /// The trace that it belongs to; none for one that came by key from a caller without a trace.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.trace.clone().or_else(|| self.run.map(TraceId::of))
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
            trace: self.trace.clone(),
        };
        crate::ascii::to_json(&wire)
    }

    /// Reads them again.
    ///
    /// # Errors
    /// When it is not a message of a version that this code knows.
    pub fn decode(text: &str) -> Result<Self, serde_json::Error> {
        let Wire::V1 { id, repository, sha, content, accepted, reopen, via, run, event, trace } =
            serde_json::from_str(text)?;
        Ok(Self { id, repository, sha, content, accepted, reopen, via, run, event, trace })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statuses::State;

    #[test]
    fn a_trace_travels_only_where_it_is_not_the_runs() {
        let run = ReceiptId::parse("019320aa-0000-7000-8000-000000000001").unwrap();
        let mut status = StatusMessage {
            id: StatusId::parse("s-1").unwrap(),
            repository: Repository::parse("o/r").unwrap(),
            sha: Sha::parse(&"a".repeat(40)).unwrap(),
            content: Content { context: "ci".into(), state: State::Pending, description: None, target_url: None },
            accepted: Accepted { at: "2026-03-02T10:00:00Z".parse().unwrap(), index: 0 },
            reopen: false,
            via: Via::Token,
            run: Some(run),
            event: None,
            trace: None,
        };
        let plain = status.encode();
        assert!(!plain.contains("trace"), "what a consumer of the version before can read: {plain}");
        assert_eq!(StatusMessage::decode(&plain).unwrap(), status);
        assert_eq!(status.trace_id(), Some(TraceId::of(run)));

        let callers = TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
        status.trace = Some(callers.clone());
        assert_eq!(StatusMessage::decode(&status.encode()).unwrap().trace_id(), Some(callers));
        let hostile = status.encode().replace("4bf92f", "zzzzzz");
        assert!(StatusMessage::decode(&hostile).is_err());
        (status.trace, status.run) = (None, None);
        assert_eq!(status.trace_id(), None, "by key, from a caller without a trace");
    }
}
