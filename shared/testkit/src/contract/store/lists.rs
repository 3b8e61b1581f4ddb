//! Lists of events: pages, filters, cursors.

use domain::event::{EventStatus, GithubEvent};
use domain::ids::{EventId, EventType, Repository};
use domain::query::EventQuery;
use domain::run::{Outcome, Run};
use jiff::{SignedDuration, Timestamp};

use super::samples::{begin, end, event, first_run, save};
use super::{Table, permanent};

const DAY: i64 = 86_400;

/// Events to list, newest first: `count` of them, each `step` seconds before the one above. Written by several at
/// once, because a thousand are many.
async fn fill(table: &Table, count: u64, step: i64) -> Vec<GithubEvent> {
    let now = table.now();
    let rows: Vec<_> =
        (0..count).map(|n| row(n, now - SignedDuration::from_secs(step * i64::try_from(n).unwrap()))).collect();
    let mut writers = tokio::task::JoinSet::new();
    for share in rows.chunks(rows.len().div_ceil(4)) {
        let (table, share) = (table.clone(), share.to_vec());
        writers.spawn(async move {
            for (event, mut run) in share {
                begin(&table, &event, &mut run).await;
            }
        });
    }
    writers.join_all().await;
    rows.into_iter()
        .map(|(event, run)| GithubEvent { receipts: vec![run.receipt], status: run.state, ..event })
        .collect()
}

/// Every third is in another repository and every fifth a push; every seventh has no repository, every eleventh
/// errored; three behind the first thousand are rare.
fn row(n: u64, received_at: Timestamp) -> (GithubEvent, Run) {
    let mut event = event(n, received_at);
    if n.is_multiple_of(3) {
        event.repository = Some(Repository::parse("octo-org/other").unwrap());
    }
    if n.is_multiple_of(5) {
        event.event_type = EventType::parse("push").unwrap();
        event.action = None;
    }
    if n.is_multiple_of(7) {
        event.repository = None;
    }
    if [1000, 1001, 1199].contains(&n) {
        event.action = Some("rare".to_owned());
    }
    let mut run = first_run(&event, received_at);
    if n.is_multiple_of(11) {
        run.state = EventStatus::Errored;
    }
    (event, run)
}

fn ids<'a>(events: impl IntoIterator<Item = &'a GithubEvent>) -> Vec<EventId> {
    events.into_iter().map(|event| event.id.clone()).collect()
}

/// What a list has to show: the filters of the domain, applied to everything.
fn expected(events: &[GithubEvent], query: &EventQuery) -> Vec<EventId> {
    ids(events.iter().filter(|event| query.lets_through(event)))
}

/// 1,200 events over 30 days, with every filter that an index applies.
pub async fn pages_show_every_event_once_and_newest_first(table: Table) {
    let events = fill(&table, 1200, 30 * DAY / 1200).await;
    let everything = table.everything();
    for limit in [100, 7] {
        let pages = table.walk(&EventQuery { limit, ..everything.clone() }).await;
        let short = pages.iter().position(|page| page.events.len() < limit).unwrap_or(pages.len());
        assert!(short >= 1200 / limit, "page {short} is short for nothing");
        let seen: Vec<_> = pages.into_iter().flat_map(|page| page.events).collect();
        assert!(seen == events, "limit {limit}: not each once, newest first");
    }
    for name in ["octo-org/YARD", "Octo-Org/Other", "octo-org/none"] {
        let query = EventQuery { repository: Some(Repository::parse(name).unwrap()), ..everything.clone() };
        assert_eq!(table.ids(&query).await, expected(&events, &query), "{name}");
    }
    let last = events.len() - 1;
    let on = |n: usize| Some(events[n].received_at);
    for (since, until) in [(on(900), on(100)), (None, on(last)), (on(0), None), (on(5), on(5)), (on(1), on(2))] {
        for repository in [None, Some(super::samples::repository())] {
            let query = EventQuery { since, until, repository, ..everything.clone() };
            assert_eq!(table.ids(&query).await, expected(&events, &query), "{since:?} to {until:?}");
        }
    }
    a_page_reads_a_thousand_keys_at_most(&table, &events).await;
}

/// What is looked for stands right behind the first thousand.
async fn a_page_reads_a_thousand_keys_at_most(table: &Table, events: &[GithubEvent]) {
    let query = EventQuery { action: Some("rare".to_owned()), ..table.everything() };
    let pages = table.walk(&query).await;
    let counts: Vec<_> = pages.iter().map(|page| page.events.len()).take(2).collect();
    assert_eq!(counts, [0, 3], "1,000 keys without a match, then the rest");
    assert_eq!(ids(pages.iter().flat_map(|page| &page.events)), expected(events, &query));
}

/// What no index applies is applied all the same.
pub async fn filters_hold_on_every_page(table: Table) {
    let events = fill(&table, 150, DAY / 20).await;
    let everything = EventQuery { limit: 9, ..table.everything() };
    let push = EventType::parse("push").ok();
    let repository = Some(super::samples::repository());
    let guid = events[20].delivery().as_str();
    for query in [
        EventQuery { event_type: push.clone(), ..everything.clone() },
        EventQuery { event_type: push.clone(), repository: repository.clone(), ..everything.clone() },
        EventQuery { action: Some("opened".to_owned()), ..everything.clone() },
        EventQuery { action: Some("Opened".to_owned()), ..everything.clone() },
        EventQuery { status: Some(EventStatus::Errored), ..everything.clone() },
        EventQuery { status: Some(EventStatus::Errored), event_type: push, ..everything.clone() },
        EventQuery { status: Some(EventStatus::Errored), repository, ..everything.clone() },
        EventQuery { status: Some(EventStatus::Processing), ..everything.clone() },
        EventQuery { status: Some(EventStatus::Unprocessed), ..everything.clone() },
        EventQuery { delivery: Some(guid.to_owned()), ..everything.clone() },
        EventQuery { delivery: Some(guid[..8].to_ascii_uppercase()), ..everything.clone() },
        EventQuery { delivery: Some("no such".to_owned()), ..everything.clone() },
    ] {
        assert_eq!(table.ids(&query).await, expected(&events, &query), "{query:?}");
    }
}

/// Weeks between two events.
pub async fn long_silence_loses_nothing_and_ends_no_page(table: Table) {
    let mut events = Vec::new();
    for (n, days) in [0, 1, 50, 88].into_iter().enumerate() {
        let event = event(n as u64, table.now() - SignedDuration::from_secs(days * DAY));
        begin(&table, &event, &mut first_run(&event, event.received_at)).await;
        events.push(event);
    }
    let query = EventQuery { limit: 2, ..table.everything() };
    assert_eq!(table.ids(&query).await, ids(&events));
    let pages = table.walk(&query).await;
    assert_eq!(pages.iter().map(|page| page.events.len()).collect::<Vec<_>>(), [2, 2]);
    let before = |days| Some(table.now() - SignedDuration::from_secs(days * DAY));
    let until = EventQuery { until: before(49), ..query.clone() };
    let page = table.reader.events(&until).await.unwrap();
    assert_eq!(ids(&page.events), ids(&events[2..]), "nothing newer is looked for");
    let since = EventQuery { since: before(2), ..query };
    let page = table.reader.events(&since).await.unwrap();
    assert_eq!((page.events.len(), page.next_cursor), (2, None), "nothing older is looked for");
}

/// Cursors of other questions, and no cursors at all.
pub async fn a_cursor_belongs_to_its_list(table: Table) {
    fill(&table, 30, 60).await;
    let query = EventQuery { limit: 10, ..table.everything() };
    let cursor = table.reader.events(&query).await.unwrap().next_cursor.unwrap();
    let mut broken = cursor.clone();
    broken.pop();
    let cursors = [broken, String::new(), "0".repeat(100_000), super::samples::HOSTILE.to_owned()];
    for wrong in cursors {
        let words = permanent(table.reader.events(&EventQuery { cursor: Some(wrong), ..query.clone() }).await);
        assert!(words.starts_with("cursor"), "{words}");
    }
    let (cursor, text) = (Some(cursor), Some("opened".to_owned()));
    let with_cursor = EventQuery { cursor: cursor.clone(), ..query.clone() };
    for wrong in [
        EventQuery { repository: Some(super::samples::repository()), ..with_cursor.clone() },
        EventQuery { event_type: EventType::parse("push").ok(), ..with_cursor.clone() },
        EventQuery { action: text.clone(), ..with_cursor.clone() },
        EventQuery { delivery: text, ..with_cursor.clone() },
        EventQuery { status: Some(EventStatus::Errored), ..with_cursor.clone() },
        EventQuery { status: Some(EventStatus::Processing), ..with_cursor.clone() },
        EventQuery { since: Some(Timestamp::MIN), ..with_cursor.clone() },
        EventQuery { until: Some(Timestamp::MAX), ..with_cursor.clone() },
    ] {
        let words = permanent(table.reader.events(&wrong).await);
        assert!(words.starts_with("cursor"), "{words}");
    }
    let rest = EventQuery { limit: 100, ..with_cursor };
    let rest = table.reader.events(&rest).await.unwrap();
    assert_eq!(
        (rest.events.len(), rest.next_cursor.is_some()),
        (20, false),
        "the limit may change, and the end is known"
    );
}

/// Errored and waiting events, and how they stop being so.
pub async fn an_event_needs_you_only_while_it_does(table: Table) {
    let event = event(1, table.now());
    let mut run = first_run(&event, table.now());
    begin(&table, &event, &mut run).await;
    let list = |status| EventQuery { status: Some(status), ..table.everything() };
    let (waiting, errored) = (list(EventStatus::Unprocessed), list(EventStatus::Errored));
    let shown = |n: usize| vec![event.id.clone(); n];
    let check = async |waits: usize, errs: usize| {
        assert_eq!(table.ids(&waiting).await, shown(waits));
        assert_eq!(table.ids(&errored).await, shown(errs));
    };
    check(0, 0).await;
    run.defer(table.now());
    save(&table, &mut run).await;
    check(1, 0).await;
    run.finish(EventStatus::Errored, None, table.now());
    save(&table, &mut run).await;
    check(0, 1).await;
    let mut replay: Run = super::samples::later_run(&event, table.now() + SignedDuration::from_secs(1));
    begin(&table, &event, &mut replay).await;
    check(0, 0).await;
}

/// An attempt that opens changes no list, and one that ends changes each.
pub async fn lists_show_what_attempts_came_to(table: Table) {
    let event = event(1, table.now());
    let everything = table.everything();
    let its_own = EventQuery { repository: event.repository.clone(), ..everything.clone() };
    let listed = async |query: &EventQuery| {
        let events = table.reader.events(query).await.unwrap().events;
        events.into_iter().map(|event| (event.status, event.tries)).collect::<Vec<_>>()
    };
    let mut run = first_run(&event, table.now());
    run.start_attempt(table.now(), EventStatus::Processing);
    begin(&table, &event, &mut run).await;
    assert_eq!(listed(&everything).await, [(EventStatus::Processing, 1)]);
    assert_eq!(listed(&its_own).await, [], "its repository's list follows when the attempt has ended");

    end(&mut run, Outcome::Error, Some(503), table.now());
    save(&table, &mut run).await;
    run.start_attempt(table.now(), EventStatus::Processing);
    save(&table, &mut run).await;
    let story = table.story(&event.id).await.event;
    assert_eq!((story.status, story.tries, story.next_attempt_at), (EventStatus::Processing, 2, None));
    for list in [&everything, &its_own] {
        assert_eq!(listed(list).await, [(EventStatus::Unprocessed, 1)]);
    }
    end(&mut run, Outcome::Taken, Some(200), table.now());
    save(&table, &mut run).await;
    for list in [&everything, &its_own] {
        assert_eq!(listed(list).await, [(EventStatus::Processed, 2)]);
    }
}

/// With a repository or without, whatever its first run begins with.
pub async fn every_event_is_in_a_list_and_in_that_of_its_repository(table: Table) {
    let mut events = Vec::new();
    for (n, state) in EventStatus::ALL.into_iter().enumerate() {
        let mut event = event(n as u64, table.now() - SignedDuration::from_secs(60 * i64::try_from(n).unwrap()));
        if n.is_multiple_of(2) {
            event.repository = None;
        }
        let mut run = first_run(&event, event.received_at);
        run.state = state;
        begin(&table, &event, &mut run).await;
        events.push(GithubEvent { receipts: vec![run.receipt], status: state, ..event });
    }
    assert_eq!(table.ids(&table.everything()).await, ids(&events));
    let query = EventQuery { repository: Some(super::samples::repository()), ..table.everything() };
    assert_eq!(table.ids(&query).await, expected(&events, &query));
}

/// The first look at a new installation.
pub async fn an_empty_table_has_an_empty_list(table: Table) {
    let everything = table.everything();
    assert_eq!(table.ids(&everything).await, []);
    let never = EventQuery { since: Some(table.now()), until: Some(Timestamp::MIN), ..everything.clone() };
    assert_eq!(table.reader.events(&never).await.unwrap(), domain::query::EventPage::default());
    let ever = EventQuery { since: Some(Timestamp::MIN), until: Some(Timestamp::MAX), ..everything };
    assert_eq!(table.ids(&ever).await, []);
}
