//! What can only be seen, or provoked, from inside: the cost of a receive, one commit for many callers, a full
//! disk, a dead thread, a clock that was set back.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::Duration;

use domain::ports::{Clock, Message};
use jiff::SignedDuration;
use testkit::clock::ManualClock;

use super::*;

mod backlog;

const HIDDEN: Duration = Duration::from_secs(30);

fn fresh() -> (Queues, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (Queues::memory(clock.clone()).unwrap(), clock)
}

fn plain(body: &str) -> Outgoing<'_> {
    Outgoing { body, ..Outgoing::default() }
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

/// Fills the file with `count` messages that are due at `due`, each in the group that `group` (SQL) makes of its
/// number `n`; the first of a group is due, the others wait behind it.
async fn fill(queues: &Queues, queue: &'static str, count: u32, due: i64, group: &'static str) {
    queues
        .writer
        .call(Weight::Grow, move |books| {
            books.ledger().conn().execute_batch(&format!(
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
                 INSERT INTO message (queue, group_id, sent_at, not_before, due_at, tries, attributes, body)
                 SELECT '{queue}', {group}, {due}, 0, {due}, 0, '{{}}', CAST('body ' || n AS BLOB) FROM numbers;
                 UPDATE message SET due_at = NULL WHERE queue = '{queue}' AND group_id IS NOT NULL
                 AND id > (SELECT min(id) FROM message AS m WHERE m.queue = '{queue}' AND m.group_id = message.group_id)"
            ))
        })
        .await
        .unwrap();
}

/// Steps of SQLite's virtual machine that these statements have taken so far.
async fn steps(queues: &Queues, statements: &'static [&'static str]) -> i32 {
    queues
        .writer
        .call(Weight::Read, move |books| {
            statements.iter().try_fold(0, |sum, sql| {
                let statement = books.ledger().conn().prepare_cached(sql)?;
                Ok(sum + statement.get_status(rusqlite::StatementStatus::VmStep))
            })
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_receive_costs_the_same_however_many_messages_wait() {
    // Ready, or deferred behind two that are ready; in one group, in groups of their own, or in none.
    let soon = 1_000_000;
    for (queue, group) in [(FANOUT, "NULL"), (STATUSES, "'one'"), (STATUSES, "'g' || n")] {
        let mut costs = Vec::new();
        for count in [100, 100_000] {
            let (queues, clock) = fresh();
            let now = clock.now().as_millisecond();
            fill(&queues, queue, 50, now, group).await;
            fill(&queues, queue, count, now, group).await;
            fill(&queues, queue, count, now + soon, "'later' || n").await;
            let consumer = queues.queue(queue).unwrap();
            let before = steps(&queues, ledger::RECEIVE).await;
            // Twice while the first ten are in flight.
            assert_eq!(consumer.receive(10, HIDDEN).await.unwrap().len(), 10);
            let held = consumer.receive(10, HIDDEN).await.unwrap();
            consumer.release(&held.iter().map(|message| message.handle.as_str()).collect::<Vec<_>>()).await.unwrap();
            consumer.receive(10, HIDDEN).await.unwrap();
            costs.push(steps(&queues, ledger::RECEIVE).await - before);
        }
        assert!(costs[0] < 2500, "{queue} {group}: {costs:?} steps");
        assert!(costs[1] <= costs[0] + 50, "{queue} {group}: {costs:?} steps");
    }
}

#[tokio::test]
async fn a_receive_costs_the_same_however_many_are_in_flight() {
    let (queues, clock) = fresh();
    fill(&queues, FANOUT, 20_000, clock.now().as_millisecond(), "NULL").await;
    let fanout = queues.queue(FANOUT).unwrap();
    let cost = async || {
        let before = steps(&queues, ledger::RECEIVE).await;
        let came = fanout.receive(10, HIDDEN).await.unwrap();
        assert_eq!(came.len(), 10);
        (steps(&queues, ledger::RECEIVE).await - before, came)
    };
    let (first, _) = cost().await;
    let many = fanout.receive(15_000, HIDDEN).await.unwrap();
    let (later, _) = cost().await;
    fanout.release(&[&many[7].handle]).await.unwrap();
    let (after_return, came) = cost().await;
    assert_eq!(came[0].id, many[7].id, "what comes back is the oldest");
    assert!(later <= first + 10 && after_return <= first + 50, "{first}, {later}, {after_return} steps");
}

#[tokio::test]
async fn no_statement_of_a_receive_reads_a_whole_table() {
    let (queues, _) = fresh();
    let plans = queues
        .writer
        .call(Weight::Read, |books| {
            let mut plans = Vec::new();
            for sql in ledger::RECEIVE.iter().chain([&ledger::PROMOTE]) {
                let mut statement = books.ledger().conn().prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let none = vec![rusqlite::types::Null; statement.parameter_count()];
                let rows = statement.query_map(rusqlite::params_from_iter(none), |row| row.get::<_, String>(3))?;
                plans.push(rows.collect::<Result<Vec<_>, _>>()?.join("; "));
            }
            Ok(plans)
        })
        .await
        .unwrap();
    for plan in plans {
        assert!(plan.contains("SEARCH") && !plan.contains("SCAN") && !plan.contains("B-TREE"), "{plan}");
    }
}

/// Holds the thread inside a transaction of its own until the sender is used: what is started meanwhile gathers.
fn hold(queues: &Queues) -> mpsc::Sender<()> {
    let (open, gate) = mpsc::channel();
    let (inside, entered) = mpsc::channel();
    let command = writer::unattended(Weight::Read, move |_| {
        let _ = inside.send(());
        let _ = gate.recv();
        Ok(())
    });
    queues.writer.commands().send(command).unwrap();
    entered.recv().unwrap();
    open
}

/// Starts a call without waiting for it.
fn started<F: Future>(mut future: std::pin::Pin<&mut F>) {
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test]
async fn what_gathers_is_committed_once() {
    let (queues, _) = fresh();
    let fanout = queues.queue(FANOUT).unwrap();
    fanout.send(plain("alone")).await.unwrap();
    assert_eq!(queues.syncs(), 1);
    fanout.receive(1, HIDDEN).await.unwrap();
    assert_eq!(queues.syncs(), 1, "a receive writes nothing");

    let open = hold(&queues);
    let names: Vec<String> = (0..500).map(|i| format!("message {i}")).collect();
    let mut sends: Vec<_> = names.iter().map(|name| Box::pin(fanout.send(plain(name)))).collect();
    for send in &mut sends {
        started(send.as_mut());
    }
    drop(open);
    let mut ids = Vec::new();
    for send in sends {
        ids.push(send.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 500);
    assert_eq!(queues.syncs(), 2);
    assert_eq!(fanout.counts().await.unwrap().ready, 500);
}

#[tokio::test]
async fn whoever_comes_while_a_transaction_is_open_finds_what_is_due_by_then() {
    let (queues, clock) = fresh();
    let fanout = queues.queue(FANOUT).unwrap();
    for name in ["one", "two"] {
        fanout.send(plain(name)).await.unwrap();
    }
    let deferred = fanout.receive(1, HIDDEN).await.unwrap().remove(0);
    fanout.defer(&deferred.handle, clock.now() + SignedDuration::from_secs(10)).await.unwrap();
    let open = hold(&queues);
    clock.advance(10);
    let mut receive = pin!(fanout.receive(2, HIDDEN));
    started(receive.as_mut());
    drop(open);
    assert_eq!(receive.await.unwrap().len(), 2, "what was deferred is due");

    let open = hold(&queues);
    clock.advance(31);
    let (mut idle, mut receive) = (pin!(queues.idle(&[FANOUT])), pin!(fanout.receive(2, HIDDEN)));
    started(idle.as_mut());
    started(receive.as_mut());
    drop(open);
    assert_eq!(receive.await.unwrap().len(), 2, "their time-outs are over");
    started(idle.as_mut());
}

#[tokio::test]
async fn a_full_disk_takes_nothing_new_and_lets_go_of_what_is_done() {
    let folder = tempfile::TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::default());
    let queues = Queues::open(&folder.path().join("q"), clock.clone()).unwrap();
    let pages = |limit: &'static str| {
        queues.writer.call(Weight::Read, move |books| {
            books.ledger().conn().execute_batch(&format!("PRAGMA max_page_count = {limit}"))
        })
    };
    let fanout = queues.queue(FANOUT).unwrap();
    fanout.send(plain("before")).await.unwrap();
    fanout.send(plain("waiting")).await.unwrap();
    let held = fanout.receive(1, HIDDEN).await.unwrap().remove(0);
    pages("1").await.unwrap();

    let mut noise = 1_u32;
    let big: String = (0..100_000)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b' ' + (noise >> 24) as u8 % 95)
        })
        .collect();
    let open = hold(&queues);
    let handles = [held.handle.as_str()];
    let (mut send, mut ack) = (pin!(fanout.send(plain(&big))), pin!(fanout.ack(&handles)));
    let mut receive = pin!(fanout.receive(1, HIDDEN));
    started(receive.as_mut());
    started(send.as_mut());
    started(ack.as_mut());
    drop(open);
    let failed = send.await.unwrap_err();
    assert_eq!(failed, PortError::transient("the disk of the queue file is full"));
    assert_eq!(ack.await.unwrap(), [Ok(())]);
    assert_eq!(bodies(&receive.await.unwrap()), ["waiting"]);
    let counts = fanout.counts().await.unwrap();
    assert_eq!((counts.ready, counts.in_flight), (0, 1));
    let trouble = queues.trouble().await;
    assert_eq!(trouble.as_deref(), Some("the disk of the queue file is full"), "an acknowledgement needs no room");

    pages("1000000").await.unwrap();
    assert_eq!(queues.trouble().await, None, "whoever asks finds out, although nobody has sent anything since");
    assert_eq!(fanout.counts().await.unwrap(), counts, "and leaves nothing behind");
    fanout.send(plain(&big)).await.unwrap();
    assert_eq!(bodies(&fanout.receive(2, HIDDEN).await.unwrap()), [big.as_str()]);
    clock.advance(31);
    assert_eq!(fanout.receive(10, HIDDEN).await.unwrap().len(), 2, "the failure has lost no message");
}

#[tokio::test]
async fn a_disk_that_fails_ends_the_queue_and_says_so() {
    let (queues, _) = fresh();
    let fanout = queues.queue(FANOUT).unwrap();
    fanout.send(plain("before")).await.unwrap();
    queues.writer.commands().send(writer::Command::Failed).unwrap();
    for _ in 0..2 {
        assert_eq!(fanout.send(plain("after")).await.unwrap_err(), writer::stopped());
    }
    assert!(queues.trouble().await.is_some_and(|trouble| trouble.contains("restart Hookyard")));
}

#[tokio::test]
async fn a_failed_transaction_gives_back_what_it_handed_out() {
    let (queues, clock) = fresh();
    let (fanout, statuses) = (queues.queue(FANOUT).unwrap(), queues.queue(STATUSES).unwrap());
    fanout.send(plain("a")).await.unwrap();
    for name in ["1", "2"] {
        statuses.send(Outgoing { body: name, attributes: &[], fifo: Some(("g", name)) }).await.unwrap();
    }
    let failed = queues
        .writer
        .call(Weight::Change, |books| {
            books.receive(0, 10, 30_000)?;
            books.receive(2, 10, 30_000)?;
            books.send(
                &[0],
                &ledger::New { body: packed::Packed::of("never"), attributes: "{}".to_owned(), fifo: None },
            )?;
            Err::<(), _>(rusqlite::Error::QueryReturnedNoRows)
        })
        .await;
    assert!(failed.is_err_and(|error| !error.is_transient()));
    assert_eq!(bodies(&fanout.receive(10, HIDDEN).await.unwrap()), ["a"]);
    assert_eq!(bodies(&statuses.receive(10, HIDDEN).await.unwrap()), ["1", "2"]);
    let counts = fanout.counts().await.unwrap();
    assert_eq!((counts.ready, counts.in_flight), (0, 1));
    clock.advance(31);
    assert_eq!(bodies(&statuses.receive(10, HIDDEN).await.unwrap()), ["1", "2"]);
}

#[tokio::test]
async fn a_receive_that_fails_half_way_forgets_nothing() {
    let (queues, _) = fresh();
    let statuses = queues.queue(STATUSES).unwrap();
    for name in ["1", "2"] {
        statuses.send(Outgoing { body: name, attributes: &[], fifo: Some(("g", name)) }).await.unwrap();
    }
    let failed = queues
        .writer
        .call(Weight::Change, |books| {
            // The head is found, those behind it cannot be read.
            books.ledger().conn().execute_batch("ALTER TABLE message RENAME COLUMN not_before TO elsewhere")?;
            books.receive(2, 10, 30_000).map(drop)
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(bodies(&statuses.receive(10, HIDDEN).await.unwrap()), ["1", "2"]);
}

#[tokio::test]
async fn a_dead_thread_answers_instead_of_hanging() {
    let (queues, _) = fresh();
    let fanout = queues.queue(FANOUT).unwrap();
    let mut waiting = pin!(fanout.receive_wait(1, HIDDEN));
    started(waiting.as_mut());
    let died = queues.writer.call(Weight::Read, |_| -> rusqlite::Result<()> { panic!("for the test") }).await;
    assert_eq!(died, Err(writer::stopped()));
    assert_eq!(waiting.await, Err(writer::stopped()));
    assert_eq!(fanout.send(plain("a")).await, Err(writer::stopped()));
    assert_eq!(queues.trouble().await, Some(writer::stopped().to_string()));
    assert_eq!(fanout.wait().await, Err(writer::stopped()));
    assert_eq!(queues.idle(&[FANOUT]).await, Err(writer::stopped()));
    assert!(writer::stopped().is_transient());
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_set_aside_and_those_behind_it_come() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("q");
    let queues = Queues::open(&path, Arc::new(ManualClock::default())).unwrap();
    let (fanout, statuses) = (queues.queue(FANOUT).unwrap(), queues.queue(STATUSES).unwrap());
    fanout.send(plain("a")).await.unwrap();
    for name in ["1", "2"] {
        statuses.send(Outgoing { body: name, attributes: &[], fifo: Some(("g", name)) }).await.unwrap();
    }
    let wrong = "UPDATE message SET raw_length = 7 WHERE CAST(body AS TEXT) IN ('a', '1')";
    queues.writer.call(Weight::Change, |books| books.ledger().conn().execute_batch(wrong)).await.unwrap();
    assert_eq!(queues.trouble().await, None, "nobody has met it");
    assert!(fanout.receive(1, HIDDEN).await.unwrap().is_empty());
    queues.idle(&[FANOUT]).await.unwrap();
    assert_eq!(bodies(&statuses.receive_wait(1, HIDDEN).await.unwrap()), ["2"], "the one before it is out of its way");
    for queue in [&fanout, &statuses] {
        let (letters, _) = queue.dead_letters(9, None).await.unwrap();
        assert_eq!(letters[0].reason, "its body cannot be read: the queue's file is damaged there");
    }
    assert_eq!(queues.trouble().await.as_deref(), Some(trouble::DAMAGED));
    fanout.send(plain("b")).await.unwrap();
    assert_eq!(queues.trouble().await.as_deref(), Some(trouble::DAMAGED), "that does not pass");
    drop((queues, fanout, statuses));

    let queues = Queues::open(&path, Arc::new(ManualClock::default())).unwrap();
    let salvage = queues.salvaged().unwrap();
    assert_eq!((salvage.saved, salvage.lost, salvage.incomplete), (2, 2, false));
    assert_eq!(queues.trouble().await, None);
    drop(queues);
    assert!(Queues::open(&path, Arc::new(ManualClock::default())).unwrap().salvaged().is_none(), "once");
}

#[tokio::test]
async fn a_clock_set_back_holds_up_nothing_but_what_was_deferred() {
    let (queues, clock) = fresh();
    let (fanout, statuses) = (queues.queue(FANOUT).unwrap(), queues.queue(STATUSES).unwrap());
    fanout.send(plain("deferred")).await.unwrap();
    let held = fanout.receive(1, HIDDEN).await.unwrap().remove(0);
    fanout.defer(&held.handle, clock.now() + SignedDuration::from_secs(60)).await.unwrap();
    fanout.send(plain("held")).await.unwrap();
    fanout.receive(1, HIDDEN).await.unwrap();
    fanout.send(plain("waiting")).await.unwrap();
    for name in ["1", "2"] {
        statuses.send(Outgoing { body: name, attributes: &[], fifo: Some(("g", name)) }).await.unwrap();
    }
    let one = statuses.receive(1, HIDDEN).await.unwrap();
    clock.advance(-3600);
    assert_eq!(bodies(&fanout.receive(10, HIDDEN).await.unwrap()), ["waiting"]);
    statuses.ack(&[&one[0].handle]).await.unwrap();
    assert_eq!(bodies(&statuses.receive(10, HIDDEN).await.unwrap()), ["2"]);
    clock.advance(30);
    assert_eq!(bodies(&fanout.receive(10, HIDDEN).await.unwrap()), ["held", "waiting"]);
    clock.advance(3630);
    let mut last = fanout.receive(10, HIDDEN).await.unwrap();
    last.sort_by(|a, b| a.body.cmp(&b.body));
    assert_eq!(bodies(&last), ["deferred", "held", "waiting"]);
}

#[tokio::test]
async fn nothing_is_remembered_of_what_is_gone() {
    let (queues, clock) = fresh();
    let (fanout, statuses) = (queues.queue(FANOUT).unwrap(), queues.queue(STATUSES).unwrap());
    for i in 0..20 {
        fanout.send(plain("x")).await.unwrap();
        statuses.send(Outgoing { body: "x", attributes: &[], fifo: Some(("g", &format!("{i}"))) }).await.unwrap();
    }
    for queue in [&fanout, &statuses] {
        queue.receive(5, HIDDEN).await.unwrap();
        clock.advance(31);
        let came = queue.receive(15, HIDDEN).await.unwrap();
        queue.release(&[&came[0].handle]).await.unwrap();
        queue.dead_letter(&came[1].handle, "broken").await.unwrap();
        queue.ack(&came[2..].iter().map(|message| message.handle.as_str()).collect::<Vec<_>>()).await.unwrap();
        loop {
            let came = queue.receive(15, HIDDEN).await.unwrap();
            let Some(first) = came.first() else { break };
            queue.defer(&first.handle, clock.now()).await.unwrap();
            queue.release(&came.iter().map(|message| message.handle.as_str()).collect::<Vec<_>>()).await.unwrap();
            let came = queue.receive(15, HIDDEN).await.unwrap();
            queue.ack(&came.iter().map(|message| message.handle.as_str()).collect::<Vec<_>>()).await.unwrap();
        }
    }
    let entries =
        queues.writer.call(Weight::Read, |books| Ok(books.lines().iter().map(line::Line::entries).sum::<usize>()));
    assert_eq!(entries.await.unwrap(), 0);
}

#[tokio::test]
async fn what_nobody_takes_over_is_given_back() {
    let (queues, _) = fresh();
    let fanout = queues.queue(FANOUT).unwrap();
    fanout.send(plain("a")).await.unwrap();
    for answered in [false, true] {
        let open = hold(&queues);
        let mut receive = Box::pin(fanout.receive(1, HIDDEN));
        started(receive.as_mut());
        if answered {
            // The answer lies ready when the future is dropped.
            drop(open);
            fanout.counts().await.unwrap();
            drop(receive);
        } else {
            drop(receive);
            drop(open);
        }
        fanout.wait().await.unwrap();
        let counts = fanout.counts().await.unwrap();
        assert_eq!((counts.ready, counts.in_flight), (1, 0), "answered: {answered}");
    }
}
