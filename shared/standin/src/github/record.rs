//! What the stand-in remembers: tokens, statuses, requests.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;

use jiff::Timestamp;

use super::fault::{Fault, Kind};
use crate::moment::Watcher;

/// One commit status, as it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Grows over all repositories.
    pub id: u64,
    /// `owner/name` as in the request's path.
    pub repository: String,
    /// The commit as in the request's path.
    pub sha: String,
    /// `error`, `failure`, `pending` or `success`.
    pub state: String,
    /// At most 140 characters.
    pub description: Option<String>,
    /// As sent.
    pub target_url: Option<String>,
    /// As sent; `default` when it was not.
    pub context: String,
    /// By this machine's clock.
    pub created_at: Timestamp,
    /// The label of the token that wrote it.
    pub creator: String,
}

/// One request, without its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// From 1.
    pub number: usize,
    /// Which request of the API it was.
    pub kind: Kind,
    /// Such as `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The label of its token; `unknown` for one that was never given out, `none` for none at all.
    pub token: String,
    /// Where it came from: the same for requests over one connection.
    pub peer: SocketAddr,
    /// Every header but `authorization`, names in lower case, values as text.
    pub headers: Vec<(String, String)>,
    /// The body, when it was JSON.
    pub body: Option<serde_json::Value>,
}

impl Seen {
    /// All values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(present, _)| present == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// A token that the stand-in gave out. Its text is never shown again.
#[derive(Clone)]
pub struct Token {
    pub(super) label: String,
    pub(super) text: String,
    sees: Option<Vec<String>>,
    pub(super) writes: bool,
}

impl Token {
    /// A token that sees every repository and may write. `label` is its name in what is recorded.
    pub fn new(label: &str, text: &str) -> Self {
        Self { label: label.to_owned(), text: text.to_owned(), sees: None, writes: true }
    }

    /// The same without the permission to write statuses.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.writes = false;
        self
    }

    /// The same, seeing only these: `owner` or `owner/name`, compared without case.
    #[must_use]
    pub fn only(mut self, patterns: &[&str]) -> Self {
        self.sees = Some(patterns.iter().map(|pattern| pattern.to_lowercase()).collect());
        self
    }

    pub(super) fn sees(&self, repository: &str) -> bool {
        let repository = repository.to_lowercase();
        let owner = repository.split('/').next().unwrap_or_default();
        self.sees.as_ref().is_none_or(|patterns| patterns.iter().any(|p| *p == repository || p == owner))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("label", &self.label).finish_non_exhaustive()
    }
}

/// Everything behind the lock.
pub(super) struct Record {
    pub(super) tokens: Vec<Token>,
    /// None: every commit exists.
    pub(super) commits: Option<HashSet<String>>,
    /// Oldest first.
    pub(super) statuses: Vec<Status>,
    pub(super) requests: Vec<Seen>,
    /// How many requests and statuses have been handed out one by one.
    pub(super) told_requests: usize,
    pub(super) told_statuses: usize,
    /// Each used once, the first that fits.
    pub(super) faults: VecDeque<Planned>,
    /// Used for ever, after `faults`.
    pub(super) outages: Vec<Planned>,
    pub(super) watcher: Option<Watcher<Seen>>,
    /// Requests counted per token, for the rate-limit headers.
    pub(super) used: HashMap<String, u64>,
    pub(super) in_flight: HashMap<String, usize>,
    pub(super) most_in_flight: HashMap<String, usize>,
    /// Whether requests wait before anything is done with them.
    pub(super) held: bool,
    /// Counts the releases: who hangs waits for the next.
    pub(super) releases: u64,
}

/// A failure for the requests it fits.
pub(super) struct Planned {
    pub(super) kind: Kind,
    pub(super) token: Option<String>,
    pub(super) fault: Fault,
}

impl Planned {
    fn fits(&self, kind: Kind, token: &str) -> bool {
        self.kind == kind && self.token.as_ref().is_none_or(|label| label == token)
    }
}

impl Record {
    pub(super) fn new(tokens: Vec<Token>) -> Self {
        Self {
            tokens,
            commits: None,
            statuses: Vec::new(),
            requests: Vec::new(),
            told_requests: 0,
            told_statuses: 0,
            faults: VecDeque::new(),
            outages: Vec::new(),
            watcher: None,
            used: HashMap::new(),
            in_flight: HashMap::new(),
            most_in_flight: HashMap::new(),
            held: false,
            releases: 0,
        }
    }

    /// Notes the arrival of a request and gives it its number.
    pub(super) fn arrive(&mut self, mut seen: Seen) -> Seen {
        seen.number = self.requests.len() + 1;
        let now = self.in_flight.entry(seen.token.clone()).or_default();
        *now += 1;
        let most = self.most_in_flight.entry(seen.token.clone()).or_default();
        *most = (*most).max(*now);
        self.requests.push(seen.clone());
        seen
    }

    pub(super) fn leave(&mut self, token: &str) {
        if let Some(count) = self.in_flight.get_mut(token) {
            *count = count.saturating_sub(1);
        }
    }

    /// Lets everything go on that hangs or is held.
    pub(super) fn release(&mut self) {
        self.held = false;
        self.releases += 1;
    }

    /// The failure planned for this request: those of its own token first.
    pub(super) fn take_fault(&mut self, kind: Kind, token: &str) -> Option<Fault> {
        let place = |own: bool| self.faults.iter().position(|p| p.fits(kind, token) && p.token.is_some() == own);
        if let Some(place) = place(true).or_else(|| place(false)) {
            return self.faults.remove(place).map(|planned| planned.fault);
        }
        self.outages.iter().find(|planned| planned.fits(kind, token)).map(|planned| planned.fault.clone())
    }

    /// All statuses of a commit, oldest first.
    pub(super) fn of(&self, repository: &str, sha: &str) -> impl DoubleEndedIterator<Item = &Status> {
        let (repository, sha) = (repository.to_lowercase(), sha.to_lowercase());
        self.statuses
            .iter()
            .filter(move |status| status.repository.to_lowercase() == repository && status.sha.to_lowercase() == sha)
    }

    /// The newest of each context of a commit, newest first.
    pub(super) fn newest(&self, repository: &str, sha: &str) -> Vec<&Status> {
        let mut contexts = HashSet::new();
        self.of(repository, sha).rev().filter(|status| contexts.insert(status.context.to_lowercase())).collect()
    }
}
