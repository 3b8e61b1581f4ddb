//! What a standard queue does.

use std::time::Duration;

use super::{
    Dead, HIDDEN, LONGER, QueueUnderTest, Sending, ack_all, bodies, nothing_comes, plain, receive, send_all, sorted,
    take,
};

/// Each message comes at least once, in any order, and no more once it is acknowledged.
pub async fn every_message_comes_until_it_is_acknowledged(queue: &dyn QueueUnderTest) {
    nothing_comes(queue).await;
    send_all(queue, &[plain("a"), plain("b"), plain("c")]).await;
    let came = take(queue, 3).await;
    assert_eq!(sorted(&came), ["a", "b", "c"]);
    assert!(came.iter().all(|message| message.receives == 1 && message.group.is_none()));
    ack_all(queue, &came[..2]).await;
    queue.pass(LONGER).await;
    let again = take(queue, 1).await;
    assert_eq!(bodies(&again), [came[2].body.as_str()]);
    ack_all(queue, &again).await;
    queue.pass(LONGER).await;
    nothing_comes(queue).await;
    assert_eq!(queue.ack(&again[0]).await, Ok(()), "a repeated acknowledgement is no error");
}

/// What was received is hidden, until its time is up and it comes with another handle.
pub async fn in_flight_is_hidden_until_the_time_out(queue: &dyn QueueUnderTest) {
    send_all(queue, &[plain("a")]).await;
    let first = take(queue, 1).await.remove(0);
    queue.pass(HIDDEN / 2).await;
    nothing_comes(queue).await;
    queue.pass(HIDDEN).await;
    let second = take(queue, 1).await.remove(0);
    assert_eq!((second.id.as_str(), second.receives), (first.id.as_str(), 2));
    assert_ne!(second.handle, first.handle);
}

/// Acknowledging with the handle of an earlier receive deletes nothing, and says nothing.
pub async fn a_stale_handle_deletes_nothing(queue: &dyn QueueUnderTest) {
    send_all(queue, &[plain("a")]).await;
    let first = take(queue, 1).await.remove(0);
    queue.pass(LONGER).await;
    let second = take(queue, 1).await.remove(0);
    assert_eq!(queue.ack(&first).await, Ok(()));
    queue.pass(LONGER).await;
    let third = take(queue, 1).await.remove(0);
    assert_eq!(third.id, second.id);
    ack_all(queue, &[third]).await;
    queue.pass(LONGER).await;
    nothing_comes(queue).await;
}

/// A deferred message comes at its time, and others meanwhile.
pub async fn deferred_is_hidden_until_its_time(queue: &dyn QueueUnderTest) {
    send_all(queue, &[plain("later")]).await;
    let first = take(queue, 1).await.remove(0);
    queue.defer(&first, Duration::from_secs(120)).await.unwrap();
    send_all(queue, &[plain("now")]).await;
    let now = take(queue, 1).await;
    assert_eq!(bodies(&now), ["now"]);
    ack_all(queue, &now).await;
    queue.pass(Duration::from_secs(119)).await;
    nothing_comes(queue).await;
    queue.pass(Duration::from_secs(1)).await;
    let second = take(queue, 1).await.remove(0);
    assert_eq!((second.body.as_str(), second.receives), ("later", 2));
    queue.defer(&second, Duration::ZERO).await.unwrap();
    assert_eq!(bodies(&take(queue, 1).await), ["later"], "deferred by nothing is visible at once");
}

/// Each of many comes, and none twice while it is hidden.
pub async fn many_come_each_once(queue: &dyn QueueUnderTest) {
    let names: Vec<String> = (0..60).map(|n| format!("message {n:02}")).collect();
    for ten in names.chunks(10) {
        let batch: Vec<_> = ten.iter().map(|name| plain(name)).collect();
        send_all(queue, &batch).await;
    }
    let came = take(queue, names.len()).await;
    assert_eq!(sorted(&came), names);
    nothing_comes(queue).await;
    ack_all(queue, &came).await;
}

/// A message may be deferred again and again, each time for longer; it counts how often it came, and holds up nobody.
pub async fn growing_delays_are_kept(queue: &dyn QueueUnderTest) {
    send_all(queue, &[plain("again")]).await;
    for (times, seconds) in (1..).zip([20, 60, 180]) {
        let message = take(queue, 1).await.remove(0);
        assert_eq!((message.body.as_str(), message.receives), ("again", times));
        queue.defer(&message, Duration::from_secs(seconds)).await.unwrap();
        send_all(queue, &[plain("meanwhile")]).await;
        let other = take(queue, 1).await;
        assert_eq!(bodies(&other), ["meanwhile"]);
        ack_all(queue, &other).await;
        queue.pass(Duration::from_secs(seconds - 1)).await;
        nothing_comes(queue).await;
        queue.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(take(queue, 1).await[0].receives, 4);
}

/// What one receive has brought is decided message by message.
pub async fn each_message_of_a_receive_has_an_end_of_its_own(queue: &dyn QueueUnderTest) {
    send_all(queue, &[plain("done"), plain("later"), plain("broken"), plain("forgotten")]).await;
    let came = take(queue, 4).await;
    let of = |body: &str| came.iter().find(|message| message.body == body).unwrap();
    queue.ack(of("done")).await.unwrap();
    queue.defer(of("later"), Duration::from_secs(300)).await.unwrap();
    queue.dead_letter(of("broken"), "unreadable").await.unwrap();
    queue.ack(of("broken")).await.unwrap();
    nothing_comes(queue).await;
    queue.pass(LONGER).await;
    let again = take(queue, 1).await;
    assert_eq!(bodies(&again), ["forgotten"]);
    ack_all(queue, &again).await;
    queue.pass(Duration::from_secs(300)).await;
    let last = take(queue, 1).await;
    assert_eq!(bodies(&last), ["later"]);
    ack_all(queue, &last).await;
    queue.pass(LONGER).await;
    nothing_comes(queue).await;
    assert_eq!(queue.dead_letters().await.unwrap().len(), 1);
}

/// A dead letter is listed with its reason, no longer received, and comes again when it is redriven.
pub async fn dead_letters_are_kept_and_redriven(queue: &dyn QueueUnderTest) {
    send_all(queue, &[plain("good"), plain("bad"), plain("worse")]).await;
    let came = take(queue, 3).await;
    for (body, reason) in [("bad", "unreadable"), ("worse", "worse than that")] {
        let message = came.iter().find(|message| message.body == body).unwrap();
        queue.dead_letter(message, reason).await.unwrap();
    }
    ack_all(queue, &came).await;
    queue.pass(LONGER).await;
    nothing_comes(queue).await;
    let dead = |body: &str, reason: &str| Dead { body: body.to_owned(), reason: reason.to_owned() };
    assert_eq!(queue.dead_letters().await.unwrap(), [dead("bad", "unreadable"), dead("worse", "worse than that")]);

    queue.redrive().await.unwrap();
    assert_eq!(queue.dead_letters().await.unwrap(), []);
    let again = take(queue, 2).await;
    assert_eq!(sorted(&again), ["bad", "worse"]);
    ack_all(queue, &again).await;
    queue.pass(LONGER).await;
    nothing_comes(queue).await;
}

/// In a batch each message stands for itself.
pub async fn a_batch_takes_what_is_fit(queue: &dyn QueueUnderTest) {
    let results = queue.send_batch(&[plain("first"), plain(""), plain("third")]).await.unwrap();
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert!(results[1].as_ref().is_err_and(|error| !error.is_transient()));
    assert_eq!(sorted(&take(queue, 2).await), ["first", "third"]);
}

/// What was sent comes back, byte for byte: short, repetitive, without any pattern, and as long as allowed.
pub async fn bodies_come_back_exactly(queue: &dyn QueueUnderTest) {
    let mut noise = 1_u32;
    let noise: String = (0..5000)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b' ' + (noise >> 24) as u8 % 95)
        })
        .collect();
    let attributes = [("event", "push")];
    let longest = "r".repeat(1_048_576 - "event".len() - "String".len() - "push".len());
    for body in ["x", "tab\tand\r\nlines", "é ÿ \u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}", &noise, &longest] {
        queue.send(Sending { body, attributes: &attributes, fifo: None }).await.unwrap();
        let came = receive(queue).await;
        assert!(came.len() == 1 && came[0].body == body, "{} bytes came back changed", body.len());
        ack_all(queue, &came).await;
    }
}
