//! The list of releases: what shipped, when, how often?

use askama::Template;
use domain::query::ReleasePage;
use domain::release::{Release, ReleaseState};
use jiff::Timestamp;

use crate::commit_to_release::{CommitToRelease, UNKNOWN};
use crate::days::{Days, commit_to_release};
use crate::events::{Choice, Less, address, in_full};
use crate::lanes::{self, Lanes};
use crate::mark::Mark;
use crate::per_week::PerWeek;
use crate::words::{self, Moment, between, coarse, counted};
use crate::{Section, Shell};

/// Rows of one page.
pub const ROWS: usize = 50;

/// The filters as they stand in the address, text for text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// `owner/repo`.
    pub repository: String,
    /// A state, in the API's word.
    pub state: String,
    /// Published at or after, as `datetime-local` or RFC 3339.
    pub since: String,
}

impl Filter {
    /// The choices of the state filter.
    fn choices(&self) -> Vec<Choice> {
        let choice = |state: ReleaseState| Choice {
            value: state.as_str(),
            word: Mark::of_release(state).word,
            chosen: state.as_str() == self.state,
        };
        ReleaseState::ALL.into_iter().map(choice).collect()
    }

    fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [("repository", &self.repository), ("state", &self.state), ("since", &self.since)];
        all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.as_str()))
    }

    fn is_set(&self) -> bool {
        self.set() > 0
    }

    /// How many filters are set.
    fn set(&self) -> usize {
        self.pairs().count()
    }

    fn without_each(&self) -> Vec<Less> {
        let less = |left: &'static str| {
            let rest: Vec<_> = self.pairs().filter(|(name, _)| *name != left).collect();
            Less { word: left, href: address("/releases", rest) }
        };
        self.pairs().map(|(name, _)| less(name)).collect()
    }
}

struct Row {
    id: String,
    /// None for what is not published.
    published: Option<Moment>,
    repository: String,
    tag: String,
    name: String,
    url: Option<String>,
    mark: Mark,
    author: String,
    since_previous: String,
    to_release: String,
}

/// What the newest 90 days looked like.
struct Charts {
    lanes: Lanes,
    /// None of a list of one state: how many there are of the others is not known.
    figures: Option<Figures>,
}

/// What all that was shipped in these days says.
struct Figures {
    per_week: PerWeek,
    to_release: CommitToRelease,
    unknown: u64,
}

impl Charts {
    /// None when nothing is as young as that. `more` says that there are older ones than these.
    fn new(releases: &[Release], more: bool, filter: &Filter, now: Timestamp) -> Option<Self> {
        let days = Days::of(releases, more, words::moment(&filter.since), now);
        let figures = || Figures {
            per_week: PerWeek::new(releases, &days),
            to_release: CommitToRelease::new(releases, &days),
            unknown: UNKNOWN,
        };
        Some(Self { lanes: Lanes::new(releases, more, &days)?, figures: filter.state.is_empty().then(figures) })
    }
}

/// The page.
#[derive(Template)]
#[template(path = "releases.html")]
pub struct Releases {
    shell: Shell,
    title: &'static str,
    filter: Filter,
    choices: Vec<Choice>,
    problems: Vec<String>,
    sentence: String,
    charts: Option<Charts>,
    rows: Vec<Row>,
    json: String,
    newest: String,
    older: Option<String>,
    paged: bool,
}

impl Releases {
    /// One page of the list. `problems` are filters that could not be read; then `page` is empty. `cursor` is the one
    /// this page began with.
    pub fn new(
        shell: Shell,
        filter: Filter,
        problems: Vec<String>,
        page: &ReleasePage,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Self {
        let number = counted(page.releases.len() as u64, "release", "releases");
        let more = page.next_cursor.is_some();
        let sentence = match (more, cursor) {
            (false, None) => format!("{number}, newest first."),
            (true, None) => format!("The newest {number}; there may be older ones."),
            (_, Some(_)) => format!("{number} on this page, newest first."),
        };
        // Before the oldest one here there may be others that are not shown.
        let whole = !more && filter.state.is_empty() && filter.since.is_empty();
        let row = |(place, release): (usize, &Release)| {
            let before = page.releases.iter().skip(place + 1).find(|other| is_before(other, release));
            row(place, release, before, whole, now)
        };
        Self {
            shell: Shell { section: Section::Releases, ..shell },
            title: "Releases",
            choices: filter.choices(),
            problems,
            sentence,
            charts: if cursor.is_none() { Charts::new(&page.releases, more, &filter, now) } else { None },
            rows: page.releases.iter().enumerate().map(row).collect(),
            json: in_full("/v1/releases", filter.pairs()),
            newest: address("/releases", filter.pairs()),
            older: page.next_cursor.as_ref().map(|next| {
                address("/releases", filter.pairs().chain([("cursor", next.as_str())]).collect::<Vec<_>>())
            }),
            paged: cursor.is_some(),
            filter,
        }
    }
}

/// Whether one that stands further down was out before this one, in the same repository.
fn is_before(other: &Release, release: &Release) -> bool {
    let is_out = |release: &Release| !matches!(release.state, ReleaseState::Draft | ReleaseState::Unpublished);
    other.repository.same_as(&release.repository) && is_out(other) && other.facts.published_at.is_some()
}

fn row(place: usize, release: &Release, before: Option<&Release>, whole: bool, now: Timestamp) -> Row {
    let facts = &release.facts;
    let out = facts.published_at.filter(|_| !matches!(release.state, ReleaseState::Draft | ReleaseState::Unpublished));
    let since_previous = match (out, before.and_then(|before| before.facts.published_at)) {
        (None, _) => "not published".to_owned(),
        (Some(at), Some(before)) => coarse(between(before, at)),
        (Some(_), None) if whole => "the first".to_owned(),
        (Some(_), None) => "not known".to_owned(),
    };
    let to_release = match (out, commit_to_release(release)) {
        (None, _) => "not published".to_owned(),
        (Some(_), Some(took)) => coarse(took),
        (Some(_), None) => "not known".to_owned(),
    };
    let not_known = || "not known".to_owned();
    Row {
        id: lanes::row(place),
        published: out.map(|at| Moment::of(at, now)),
        repository: release.repository.to_string(),
        tag: facts.tag.clone().unwrap_or_else(|| "no tag".to_owned()),
        name: facts.name.clone().filter(|name| Some(name) != facts.tag.as_ref()).unwrap_or_default(),
        // Only addresses that a browser opens as a page become links, whatever a row says.
        url: facts.url.clone().filter(|url| url.starts_with("https://") || url.starts_with("http://")),
        mark: Mark::of_release(release.state),
        author: facts.author.clone().unwrap_or_else(not_known),
        since_previous,
        to_release,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    use domain::ids::{ReceiptId, Repository};
    use domain::release::ReleaseFacts;

    /// A release published then, of a commit an hour older.
    pub(crate) fn release(repository: &str, id: u64, at: &str, state: ReleaseState) -> Release {
        let at: Timestamp = at.parse().unwrap();
        Release {
            repository: Repository::parse(repository).unwrap(),
            id,
            state,
            facts: ReleaseFacts {
                tag: Some(format!("v{id}")),
                created_at: Some(at - jiff::SignedDuration::from_hours(1)),
                published_at: Some(at),
                ..ReleaseFacts::default()
            },
            receipt: ReceiptId::parse("019320aa-0000-7000-8000-000000000001").unwrap(),
            received_at: at,
        }
    }

    pub(crate) fn shell() -> Shell {
        Shell {
            section: Section::Elsewhere,
            host: "localhost".to_owned(),
            place: "local",
            reader: true,
            signed_in: false,
            csrf: String::new(),
            version: "0.0.0",
        }
    }

    fn page(filter: Filter, releases: Vec<Release>, next: Option<&str>) -> Releases {
        let page = ReleasePage { releases, next_cursor: next.map(str::to_owned) };
        Releases::new(shell(), filter, Vec::new(), &page, None, "2026-11-21T12:00:00Z".parse().unwrap())
    }

    fn some() -> Vec<Release> {
        vec![
            release("acme/api", 5, "2026-11-19T12:00:00Z", ReleaseState::Published),
            release("acme/cli", 4, "2026-11-18T12:00:00Z", ReleaseState::Published),
            release("acme/api", 3, "2026-11-12T12:00:00Z", ReleaseState::Unpublished),
            release("acme/api", 2, "2026-11-10T12:00:00Z", ReleaseState::Deleted),
        ]
    }

    fn since_previous(page: &Releases) -> Vec<&str> {
        page.rows.iter().map(|row| row.since_previous.as_str()).collect()
    }

    #[test]
    fn gaps_are_of_the_same_repository_and_only_as_far_as_the_list_knows() {
        let whole = page(Filter::default(), some(), None);
        assert_eq!(since_previous(&whole), ["9 d", "the first", "not published", "the first"]);
        let cut = page(Filter::default(), some(), Some("next"));
        assert_eq!(since_previous(&cut), ["9 d", "not known", "not published", "not known"]);
        let filtered = page(Filter { state: "published".to_owned(), ..Filter::default() }, some(), None);
        assert_eq!(since_previous(&filtered)[1], "not known");
    }

    #[test]
    fn from_the_commit_to_the_release() {
        let mut odd = release("o/r", 1, "2026-11-10T12:00:00Z", ReleaseState::Published);
        odd.facts.created_at = odd.facts.published_at.map(|at| at + jiff::SignedDuration::from_secs(1));
        let mut nothing = odd.clone();
        nothing.facts.created_at = None;
        let page = page(Filter::default(), vec![some().remove(0), odd, nothing], None);
        let to_release: Vec<_> = page.rows.iter().map(|row| row.to_release.as_str()).collect();
        assert_eq!(to_release, ["1 h", "not known", "not known"]);
    }

    #[test]
    fn each_state_is_drawn_as_the_legend_says() {
        let all = ReleaseState::ALL.map(|state| release("o/r", 1, "2026-11-19T12:00:00Z", state));
        let html = page(Filter::default(), all.into(), None).render().unwrap();
        let lanes = html.split("<svg class=\"chart lanes\"").nth(1).unwrap().split("</svg>").next().unwrap();
        let drawn = ["<circle cx", "<circle class=\"open\"", "<path class=\"open\"", "<path class=\"gone\""];
        assert_eq!(drawn.map(|shape| lanes.matches(shape).count()), [1, 1, 1, 2], "{lanes}");
        assert!(html.contains("Dot: release. Ring: prerelease. Diamond: draft. Cross: withdrawn."), "{html}");
    }

    #[test]
    fn a_list_of_one_state_says_nothing_of_what_shipped_in_all() {
        let list = || vec![release("o/r", 1, "2026-11-19T12:00:00Z", ReleaseState::Draft)];
        let of =
            |state: &str| page(Filter { state: state.to_owned(), ..Filter::default() }, list(), None).render().unwrap();
        let said = ["Too few to say how often", "from commit to release", "count in neither"];
        let says = |html: &str| said.map(|words| html.contains(words));
        assert_eq!((says(&of("")), says(&of("draft"))), ([true; 3], [false; 3]));
        assert!(of("draft").contains("<svg class=\"chart lanes\"") && !of("draft").contains("none published"));
    }

    #[test]
    fn links_keep_the_filters() {
        let filter = Filter { repository: "o/r".to_owned(), since: "2026-11-01T00:00".to_owned(), ..Filter::default() };
        let page = page(filter, some(), Some("next"));
        assert_eq!(page.older.as_deref(), Some("/releases?repository=o%2Fr&since=2026-11-01T00%3A00&cursor=next"));
        assert_eq!(page.json, "/v1/releases?repository=o%2Fr&since=2026-11-01T00%3A00%3A00Z");
        let html = page.render().unwrap();
        assert!(html.contains("id=\"r1\"") && html.contains("href=\"#r1\""), "{html}");
    }
}
