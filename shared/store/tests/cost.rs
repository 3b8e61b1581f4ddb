//! What the record costs on AWS: write units, as the engine counts them. It counts as DynamoDB does, indexes
//! included, so the sums hold for the bill; the documentation names every figure, so that none changes unnoticed.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod meter;
mod wire;

use std::path::Path;

use bytes::Bytes;
use domain::envelope::sha256;
use domain::event::{EventStatus, GithubEvent};
use domain::facts;
use domain::hours::Counted;
use domain::ids::{EventType, StatusId};
use domain::ports::{EventLog, EventReader, HeadReader, HourLog, KeptBody, ReleaseLog, StatusLog};
use domain::query::EventQuery;
use domain::reasons::StatusReason;
use domain::run::{Outcome, Run};
use domain::statuses::row::{StatusOutcome, StatusRow};
use domain::statuses::{ContextKey, Intent, Refused, Written};
use embedded::engine::Engine;
use store::Store;
use testkit::contract::store::Table;
use testkit::contract::store::samples::{
    content, delivered, end, event, first_run, later_run, repository, samples, sha, status,
};

fn sample(name: &str) -> Bytes {
    delivered(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(name))
}

/// An event as fanout makes it, its body, and the headers that GitHub sends with it.
fn arrival(n: u64, table: &Table, name: &str) -> (GithubEvent, Vec<(String, String)>, KeptBody) {
    let body = sample(name);
    let mut event = event(n, table.now());
    event.event_type = EventType::parse(name.split_once('.').unwrap().0).unwrap();
    let facts = facts::facts(&event.event_type, &body).unwrap();
    event.action = facts.routing.action;
    event.repository = facts.routing.repository;
    event.sender = facts.sender;
    event.sha = facts.sha;
    event.pull_request = facts.pull_request;
    event.about = facts.about;
    event.body_sha256 = sha256(&body);
    event.body_bytes = body.len() as u64;
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "GitHub-Hookshot/044aadd"),
        ("accept", "*/*"),
        ("x-github-delivery", event.delivery().as_str()),
        ("x-github-event", event.event_type.as_str()),
        ("x-github-hook-id", "48211900"),
        ("x-github-hook-installation-target-id", "79929171"),
        ("x-github-hook-installation-target-type", "repository"),
        ("x-hub-signature", "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6"),
        ("x-hub-signature-256", "sha256=d57c68ca6f92289e6987922ff26938930f6e66a2d161ef06abdf1859230aa23c"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    (event, headers, KeptBody::Inline(body))
}

/// Begins with the first attempt open, as fanout does.
async fn begin_open(store: &Store, table: &Table, n: u64, name: &str) -> (GithubEvent, Run) {
    let (event, headers, body) = arrival(n, table, name);
    let mut run = first_run(&event, table.now());
    run.start_attempt(table.now(), EventStatus::Processing);
    assert!(store.begin(&event, &run, &headers, &body).await.unwrap());
    run.version += 1;
    (event, run)
}

async fn save(store: &Store, run: &mut Run) {
    assert!(store.save(run).await.unwrap());
    run.version += 1;
}

#[tokio::test]
async fn an_event_of_8_kb() {
    let (store, meter, table) = meter::metered(&Engine::memory().unwrap()).await;
    let (event, mut run) = begin_open(&store, &table, 1, "push.branch.json").await;
    println!("{} bytes of body", event.body_bytes);
    let mut sum = meter.documented("begin, with the first attempt open");
    end(&mut run, Outcome::Taken, Some(200), table.now());
    save(&store, &mut run).await;
    sum += meter.documented("save, taken");
    store.count(table.now(), &[Counted::Received, Counted::Processed]).await.unwrap();
    sum += meter.documented("count");
    assert!(sum <= 8.0, "this is what an event may cost");
    assert_eq!(sum, meter::documented("an event taken at the first attempt"));

    store.look_up(&event.id, run.receipt).await.unwrap();
    meter.documented("look up a receipt");
    store.event(&event.id).await.unwrap();
    meter.documented("an event with everything");
    store.events(&EventQuery { repository: event.repository, ..table.everything() }).await.unwrap();
    meter.documented("a list of one event");
}

#[tokio::test]
async fn an_event_that_waits_once() {
    let (store, meter, table) = meter::metered(&Engine::memory().unwrap()).await;
    let (_, mut run) = begin_open(&store, &table, 1, "push.branch.json").await;
    let mut sum = meter.documented("begin, with the first attempt open");
    end(&mut run, Outcome::Error, Some(503), table.now());
    save(&store, &mut run).await;
    sum += meter.documented("save, waiting");
    store.count(table.now(), &[Counted::Received]).await.unwrap();
    sum += meter.documented("count");
    run.start_attempt(table.now(), EventStatus::Processing);
    save(&store, &mut run).await;
    sum += meter.documented("save, the next attempt open");
    end(&mut run, Outcome::Taken, Some(200), table.now());
    save(&store, &mut run).await;
    sum += meter.documented("save, taken after waiting");
    store.count(table.now(), &[Counted::Received, Counted::Processed]).await.unwrap();
    sum += meter.documented("count");
    assert_eq!(sum, meter::documented("an event taken at the second attempt"));
}

#[tokio::test]
async fn a_redelivery() {
    let (store, meter, table) = meter::metered(&Engine::memory().unwrap()).await;
    let (event, mut first) = begin_open(&store, &table, 1, "push.branch.json").await;
    end(&mut first, Outcome::Taken, Some(200), table.now());
    save(&store, &mut first).await;
    table.clock.advance(60);
    meter.take();
    let (_, headers, body) = arrival(1, &table, "push.branch.json");
    let mut run = later_run(&event, table.now());
    run.start_attempt(table.now(), EventStatus::Reprocessing);
    assert!(store.begin(&event, &run, &headers, &body).await.unwrap());
    run.version += 1;
    let mut sum = meter.documented("begin a redelivery, with its read");
    end(&mut run, Outcome::Taken, Some(200), table.now());
    save(&store, &mut run).await;
    sum += meter.documented("save of a redelivery, taken");
    // What the event refused, because the run is not its own: the engine does not tell of it, AWS charges it.
    sum += 1.0;
    store.count(table.now(), &[Counted::Received, Counted::Processed]).await.unwrap();
    sum += meter.documented("count");
    assert_eq!(sum, meter::documented("a redelivery taken at the first attempt"));
}

#[tokio::test]
async fn every_sample_is_taken_for_8_units_at_most() {
    let (store, meter, table) = meter::metered(&Engine::memory().unwrap()).await;
    for (n, file) in samples().into_iter().enumerate() {
        let name = file.file_name().unwrap().to_str().unwrap();
        let (event, mut run) = begin_open(&store, &table, n as u64, name).await;
        end(&mut run, Outcome::Taken, Some(200), table.now());
        save(&store, &mut run).await;
        store.count(table.now(), &[Counted::Received, Counted::Processed]).await.unwrap();
        let units = meter.take();
        println!("{units} units for the {} bytes of {name}", event.body_bytes);
        assert!(units <= 8.0, "{name}: {units}");
    }
}

#[tokio::test]
async fn a_release() {
    let (store, meter, table) = meter::metered(&Engine::memory().unwrap()).await;
    let said = facts::release_event(&sample("release.published.json")).unwrap();
    let receipt = testkit::contract::store::samples::receipt;
    store.record_release(&repository(), &said, receipt(1, table.now()), table.now()).await.unwrap();
    meter.documented("a new release, with its read");
    store.record_release(&repository(), &said, receipt(1, table.now()), table.now()).await.unwrap();
    meter.documented("the same release again");
    store.record_release(&repository(), &said, receipt(2, table.now()), table.now()).await.unwrap();
    meter.documented("a newer event of a release, with its read");
}

#[tokio::test]
async fn a_status() {
    let (store, meter, table) = meter::metered(&Engine::memory().unwrap()).await;
    let key = ContextKey::new(repository(), sha(), "integration-testing");
    let mut said = content("integration-testing");
    said.description = Some("all 1,234 tests passed in 12 minutes".to_owned());
    said.target_url = Some("https://ci.example/octo-org/yard/runs/123456789".to_owned());
    let row = StatusRow { content: said, outcome: StatusOutcome::Written, ..status(1, table.now()) };
    let written = |id: &str| Written {
        id: StatusId::parse(id).unwrap(),
        run: Some(testkit::contract::store::samples::some_receipt()),
        accepted: row.accepted,
        content: row.content.clone(),
        github_id: Some(1234567890),
    };
    let mut head = store.head(&key).await.unwrap().with_written(written("before"));
    assert!(store.save_head(&key, &head).await.unwrap());
    head.version += 1;
    meter.documented("a first head, with its read");

    let said = content("integration-testing");
    let (reason, why) = (StatusReason::NoCommit, "GitHub answered 422: No commit found for SHA".to_owned());
    let refused = Refused { context: said.context, state: said.state, reason, why, at: table.now() };
    assert!(store.save_head(&key, &head.with_refused(refused)).await.unwrap());
    head.version += 1;
    meter.documented("a head whose status was refused");
    assert!(store.save_head(&key, &head).await.unwrap());
    head.version += 1;
    meter.documented("a head, written after a refusal");

    head.intent = Some(Intent { status: written("now"), started_at: table.now() });
    assert!(store.save_head(&key, &head).await.unwrap());
    head.version += 1;
    let mut sum = meter.documented("a head with an intent");
    assert!(store.save_head(&key, &head.with_written(written("now"))).await.unwrap());
    sum += meter.documented("a head, written");
    store.save_status(&row).await.unwrap();
    sum += meter.documented("a status");
    assert_eq!(sum, meter::documented("a status written at once"));
}
