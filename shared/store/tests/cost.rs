//! What the record costs on AWS: write units, as the engine counts them. It counts as DynamoDB does, indexes
//! included, so the sums hold for the bill; the bounds keep us from writing more than we know of.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod wire;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use domain::event::EventStatus;
use domain::ids::StatusId;
use domain::ports::{EventLog, EventReader, HeadReader, KeptBody, StatusLog};
use domain::query::EventQuery;
use domain::run::Outcome;
use domain::statuses::row::{StatusOutcome, StatusRow};
use domain::statuses::{ContextKey, Intent, Written};
use embedded::engine::Engine;
use serde_json::{Value, json};
use store::{Store, schema};
use testkit::clock::ManualClock;
use testkit::contract::store::samples::{content, end, event, first_run, repository, sha, status};
use testkit::contract::store::{NOW, Table};

#[derive(Default)]
struct Meter(Mutex<f64>);

impl wire::Gate for Meter {
    fn lets_out(&self, _: &str, request: &mut Value) -> bool {
        request["ReturnConsumedCapacity"] = json!("TOTAL");
        true
    }

    fn comes_back(&self, operation: &str, answer: &Value) {
        // A refused condition says nothing of what it consumed; none is refused here.
        *self.0.lock().unwrap() += answer["ConsumedCapacity"]["CapacityUnits"].as_f64().expect(operation);
    }
}

impl Meter {
    /// What was consumed since the last time, printed, and held against its bound.
    fn at_most(&self, what: &str, bound: f64) -> f64 {
        let units = std::mem::take(&mut *self.0.lock().unwrap());
        println!("{what}: {units} units (at most {bound})");
        assert!(units > 0.0 && units <= bound, "{what} takes {units} units, more than {bound}");
        units
    }
}

async fn metered() -> (Store, Arc<Meter>, Table) {
    let engine = Engine::memory().unwrap();
    schema::create_table(&engine.client(), "hookyard").await.unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let meter = Arc::new(Meter::default());
    let store = Store::new(wire::client(&engine, meter.clone()), "hookyard", clock.clone());
    (store.clone(), meter, Table::of(store, clock))
}

/// As GitHub sends it: the sample without its line breaks.
fn push() -> Bytes {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/push.branch.json");
    let json: Value = serde_json::from_slice(&std::fs::read(sample).unwrap()).unwrap();
    json.to_string().into()
}

#[tokio::test]
async fn an_event_of_8_kb() {
    let (store, meter, table) = metered().await;
    let mut event = event(1, table.now());
    event.about = Some("refs/heads/main 9fceb02".to_owned());
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "GitHub-Hookshot/044aadd"),
        ("accept", "*/*"),
        ("x-github-delivery", event.delivery().as_str()),
        ("x-github-event", "push"),
        ("x-github-hook-id", "48211900"),
        ("x-github-hook-installation-target-id", "79929171"),
        ("x-github-hook-installation-target-type", "repository"),
        ("x-hub-signature", "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6"),
        ("x-hub-signature-256", "sha256=d57c68ca6f92289e6987922ff26938930f6e66a2d161ef06abdf1859230aa23c"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let body = push();
    println!("{} bytes of body", body.len());
    let mut run = first_run(&event, table.now());
    run.start_attempt(table.now(), EventStatus::Processing);
    assert!(store.begin(&event, &run, &headers, &KeptBody::Inline(body)).await.unwrap());
    run.version += 1;
    let mut sum = meter.at_most("begin, with the first attempt open", 9.0);
    end(&mut run, Outcome::Taken, Some(200), table.now());
    assert!(store.save(&run).await.unwrap());
    sum += meter.at_most("save", 4.0);
    println!("an event taken at once: {sum} units");

    store.look_up(&event.id, run.receipt).await.unwrap();
    meter.at_most("look_up (read)", 2.0);
    store.event(&event.id).await.unwrap();
    meter.at_most("event (read)", 2.0);
    store.events(&EventQuery { repository: Some(repository()), ..table.everything() }).await.unwrap();
    meter.at_most("events, one row (read)", 0.5);
}

#[tokio::test]
async fn a_status() {
    let (store, meter, table) = metered().await;
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
    meter.at_most("a first head, with its read", 2.0);

    head.intent = Some(Intent { status: written("now"), started_at: table.now() });
    assert!(store.save_head(&key, &head).await.unwrap());
    head.version += 1;
    let mut sum = meter.at_most("save_head, with an intent", 1.0);
    assert!(store.save_head(&key, &head.with_written(written("now"))).await.unwrap());
    sum += meter.at_most("save_head, written", 1.0);
    store.save_status(&row).await.unwrap();
    sum += meter.at_most("save_status", 1.0);
    println!("a status written at once: {sum} units");
}
