//! The user's server is down, slow, strange or dead: every event gets its end, and a dead server costs little.

use jiff::Timestamp;
use serde_json::{Value, json};
use standin::ci::Answer;

use crate::story::{REPOSITORY, Yard};

const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

async fn attempts(yard: &Yard, event: &str) -> Vec<Value> {
    yard.event(event).await["runs"][0]["attempts"].as_array().unwrap().clone()
}

pub async fn down_for_three_attempts_and_then_back(yard: &Yard) {
    yard.server().stop().await;
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    for attempt in 1..=3 {
        let seen = yard.event(&event).await;
        assert_eq!((&seen["status"], &seen["tries"]), (&json!("unprocessed"), &json!(attempt)));
        assert!(seen["next_attempt_at"].is_string());
        if attempt < 3 {
            yard.later(60).await;
        }
    }
    yard.server().restart().await.unwrap();
    yard.server().answer(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "pending" }] })));
    yard.later(60).await;
    let seen = yard.event(&event).await;
    assert_eq!((&seen["status"], &seen["failure_reason"]), (&json!("processed"), &json!(null)));
    let outcomes: Vec<_> =
        attempts(yard, &event).await.iter().map(|a| a["outcome"].as_str().unwrap().to_owned()).collect();
    assert_eq!(outcomes, ["server_unreachable", "server_unreachable", "server_unreachable", "taken"]);
    assert_eq!(yard.told(SHA, "ci"), ["pending"]);
    assert_eq!(yard.server().calls().len(), 1, "and it was called once");
}

pub async fn retries_keep_the_webhook_id(yard: &Yard) {
    yard.server().answer(Answer::status(500));
    yard.server().answer(Answer::status(503));
    yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    yard.later(60).await;
    yard.later(60).await;
    let ids: Vec<_> = yard.server().calls().iter().map(|call| call.header("webhook-id").unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]));
}

pub async fn retry_after_is_kept(yard: &Yard) {
    yard.server().answer(Answer::status(503).with("retry-after", "600"));
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let next: Timestamp = yard.event(&event).await["next_attempt_at"].as_str().unwrap().parse().unwrap();
    let slack = yard.now().as_second() + 600 - next.as_second();
    assert!((0..=yard.slack()).contains(&slack), "ten minutes after the answer, not {slack} s before that");
    yard.nearly(600).await;
    assert_eq!(yard.server().calls().len(), 1);
    yard.and_now().await;
    assert_eq!(yard.server().calls().len(), 2);
}

pub async fn a_dead_server_rests_and_is_probed_by_one_event_at_a_time(yard: &Yard) {
    yard.server().answer_always(Answer::status(503));
    for n in 1..=5 {
        yard.pull_request(n, SHA).send().await.accepted();
        yard.idle().await;
    }
    assert_eq!(yard.server().calls().len(), 5);
    // Now it rests: forty more events are parked without a call.
    let mut parked = Vec::new();
    for n in 6..=45 {
        parked.push(yard.pull_request(n, SHA).send().await.accepted());
    }
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 5, "no call while it rests");
    let waiting = yard.event(&parked[0]).await;
    assert_eq!((&waiting["status"], &waiting["tries"]), (&json!("unprocessed"), &json!(0)));
    yard.later(5).await;
    assert!(yard.server().calls().len() <= 6, "one probe, not forty-five: {}", yard.server().calls().len());
    assert_eq!(yard.server().most_in_flight(), 1);
    for _ in 0..30 {
        yard.later(60).await;
    }
    let calls = yard.server().calls().len();
    assert!((6..=20).contains(&calls), "half an hour of probes, not of forty-five events each: {calls}");
    // It comes back; the next probe wakes it, and everything goes through.
    yard.server().answer_always(Answer::status(200));
    for _ in 0..30 {
        yard.later(60).await;
    }
    for event in &parked {
        assert_eq!(yard.event(event).await["status"], "processed");
    }
}

pub async fn final_answers_do_not_put_a_server_to_rest(yard: &Yard) {
    yard.server().answer_always(Answer::status(404));
    for n in 1..=8 {
        yard.pull_request(n, SHA).send().await.accepted();
        yard.idle().await;
    }
    assert_eq!(yard.server().calls().len(), 8);
    let list = yard.get(&format!("/v1/events?repository={REPOSITORY}&status=errored")).await.json();
    assert_eq!(list["events"].as_array().unwrap().len(), 8);
}

pub async fn final_answers_end_the_event_with_their_reason(yard: &Yard) {
    for (code, reason) in [
        (401, "server_denied"),
        (403, "server_denied"),
        (404, "server_rejected"),
        (410, "server_gone"),
        (302, "server_moved"),
    ] {
        let before = yard.server().calls().len();
        yard.server().answer(Answer::status(code).with("location", "https://elsewhere.example/hook"));
        let event = yard.pull_request(7, SHA).send().await.accepted();
        yard.idle().await;
        yard.later(3600).await;
        let seen = yard.event(&event).await;
        assert_eq!((&seen["status"], &seen["failure_reason"]), (&json!("errored"), &json!(reason)), "{code}");
        assert!(seen["failure"]["what_to_do"].is_string());
        assert_eq!(yard.server().calls().len(), before + 1, "{code} is not tried again, and not followed");
    }
}

pub async fn answers_that_ask_for_patience_are_tried_again(yard: &Yard) {
    for code in [408, 425, 429, 500, 502, 599] {
        yard.server().answer(Answer::status(code));
        let event = yard.pull_request(7, SHA).send().await.accepted();
        yard.idle().await;
        assert_eq!(yard.event(&event).await["status"], "unprocessed", "{code}");
        yard.later(10).await;
        assert_eq!(yard.event(&event).await["status"], "processed", "{code}");
    }
}

pub async fn answers_that_cannot_be_used_are_taken_and_noted(yard: &Yard) {
    let answers = [
        (Answer::status(200).body("ok"), "not JSON"),
        (Answer::status(200).body(r#"{"statuses": 7}"#), "list"),
        (Answer::status(200).body(r#"{"statuses": [{"name": "ci"}]}"#), "status (or state) is missing"),
        (Answer::status(200).huge(2 * 1024 * 1024), "1 MiB"),
    ];
    for (answer, words) in answers {
        yard.server().answer(answer);
        let event = yard.pull_request(7, SHA).send().await.accepted();
        yard.idle().await;
        assert_eq!(yard.event(&event).await["status"], "processed", "{words}");
        let attempt = attempts(yard, &event).await.remove(0);
        assert_eq!(attempt["outcome"], "server_answer_unreadable", "{words}");
        assert!(attempt["note"].as_str().unwrap().contains(words), "{words}: {attempt}");
    }
    for quiet in [Answer::status(204), Answer::status(200).body("{}"), Answer::status(202).body("[]")] {
        yard.server().answer(quiet);
        let event = yard.pull_request(7, SHA).send().await.accepted();
        yard.idle().await;
        assert_eq!(attempts(yard, &event).await[0]["outcome"], "taken");
    }
}
