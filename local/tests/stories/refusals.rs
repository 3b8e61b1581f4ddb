//! What `POST /github` does not take, and how large what it takes may be.

use serde_json::json;
use testkit::story::REPOSITORY;

use crate::yard::{Local, SetUp};

#[tokio::test]
async fn only_what_is_signed_with_a_known_secret_is_taken() {
    let yard = SetUp { previous_secret: Some("the one before"), ..SetUp::default() }.start().await;
    let said = yard.webhook("pull_request.opened").signed_with("wrong").send().await.refused(401);
    assert!(said.contains("does not fit") && said.contains("GITHUB_SECRET"), "{said}");
    yard.webhook("pull_request.opened").signed_with("the one before").send().await.accepted();
    let twice = yard.webhook("pull_request.opened").header("x-hub-signature-256", "sha256=00");
    assert!(twice.send().await.refused(401).contains("more than one"));
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 1);
}

#[tokio::test]
async fn each_fault_has_its_answer_in_the_order_of_the_contract() {
    let yard = Local::start().await;
    let url = format!("{}/github", yard.webhooks);
    let send = |headers: Vec<(&'static str, String)>, body: &'static str| {
        let url = url.clone();
        async move {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            standin::http::send("POST", &url, &headers, body).await.unwrap().code
        }
    };
    let signed = |body: &str| domain::signature::sign(yard.secret.as_bytes(), body.as_bytes());
    let all = |body: &str| {
        vec![
            ("content-type", "application/json".to_owned()),
            ("x-hub-signature-256", signed(body)),
            ("x-github-event", "push".to_owned()),
            ("x-github-delivery", "a-guid".to_owned()),
        ]
    };
    let without = |name: &str, body: &str| all(body).into_iter().filter(|(n, _)| *n != name).collect::<Vec<_>>();
    let with = |name: &'static str, value: &str, body: &str| {
        let mut headers = without(name, body);
        headers.push((name, value.to_owned()));
        headers
    };
    assert_eq!(send(all("{}"), "{}").await, 202, "the hook id may be absent");
    assert_eq!(send(without("content-type", "{}"), "{}").await, 415);
    assert_eq!(send(with("content-type", "text/xml", "{}"), "not even signed").await, 415, "415 comes before 401");
    assert_eq!(send(without("x-hub-signature-256", "{}"), "{}").await, 401);
    assert_eq!(send(with("x-github-event", "Bad Event", "{}"), "{ ").await, 401, "401 comes before 400");
    assert_eq!(send(with("x-github-event", "Bad Event", "{}"), "{}").await, 400);
    assert_eq!(send(without("x-github-delivery", "{}"), "{}").await, 400);
    assert_eq!(send(with("x-github-hook-id", "seven", "{}"), "{}").await, 400);
    assert_eq!(send(all("{"), "{").await, 400);
    assert_eq!(send(with("content-type", "application/x-www-form-urlencoded", "{}"), "{}").await, 400, "no payload");
    assert_eq!(standin::http::send("GET", &url, &[], "").await.unwrap().code, 405);
    yard.idle().await;
}

#[tokio::test]
async fn twenty_five_mebibytes_pass_and_one_byte_more_does_not() {
    let yard = Local::start().await;
    let body = |length: usize| {
        let frame = json!({ "repository": { "full_name": REPOSITORY }, "filler": "" }).to_string();
        let filler = "x".repeat(length - frame.len());
        frame.replace(r#""filler":"""#, &format!(r#""filler":"{filler}""#)).into_bytes()
    };
    let largest = yard.webhook_of("push", body(26_214_400));
    let event = largest.send().await.accepted();
    yard.idle().await;
    let call = yard.server().next_call().await;
    assert!(call.body == largest.bytes(), "byte for byte, by way of the body store");
    let seen = yard.event(&event).await;
    assert_eq!((&seen["status"], &seen["body_bytes"]), (&json!("processed"), &json!(26_214_400)));
    assert!(seen["payload"].is_null() && seen["payload_url"].is_string());
    assert!(yard.get(seen["payload_url"].as_str().unwrap()).await.body == largest.bytes());

    yard.webhook_of("push", body(26_214_401)).send().await.refused(413);
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 1);
}

#[tokio::test]
async fn a_body_around_the_limit_of_the_bus_arrives_unchanged() {
    let yard = Local::start().await;
    for length in [170_000, 180_000, 184_000, 184_320, 190_000, 300_000] {
        let body = format!(r#"{{"filler":"{}"}}"#, "é".repeat(length / 2 - 7));
        let delivery = yard.webhook_of("push", body);
        delivery.send().await.accepted();
        yard.idle().await;
        assert!(yard.server().next_call().await.body == delivery.bytes(), "{length}");
        assert!(yard.get(&format!("/v1/events/{}/payload", delivery.id())).await.body == delivery.bytes(), "{length}");
    }
}

#[tokio::test]
async fn health_on_both_ports_tells_which_deliveries_were_refused_to_whoever_may_know() {
    let health = async |base: &str, headers: &[(&str, &str)]| {
        let reply = standin::http::send("GET", &format!("{base}/health"), headers, "").await.unwrap();
        assert_eq!(reply.code, 200);
        reply.json()
    };
    let yard = SetUp { public_url: Some("http://yard.example"), ..SetUp::default() }.start().await;
    let none = json!({ "since": "2026-03-02T10:00:00Z", "by_reason": {} });
    assert_eq!(health(&yard.webhooks, &[]).await["refused"], none);
    yard.webhook("push.branch").signed_with("wrong").send().await.refused(401);
    yard.advance(60);
    yard.webhook("push.branch").signed_with("wrong").send().await.refused(401);
    yard.webhook("push.branch").header("x-github-event", "no event").send().await.refused(400);
    yard.webhook("push.branch").send().await.accepted();
    yard.idle().await;
    let seen = |count| json!({ "count": count, "last_at": "2026-03-02T10:01:00Z" });
    for base in [&yard.webhooks, &yard.api] {
        let told = health(base, &[]).await;
        assert_eq!(told["refused"]["by_reason"], json!({ "signature": seen(2), "malformed": seen(1) }), "{base}");
        // Through the public name others may be asking.
        let told = health(base, &[("host", "yard.example")]).await;
        assert_eq!((&told["status"], told.get("refused")), (&json!("ok"), None), "{base}");
    }

    let yard = SetUp { api_key: Some("the-key"), ..SetUp::default() }.start().await;
    yard.webhook("push.branch").signed_with("wrong").send().await.refused(401);
    assert_eq!(health(&yard.webhooks, &[]).await.get("refused"), None, "that port knows no key");
    assert_eq!(health(&yard.api, &[]).await.get("refused"), None);
    let told = health(&yard.api, &[("authorization", "Bearer the-key")]).await;
    assert_eq!(told["refused"]["by_reason"]["signature"]["count"], 1);
}
