//! What a FIFO queue does.

use std::time::Duration;

use super::{
    HIDDEN, LONGER, QueueUnderTest, Sending, ack_all, bodies, grouped, nothing_comes, receive, send_all, sorted, take,
};

/// Messages of a group come in the order in which they were sent, several at once where there are several.
pub async fn a_group_comes_in_order(queue: &dyn QueueUnderTest) {
    let names: Vec<String> = (0..25).map(|i| format!("m{i:02}")).collect();
    for ten in names.chunks(10) {
        let batch: Vec<_> = ten.iter().map(|name| grouped("g", name)).collect();
        send_all(queue, &batch).await;
    }
    let mut seen = Vec::new();
    let mut most = 0;
    while seen.len() < names.len() {
        let came = receive(queue).await;
        assert!(!came.is_empty());
        assert!(came.iter().all(|message| message.group.as_deref() == Some("g")));
        most = most.max(came.len());
        ack_all(queue, &came).await;
        seen.extend(came.into_iter().map(|message| message.body));
    }
    assert_eq!(seen, names);
    assert!(most > 1, "a receive of ten never got more than one");
    queue.pass(LONGER).await;
    nothing_comes(queue).await;
}

/// While one message of a group is in flight, no other of it is handed out.
pub async fn a_group_in_flight_is_handed_out_no_further(queue: &dyn QueueUnderTest) {
    send_all(queue, &[grouped("g", "1"), grouped("g", "2"), grouped("g", "3")]).await;
    let came = queue.receive(2, HIDDEN).await.unwrap();
    assert_eq!(bodies(&came), ["1", "2"]);
    nothing_comes(queue).await;
    ack_all(queue, &came[..1]).await;
    nothing_comes(queue).await;
    send_all(queue, &[grouped("g", "4")]).await;
    nothing_comes(queue).await;
    ack_all(queue, &came[1..]).await;
    assert_eq!(bodies(&take(queue, 2).await), ["3", "4"]);
}

/// A group that is in flight does not hold up others.
pub async fn groups_do_not_wait_for_each_other(queue: &dyn QueueUnderTest) {
    send_all(queue, &[grouped("g", "g1"), grouped("g", "g2"), grouped("h", "h1"), grouped("h", "h2")]).await;
    let first = queue.receive(1, HIDDEN).await.unwrap();
    let second = queue.receive(1, HIDDEN).await.unwrap();
    let heads: Vec<_> = first.iter().chain(&second).cloned().collect();
    assert_eq!(sorted(&heads), ["g1", "h1"]);
    nothing_comes(queue).await;
    ack_all(queue, &heads).await;
    assert_eq!(sorted(&take(queue, 2).await), ["g2", "h2"]);
}

/// Many groups at once, one message of each: within a group the order is kept, between groups nobody waits.
pub async fn groups_go_on_side_by_side_each_in_order(queue: &dyn QueueUnderTest) {
    let groups = ["a", "b", "c", "d", "e"];
    for step in 1..=4 {
        let names = groups.map(|group| format!("{group}{step}"));
        let batch: Vec<_> = groups.iter().zip(&names).map(|(group, name)| grouped(group, name)).collect();
        send_all(queue, &batch).await;
    }
    for step in 1..=4 {
        let mut heads = Vec::new();
        for _ in groups {
            heads.extend(queue.receive(1, HIDDEN).await.unwrap());
        }
        assert_eq!(sorted(&heads), groups.map(|group| format!("{group}{step}")));
        nothing_comes(queue).await;
        // Who began first need not be done first.
        heads.reverse();
        ack_all(queue, &heads).await;
    }
    queue.pass(LONGER).await;
    nothing_comes(queue).await;
}

/// A message that is deferred again and again, each time for longer, keeps its place at the head of its group.
pub async fn growing_delays_keep_the_order(queue: &dyn QueueUnderTest) {
    send_all(queue, &[grouped("g", "g1"), grouped("g", "g2")]).await;
    for (times, seconds) in (1..).zip([20, 60, 180]) {
        let head = queue.receive(1, HIDDEN).await.unwrap().remove(0);
        assert_eq!((head.body.as_str(), head.receives), ("g1", times));
        queue.defer(&head, Duration::from_secs(seconds)).await.unwrap();
        let name = format!("h{times}");
        send_all(queue, &[grouped("h", &name)]).await;
        let other = take(queue, 1).await;
        assert_eq!(bodies(&other), [name.as_str()]);
        ack_all(queue, &other).await;
        queue.pass(Duration::from_secs(seconds - 1)).await;
        nothing_comes(queue).await;
        queue.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(bodies(&take(queue, 2).await), ["g1", "g2"]);
}

/// A deferred message holds up its own group, and nobody else.
pub async fn a_deferred_head_blocks_its_group_only(queue: &dyn QueueUnderTest) {
    send_all(queue, &[grouped("g", "g1"), grouped("g", "g2")]).await;
    let head = queue.receive(1, HIDDEN).await.unwrap().remove(0);
    queue.defer(&head, Duration::from_secs(120)).await.unwrap();
    send_all(queue, &[grouped("h", "h1"), grouped("g", "g3")]).await;
    let other = take(queue, 1).await;
    assert_eq!(bodies(&other), ["h1"]);
    ack_all(queue, &other).await;
    queue.pass(Duration::from_secs(119)).await;
    nothing_comes(queue).await;
    queue.pass(Duration::from_secs(1)).await;
    assert_eq!(bodies(&take(queue, 3).await), ["g1", "g2", "g3"]);
}

/// Of a batch, what went well is acknowledged, the first that failed is deferred, the rest is given back: the
/// group goes on with the one that failed.
pub async fn a_group_goes_on_where_it_failed(queue: &dyn QueueUnderTest) {
    send_all(queue, &[grouped("g", "1"), grouped("g", "2"), grouped("g", "3"), grouped("g", "4")]).await;
    let came = queue.receive(3, HIDDEN).await.unwrap();
    assert_eq!(bodies(&came), ["1", "2", "3"]);
    queue.ack(&came[0]).await.unwrap();
    queue.defer(&came[1], Duration::from_secs(60)).await.unwrap();
    nothing_comes(queue).await;
    queue.defer(&came[2], Duration::ZERO).await.unwrap();
    nothing_comes(queue).await;
    queue.pass(Duration::from_secs(60)).await;
    assert_eq!(bodies(&take(queue, 3).await), ["2", "3", "4"]);
}

/// A head that is given back comes again once those behind it are given back too, and not before.
pub async fn a_head_given_back_waits_for_those_behind_it(queue: &dyn QueueUnderTest) {
    send_all(queue, &[grouped("g", "1"), grouped("g", "2"), grouped("g", "3")]).await;
    let came = queue.receive(2, HIDDEN).await.unwrap();
    queue.defer(&came[0], Duration::ZERO).await.unwrap();
    nothing_comes(queue).await;
    queue.defer(&came[1], Duration::ZERO).await.unwrap();
    assert_eq!(bodies(&take(queue, 3).await), ["1", "2", "3"]);
}

/// A message that was deferred while another stood before it stays hidden when that one goes.
pub async fn a_message_behind_the_head_keeps_its_own_deferral(queue: &dyn QueueUnderTest) {
    send_all(queue, &[grouped("g", "1"), grouped("g", "2"), grouped("g", "3")]).await;
    let came = queue.receive(2, HIDDEN).await.unwrap();
    queue.defer(&came[1], Duration::from_secs(60)).await.unwrap();
    queue.defer(&came[0], Duration::ZERO).await.unwrap();
    let head = take(queue, 1).await;
    assert_eq!(bodies(&head), ["1"], "the next is deferred, so the batch ends before it");
    ack_all(queue, &head).await;
    nothing_comes(queue).await;
    queue.pass(Duration::from_secs(60)).await;
    assert_eq!(bodies(&take(queue, 2).await), ["2", "3"]);
}

/// When the time of a batch is up, its group starts again with the same message.
pub async fn a_time_out_starts_the_group_again(queue: &dyn QueueUnderTest) {
    send_all(queue, &[grouped("g", "1"), grouped("g", "2"), grouped("g", "3")]).await;
    let came = queue.receive(2, HIDDEN).await.unwrap();
    queue.pass(LONGER).await;
    let again = take(queue, 3).await;
    assert_eq!(bodies(&again), ["1", "2", "3"]);
    assert_ne!(again[0].handle, came[0].handle);
    assert_eq!(again.iter().map(|message| message.receives).collect::<Vec<_>>(), [2, 2, 1]);
}

/// The handle of an earlier receive neither deletes nor defers, and says so for good.
pub async fn a_stale_handle_is_refused(queue: &dyn QueueUnderTest) {
    send_all(queue, &[grouped("g", "1")]).await;
    let first = take(queue, 1).await.remove(0);
    queue.pass(LONGER).await;
    let second = take(queue, 1).await.remove(0);
    assert!(queue.ack(&first).await.is_err_and(|error| !error.is_transient()));
    assert!(queue.defer(&first, LONGER).await.is_err_and(|error| !error.is_transient()));
    queue.pass(LONGER).await;
    let third = take(queue, 1).await.remove(0);
    assert_eq!(third.id, second.id, "it was still there");
    queue.ack(&third).await.unwrap();
    assert_eq!(queue.ack(&third).await, Ok(()), "a repeated acknowledgement is no error");
}

/// A de-duplication id is taken again within five minutes, and delivered only once, whatever became of the first.
pub async fn the_same_id_is_sent_once(queue: &dyn QueueUnderTest) {
    let sending = |body: &'static str| Sending { body, attributes: &[], fifo: Some(("g", "same")) };
    send_all(queue, &[sending("first"), sending("second")]).await;
    let came = take(queue, 1).await;
    assert_eq!(bodies(&came), ["first"]);
    queue.send(sending("third")).await.unwrap();
    ack_all(queue, &came).await;
    queue.send(sending("fourth")).await.unwrap();
    queue.pass(Duration::from_secs(240)).await;
    queue.send(sending("fifth")).await.unwrap();
    nothing_comes(queue).await;
    queue.pass(Duration::from_secs(61)).await;
    queue.send(sending("sixth")).await.unwrap();
    assert_eq!(bodies(&take(queue, 1).await), ["sixth"], "the five minutes count from the first");
}

/// Once its head is set aside, a group goes on.
pub async fn a_dead_letter_frees_its_group(queue: &dyn QueueUnderTest) {
    send_all(queue, &[grouped("g", "1"), grouped("g", "2")]).await;
    let head = queue.receive(1, HIDDEN).await.unwrap().remove(0);
    queue.dead_letter(&head, "broken").await.unwrap();
    queue.ack(&head).await.unwrap();
    assert_eq!(bodies(&take(queue, 1).await), ["2"]);
    let dead = queue.dead_letters().await.unwrap();
    assert_eq!(
        dead.iter().map(|dead| (dead.body.as_str(), dead.reason.as_str())).collect::<Vec<_>>(),
        [("1", "broken")]
    );
}

/// Redriven messages come in the order in which they were set aside, even within five minutes of being sent.
pub async fn redriven_messages_keep_their_order(queue: &dyn QueueUnderTest) {
    send_all(queue, &[grouped("g", "1"), grouped("g", "2"), grouped("g", "3")]).await;
    let came = take(queue, 3).await;
    for message in &came {
        queue.dead_letter(message, "broken").await.unwrap();
        queue.ack(message).await.unwrap();
    }
    nothing_comes(queue).await;
    queue.redrive().await.unwrap();
    let again = take(queue, 3).await;
    assert_eq!(bodies(&again), ["1", "2", "3"]);
    ack_all(queue, &again).await;
    assert_eq!(queue.dead_letters().await.unwrap(), []);
}
