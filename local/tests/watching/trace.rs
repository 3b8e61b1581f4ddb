//! One trace from the webhook to the commit, through the user's server and back.

use http_body_util::BodyExt;
use serde_json::{Value, json};
use standin::ci::Answer;

use crate::stack::{Stack, split};

const SHA: &str = "2379487d2de746adadf6da04e1309e640529de11";
const STRANGER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn report(state: &str) -> Value {
    json!({ "repository": "octo-org/hello", "sha": SHA, "statuses": [{ "name": "build", "status": state }] })
}

#[tokio::test]
async fn one_trace_id_on_every_line_and_every_call_of_one_delivery() {
    let stack = Stack::start().await;
    stack.ci.answer(Answer::json(&json!({ "statuses": [{ "name": "build", "status": "pending" }] })));
    let reply = stack
        .deliver("pull_request.opened", |request| {
            request.headers_mut().insert("traceparent", STRANGER.parse().unwrap());
        })
        .await;
    let body: Value = serde_json::from_slice(&reply.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let receipt = body["receipt"].as_str().unwrap();
    let trace = receipt.replace('-', "");
    assert_eq!(stack.fan_out(&[]).await, 0);
    assert_eq!(stack.write_statuses().await, 0);

    let call = stack.ci.next_call().await;
    let sent = call.header("traceparent").unwrap();
    assert_eq!(&sent[..36], format!("00-{trace}-"), "what stood beside the webhook is not believed");

    // The server goes on with the trace that it was given; or it has none and says nothing.
    let bearer = format!("Bearer {}", call.header("x-hookyard-callback-token").unwrap());
    let auth = ("authorization", bearer.as_str());
    let calls = [vec![auth, ("traceparent", sent)], vec![auth]];
    for (headers, state) in calls.iter().zip(["success", "failure"]) {
        assert_eq!(stack.ask("POST", "/v1/statuses", headers, &report(state)).await.status(), 202);
        assert_eq!(stack.write_statuses().await, 0);
    }
    let (lines, _) = split(stack.told().0);
    let functions: Vec<_> = lines.iter().map(|line| line["function"].as_str().unwrap()).collect();
    assert_eq!(functions, ["ingest", "fanout", "status", "api", "status", "api", "status"]);
    for line in &lines {
        assert_eq!(line["trace_id"], trace, "{line}");
        assert_eq!(line["receipt"], receipt, "{line}");
        assert_eq!(line["event"], "48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516", "{line}");
    }

    // It has a trace of its own: then the status belongs to that, and still to the event.
    let own = [auth, ("traceparent", STRANGER)];
    assert_eq!(stack.ask("POST", "/v1/statuses", &own, &report("error")).await.status(), 202);
    assert_eq!(stack.write_statuses().await, 0);
    let (lines, _) = split(stack.told().0);
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!((&line["trace_id"], &line["receipt"]), (&STRANGER[3..35].into(), &receipt.into()), "{line}");
    }
}

#[tokio::test]
async fn a_trace_that_is_none_or_two_is_not_believed() {
    let stack = Stack::start().await;
    let key = ("authorization", "Bearer the-key");
    let (none, one) = (("traceparent", "00-nonsense"), ("traceparent", STRANGER));
    for (n, headers) in [vec![key, none], vec![key, one, one]].into_iter().enumerate() {
        assert_eq!(stack.ask("POST", "/v1/statuses", &headers, &report("pending")).await.status(), 202, "{n}");
        assert_eq!(stack.write_statuses().await, 0);
        let (lines, _) = split(stack.told().0);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.get("trace_id").is_none()), "{lines:?}");
    }
    let named = [key, ("traceparent", STRANGER)];
    assert_eq!(stack.ask("POST", "/v1/statuses", &named, &report("success")).await.status(), 202);
    assert_eq!(stack.write_statuses().await, 0);
    let (lines, _) = split(stack.told().0);
    assert!(lines.iter().all(|line| line["trace_id"] == STRANGER[3..35]), "by key, the caller's: {lines:?}");
}
