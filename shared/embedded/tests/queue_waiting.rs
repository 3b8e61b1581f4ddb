//! Whoever waits for a queue is told in time, and nobody polls.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use domain::ids::{Repository, Sha, StatusId};
use domain::ports::{Clock, StatusQueue};
use domain::statuses::message::StatusMessage;
use domain::statuses::{Accepted, Content, State, Via};
use embedded::queue::{FANOUT, Outgoing, Queue, Queues, STATUSES};
use jiff::SignedDuration;
use testkit::clock::ManualClock;

const HIDDEN: Duration = Duration::from_secs(30);

fn fresh() -> (Queues, Queue, Queue, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let queues = Queues::memory(clock.clone()).unwrap();
    let (fanout, statuses) = (queues.queue(FANOUT).unwrap(), queues.queue(STATUSES).unwrap());
    (queues, fanout, statuses, clock)
}

fn plain(body: &str) -> Outgoing<'_> {
    Outgoing { body, ..Outgoing::default() }
}

fn grouped<'a>(group: &'a str, body: &'a str) -> Outgoing<'a> {
    Outgoing { body, attributes: &[], fifo: Some((group, body)) }
}

/// Lets a future go as far as it can, the queue's thread included, and answers whether it still waits.
async fn still_waits<F: Future>(queues: &Queues, mut future: Pin<&mut F>) -> bool {
    for _ in 0..5 {
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return false;
        }
        // Answered behind whatever the future asked, and behind the news of the transaction before.
        queues.queue(FANOUT).unwrap().counts().await.unwrap();
    }
    true
}

#[tokio::test]
async fn a_receive_waits_for_a_send() {
    let (queues, fanout, _, _) = fresh();
    let mut receive = pin!(fanout.receive_wait(10, HIDDEN));
    assert!(still_waits(&queues, receive.as_mut()).await);
    fanout.send(plain("a")).await.unwrap();
    assert_eq!(receive.await.unwrap()[0].body, "a");
    let mut wait = pin!(fanout.wait());
    assert!(still_waits(&queues, wait.as_mut()).await);
    fanout.send(plain("b")).await.unwrap();
    wait.await.unwrap();
    fanout.wait().await.unwrap();
    assert_eq!(fanout.receive(10, HIDDEN).await.unwrap()[0].body, "b", "waiting took nothing out");
}

#[tokio::test]
async fn a_receive_waits_for_the_time_of_the_next_message() {
    let (queues, fanout, _, clock) = fresh();
    fanout.send(plain("a")).await.unwrap();
    let first = fanout.receive(1, HIDDEN).await.unwrap().remove(0);
    {
        let mut receive = pin!(fanout.receive_wait(1, HIDDEN));
        assert!(still_waits(&queues, receive.as_mut()).await);
        clock.advance(29);
        assert!(still_waits(&queues, receive.as_mut()).await, "its visibility time-out is not over");
        clock.advance(1);
        assert_eq!(receive.await.unwrap()[0].id, first.id);
    }
    let second = fanout.ack(&[&first.handle]).await;
    assert!(second.is_ok());
    clock.advance(30);
    let third = fanout.receive(1, HIDDEN).await.unwrap().remove(0);
    fanout.defer(&third.handle, clock.now() + SignedDuration::from_millis(86_400_500)).await.unwrap();
    let mut wait = pin!(fanout.wait());
    assert!(still_waits(&queues, wait.as_mut()).await);
    clock.advance(12 * 3600 - 1);
    assert!(still_waits(&queues, wait.as_mut()).await);
    clock.advance(1);
    wait.await.expect("a day is cut to twelve hours");
}

#[tokio::test]
async fn a_deferral_is_never_over_early() {
    let (queues, fanout, _, clock) = fresh();
    fanout.send(plain("a")).await.unwrap();
    let message = fanout.receive(1, HIDDEN).await.unwrap().remove(0);
    fanout.defer(&message.handle, clock.now() + SignedDuration::from_nanos(1_000_001)).await.unwrap();
    let mut wait = pin!(fanout.wait());
    clock.advance_by(SignedDuration::from_millis(1));
    assert!(still_waits(&queues, wait.as_mut()).await);
    clock.advance_by(SignedDuration::from_millis(1));
    wait.await.unwrap();
}

#[tokio::test]
async fn a_group_that_becomes_free_wakes_whoever_waits() {
    let (queues, _, statuses, clock) = fresh();
    for body in ["1", "2", "3"] {
        statuses.send(grouped("g", body)).await.unwrap();
    }
    let one = statuses.receive(1, HIDDEN).await.unwrap().remove(0);
    let mut receive = pin!(statuses.receive_wait(1, HIDDEN));
    assert!(still_waits(&queues, receive.as_mut()).await);
    statuses.ack(&[&one.handle]).await.unwrap();
    let two = receive.await.unwrap().remove(0);
    assert_eq!(two.body, "2");

    let mut receive = pin!(statuses.receive_wait(10, HIDDEN));
    assert!(still_waits(&queues, receive.as_mut()).await);
    statuses.release(&[&two.handle]).await.unwrap();
    let again = receive.await.unwrap();
    assert_eq!(again.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), ["2", "3"]);

    let mut receive = pin!(statuses.receive_wait(10, HIDDEN));
    assert!(still_waits(&queues, receive.as_mut()).await);
    clock.advance(30);
    assert_eq!(receive.await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_receive_that_is_given_up_takes_nothing_with_it() {
    let (queues, fanout, _, _) = fresh();
    {
        let mut receive = pin!(fanout.receive_wait(10, HIDDEN));
        assert!(still_waits(&queues, receive.as_mut()).await);
    }
    fanout.send(plain("a")).await.unwrap();
    assert_eq!(fanout.counts().await.unwrap().ready, 1);
}

#[tokio::test]
async fn idle_is_when_nothing_is_due_and_nothing_is_in_flight() {
    let (queues, fanout, statuses, clock) = fresh();
    queues.idle(&[FANOUT, STATUSES]).await.unwrap();
    assert!(queues.idle(&["nobody"]).await.is_err());

    fanout.send(plain("event")).await.unwrap();
    let mut idle = pin!(queues.idle(&[FANOUT, STATUSES]));
    assert!(still_waits(&queues, idle.as_mut()).await, "one is due");
    queues.idle(&[STATUSES]).await.unwrap();
    let event = fanout.receive(1, HIDDEN).await.unwrap().remove(0);
    assert!(still_waits(&queues, idle.as_mut()).await, "one is in flight");
    statuses.send(grouped("g", "follow-up")).await.unwrap();
    fanout.ack(&[&event.handle]).await.unwrap();
    assert!(still_waits(&queues, idle.as_mut()).await, "the follow-up is due");
    let follow_up = statuses.receive(1, HIDDEN).await.unwrap().remove(0);
    assert!(still_waits(&queues, idle.as_mut()).await, "the follow-up is in flight");
    statuses.defer(&follow_up.handle, clock.now() + SignedDuration::from_secs(60)).await.unwrap();
    idle.await.unwrap();

    queues.idle(&[FANOUT, STATUSES]).await.expect("what is deferred does not count");
    clock.advance(60);
    let mut idle = pin!(queues.idle(&[FANOUT, STATUSES]));
    assert!(still_waits(&queues, idle.as_mut()).await, "its time has come");
    let again = statuses.receive(1, HIDDEN).await.unwrap().remove(0);
    statuses.dead_letter(&again.handle, "broken").await.unwrap();
    idle.await.expect("a dead letter does not count");
}

/// Workers hand messages on from queue to queue while somebody asks again and again whether all is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn idle_never_slips_between_a_message_and_its_follow_up() {
    let (queues, fanout, statuses, _) = fresh();
    let worker = |from: Queue, to: Option<Queue>| async move {
        loop {
            for message in from.receive_wait(3, HIDDEN).await.unwrap() {
                if let Some(to) = &to {
                    to.send(grouped(&message.body, &message.body)).await.unwrap();
                }
                from.ack(&[&message.handle]).await.unwrap();
            }
        }
    };
    let work = async {
        tokio::join!(
            worker(fanout.clone(), Some(statuses.clone())),
            worker(fanout.clone(), Some(statuses.clone())),
            worker(statuses.clone(), None),
        )
    };
    let ask = async {
        for round in 0..200 {
            fanout.send(plain(&format!("event-{round}"))).await.unwrap();
            queues.idle(&[FANOUT, STATUSES]).await.unwrap();
            for queue in [&fanout, &statuses] {
                let counts = queue.counts().await.unwrap();
                assert_eq!((counts.ready, counts.in_flight), (0, 0), "round {round}, {}", queue.name());
            }
        }
    };
    tokio::select! {
        _ = work => panic!("the workers never end"),
        () = ask => {}
    }
}

#[tokio::test]
async fn statuses_travel_in_order_and_once() {
    let (_, _, statuses, clock) = fresh();
    let message = |id: &str, context: &str, state| StatusMessage {
        id: StatusId::parse(id).unwrap(),
        repository: Repository::parse("Acme/Api").unwrap(),
        sha: Sha::parse(&"a".repeat(40)).unwrap(),
        content: Content {
            context: context.to_owned(),
            state,
            description: Some("läuft".to_owned()),
            target_url: None,
        },
        accepted: Accepted { at: clock.now(), index: 0 },
        reopen: false,
        via: Via::Key,
        run: None,
        event: None,
        trace: None,
    };
    let sent = [
        message("id-1", "build", State::Pending),
        message("id-2", "lint", State::Pending),
        message("id-3", "build", State::Success),
    ];
    StatusQueue::send(&statuses, &sent).await.unwrap();
    StatusQueue::send(&statuses, &sent).await.unwrap();
    let came = statuses.receive(10, HIDDEN).await.unwrap();
    let read: Vec<_> = came.iter().map(|message| StatusMessage::decode(&message.body).unwrap()).collect();
    assert_eq!(read, [sent[0].clone(), sent[2].clone(), sent[1].clone()]);
    assert_eq!(came[0].group, Some(sent[0].key().group()));
    StatusQueue::send(&statuses, &[]).await.unwrap();
}
