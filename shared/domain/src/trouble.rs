//! What needs somebody: nobody will try it again until a person has done something about it.

use crate::event::GithubEvent;
use crate::ids::{Repository, Sha};
use crate::statuses::Refused;

/// One thing that needs somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// An errored event.
    Event(Box<GithubEvent>),
    /// A status that GitHub refused.
    Status(RefusedStatus),
}

/// A context whose newest word GitHub refused for good, and nothing has been written there since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedStatus {
    /// The repository, as it was written.
    pub repository: Repository,
    /// The commit.
    pub sha: Sha,
    /// What was refused, and why.
    pub refused: Refused,
}
