//! Releases: kept current, listed newest first, for ever.

use domain::ids::Repository;
use domain::query::{ReleasePage, ReleaseQuery};
use domain::release::{Release, ReleaseEvent, ReleaseFacts, ReleaseState};
use jiff::{SignedDuration, Timestamp};

use super::samples::{self, HOSTILE, receipt, repository};
use super::{Table, permanent};

/// A release published then, or made then when it is a draft.
fn event(id: u64, action: &str, at: Timestamp) -> ReleaseEvent {
    let facts = ReleaseFacts {
        tag: Some(format!("v{id}")),
        created_at: Some(at),
        published_at: Some(at),
        ..ReleaseFacts::default()
    };
    ReleaseEvent {
        id,
        action: action.to_owned(),
        draft: action == "created",
        prerelease: action == "prereleased",
        facts,
    }
}

async fn record(table: &Table, repository: &Repository, event: &ReleaseEvent, n: u64) {
    table.releases.record_release(repository, event, receipt(n, table.now()), table.now()).await.unwrap();
}

fn everything() -> ReleaseQuery {
    ReleaseQuery { limit: 100, ..ReleaseQuery::default() }
}

async fn walk(table: &Table, query: &ReleaseQuery) -> Vec<ReleasePage> {
    let (mut query, mut pages) = (query.clone(), Vec::new());
    loop {
        let page = table.release_reader.releases(&query).await.unwrap();
        assert!(page.releases.len() <= query.limit, "a page over its limit");
        query.cursor = page.next_cursor.clone();
        pages.push(page);
        assert!(pages.len() < 1000, "the list has no end");
        if query.cursor.is_none() {
            return pages;
        }
    }
}

async fn listed(table: &Table, query: &ReleaseQuery) -> Vec<Release> {
    walk(table, query).await.into_iter().flat_map(|page| page.releases).collect()
}

async fn ids(table: &Table, query: &ReleaseQuery) -> Vec<u64> {
    listed(table, query).await.into_iter().map(|release| release.id).collect()
}

/// Several events, in another order than they were received in.
pub async fn a_release_is_as_its_newest_receipt_says(table: Table) {
    let now = table.now();
    let published = event(7, "published", now);
    record(&table, &repository(), &published, 2).await;
    let mut edited = event(7, "edited", now);
    edited.facts.name = Some(HOSTILE.to_owned());
    edited.facts.author = Some(String::new());
    edited.facts.url = Some("https://github.com/o/r/releases/tag/v7".to_owned());
    for (event, n, state, facts) in [
        (event(7, "deleted", now), 1, ReleaseState::Published, &published.facts),
        (event(7, "unpublished", now), 2, ReleaseState::Published, &published.facts),
        (edited.clone(), 4, ReleaseState::Published, &edited.facts),
        (event(7, "deleted", now), 3, ReleaseState::Published, &edited.facts),
        (event(7, "prereleased", now), 5, ReleaseState::Prerelease, &published.facts),
        (event(7, "unpublished", now), 6, ReleaseState::Unpublished, &published.facts),
        (event(7, "deleted", now), 7, ReleaseState::Deleted, &published.facts),
        (edited.clone(), 8, ReleaseState::Deleted, &edited.facts),
    ] {
        record(&table, &repository(), &event, n).await;
        let [release] = <[_; 1]>::try_from(listed(&table, &everything()).await).unwrap();
        assert_eq!((release.state, &release.facts), (state, facts), "after receipt {n}");
        assert_eq!((&release.repository, release.id, release.received_at), (&repository(), 7, now));
    }
    let other = Repository::parse("octo-org/other").unwrap();
    record(&table, &other, &event(7, "published", now), 1).await;
    assert_eq!(listed(&table, &everything()).await.len(), 2, "another repository may have the same id");
}

/// Copies of several messages at once.
pub async fn of_many_who_record_a_release_the_newest_wins(table: Table) {
    let now = table.now();
    let mut writers = tokio::task::JoinSet::new();
    for n in 1..=4u64 {
        let table = table.clone();
        writers.spawn(async move {
            let mut event = event(1, "published", now);
            event.facts.name = Some(n.to_string());
            table.releases.record_release(&repository(), &event, receipt(n, now), now).await.unwrap();
        });
    }
    writers.join_all().await;
    let names: Vec<_> = listed(&table, &everything()).await.into_iter().map(|release| release.facts.name).collect();
    assert_eq!(names, [Some("4".to_owned())]);
}

/// Over years, by repository and all, page by page.
pub async fn releases_are_listed_newest_published_first(table: Table) {
    let other = Repository::parse("Octo-Org/Other").unwrap();
    let at = |n: u64| table.now() - SignedDuration::from_hours(i64::try_from(n).unwrap() * 24 * 40);
    for n in (0..60).rev() {
        let whose = if n % 3 == 0 { &other } else { &repository() };
        let action = ["published", "prereleased", "created"][usize::try_from(n % 7 % 3).unwrap()];
        record(&table, whose, &event(n, action, at(n)), 1).await;
    }
    let all: Vec<u64> = (0..60).collect();
    for limit in [100, 60, 59, 7, 1] {
        let query = ReleaseQuery { limit, ..everything() };
        assert_eq!(ids(&table, &query).await, all, "limit {limit}");
        let pages = walk(&table, &query).await;
        assert!(pages.iter().all(|page| !page.releases.is_empty()), "limit {limit}: a page for nothing");
    }
    let of = |keep: fn(&u64) -> bool| all.iter().copied().filter(keep).collect::<Vec<_>>();
    let its_own = ReleaseQuery { repository: Repository::parse("octo-org/OTHER").ok(), limit: 4, ..everything() };
    assert_eq!(ids(&table, &its_own).await, of(|n| n % 3 == 0));
    let drafts = ReleaseQuery { state: Some(ReleaseState::Draft), limit: 3, ..everything() };
    assert_eq!(ids(&table, &drafts).await, of(|n| n % 7 % 3 == 2));
    let since = ReleaseQuery { since: Some(at(20)), ..its_own };
    assert_eq!(ids(&table, &since).await, of(|n| n % 3 == 0 && *n <= 20), "that very moment included");
    let nobody = ReleaseQuery { repository: Repository::parse("octo-org/none").ok(), ..everything() };
    assert_eq!(table.release_reader.releases(&nobody).await.unwrap(), ReleasePage::default());
}

/// What is looked for stands behind the first thousand.
pub async fn a_page_of_releases_looks_for_a_state_within_its_keys(table: Table) {
    let mut writers = tokio::task::JoinSet::new();
    for share in 0..4u64 {
        let table = table.clone();
        writers.spawn(async move {
            for n in (share..1003).step_by(4) {
                let at = table.now() - SignedDuration::from_secs(i64::try_from(n).unwrap());
                let action = if n >= 1000 { "deleted" } else { "published" };
                record(&table, &repository(), &event(n, action, at), 1).await;
            }
        });
    }
    writers.join_all().await;
    let query = ReleaseQuery { state: Some(ReleaseState::Deleted), ..everything() };
    let pages = walk(&table, &query).await;
    assert_eq!(pages.iter().map(|page| page.releases.len()).collect::<Vec<_>>(), [0, 3]);
}

/// Cursors of other questions, and no cursors at all.
pub async fn a_cursor_of_releases_belongs_to_its_list(table: Table) {
    for n in 0..3 {
        record(&table, &repository(), &event(n, "published", table.now()), 1).await;
    }
    let query = ReleaseQuery { limit: 1, ..everything() };
    let cursor = table.release_reader.releases(&query).await.unwrap().next_cursor;
    let with_cursor = ReleaseQuery { cursor: cursor.clone(), ..query.clone() };
    for wrong in [
        ReleaseQuery { cursor: cursor.map(|cursor| cursor[1..].to_owned()), ..query.clone() },
        ReleaseQuery { cursor: Some(HOSTILE.to_owned()), ..query },
        ReleaseQuery { repository: Some(repository()), ..with_cursor.clone() },
        ReleaseQuery { state: Some(ReleaseState::Draft), ..with_cursor.clone() },
        ReleaseQuery { since: Some(Timestamp::MIN), ..with_cursor.clone() },
    ] {
        let words = permanent(table.release_reader.releases(&wrong).await);
        assert!(words.starts_with("cursor"), "{words}");
    }
    let events = domain::query::EventQuery { cursor: with_cursor.cursor, ..table.everything() };
    assert!(permanent(table.reader.events(&events).await).starts_with("cursor"));
}

/// They share the events' indexes, and nobody else's end.
pub async fn releases_stand_in_no_list_of_events_and_stay(table: Table) {
    let first = samples::event(1, table.now());
    samples::begin(&table, &first, &mut samples::first_run(&first, table.now())).await;
    record(&table, &repository(), &event(1, "published", table.now()), 1).await;
    assert_eq!(table.ids(&table.everything()).await, std::slice::from_ref(&first.id));
    let its_own = domain::query::EventQuery { repository: Some(repository()), ..table.everything() };
    assert_eq!(table.ids(&its_own).await, [first.id]);
    table.clock.advance(1000 * 86_400);
    assert_eq!(ids(&table, &everything()).await, [1]);
}
