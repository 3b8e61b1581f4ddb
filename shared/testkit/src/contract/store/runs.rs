//! Runs: written by one at a time, through legal states only, and shown by their event.

use domain::event::{EventStatus, LastAnswer};
use domain::reasons::FailureReason;
use domain::run::{Outcome, Run};

use super::samples::{begin, body, end, event, first_run, later_run, save};
use super::{Table, permanent};

/// Two copies of one message.
pub async fn of_two_who_begin_one_wins(table: Table) {
    for n in 0..20 {
        let event = event(n, table.now());
        let run = first_run(&event, table.now());
        let (headers, body) = (Vec::new(), body());
        let begun = || table.events.begin(&event, &run, &headers, &body);
        let (one, other) = tokio::join!(begun(), begun());
        assert!(one.unwrap() != other.unwrap(), "exactly one wins");
        assert!(!begun().await.unwrap(), "who comes later does not");
        let story = table.story(&event.id).await;
        assert_eq!((story.runs.len(), story.event.receipts.len()), (1, 1));

        table.clock.advance(1);
        let run = later_run(&event, table.now());
        let begun = || table.events.begin(&event, &run, &headers, &body);
        let (one, other) = tokio::join!(begun(), begun());
        assert!(one.unwrap() != other.unwrap(), "exactly one redelivery wins");
    }
    let event = event(99, table.now());
    let run = first_run(&event, table.now());
    begin(&table, &event, &mut run.clone()).await;
    let late = Run { state: EventStatus::Ignored, ..run };
    assert!(!table.events.begin(&event, &late, &[], &super::samples::body()).await.unwrap());
    assert_eq!(table.story(&event.id).await.event.status, EventStatus::Processing, "who does not win is not shown");
}

/// Two processes that hold the same version.
pub async fn of_two_who_save_one_wins(table: Table) {
    let event = event(1, table.now());
    let mut run = first_run(&event, table.now());
    begin(&table, &event, &mut run).await;
    let (mut one, mut other) = (run.clone(), run.clone());
    one.finish(EventStatus::Processed, None, table.now());
    other.finish(EventStatus::Ignored, None, table.now());
    let (a, b) = tokio::join!(table.events.save(&one), table.events.save(&other));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a != b, "exactly one wins");
    let winner = Run { version: 2, ..if a { one } else { other } };
    let story = table.story(&event.id).await;
    assert_eq!(story.event.status, winner.state);
    assert_eq!(story.runs, [winner]);
    assert!(!table.events.save(&run).await.unwrap(), "a version of yesterday is no error, it just does not win");
}

/// Every state after every state.
pub async fn transitions_are_those_of_the_domain(table: Table) {
    let mut n = 0;
    for from in EventStatus::ALL {
        for to in EventStatus::ALL {
            n += 1;
            let event = event(n, table.now());
            let mut run = first_run(&event, table.now());
            run.state = from;
            begin(&table, &event, &mut run).await;
            run.state = to;
            let saved = table.events.save(&run).await;
            let (shown, version) = if from.may_become(to) {
                assert!(saved.unwrap(), "{from:?} to {to:?}");
                (to, 2)
            } else {
                let words = permanent(saved);
                assert!(words.contains(&format!("from {} to {}", from.as_str(), to.as_str())), "{words}");
                (from, 1)
            };
            let story = table.story(&event.id).await;
            assert_eq!((story.event.status, story.runs[0].state, story.runs[0].version), (shown, shown, version));
        }
    }
}

/// Tries, answers, next attempt, failure and its clearing.
pub async fn the_event_follows_its_run(table: Table) {
    let event = event(1, table.now());
    let mut run = first_run(&event, table.now());
    run.start_attempt(table.now(), EventStatus::Processing);
    begin(&table, &event, &mut run).await;
    let shown = table.story(&event.id).await.event;
    assert_eq!((shown.tries, shown.last_answer, shown.processed_at), (1, None, None));

    end(&mut run, Outcome::Error, Some(503), table.now());
    save(&table, &mut run).await;
    let shown = table.story(&event.id).await.event;
    assert_eq!(shown.status, EventStatus::Unprocessed);
    assert_eq!(shown.last_answer, Some(LastAnswer { code: Some(503), ms: 12 }));
    assert_eq!((shown.next_attempt_at.is_some(), shown.next_attempt_at), (true, run.next_attempt_at));

    table.clock.advance(60);
    run.start_attempt(table.now(), EventStatus::Processing);
    save(&table, &mut run).await;
    assert_eq!(table.story(&event.id).await.event.next_attempt_at, None);
    end(&mut run, Outcome::Denied, Some(401), table.now());
    save(&table, &mut run).await;
    let shown = table.story(&event.id).await.event;
    assert_eq!((shown.status, shown.failure_reason), (EventStatus::Errored, Some(FailureReason::ServerDenied)));
    assert_eq!((shown.tries, shown.processed_at), (2, Some(table.now())));

    table.clock.advance(60);
    let mut replay = later_run(&event, table.now());
    begin(&table, &event, &mut replay).await;
    replay.start_attempt(table.now(), EventStatus::Reprocessing);
    save(&table, &mut replay).await;
    end(&mut replay, Outcome::Timeout, None, table.now());
    save(&table, &mut replay).await;
    let answer = table.story(&event.id).await.event.last_answer;
    assert_eq!(answer, Some(LastAnswer { code: None, ms: 12 }), "the code of another run does not linger");
    replay.start_attempt(table.now(), EventStatus::Reprocessing);
    end(&mut replay, Outcome::Taken, Some(204), table.now());
    save(&table, &mut replay).await;
    let story = table.story(&event.id).await;
    assert_eq!((story.event.status, story.event.failure_reason), (EventStatus::Processed, None));
    assert_eq!((story.event.tries, story.event.last_answer.unwrap().code), (2, Some(204)));
    assert_eq!(story.runs, [run, replay], "and the rows say everything");
}

/// The older run ends after the newer one.
pub async fn an_older_run_is_saved_but_not_shown(table: Table) {
    let event = event(1, table.now());
    let mut older = first_run(&event, table.now());
    begin(&table, &event, &mut older).await;
    table.clock.advance(60);
    let mut newer = later_run(&event, table.now());
    begin(&table, &event, &mut newer).await;
    newer.finish(EventStatus::Processed, None, table.now());
    save(&table, &mut newer).await;
    let shown = table.story(&event.id).await.event;

    table.clock.advance(60);
    older.finish(EventStatus::Errored, Some(FailureReason::GaveUp), table.now());
    save(&table, &mut older).await;
    let story = table.story(&event.id).await;
    assert_eq!(story.event, shown);
    assert_eq!(story.runs, [older.clone(), newer]);
    table.events.look_up(&event.id, older.receipt).await.unwrap();
    assert_eq!(table.story(&event.id).await.event, shown, "nor does looking up show it");
}

/// A row that is not there has no version to move on from.
pub async fn a_run_nobody_began_cannot_be_saved(table: Table) {
    let event = event(1, table.now());
    let run = first_run(&event, table.now());
    permanent(table.events.save(&run).await);
    let begun = Run { version: 1, ..run };
    permanent(table.events.begin(&event, &begun, &[], &body()).await);
    assert_eq!(table.reader.event(&event.id).await.unwrap(), None);
}
