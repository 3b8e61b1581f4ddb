//! Releases.

use domain::ids::Repository;
use domain::release;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::names;

/// One page of releases, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReleasePage {
    pub(crate) releases: Vec<Release>,
    /// Goes into `cursor` for the next page; null at the end.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

/// A release, as the newest event about it has it. A deleted one stays listed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Release {
    #[schema(value_type = names::Repository)]
    repository: Repository,
    #[schema(required, examples("v1.2.0"))]
    tag: Option<String>,
    /// Its title.
    #[schema(required)]
    name: Option<String>,
    #[schema(value_type = names::ReleaseState)]
    state: &'static str,
    /// Login of its author.
    #[schema(required)]
    author: Option<String>,
    /// Null for a draft.
    #[schema(required)]
    published_at: Option<Timestamp>,
    #[schema(required)]
    created_at: Option<Timestamp>,
    /// Its page at GitHub.
    #[schema(required)]
    url: Option<String>,
}

impl From<&release::Release> for Release {
    fn from(release: &release::Release) -> Self {
        let release::ReleaseFacts { tag, name, author, created_at, published_at, url } = release.facts.clone();
        let (repository, state) = (release.repository.clone(), release.state.as_str());
        Self { repository, tag, name, state, author, published_at, created_at, url }
    }
}
