//! What the person does who looks after a stack: look, send back, ask again.

use serde_json::json;
use standin::ci::Answer;
use testkit::story::{REPOSITORY, Yard};

use super::queues::HIDDEN;
use crate::stack::Stack;

const SHA: &str = "2379487d2de746adadf6da04e1309e640529de11";

/// What killed its function five times is listed with its reason, and goes on once it is sent back.
pub async fn what_was_set_aside_is_listed_and_redriven(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    yard.server().answer_always(Answer::status(200).hanging());
    let sent = yard.pull_request(7, SHA).send().await;
    for time in 1..=5 {
        yard.server().wait_for(time).await;
        assert_eq!(stack.kill("Fanout").await, 1, "time {time}");
        yard.advance(HIDDEN);
    }
    yard.idle().await;
    let event = sent.accepted();
    let list = yard.get("/v1/dead-letters").await.json();
    let counts = list["queues"].as_array().unwrap().iter();
    let counts: Vec<_> = counts.map(|one| (one["queue"].as_str().unwrap(), one["count"].as_u64().unwrap())).collect();
    assert_eq!(counts, [("events", 0), ("fanout", 1), ("statuses", 0)]);
    let letter = &list["dead_letters"][0];
    assert_eq!((&letter["event"], &letter["receipt"]), (&json!(event), &json!(sent.receipt())));
    assert!(letter["reason"].as_str().unwrap().contains("cut off"), "{letter}");
    let page = yard.get("/dead-letters").await;
    assert_eq!(page.code, 200);
    assert!(String::from_utf8_lossy(&page.body).contains(&event));

    yard.server().answer_always(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "success" }] })));
    let reply = yard.post("/v1/dead-letters/redrive", &json!({ "queue": "fanout", "ids": [letter["id"]] })).await;
    assert_eq!((reply.code, &reply.json()["redriven"]), (200, &json!(1)), "{}", reply.json());
    yard.idle().await;
    assert_eq!(yard.event(&event).await["status"], "processed");
    assert_eq!(yard.told(SHA, "ci"), ["success"]);
    assert_eq!(yard.get("/v1/dead-letters").await.json()["dead_letters"], json!([]));
}

async fn errored(yard: &Yard, number: u64) -> String {
    yard.server().answer(Answer::status(401));
    let event = yard.pull_request(number, SHA).send().await.accepted();
    yard.idle().await;
    assert_eq!(yard.event(&event).await["status"], "errored");
    event
}

/// One event, and then all that match a filter: through the topic, as a run of their own, with who asked.
pub async fn replays_go_through_the_topic(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    let (one, other) = (errored(&yard, 7).await, errored(&yard, 8).await);
    yard.advance(60);
    yard.server().answer_always(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "success" }] })));
    let reply = yard.post(&format!("/v1/events/{one}/replay"), &json!({ "by": "ana" })).await;
    assert_eq!(reply.code, 202, "{}", reply.json());
    yard.idle().await;
    let seen = yard.event(&one).await;
    assert_eq!((&seen["status"], seen["runs"].as_array().unwrap().len()), (&json!("processed"), 2));
    assert_eq!(seen["runs"][1]["asked_by"], "key: ana");
    assert_eq!(yard.told(SHA, "ci"), ["success"]);

    yard.advance(60);
    let all = json!({ "filter": { "repository": REPOSITORY } });
    let said = yard.post("/v1/replays", &all).await.json();
    assert_eq!((&said["matched"], &said["replayed"]), (&json!(1), &json!(1)), "only what still fails: {said}");
    yard.idle().await;
    assert_eq!(yard.event(&other).await["status"], "processed");
}

/// A release stands in the list and on its page, whatever becomes of it.
pub async fn releases_are_kept_current(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    for sample in ["release.published", "release.prereleased", "release.deleted"] {
        yard.webhook(sample).send().await.accepted();
        yard.idle().await;
        yard.advance(1);
    }
    let reply = yard.get("/v1/releases?repository=octo-org/hello").await;
    assert_eq!(reply.code, 200, "{}", reply.json());
    let said = reply.json();
    let states = said["releases"].as_array().unwrap().iter().map(|release| (&release["tag"], &release["state"]));
    let expected = [("v1.3.0-rc.1", "deleted"), ("v1.2.0", "published")].map(|(tag, state)| (json!(tag), json!(state)));
    assert!(states.eq(expected.iter().map(|(tag, state)| (tag, state))), "{said}");
    let page = yard.get("/releases").await;
    let text = String::from_utf8_lossy(&page.body).into_owned();
    assert!(page.code == 200 && text.contains("v1.2.0"), "{}: {text}", page.code);
}

/// The deployed function serves the pages, to whoever has the key.
pub async fn pages_are_served_to_whoever_has_the_key(stack: &Stack) {
    let mut yard = stack.yard().await.unwrap();
    yard.server().answer(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "success" }] })));
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    for (path, words) in [
        ("/events".to_owned(), event.as_str()),
        (format!("/events/{event}"), "Your server took it."),
        (format!("/commits/{REPOSITORY}/{SHA}"), "success"),
        ("/".to_owned(), "Received"),
        ("/help".to_owned(), "Hookyard"),
    ] {
        let page = yard.get(&path).await;
        let text = String::from_utf8_lossy(&page.body).into_owned();
        assert_eq!(page.code, 200, "{path}: {text}");
        assert!(text.contains(words), "{words} is not on {path}: {text}");
        let policy = page.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
    }
    let specification = yard.get("/openapi.json").await;
    assert_eq!((specification.code, &specification.json()["openapi"]), (200, &json!("3.1.0")));
    yard.api_key = None;
    let turned_away = yard.get("/events").await;
    assert_eq!(turned_away.code, 303, "to sign in");
    assert_eq!(turned_away.header("location"), Some("/sign-in?next=%2Fevents"));
}
