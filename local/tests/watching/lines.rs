//! One line per outcome, and the metrics beside it.

use domain::envelope::Envelope;
use http::HeaderValue;
use serde_json::{Value, json};
use standin::ci::Answer;

use crate::stack::{Stack, split};

/// All that one event may cost in log lines, metrics included, in bytes: what CloudWatch Logs charges for.
const BYTES: usize = 1536;

fn values<'a>(lines: &'a [Value], name: &str) -> Vec<&'a str> {
    lines.iter().map(|line| line[name].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn the_lines_and_metrics_of_one_delivery() {
    let stack = Stack::start().await;
    let pending = |name: &str| json!({ "name": name, "status": "pending", "message": "queued" });
    stack.ci.answer(Answer::json(&json!({ "statuses": [pending("build"), pending("lint")] })));
    assert_eq!(stack.deliver("pull_request.opened", |_| {}).await.status(), 202);
    let (ingest, first) = stack.told();
    assert_eq!(stack.fan_out(&[]).await, 0);
    let (fanout, second) = stack.told();
    assert_eq!(stack.write_statuses().await, 0);
    let (mut status, third) = stack.told();
    // Two contexts are worked on side by side.
    status.sort_by_key(|line| line["status"].as_str().unwrap_or("~").to_owned());
    insta::assert_json_snapshot!(json!({ "ingest": ingest, "fanout": fanout, "status": status }));
    println!("bytes: ingest {first}, fanout {second}, two statuses {third}");
    assert!(first + second <= BYTES && first + second + third <= 2 * BYTES, "{first} + {second} + {third}");

    // The second call of a process is warm, and its request has another id.
    stack.clock.advance(1);
    assert_eq!(stack.deliver("pull_request.opened", |_| {}).await.status(), 202);
    let (lines, metrics) = split(stack.told().0);
    assert_eq!((lines.len(), metrics.len()), (1, 1));
    assert_eq!(lines[0]["cold_start"], false);
    assert_ne!(lines[0]["request_id"], ingest[0]["request_id"]);
}

#[tokio::test]
async fn every_refusal_is_one_line_and_one_count() {
    let stack = Stack::start().await;
    let refused = [
        ("signature", "warn", "401"),
        ("content_type", "warn", "415"),
        ("too_large", "warn", "413"),
        ("malformed", "warn", "400"),
        ("bus_unavailable", "error", "503"),
    ];
    for (reason, level, code) in refused {
        if reason == "bus_unavailable" {
            stack.bus_is_down();
        }
        let reply = stack.deliver("push.branch", |request| {
            let headers = request.headers_mut();
            match reason {
                "signature" => headers.remove("x-hub-signature-256"),
                "content_type" => headers.insert("content-type", HeaderValue::from_static("text/plain")),
                "too_large" => headers.insert("content-length", HeaderValue::from_static("99999999")),
                "malformed" => headers.insert("x-github-event", HeaderValue::from_static("Push\"}, {")),
                _ => None,
            };
        });
        assert_eq!(reply.await.status().as_str(), code, "{reason}");
        let (lines, metrics) = split(stack.told().0);
        assert_eq!((lines.len(), metrics.len()), (1, 1), "{reason}: {lines:?}");
        let line = &lines[0];
        assert_eq!((&line["outcome"], &line["reason"]), (&"refused".into(), &reason.into()), "{line}");
        assert_eq!(line["level"].as_str().unwrap().to_lowercase(), level);
        assert_eq!(line["code"].to_string(), code);
        // Headers that name no event are not repeated.
        let named = line["event"] == "48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516";
        assert_eq!(named, reason != "malformed", "{line}");
        assert_eq!((&metrics[0]["Reason"], &metrics[0]["Refused"]), (&reason.into(), &1.into()));
        assert!(metrics[0].get("Accepted").is_none());
    }
}

#[tokio::test]
async fn every_outcome_of_an_event_is_one_line_and_one_count() {
    let stack = Stack::start().await;
    stack.ci.answer(Answer::status(503));
    stack.ci.answer(Answer::status(404));
    let mut envelopes = Vec::new();
    for (sample, outcome, metric) in [
        ("push.branch", "retrying", "Retried"),
        ("pull_request.opened", "errored", "Errored"),
        ("ping.repository-hook", "ignored", "Ignored"),
        ("release.published", "processed", "Processed"),
    ] {
        let hook = HeaderValue::from(envelopes.len() + 1);
        stack.deliver(sample, |request| drop(request.headers_mut().insert("x-github-hook-id", hook))).await;
        envelopes.push(stack.told());
        stack.clock.advance(1);
        assert_eq!(stack.fan_out(&[]).await, usize::from(outcome == "retrying"), "{outcome}");
        let (lines, metrics) = split(stack.told().0);
        assert_eq!(values(&lines, "outcome"), [outcome]);
        assert_eq!(metrics.len(), 1, "{metrics:?}");
        assert_eq!(metrics[0][metric], 1, "{}", metrics[0]);
        let took = metrics[0].get("WebhookToServer").and_then(Value::as_u64);
        assert_eq!(took, (outcome == "processed").then_some(1000), "from GitHub's request to the answer");
    }
    let stack = Stack::with(false).await;
    stack.deliver("push.branch", |_| {}).await;
    stack.told();
    stack.fan_out(&[]).await;
    let (lines, metrics) = split(stack.told().0);
    assert_eq!((values(&lines, "outcome"), &metrics[0]["Unhandled"]), (vec!["unhandled"], &1.into()));
}

#[tokio::test]
async fn a_message_that_kills_its_handler_takes_no_metric_with_it() {
    let stack = Stack::start().await;
    stack.deliver("push.branch", |_| {}).await;
    let (accepted, _) = split(stack.told().0);
    let mut elsewhere = Envelope {
        event: "7-another".to_owned().try_into().unwrap(),
        event_type: "push".to_owned().try_into().unwrap(),
        receipt: domain::ids::ReceiptId::parse("019caaaa-0000-7000-8000-000000000001").unwrap(),
        source: domain::event::Source::Repository,
        received_at: "2026-03-02T10:00:00Z".parse().unwrap(),
        content_type: domain::delivery::ContentType::Json,
        headers: Vec::new(),
        body: domain::envelope::Body::Inline(b"{}".as_slice().into()),
        asked_by: domain::run::AskedBy::Github,
    };
    elsewhere.move_body_out();
    let kept = stack.fan_out(&[elsewhere.encode(), "{\"body-8d1f5e2b7c\":".to_owned()]).await;
    assert_eq!(kept, 1, "only what panicked comes again");
    let (told, _) = stack.told();
    assert!(!format!("{told:?}").contains("8d1f5e2b7c"), "{told:?}");
    let (lines, metrics) = split(told);
    let mut outcomes = values(&lines, "outcome");
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["dead_lettered", "given_back", "processed"]);
    let of = |outcome: &str| lines.iter().find(|line| line["outcome"] == outcome).unwrap();
    assert_eq!(of("processed")["trace_id"], accepted[0]["trace_id"]);
    assert_eq!(of("given_back")["event"], "7-another", "the line of a panic says which event it was");
    assert_eq!(of("dead_lettered").get("event"), None, "and none is made up");
    assert_eq!(metrics.len(), 1);
    assert_eq!((&metrics[0]["Processed"], &metrics[0]["Retried"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn every_outcome_of_a_status_and_of_a_call_to_the_api_is_one_line() {
    let stack = Stack::start().await;
    let sha = "2379487d2de746adadf6da04e1309e640529de11";
    let report = |repository: &str, state: &str| json!({ "repository": repository, "sha": sha, "statuses": [{ "name": "build", "status": state }] });
    let key = [("authorization", "Bearer the-key")];
    stack.github.know_only(&[]);
    stack.ask("POST", "/v1/statuses", &key, &report("o/r", "pending")).await;
    stack.write_statuses().await;
    let (lines, metrics) = split(stack.told().0);
    assert_eq!(values(&lines, "function"), ["api", "status"]);
    assert_eq!(values(&lines, "outcome"), ["accepted", "refused"]);
    assert_eq!(lines[1]["reason"], "github_no_commit");
    assert_eq!((&lines[0]["repository"], &lines[0]["via"]), (&"o/r".into(), &"key".into()));
    assert_eq!(metrics.len(), 1, "of statuses only");
    assert_eq!((&metrics[0]["Outcome"], &metrics[0]["Statuses"]), (&"refused".into(), &1.into()));
    assert!(metrics[0].get("WebhookToStatus").is_none());

    for (headers, body, code, reason) in [
        (&key[..], report("o/r", "no-state"), 422, "no-status"),
        (&[("authorization", "Bearer another-61c0ffee")][..], report("o/r", "pending"), 401, "unauthorized"),
    ] {
        stack.ask("POST", "/v1/statuses", headers, &body).await;
        let (told, _) = stack.told();
        assert!(!format!("{told:?}").contains("61c0ffee"), "{told:?}");
        let (lines, metrics) = split(told);
        assert_eq!((lines.len(), metrics.len()), (1, 0), "{lines:?}");
        let line = &lines[0];
        assert_eq!(
            (&line["outcome"], &line["code"], &line["reason"]),
            (&"refused".into(), &code.into(), &reason.into())
        );
        assert_eq!((&line["method"], &line["route"]), (&"POST".into(), &"/v1/statuses".into()));
    }
    stack.ask("GET", "/v1/events?limit=1", &key, &json!(null)).await;
    stack.ask("GET", "/v1/events?limit=none", &key, &json!(null)).await;
    assert_eq!(stack.told().0, [Value::Null; 0], "who only reads leaves no line");
}
