//! Lists of events: pages, filters, cursors.

use domain::event::{EventStatus, GithubEvent};
use domain::ids::{EventId, EventType, Repository};
use domain::query::EventQuery;
use domain::run::Run;
use jiff::{SignedDuration, Timestamp};

use super::samples::{begin, event, first_run, save};
use super::{Table, permanent};

const DAY: i64 = 86_400;

/// Events to list, newest first: `count` of them, each `step` seconds before the one above. Every third is in a
/// repository of its own and every fifth a push; every seventh has no repository.
async fn fill(table: &Table, count: u64, step: i64) -> Vec<GithubEvent> {
    let mut events = Vec::new();
    for n in 0..count {
        let back = SignedDuration::from_secs(step * i64::try_from(n).unwrap());
        let mut event = event(n, table.now() - back);
        if n % 3 == 0 {
            event.repository = Some(Repository::parse("octo-org/other").unwrap());
        }
        if n % 5 == 0 {
            event.event_type = EventType::parse("push").unwrap();
            event.action = None;
        }
        if n % 7 == 0 {
            event.repository = None;
        }
        let mut run = first_run(&event, event.received_at);
        if n % 11 == 0 {
            run.state = EventStatus::Errored;
        }
        begin(table, &event, &mut run).await;
        event.receipts.push(run.receipt);
        event.status = run.state;
        events.push(event);
    }
    events
}

fn ids<'a>(events: impl IntoIterator<Item = &'a GithubEvent>) -> Vec<EventId> {
    events.into_iter().map(|event| event.id.clone()).collect()
}

/// What a list has to show: the filters of the domain, applied to everything.
fn expected(events: &[GithubEvent], query: &EventQuery) -> Vec<EventId> {
    ids(events.iter().filter(|event| query.lets_through(event)))
}

/// 1,200 events over 30 days.
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

/// A filter that lets nothing through must not read the table to its end.
pub async fn a_page_reads_a_thousand_keys_at_most(table: Table) {
    let mut events = Vec::new();
    for n in 0..1003 {
        let mut event = event(n, table.now() - SignedDuration::from_secs(i64::try_from(n).unwrap()));
        // The oldest three are the ones looked for.
        event.action = (n >= 1000).then(|| "rare".to_owned());
        begin(&table, &event, &mut first_run(&event, event.received_at)).await;
        events.push(event);
    }
    let rare = EventQuery { action: Some("rare".to_owned()), ..table.everything() };
    let here = EventQuery { repository: Some(super::samples::repository()), ..rare.clone() };
    for query in [rare, here] {
        let pages = table.walk(&query).await;
        let counts: Vec<_> = pages.iter().map(|page| page.events.len()).take(2).collect();
        assert_eq!(counts, [0, 3], "1,000 keys without a match, then the rest");
        assert_eq!(table.ids(&query).await, expected(&events, &query));
    }
}

/// Weeks between two events.
pub async fn long_silence_takes_pages_but_loses_nothing(table: Table) {
    let mut events = Vec::new();
    for (n, days) in [0, 1, 50, 88].into_iter().enumerate() {
        let event = event(n as u64, table.now() - SignedDuration::from_secs(days * DAY));
        begin(&table, &event, &mut first_run(&event, event.received_at)).await;
        events.push(event);
    }
    let query = EventQuery { limit: 2, ..table.everything() };
    assert_eq!(table.ids(&query).await, ids(&events));
    let pages = table.walk(&query).await;
    assert!(pages.len() > 2, "the silence ends a page");
    let since = EventQuery { since: Some(table.now() - SignedDuration::from_secs(2 * DAY)), ..query };
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
    let other = Some(super::samples::repository());
    let now = Some(table.now());
    for wrong in [
        EventQuery { cursor: Some(broken), ..query.clone() },
        EventQuery { cursor: Some(String::new()), ..query.clone() },
        EventQuery { cursor: Some("0".repeat(100_000)), ..query.clone() },
        EventQuery { cursor: Some(super::samples::HOSTILE.to_owned()), ..query.clone() },
        EventQuery { cursor: Some(cursor.clone()), repository: other, ..query.clone() },
        EventQuery { cursor: Some(cursor.clone()), until: now, ..query.clone() },
        EventQuery { cursor: Some(cursor.clone()), status: Some(EventStatus::Errored), ..query.clone() },
    ] {
        let words = permanent(table.reader.events(&wrong).await);
        assert!(words.starts_with("cursor"), "{words}");
    }
    let rest = EventQuery { cursor: Some(cursor), limit: 100, ..query };
    let rest = table.reader.events(&rest).await.unwrap();
    assert_eq!(
        (rest.events.len(), rest.next_cursor.is_some()),
        (20, true),
        "the limit may change; there may be more days"
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

/// The first look at a new installation.
pub async fn an_empty_table_has_an_empty_list(table: Table) {
    let everything = table.everything();
    assert_eq!(table.ids(&everything).await, []);
    let never = EventQuery { since: Some(table.now()), until: Some(Timestamp::MIN), ..everything.clone() };
    assert_eq!(table.reader.events(&never).await.unwrap(), domain::query::EventPage::default());
    let ever = EventQuery { since: Some(Timestamp::MIN), until: Some(Timestamp::MAX), ..everything };
    assert_eq!(table.ids(&ever).await, []);
}
