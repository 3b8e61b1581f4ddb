//! What may be asked of the record, and how an answer is cut into pages.

use jiff::Timestamp;

use crate::event::{EventStatus, GithubEvent};
use crate::ids::{EventType, Repository};
use crate::release::{Release, ReleaseState};
use crate::statuses::row::StatusRow;

/// The most entries of one page, and the default.
pub const LIMIT: usize = 100;

/// The most keys that one page reads, whatever its filters let through.
pub const KEYS_PER_PAGE: usize = 1000;

/// Which events, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Only of this repository (compared without case).
    pub repository: Option<Repository>,
    /// Only of this type.
    pub event_type: Option<EventType>,
    /// Only with exactly this action.
    pub action: Option<String>,
    /// Only in this state.
    pub status: Option<EventStatus>,
    /// Only with this delivery GUID, or a prefix of it of 8 or more characters.
    pub delivery: Option<String>,
    /// Only about a commit whose sha begins so; lower case.
    pub sha: Option<String>,
    /// Only about this pull request.
    pub pull_request: Option<u64>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// 1 to 100.
    pub limit: usize,
    /// Where the page before ended: opaque to callers, checked by the store (a foreign one is
    /// [`crate::error::PortError::Permanent`]).
    pub cursor: Option<String>,
    /// The present: rows past their expiry are not shown, and days are counted back from it.
    pub now: Timestamp,
}

impl EventQuery {
    /// Whether an event passes the filters that no index applies.
    pub fn lets_through(&self, event: &GithubEvent) -> bool {
        self.event_type.as_ref().is_none_or(|t| *t == event.event_type)
            && self.action.as_ref().is_none_or(|a| event.action.as_ref() == Some(a))
            && self.status.is_none_or(|s| s == event.status)
            && self.repository.as_ref().is_none_or(|r| event.repository.as_ref().is_some_and(|e| e.same_as(r)))
            && self.delivery.as_ref().is_none_or(|d| {
                let guid = event.delivery().as_str();
                guid.len() >= d.len() && guid.is_char_boundary(d.len()) && guid[..d.len()].eq_ignore_ascii_case(d)
            })
            && self.sha.as_ref().is_none_or(|s| event.sha.as_ref().is_some_and(|e| e.as_str().starts_with(s.as_str())))
            && self.pull_request.is_none_or(|n| event.pull_request == Some(n))
            && self.since.is_none_or(|since| event.received_at >= since)
            && self.until.is_none_or(|until| event.received_at < until)
    }
}

/// One page of events. May hold fewer than the limit, even none, while there is a next cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventPage {
    /// Newest first.
    pub events: Vec<GithubEvent>,
    /// Where the next page starts; none at the end.
    pub next_cursor: Option<String>,
}

/// Which releases, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseQuery {
    /// Only of this repository (compared without case).
    pub repository: Option<Repository>,
    /// Only in this state.
    pub state: Option<ReleaseState>,
    /// Published at or after; of what is not published, made.
    pub since: Option<Timestamp>,
    /// 1 to 100.
    pub limit: usize,
    /// Where the page before ended, as with events.
    pub cursor: Option<String>,
}

/// One page of releases. May hold fewer than the limit, even none, while there is a next cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleasePage {
    /// Newest first.
    pub releases: Vec<Release>,
    /// Where the next page starts; none at the end.
    pub next_cursor: Option<String>,
}

/// One page of a commit's statuses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusPage {
    /// Newest accepted first.
    pub statuses: Vec<StatusRow>,
    /// Where the next page starts; none at the end.
    pub next_cursor: Option<String>,
}
