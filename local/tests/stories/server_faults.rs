//! The user's server is down, slow, strange or dead: every event gets its end, and a dead server costs little.

use serde_json::{Value, json};
use standin::ci::Answer;

use crate::yard::Local;

const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

async fn attempts(yard: &Local, event: &str) -> Vec<Value> {
    yard.event(event).await["runs"][0]["attempts"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_answer_that_does_not_come_within_ten_seconds_is_a_time_out() {
    let yard = Local::start().await;
    yard.server().answer(Answer::status(200).hanging());
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.server().wait_for_in_flight(1).await;
    yard.later(10).await;
    let attempt = attempts(&yard, &event).await.remove(0);
    assert_eq!(
        (&attempt["outcome"], &attempt["code"], &attempt["ms"]),
        (&json!("server_timeout"), &json!(null), &json!(10_000))
    );
    assert!(attempt["help"]["what_to_do"].as_str().unwrap().contains("Answer 202 first"));
}

#[tokio::test]
async fn dead_for_six_hours_and_then_back_it_gets_everything_once_and_was_asked_seldom() {
    let yard = Local::start().await;
    yard.server().answer_always(Answer::status(503));
    let mut events = Vec::new();
    for _hour in 0..6 {
        for _ in 0..8 {
            events.push(yard.pull_request(7, SHA).send().await.accepted());
        }
        yard.idle().await;
        for _ in 0..12 {
            yard.later(300).await;
        }
    }
    let before = yard.server().calls().len();
    // Eight at once before it rests, and then one probe every five minutes or more.
    assert!((20..=8 + 6 * 12).contains(&before), "{before} calls for {} events in six hours", events.len());

    yard.server().answer_always(Answer::status(200));
    // Whoever was a probe again and again waits for up to 37 minutes before its next attempt.
    for _ in 0..12 {
        yard.later(240).await;
    }
    for event in &events {
        assert_eq!(yard.event(event).await["status"], "processed");
    }
    let mut receipts: Vec<_> = yard.server().calls().into_iter().skip(before).map(|call| call.receipt).collect();
    receipts.sort();
    receipts.dedup();
    assert_eq!((receipts.len(), yard.server().calls().len() - before), (events.len(), events.len()), "each once");
    assert!(yard.server().most_in_flight() <= 64);
}

#[tokio::test]
async fn after_eight_hours_it_gives_up() {
    let yard = Local::start().await;
    yard.server().answer_always(Answer::status(500));
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    for _ in 0..9 * 60 {
        yard.later(60).await;
    }
    let seen = yard.event(&event).await;
    assert_eq!((&seen["status"], &seen["failure_reason"]), (&json!("errored"), &json!("gave_up")));
    let tries = seen["tries"].as_u64().unwrap();
    assert!((15..=30).contains(&tries), "{tries} attempts");
    let ended: jiff::Timestamp = seen["processed_at"].as_str().unwrap().parse().unwrap();
    assert!(ended <= "2026-03-02T18:00:00Z".parse().unwrap(), "not after the eight hours: {ended}");
    // A person repairs the server and asks GitHub for a redelivery; success clears the reason.
    yard.server().answer_always(Answer::status(200));
    yard.pull_request(7, SHA).guid(event.split_once('-').unwrap().1).send().await.accepted();
    for _ in 0..10 {
        yard.later(60).await;
    }
    let seen = yard.event(&event).await;
    assert_eq!((&seen["status"], &seen["failure_reason"]), (&json!("processed"), &json!(null)));
}
