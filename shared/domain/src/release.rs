//! Releases: what is known of each, and what an event makes of it.
//!
//! GitHub sends several events about one release, in no promised order, and people redeliver old ones. The newest
//! receipt counts. Two things stand above that: what was deleted stays so, because GitHub gives no id twice; and a
//! replay never comes here.

use jiff::Timestamp;

use crate::ids::{ReceiptId, Repository};

/// The longest link that is kept, in bytes.
const LINK_LIMIT: usize = 2048;

/// Before GitHub there was nothing to release: a moment before it (or far ahead) is nobody's date.
const OLDEST: &str = "2008-01-01T00:00:00Z";
const LATEST: &str = "2200-01-01T00:00:00Z";

/// Where a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReleaseState {
    /// Written, and to be seen by its repository's people only.
    Draft,
    /// Published, and marked as not ready for everybody.
    Prerelease,
    /// Published.
    Published,
    /// It was published and is a draft again.
    Unpublished,
    /// Gone. It stays listed.
    Deleted,
}

impl ReleaseState {
    /// Every state, in the order of a release's life.
    pub const ALL: [Self; 5] = [Self::Draft, Self::Prerelease, Self::Published, Self::Unpublished, Self::Deleted];

    /// The word in the API and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Prerelease => "prerelease",
            Self::Published => "published",
            Self::Unpublished => "unpublished",
            Self::Deleted => "deleted",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What there is to show of a release, as far as an event says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseFacts {
    /// Its tag; at most 255 characters, like every text here.
    pub tag: Option<String>,
    /// Its title.
    pub name: Option<String>,
    /// Login of its author.
    pub author: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// Its page.
    pub url: Option<String>,
}

/// What a `release` event says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseEvent {
    /// GitHub's id of the release.
    pub id: u64,
    /// What happened: `published`, `edited`, and whatever GitHub invents next.
    pub action: String,
    /// Whether it is a draft now.
    pub draft: bool,
    /// Whether it is marked as not ready.
    pub prerelease: bool,
    /// What there is to show.
    pub facts: ReleaseFacts,
}

/// One release as the table holds it and the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Whose it is.
    pub repository: Repository,
    /// GitHub's id of it.
    pub id: u64,
    /// Where it stands.
    pub state: ReleaseState,
    /// What there is to show, as the newest event has it.
    pub facts: ReleaseFacts,
    /// The receipt of that event.
    pub receipt: ReceiptId,
    /// When that event was received.
    pub received_at: Timestamp,
}

impl Release {
    /// What an event of this receipt makes of a release; none when a receipt as new or newer has been heard.
    pub fn after(
        before: Option<&Self>,
        repository: &Repository,
        event: &ReleaseEvent,
        receipt: ReceiptId,
        received_at: Timestamp,
    ) -> Option<Self> {
        if before.is_some_and(|before| before.receipt >= receipt) {
            return None;
        }
        let state = state(before.map(|before| before.state), event);
        let (repository, facts) = (repository.clone(), event.facts.clone());
        Some(Self { repository, id: event.id, state, facts, receipt, received_at })
    }

    /// Its place in lists: when it was published; what is not published, when it was made.
    pub fn at(&self) -> Timestamp {
        let published = match self.state {
            ReleaseState::Draft | ReleaseState::Unpublished => None,
            ReleaseState::Prerelease | ReleaseState::Published | ReleaseState::Deleted => self.facts.published_at,
        };
        published.or(self.facts.created_at).unwrap_or(self.received_at)
    }
}

/// `edited` and `released` are no states, nor is what GitHub may invent: the release's own marks say what it is.
fn state(before: Option<ReleaseState>, event: &ReleaseEvent) -> ReleaseState {
    match (before, event.action.as_str()) {
        (Some(ReleaseState::Deleted), _) | (_, "deleted") => ReleaseState::Deleted,
        (_, "unpublished") => ReleaseState::Unpublished,
        (Some(ReleaseState::Unpublished), _) if event.draft => ReleaseState::Unpublished,
        _ if event.draft => ReleaseState::Draft,
        _ if event.prerelease => ReleaseState::Prerelease,
        _ => ReleaseState::Published,
    }
}

/// Whether a moment can be one of a release.
pub(crate) fn is_likely(at: Timestamp) -> bool {
    let bound = |text: &str| text.parse::<Timestamp>();
    bound(OLDEST).is_ok_and(|oldest| at >= oldest) && bound(LATEST).is_ok_and(|latest| at < latest)
}

/// Whether a text is a link that a page may show.
pub(crate) fn is_link(text: &str) -> bool {
    text.len() <= LINK_LIMIT
        && (text.starts_with("https://") || text.starts_with("http://"))
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'`' | b'\\'))
}

#[cfg(test)]
mod tests;
