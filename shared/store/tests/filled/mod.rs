//! A table with as many events as one likes, and what every page of it costs then.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::event::EventStatus;
use domain::hours::Counted;
use domain::ids::EventType;
use domain::ports::{EventLog, EventReader, HourReader, ReleaseReader};
use domain::query::{EventQuery, ReleaseQuery};
use domain::release::{ReleaseEvent, ReleaseFacts};
use domain::run::Outcome;
use embedded::engine::Engine;
use jiff::SignedDuration;
use pages::overview::{COUNTED, RELEASES, since};
use store::Store;
use testkit::contract::store::Table;
use testkit::contract::store::samples::{begin, end, event, first_run, receipt, repository, save};

use crate::meter;

/// An event that was taken, as its row stands in the table.
async fn one_event(engine: &Engine, table: &Table) -> HashMap<String, AttributeValue> {
    let event = event(0, table.now());
    let mut run = first_run(&event, table.now());
    run.start_attempt(table.now(), EventStatus::Processing);
    begin(table, &event, &mut run).await;
    end(&mut run, Outcome::Taken, Some(200), table.now());
    save(table, &mut run).await;
    let (pk, sk) = (format!("event#{}", event.id), "event".to_owned());
    let client = engine.client();
    let row =
        client.get_item().table_name("hookyard").key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk));
    row.send().await.unwrap().item.unwrap()
}

/// So many events like that, a minute apart: rows alone, put past the store, which would take its time.
async fn fill(engine: &Engine, table: &Table, row: &HashMap<String, AttributeValue>, numbers: std::ops::Range<u64>) {
    let mut writers = tokio::task::JoinSet::new();
    for share in 0..8 {
        let (client, table, row, numbers) = (engine.client(), table.clone(), row.clone(), numbers.clone());
        writers.spawn(async move {
            for n in numbers.filter(|n| n % 8 == share) {
                let at = table.now() - SignedDuration::from_secs(60 * i64::try_from(n).unwrap());
                let id = event(n, at).id;
                let mut row = row.clone();
                row.insert("pk".to_owned(), AttributeValue::S(format!("event#{id}")));
                row.insert("at".to_owned(), AttributeValue::S(format!("{at:.9}#{id}")));
                row.insert("span".to_owned(), AttributeValue::S(at.strftime("%Y-%m").to_string()));
                client.put_item().table_name("hookyard").set_item(Some(row)).send().await.unwrap();
            }
        });
    }
    writers.join_all().await;
}

async fn releases_and_counts(table: &Table) {
    for n in 0..150u64 {
        let at = table.now() - SignedDuration::from_hours(i64::try_from(n).unwrap());
        let facts = ReleaseFacts {
            tag: Some("v1.2.0".to_owned()),
            name: Some("Twelve hellos".to_owned()),
            author: Some("octocat".to_owned()),
            created_at: Some(at),
            published_at: Some(at),
            url: Some("https://github.com/octo-org/hello/releases/tag/v1.2.0".to_owned()),
        };
        let event =
            ReleaseEvent { id: n + 100_000_000, action: "published".to_owned(), facts, ..ReleaseEvent::default() };
        table.releases.record_release(&repository(), &event, receipt(1, at), at).await.unwrap();
    }
    for hour in 0..200 {
        table.hours.count(table.now() - SignedDuration::from_hours(hour), &Counted::ALL).await.unwrap();
    }
}

/// What the Overview asks for (`functions/api/src/pages/overview.rs`).
async fn overview(store: &Store, table: &Table, hours: u64) {
    let waiting = EventQuery { status: Some(EventStatus::Unprocessed), limit: COUNTED, ..table.everything() };
    let newest = ReleaseQuery { limit: RELEASES, ..ReleaseQuery::default() };
    let counts = store.hours(table.now(), usize::try_from(hours).unwrap()).await.unwrap();
    let troubles = store.needs_you(since(hours, table.now()), COUNTED + 1).await.unwrap();
    let waiting = store.events(&waiting).await.unwrap().events;
    let releases = store.releases(&newest).await.unwrap().releases;
    let found = (counts.len() as u64, troubles.len(), waiting.len(), releases.len());
    assert_eq!(found, (hours, COUNTED + 1, COUNTED, RELEASES), "as much as can be there");
}

/// More that needs somebody, and more that waits, than the Overview counts.
async fn trouble(table: &Table) {
    for n in 0..60 {
        let event = event(1_000_000 + n, table.now());
        let mut run = first_run(&event, table.now());
        run.start_attempt(table.now(), EventStatus::Processing);
        begin(table, &event, &mut run).await;
        let (outcome, code) = if n % 2 == 0 { (Outcome::Denied, 401) } else { (Outcome::Error, 503) };
        end(&mut run, outcome, Some(code), table.now());
        save(table, &mut run).await;
    }
}

/// Fills a table up to each of these numbers of events and holds every page against what the documentation says of it.
pub(crate) async fn pages_cost_what_is_documented(sizes: &[u64]) {
    let engine = Engine::memory().unwrap();
    let (store, meter, table) = meter::metered(&engine).await;
    // The middle of a month, so that a page does not happen to end with one.
    table.clock.advance(18 * 86_400);
    let row = one_event(&engine, &table).await;
    releases_and_counts(&table).await;
    trouble(&table).await;
    let mut filled = 1;
    for size in sizes {
        let size = *size;
        fill(&engine, &table, &row, filled..size).await;
        filled = size;
        meter.take();
        println!("{size} events");
        let all = table.everything();
        let whose = EventQuery { repository: Some(repository()), ..all.clone() };
        let filtered = EventQuery { event_type: EventType::parse("push").ok(), ..whose.clone() };
        assert_eq!(store.events(&all).await.unwrap().events.len(), 100);
        meter.documented("a page of 100 events");
        assert_eq!(store.events(&whose).await.unwrap().events.len(), 100);
        meter.documented("a page of 100 events of a repository");
        let none = store.events(&filtered).await.unwrap();
        assert_eq!(none.events.len(), 0);
        meter.documented("a page that looks through a thousand keys");

        let event = event(0, table.now());
        assert!(store.event(&event.id).await.unwrap().unwrap().body.is_some());
        meter.documented("an event with everything");
        store.look_up(&event.id, receipt(1, table.now())).await.unwrap();
        meter.documented("look up a receipt");

        let query = ReleaseQuery { limit: 100, ..ReleaseQuery::default() };
        assert_eq!(store.releases(&query).await.unwrap().releases.len(), 100);
        meter.documented("a page of 100 releases");
        let query = ReleaseQuery { repository: Some(repository()), ..query };
        assert_eq!(store.releases(&query).await.unwrap().releases.len(), 100);
        meter.documented("a page of 100 releases of a repository");
        assert_eq!(store.hours(table.now(), 7 * 24).await.unwrap().len(), 7 * 24);
        meter.documented("the counts of a week");
        for (hours, what) in [(24, "the Overview of a day"), (7 * 24, "the Overview of a week")] {
            overview(&store, &table, hours).await;
            assert_eq!(meter.queries(), 4);
            assert!(meter.documented(what) < 10.0, "this is what the page may cost");
        }
        store.releases(&ReleaseQuery { limit: pages::releases::ROWS, ..ReleaseQuery::default() }).await.unwrap();
        meter.documented("the page of the newest 50 releases");
    }
}
