//! The pages that people read: from the record to HTML, without any I/O.
//!
//! Each module holds one page: a struct with what the page shows, made from the domain's own types, and its template
//! in `templates/`. Everything that came from outside is escaped by the templates, whatever it is. What every page
//! shares is the [`Shell`]; `assets/` holds the one style sheet, the one script and the icon.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod assets;
pub mod commit;
mod commit_to_release;
mod days;
pub mod dead_letters;
pub mod event;
pub mod events;
mod lanes;
pub mod mark;
pub mod notice;
pub mod overview;
pub mod payload;
mod per_hour;
mod per_week;
pub mod prose;
pub mod releases;
pub mod replay;
mod timeline;
pub mod words;

pub use askama::Template;

/// The sections of the site, in the order of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Is all well?
    Overview,
    /// Did it arrive, did it go through?
    Events,
    /// What shipped, and when?
    Releases,
    /// None of these.
    Elsewhere,
}

impl Section {
    /// Those of the menu.
    pub const ALL: &'static [Self] = &[Self::Overview, Self::Events, Self::Releases];

    /// Its name in the menu.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Events => "Events",
            Self::Releases => "Releases",
            Self::Elsewhere => "",
        }
    }

    /// Its address.
    pub fn href(self) -> &'static str {
        match self {
            Self::Overview | Self::Elsewhere => "/",
            Self::Events => "/events",
            Self::Releases => "/releases",
        }
    }
}

/// What stands around every page.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Which section it belongs to.
    pub section: Section,
    /// The host under which the gateway was called.
    pub host: String,
    /// Where it runs: `local` or `AWS`.
    pub place: &'static str,
    /// Whether the reader may see the record; without, only sign in and help are there.
    pub reader: bool,
    /// Whether there is a session that can be ended.
    pub signed_in: bool,
    /// Goes into every form that changes something.
    pub csrf: String,
    /// The gateway's version.
    pub version: &'static str,
}

impl Shell {
    /// Addresses of the style sheet, the script and the icon.
    fn assets(&self) -> &'static assets::Addresses {
        assets::addresses()
    }
}
