//! What stands in the queue's file survives the process, and nothing else does.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::envelope::Attributes;
use domain::ports::{Clock, EventBus, Message};
use embedded::folder::OpenError;
use embedded::queue::{FANOUT, Kind, Outgoing, Queue, QueueSpec, Queues, STATUSES};
use jiff::SignedDuration;
use tempfile::TempDir;
use testkit::clock::ManualClock;

const HIDDEN: Duration = Duration::from_secs(30);

fn plain(body: &str) -> Outgoing<'_> {
    Outgoing { body, ..Outgoing::default() }
}

fn grouped<'a>(group: &'a str, body: &'a str) -> Outgoing<'a> {
    Outgoing { body, attributes: &[], fifo: Some((group, body)) }
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

fn both(queues: &Queues) -> (Queue, Queue) {
    (queues.queue(FANOUT).unwrap(), queues.queue(STATUSES).unwrap())
}

/// Puts every kind of message into the file and answers with all handles still in memory.
async fn busy(queues: &Queues, clock: &ManualClock) {
    let (fanout, statuses) = both(queues);
    for body in ["done", "dead", "deferred", "in flight", "ready"] {
        fanout.send(plain(body)).await.unwrap();
    }
    let came = fanout.receive(4, HIDDEN).await.unwrap();
    fanout.ack(&[&came[0].handle]).await.unwrap();
    fanout.dead_letter(&came[1].handle, "broken").await.unwrap();
    fanout.defer(&came[2].handle, clock.now() + SignedDuration::from_secs(100)).await.unwrap();
    for (group, body) in [("g", "g1"), ("g", "g2"), ("h", "h1"), ("h", "h2"), ("h", "h3")] {
        statuses.send(grouped(group, body)).await.unwrap();
    }
    let came = statuses.receive(4, HIDDEN).await.unwrap();
    assert_eq!(bodies(&came), ["g1", "g2", "h1", "h2"]);
    statuses.defer(&came[0].handle, clock.now() + SignedDuration::from_secs(100)).await.unwrap();
    statuses.ack(&[&came[2].handle]).await.unwrap();
}

/// What has to be found after [`busy`], whoever opens the file.
async fn check(path: &Path, clock: Arc<ManualClock>) {
    let queues = Queues::open(path, clock.clone()).unwrap();
    let (fanout, statuses) = both(&queues);
    let counts = fanout.counts().await.unwrap();
    assert_eq!((counts.ready, counts.delayed, counts.in_flight, counts.dead), (2, 1, 0, 1));
    let came = fanout.receive(10, HIDDEN).await.unwrap();
    assert_eq!(bodies(&came), ["in flight", "ready"], "what was in flight is visible at once");
    let (dead, _) = fanout.dead_letters(10, None).await.unwrap();
    assert_eq!((dead[0].body.as_str(), dead[0].reason.as_str(), dead[0].tries), ("dead", "broken", 1));

    let came = statuses.receive(10, HIDDEN).await.unwrap();
    assert_eq!(bodies(&came), ["h2", "h3"], "the deferred head of g still blocks its group");
    statuses.send(grouped("h", "h1")).await.unwrap();
    clock.advance(99);
    assert_eq!(bodies(&fanout.receive(10, HIDDEN).await.unwrap()), ["in flight", "ready"]);
    clock.advance(1);
    assert_eq!(bodies(&fanout.receive(10, HIDDEN).await.unwrap()), ["deferred"]);
    let mut came = statuses.receive(10, HIDDEN).await.unwrap();
    came.sort_by(|a, b| a.body.cmp(&b.body));
    assert_eq!(bodies(&came), ["g1", "g2", "h2", "h3"], "the second h1 was de-duplicated");
}

#[tokio::test]
async fn a_restart_keeps_everything_that_is_not_acknowledged() {
    let (folder, clock) = (TempDir::new().unwrap(), Arc::new(ManualClock::default()));
    let path = folder.path().join("queues.sqlite");
    let queues = Queues::open(&path, clock.clone()).unwrap();
    busy(&queues, &clock).await;
    drop(queues);
    check(&path, clock).await;
}

/// A process that is killed leaves the files as they are at that moment: so a copy of them, taken behind the back
/// of the process that has them open, must hold all that was answered.
#[tokio::test]
async fn what_was_answered_is_in_the_files_at_once() {
    let (folder, clock) = (TempDir::new().unwrap(), Arc::new(ManualClock::default()));
    let path = folder.path().join("queues.sqlite");
    let queues = Queues::open(&path, clock.clone()).unwrap();
    busy(&queues, &clock).await;
    let copy = TempDir::new().unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    check(&copy.path().join("queues.sqlite"), clock).await;
    drop(queues);
}

#[tokio::test]
async fn a_handle_of_an_earlier_process_decides_nothing() {
    let (folder, clock) = (TempDir::new().unwrap(), Arc::new(ManualClock::default()));
    let path = folder.path().join("queues.sqlite");
    let queues = Queues::open(&path, clock.clone()).unwrap();
    let (fanout, statuses) = both(&queues);
    fanout.send(plain("a")).await.unwrap();
    statuses.send(grouped("g", "1")).await.unwrap();
    let old =
        (fanout.receive(1, HIDDEN).await.unwrap().remove(0), statuses.receive(1, HIDDEN).await.unwrap().remove(0));
    drop((queues, fanout, statuses));

    let queues = Queues::open(&path, clock).unwrap();
    let (fanout, statuses) = both(&queues);
    let new =
        (fanout.receive(1, HIDDEN).await.unwrap().remove(0), statuses.receive(1, HIDDEN).await.unwrap().remove(0));
    assert_eq!(fanout.ack(&[&old.0.handle]).await.unwrap(), [Ok(())]);
    assert!(statuses.ack(&[&old.1.handle]).await.unwrap()[0].as_ref().is_err_and(|error| !error.is_transient()));
    assert!(fanout.ack(&["made up"]).await.unwrap()[0].is_err());
    assert_eq!(fanout.counts().await.unwrap().in_flight, 1);
    assert_eq!(fanout.ack(&[&new.0.handle]).await.unwrap(), [Ok(())]);
    assert_eq!(statuses.ack(&[&new.1.handle]).await.unwrap(), [Ok(())]);
}

#[tokio::test]
async fn a_late_handle_counts_on_a_standard_queue_only() {
    let clock = Arc::new(ManualClock::default());
    let queues = Queues::memory(clock.clone()).unwrap();
    let (fanout, statuses) = both(&queues);
    fanout.send(plain("a")).await.unwrap();
    statuses.send(grouped("g", "1")).await.unwrap();
    let a = fanout.receive(1, HIDDEN).await.unwrap().remove(0);
    let one = statuses.receive(1, HIDDEN).await.unwrap().remove(0);
    clock.advance(31);
    // Nobody else has been given either message yet.
    fanout.ack(&[&a.handle]).await.unwrap().remove(0).unwrap();
    assert!(fanout.receive(1, HIDDEN).await.unwrap().is_empty());
    assert!(statuses.ack(&[&one.handle]).await.unwrap().remove(0).is_err());
    assert!(statuses.defer(&one.handle, clock.now()).await.is_err());
    assert!(statuses.dead_letter(&one.handle, "broken").await.is_err());
    assert_eq!(bodies(&statuses.receive(1, HIDDEN).await.unwrap()), ["1"]);
}

#[test]
fn a_file_has_one_owner() {
    let (folder, clock) = (TempDir::new().unwrap(), Arc::new(ManualClock::default()));
    let path = folder.path().join("queues.sqlite");
    let first = Queues::open(&path, clock.clone()).unwrap();
    let refused = Queues::open(&path, clock.clone()).err().unwrap();
    assert!(matches!(&refused, OpenError::InUse(which) if *which == path), "{refused}");
    drop(first);
    Queues::open(&path, clock).unwrap();
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let (folder, clock) = (TempDir::new().unwrap(), Arc::new(ManualClock::default()));
    let path = folder.path().join("queues.sqlite");
    drop(Queues::open(&path, clock.clone()).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 3).unwrap();
    let refused = Queues::open(&path, clock.clone()).err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 3, known: 2, .. }), "{refused}");
    // It is the same after a look at it, and an older one is brought up to date.
    for (version, found) in [(3, None), (1, Some(2))] {
        rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", version).unwrap();
        assert_eq!(Queues::open(&path, clock.clone()).is_ok(), found.is_some());
        let now = rusqlite::Connection::open(&path).unwrap();
        let now: i64 = now.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(now, found.unwrap_or(version));
    }
}

#[tokio::test]
async fn a_topic_puts_one_message_into_each_queue() {
    let clock = Arc::new(ManualClock::default());
    let standard = |name| QueueSpec { name, kind: Kind::Standard };
    let queues = Queues::memory_with(clock, &[standard("one"), standard("two")]).unwrap();
    let topic = queues.topic(&["one", "two"]).unwrap();
    let attributes = Attributes::from([("event", "push".to_owned())]);
    topic.publish("hello", &attributes).await.unwrap();
    assert_eq!(queues.syncs(), 1);
    for name in ["one", "two"] {
        assert_eq!(bodies(&queues.queue(name).unwrap().receive(10, HIDDEN).await.unwrap()), ["hello"]);
    }
    for (body, attributes) in [
        (String::new(), attributes.clone()),
        ("r".repeat(262_145), Attributes::new()),
        ("control \u{1}".to_owned(), attributes),
    ] {
        let refused = topic.publish(&body, &attributes).await.unwrap_err();
        assert!(!refused.is_transient());
    }
    topic.publish(&"r".repeat(262_144), &Attributes::new()).await.unwrap();

    let hookyards = Queues::memory(Arc::new(ManualClock::default())).unwrap();
    assert!(hookyards.topic(&[STATUSES]).is_err());
    assert!(hookyards.topic(&["nobody"]).is_err());
}

#[tokio::test]
async fn dead_letters_come_in_pages_and_are_redriven_in_parts() {
    let clock = Arc::new(ManualClock::default());
    let queues = Queues::memory(clock.clone()).unwrap();
    let (_, statuses) = both(&queues);
    let died = clock.now();
    for i in 0..5 {
        statuses.send(grouped("g", &format!("m{i}"))).await.unwrap();
        let message = statuses.receive(1, HIDDEN).await.unwrap().remove(0);
        statuses.dead_letter(&message.handle, "broken").await.unwrap();
        clock.advance(1);
    }
    let (first, cursor) = statuses.dead_letters(3, None).await.unwrap();
    let (second, end) = statuses.dead_letters(3, cursor.as_deref()).await.unwrap();
    let names: Vec<_> = first.iter().chain(&second).map(|letter| letter.body.as_str()).collect();
    assert_eq!((names, end), (vec!["m0", "m1", "m2", "m3", "m4"], None));
    assert_eq!(statuses.dead_letters(5, None).await.unwrap().1, None);
    assert_eq!((first[0].queue.as_str(), first[0].group.as_deref(), first[0].since), (STATUSES, Some("g"), died));
    assert!(statuses.dead_letters(5, Some("x")).await.is_err());

    assert_eq!(statuses.redrive(2).await.unwrap(), 2);
    assert_eq!(statuses.counts().await.unwrap().dead, 3);
    assert_eq!(statuses.redrive(10).await.unwrap(), 3);
    assert_eq!(bodies(&statuses.receive(10, HIDDEN).await.unwrap()), ["m0", "m1", "m2", "m3", "m4"]);

    // The dead-letter queue is a queue itself; what somebody took out of it is not redriven meanwhile.
    let dead = queues.queue("statuses-dead").unwrap();
    statuses.send(grouped("h", "n")).await.unwrap();
    let message = statuses.receive(1, HIDDEN).await.unwrap().remove(0);
    statuses.dead_letter(&message.handle, "broken").await.unwrap();
    let taken = dead.receive(1, HIDDEN).await.unwrap().remove(0);
    assert_eq!(statuses.redrive(10).await.unwrap(), 0);
    assert!(dead.dead_letter(&taken.handle, "again").await.is_err_and(|error| !error.is_transient()));
    dead.ack(&[&taken.handle]).await.unwrap();
    assert_eq!(statuses.counts().await.unwrap().dead, 0);
}

#[tokio::test]
async fn ids_count_within_their_group() {
    let queues = Queues::memory(Arc::new(ManualClock::default())).unwrap();
    let (_, statuses) = both(&queues);
    for group in ["g", "h", "g"] {
        statuses.send(Outgoing { body: "x", attributes: &[], fifo: Some((group, "same")) }).await.unwrap();
    }
    assert_eq!(statuses.receive(10, HIDDEN).await.unwrap().len(), 2);
}
