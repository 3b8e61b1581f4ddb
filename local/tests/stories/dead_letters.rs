//! What was set aside is shown, and sent back by whoever has found the cause.

use embedded::queue::{FANOUT, Outgoing, STATUSES};
use serde_json::{Value, json};
use standin::ci::Answer;

use crate::yard::{Local, SetUp};

const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

async fn letters(yard: &Local, query: &str) -> Vec<Value> {
    let reply = yard.get(&format!("/v1/dead-letters{query}")).await;
    assert_eq!(reply.code, 200, "{}", reply.json());
    reply.json()["dead_letters"].as_array().unwrap().clone()
}

/// A receipt that is set aside because its body is not there between two attempts; then the body is back.
pub async fn lose_a_body(yard: &Local) -> (String, String) {
    let large = json!({ "filler": "x".repeat(300_000) }).to_string();
    yard.server().answer(Answer::status(503));
    let sent = yard.webhook_of("push", large).send().await;
    let event = sent.accepted();
    yard.idle().await;
    let body = std::fs::read_dir(yard.bodies()).unwrap().next().unwrap().unwrap().path();
    let aside = body.with_extension("aside");
    std::fs::rename(&body, &aside).unwrap();
    yard.later(3600).await;
    std::fs::rename(&aside, &body).unwrap();
    (event, sent.receipt())
}

#[tokio::test]
async fn a_dead_letter_is_listed_and_redriven_to_success() {
    let folder = tempfile::tempdir().unwrap();
    let yard = SetUp { folder: Some(folder.path().to_owned()), ..SetUp::default() }.start().await;
    assert_eq!(letters(&yard, "").await, Vec::<serde_json::Value>::new());
    let (event, receipt) = lose_a_body(&yard).await;

    let all = yard.get("/v1/dead-letters").await.json();
    assert_eq!(
        all["queues"],
        json!([
            { "queue": "events", "count": 0 }, { "queue": "fanout", "count": 1 }, { "queue": "statuses", "count": 0 },
        ])
    );
    let letter = letters(&yard, "?queue=fanout&limit=1").await.remove(0);
    assert_eq!((&letter["event"], &letter["receipt"]), (&json!(event), &json!(receipt)));
    assert_eq!((&letter["queue"], &letter["type"], &letter["tries"]), (&json!("fanout"), &json!("push"), &json!(2)));
    assert!(letter["reason"].as_str().unwrap().contains("not in the body store"), "{letter}");
    assert_eq!(letter["since"], "2026-03-02T11:00:00Z");
    assert!(letter.get("body").is_none(), "its bytes are nobody's business");
    assert_eq!(letters(&yard, "?queue=statuses").await, Vec::<serde_json::Value>::new());

    let id = letter["id"].as_str().unwrap();
    let reply = yard.post("/v1/dead-letters/redrive", &json!({ "queue": "fanout", "ids": [id, "99"] })).await;
    let expected = json!({ "queue": "fanout", "redriven": 1, "ids": [id], "missing": ["99"], "more": false });
    assert_eq!((reply.code, reply.json()), (200, expected));
    yard.idle().await;
    assert_eq!(yard.event(&event).await["status"], "processed");
    assert_eq!(letters(&yard, "").await, Vec::<serde_json::Value>::new());
    let again = yard.post("/v1/dead-letters/redrive", &json!({ "queue": "fanout", "ids": [id] })).await.json();
    assert_eq!((&again["redriven"], &again["missing"]), (&json!(0), &json!([id])));
}

#[tokio::test]
async fn one_that_fails_again_is_a_new_dead_letter_and_holds_up_nobody() {
    let yard = Local::start().await;
    let queue = yard.gateway().queue(STATUSES).unwrap();
    queue.send(Outgoing { body: "no status", fifo: Some(("g", "d")), ..Outgoing::default() }).await.unwrap();
    yard.gateway().queue(FANOUT).unwrap().send(Outgoing { body: "no event", ..Outgoing::default() }).await.unwrap();
    yard.idle().await;
    let first = letters(&yard, "").await;
    assert_eq!(first.len(), 2);
    for letter in &first {
        assert_eq!((&letter["event"], &letter["status"]), (&json!(null), &json!(null)), "about nothing we can read");
    }
    let reply = yard.post("/v1/dead-letters/redrive", &json!({ "queue": "statuses" })).await.json();
    assert_eq!(reply["redriven"], 1);
    yard.idle().await;
    let second = letters(&yard, "?queue=statuses").await;
    assert_eq!(second.len(), 1);
    assert!(!reply["ids"].as_array().unwrap().contains(&second[0]["id"]));
    yard.call_back_openly().about("octo-org/hello", SHA).status("ci", "success", "").accepted().await;
    yard.idle().await;
    assert_eq!(yard.told(SHA, "ci"), ["success"]);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_and_nothing_moves() {
    let yard = SetUp { api_key: Some("the-key-of-this-yard"), ..SetUp::default() }.start().await;
    let queue = yard.gateway().queue(FANOUT).unwrap();
    queue.send(Outgoing { body: "no event", ..Outgoing::default() }).await.unwrap();
    yard.idle().await;
    for query in ["?queue=status", "?queue=", "?limit=0", "?limit=101", "?cursor=x", "?queue=fanout&queue=fanout"] {
        let code = yard.get(&format!("/v1/dead-letters{query}")).await.code;
        assert_eq!(code, if query == "?queue=" { 200 } else { 400 }, "{query}");
    }
    let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    for body in [
        json!({}),
        json!([]),
        json!({ "queue": "Fanout" }),
        json!({ "queue": "fanout", "ids": [] }),
        json!({ "queue": "fanout", "ids": many }),
        json!({ "queue": "fanout", "ids": [1] }),
        json!({ "queue": "fanout", "all": true }),
    ] {
        assert_eq!(yard.post("/v1/dead-letters/redrive", &body).await.code, 400, "{body}");
    }
    let url = format!("{}/v1/dead-letters/redrive", yard.api);
    let send = |headers: &'static [(&'static str, &'static str)], body: &'static str| {
        let url = url.clone();
        async move { standin::http::send("POST", &url, headers, body).await.unwrap().code }
    };
    let fit = r#"{"queue":"fanout"}"#;
    assert_eq!(send(&[("authorization", "Bearer the-key-of-this-yard")], fit).await, 415);
    assert_eq!(send(&[("content-type", "application/json")], fit).await, 401);
    assert_eq!(send(&[("content-type", "application/json"), ("authorization", "Bearer wrong")], fit).await, 401);
    assert_eq!(queue.counts().await.unwrap().dead, 1, "nothing moved");
}
