//! Whoever dies between two writes leaves something that the next attempt completes.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use domain::event::{EventStatus, GithubEvent};
use domain::ports::{EventLog, EventStory, KeptBody};
use domain::query::EventQuery;
use domain::reasons::FailureReason;
use domain::run::Run;
use embedded::engine::Engine;
use serde_json::Value;
use store::{Store, schema};
use testkit::clock::ManualClock;
use testkit::contract::store::samples::{begin, event, first_run, later_run, save};
use testkit::contract::store::{NOW, Table};

/// Lets so many writes out and no more; reads always.
struct Writes(AtomicUsize);

impl wire::Gate for Writes {
    fn lets_out(&self, operation: &str, _: &mut Value) -> bool {
        let counts = matches!(operation, "PutItem" | "UpdateItem");
        !counts || self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

/// A table, and the same one seen by a process that dies after so many writes.
async fn table_and_dying(writes: usize) -> (Table, Store) {
    let engine = Engine::memory().unwrap();
    schema::create_table(&engine.client(), "hookyard").await.unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let dying = wire::client(&engine, Arc::new(Writes(AtomicUsize::new(writes))));
    let dying = Store::new(dying, "hookyard", clock.clone());
    (Table::of(Store::new(engine.client(), "hookyard", clock.clone()), clock), dying)
}

/// What is there before, and what begins then.
type Story = fn(&Table) -> (Vec<(GithubEvent, Run)>, GithubEvent, Run);

/// Begins after `writes` writes and again, and says whether the first time was enough.
async fn begin_twice(story: Story, writes: usize, second_state: Option<EventStatus>) -> (bool, EventStory) {
    let (table, dying) = table_and_dying(writes).await;
    let (before, event, mut run) = story(&table);
    for (event, mut run) in before {
        begin(&table, &event, &mut run).await;
    }
    let body = KeptBody::Inline(Bytes::from_static(b"{}"));
    let enough = match dying.begin(&event, &run, &[], &body).await {
        Ok(won) => {
            assert!(won);
            true
        }
        Err(error) => {
            assert!(error.is_transient(), "{error}");
            let recorded = table.events.look_up(&event.id, run.receipt).await.unwrap();
            assert_eq!(recorded.run, None, "the run is written last");
            run.state = second_state.unwrap_or(run.state);
            assert!(table.events.begin(&event, &run, &[], &body).await.unwrap(), "after {writes} writes");
            false
        }
    };
    (enough, table.story(&event.id).await)
}

fn new_event(table: &Table) -> (Vec<(GithubEvent, Run)>, GithubEvent, Run) {
    let event = event(1, table.now());
    let run = first_run(&event, table.now());
    (Vec::new(), event, run)
}

fn copy_of_another(table: &Table) -> (Vec<(GithubEvent, Run)>, GithubEvent, Run) {
    let (_, mut event, run) = new_event(table);
    let mut other = testkit::contract::store::samples::event(2, table.now());
    other.body_sha256 = "0".repeat(64);
    event.body_sha256 = "0".repeat(64);
    let other_run = first_run(&other, table.now());
    (vec![(other, other_run)], event, run)
}

fn redelivery(table: &Table) -> (Vec<(GithubEvent, Run)>, GithubEvent, Run) {
    let (_, event, first) = new_event(table);
    table.clock.advance(60);
    let second = later_run(&event, table.now());
    (vec![(event.clone(), first)], event, second)
}

fn late_receipt(table: &Table) -> (Vec<(GithubEvent, Run)>, GithubEvent, Run) {
    let (before, event, second) = redelivery(table);
    let [(_, first)] = <[_; 1]>::try_from(before).unwrap();
    (vec![(event.clone(), second)], event, first)
}

#[tokio::test]
async fn a_begin_that_was_cut_off_anywhere_can_be_repeated() {
    for (story, all) in [(new_event as Story, 4), (copy_of_another, 4), (redelivery, 3), (late_receipt, 3)] {
        let (enough, whole) = begin_twice(story, all, None).await;
        assert!(enough, "{all} writes are all there are");
        for writes in 0..all {
            let (enough, repeated) = begin_twice(story, writes, None).await;
            assert!(!enough, "{writes} writes of {all} are not enough");
            assert_eq!(repeated, whole, "after {writes} writes");
        }
    }
}

#[tokio::test]
async fn who_repeats_it_otherwise_is_shown() {
    for (story, all) in [(new_event as Story, 4), (redelivery, 3)] {
        for writes in 0..all {
            let (_, repeated) = begin_twice(story, writes, Some(EventStatus::Ignored)).await;
            let run = repeated.runs.last().unwrap();
            assert_eq!((repeated.event.status, run.state), (EventStatus::Ignored, EventStatus::Ignored));
        }
    }
}

#[tokio::test]
async fn a_save_that_was_cut_off_is_shown_when_its_message_comes_back() {
    let (table, dying) = table_and_dying(1).await;
    let (_, event, mut run) = new_event(&table);
    begin(&table, &event, &mut run).await;
    run.finish(EventStatus::Errored, Some(FailureReason::ServerGone), table.now());
    assert!(dying.save(&run).await.unwrap_err().is_transient());
    assert_eq!(table.story(&event.id).await.event.status, EventStatus::Processing, "the event is behind");

    let recorded = table.events.look_up(&event.id, run.receipt).await.unwrap();
    assert_eq!(recorded.run.unwrap(), Run { version: 2, ..run });
    let shown = table.story(&event.id).await.event;
    assert_eq!((shown.status, shown.failure_reason), (EventStatus::Errored, Some(FailureReason::ServerGone)));
    let errored = EventQuery { status: Some(EventStatus::Errored), ..table.everything() };
    assert_eq!(table.ids(&errored).await, [event.id]);
}

#[tokio::test]
async fn a_save_that_was_cut_off_does_not_stand_in_the_way() {
    let (table, dying) = table_and_dying(1).await;
    let (_, event, mut run) = new_event(&table);
    begin(&table, &event, &mut run).await;
    run.defer(table.now());
    dying.save(&run).await.unwrap_err();
    run.version += 1;
    // From what the event shows, processing, this step would be none of the legal ones.
    run.state = EventStatus::Reprocessing;
    save(&table, &mut run).await;
    assert_eq!(table.story(&event.id).await.event.status, EventStatus::Reprocessing);
}

#[tokio::test]
async fn looking_up_writes_nothing_when_nothing_was_cut_off() {
    let (table, dying) = table_and_dying(0).await;
    let (_, event, mut run) = new_event(&table);
    begin(&table, &event, &mut run).await;
    dying.look_up(&event.id, run.receipt).await.unwrap();
    table.clock.advance(60);
    begin(&table, &event, &mut later_run(&event, table.now())).await;
    dying.look_up(&event.id, run.receipt).await.unwrap();
    run.finish(EventStatus::Processed, None, table.now());
    save(&table, &mut run).await;
    dying.look_up(&event.id, run.receipt).await.unwrap();
}
