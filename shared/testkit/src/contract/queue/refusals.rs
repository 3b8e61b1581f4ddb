//! What a queue refuses, for good: sending the same again would be refused again.

use super::{QueueUnderTest, Sending, bodies, nothing_comes, plain, take};

/// Refused by a standard queue: what every queue refuses, and what only FIFO queues take.
pub async fn standard_refuses(queue: &dyn QueueUnderTest) {
    every_queue_refuses(queue, None).await;
    refused(queue, "a de-duplication id", Sending { body: "x", attributes: &[], fifo: Some(("g", "d")) }).await;
    nothing_comes(queue).await;
}

/// Refused by a FIFO queue: what every queue refuses, and ids that are missing or malformed.
pub async fn fifo_refuses(queue: &dyn QueueUnderTest) {
    every_queue_refuses(queue, Some(("group", "id"))).await;
    refused(queue, "no group", plain("x")).await;
    let long = "x".repeat(129);
    for id in ["", &long, "white space", "line\n", "schön", "\u{7f}"] {
        refused(queue, "a bad group", Sending { body: "x", attributes: &[], fifo: Some((id, "d")) }).await;
        refused(queue, "a bad id", Sending { body: "x", attributes: &[], fifo: Some(("g", id)) }).await;
    }
    nothing_comes(queue).await;
}

/// Taken by a FIFO queue: every character of the alphabet of ids, and ids as long as allowed.
pub async fn fifo_takes_what_is_allowed(queue: &dyn QueueUnderTest) {
    let alphabet: String = ('!'..='~').collect();
    let long = "x".repeat(128);
    for id in [alphabet.as_str(), &long] {
        queue.send(Sending { body: id, attributes: &[], fifo: Some((id, id)) }).await.unwrap();
    }
    let came = take(queue, 2).await;
    assert_eq!(bodies(&came).len(), 2);
    assert!(came.iter().all(|message| message.group.as_deref() == Some(message.body.as_str())));
}

async fn every_queue_refuses(queue: &dyn QueueUnderTest, fifo: Option<(&str, &str)>) {
    refused(queue, "an empty body", Sending { body: "", attributes: &[], fifo }).await;
    for c in ['\0', '\u{8}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
        let body = format!("a{c}b");
        refused(queue, "a character", Sending { body: &body, attributes: &[], fifo }).await;
    }
    let names: Vec<String> = (0..11).map(|i| format!("name{i}")).collect();
    let eleven: Vec<_> = names.iter().map(|name| (name.as_str(), "value")).collect();
    refused(queue, "eleven attributes", Sending { body: "x", attributes: &eleven, fifo }).await;
    for attribute in [("", "value"), ("na me", "value"), ("AWS.name", "value"), ("name", ""), ("name", "\u{b}")] {
        refused(queue, "an attribute", Sending { body: "x", attributes: &[attribute], fifo }).await;
    }
    let attributes = [("event", "push")];
    let fits = 1_048_576 - "event".len() - "String".len() - "push".len();
    let body = "r".repeat(fits + 1);
    refused(queue, "a message too long by one", Sending { body: &body, attributes: &attributes, fifo }).await;
}

async fn refused(queue: &dyn QueueUnderTest, what: &str, message: Sending<'_>) {
    match queue.send(message).await {
        Err(error) => assert!(!error.is_transient(), "{what} was refused as if it might pass later: {error}"),
        Ok(()) => panic!("{what} was taken"),
    }
}
