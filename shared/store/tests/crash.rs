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
            assert_eq!(recorded.run, None, "the run is written last, or with its event");
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
    for (story, all) in [(new_event as Story, 2), (copy_of_another, 3), (redelivery, 2), (late_receipt, 4)] {
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
    for (story, all) in [(new_event as Story, 2), (redelivery, 2)] {
        for writes in 0..all {
            let (_, repeated) = begin_twice(story, writes, Some(EventStatus::Ignored)).await;
            let run = repeated.runs.last().unwrap();
            assert_eq!((repeated.event.status, run.state), (EventStatus::Ignored, EventStatus::Ignored));
        }
    }
}

/// An event whose second receipt has a run, and that run.
async fn begun_again(table: &Table) -> (GithubEvent, Run) {
    let (before, event, mut run) = redelivery(table);
    for (event, mut run) in before {
        begin(table, &event, &mut run).await;
    }
    begin(table, &event, &mut run).await;
    (event, run)
}

/// What lists show, which is a copy.
async fn listed(table: &Table) -> GithubEvent {
    table.reader.events(&table.everything()).await.unwrap().events.remove(0)
}

#[tokio::test]
async fn a_first_run_and_its_event_are_one_write() {
    for (writes, state) in [(0, EventStatus::Processing), (1, EventStatus::Errored)] {
        let (table, dying) = table_and_dying(writes).await;
        let (_, event, mut run) = new_event(&table);
        begin(&table, &event, &mut run).await;
        run.finish(EventStatus::Errored, Some(FailureReason::ServerGone), table.now());
        assert_eq!(dying.save(&run).await.is_ok(), writes == 1);
        assert_eq!(table.story(&event.id).await.runs[0].state, state);
        assert_eq!(listed(&table).await.status, state);
    }
}

#[tokio::test]
async fn a_first_run_that_a_newer_one_has_overtaken_takes_two_and_both_are_repeatable() {
    for writes in 0..2 {
        let (table, dying) = table_and_dying(writes).await;
        let (event, _) = begun_again(&table).await;
        let mut first = table.story(&event.id).await.runs.remove(0);
        first.finish(EventStatus::Processed, None, table.now());
        assert!(dying.save(&first).await.unwrap_err().is_transient(), "{writes} writes");
        save(&table, &mut first).await;
        let story = table.story(&event.id).await;
        assert_eq!((story.event.status, &story.runs[0]), (EventStatus::Reprocessing, &first));
    }
}

#[tokio::test]
async fn a_save_that_was_cut_off_is_shown_when_its_message_comes_back() {
    // Refused by the event, which holds another run; written; not shown.
    let (table, dying) = table_and_dying(2).await;
    let (event, mut run) = begun_again(&table).await;
    run.finish(EventStatus::Errored, Some(FailureReason::ServerGone), table.now());
    assert!(dying.save(&run).await.unwrap_err().is_transient());
    assert_eq!(listed(&table).await.status, EventStatus::Reprocessing, "the list is behind");
    assert_eq!(table.story(&event.id).await.event.status, EventStatus::Errored, "the story is not");

    let recorded = table.events.look_up(&event.id, run.receipt).await.unwrap();
    assert_eq!(recorded.run.unwrap(), Run { version: 2, ..run });
    let shown = listed(&table).await;
    assert_eq!((shown.status, shown.failure_reason), (EventStatus::Errored, Some(FailureReason::ServerGone)));
    let errored = EventQuery { status: Some(EventStatus::Errored), ..table.everything() };
    assert_eq!(table.ids(&errored).await, [event.id]);
}

#[tokio::test]
async fn a_save_that_was_cut_off_does_not_stand_in_the_way() {
    let (table, dying) = table_and_dying(2).await;
    let (event, mut run) = begun_again(&table).await;
    run.defer(table.now());
    dying.save(&run).await.unwrap_err();
    run.version += 1;
    // From what the event shows, reprocessing, this step would be none of the legal ones.
    run.state = EventStatus::Processing;
    save(&table, &mut run).await;
    assert_eq!(listed(&table).await.status, EventStatus::Processing);
    assert_eq!(table.story(&event.id).await.runs[1], run);
}

#[tokio::test]
async fn looking_up_writes_nothing_when_nothing_was_cut_off() {
    let (table, dying) = table_and_dying(0).await;
    let (_, event, mut run) = new_event(&table);
    begin(&table, &event, &mut run).await;
    dying.look_up(&event.id, run.receipt).await.unwrap();
    table.clock.advance(60);
    let mut second = later_run(&event, table.now());
    begin(&table, &event, &mut second).await;
    dying.look_up(&event.id, run.receipt).await.unwrap();
    run.finish(EventStatus::Processed, None, table.now());
    save(&table, &mut run).await;
    dying.look_up(&event.id, run.receipt).await.unwrap();
    second.start_attempt(table.now(), EventStatus::Reprocessing);
    save(&table, &mut second).await;
    dying.look_up(&event.id, second.receipt).await.unwrap();
}
