//! The record: lists, filters, pages, and the answers to questions that cannot be answered.

use serde_json::Value;
use testkit::story::REPOSITORY;

use crate::yard::Local;

fn ids(page: &Value) -> Vec<String> {
    page["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_are_newest_first_filtered_and_cut_into_pages() {
    let yard = Local::start().await;
    let mut sent = Vec::new();
    for n in 0..25u64 {
        let repository = if n % 5 == 0 { "Acme/Api" } else { REPOSITORY };
        sent.push(yard.pull_request_in(repository, n, &format!("{n:040x}")).send().await.accepted());
        yard.later(3600).await;
    }
    sent.reverse();
    let all = yard.get("/v1/events").await.json();
    assert_eq!(ids(&all), sent, "over two days");

    let (mut cursor, mut walked) = (String::new(), Vec::new());
    loop {
        let page = yard.get(&format!("/v1/events?limit=7&cursor={cursor}")).await.json();
        walked.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(walked, sent, "page by page, each once");

    let acme = yard.get("/v1/events?repository=acme/api").await.json();
    assert_eq!(ids(&acme).len(), 5, "repositories are compared without case");
    let none = yard.get("/v1/events?type=push").await.json();
    assert_eq!(ids(&none).len(), 0);
    let some = yard.get("/v1/events?since=2026-03-02T20:00:00Z&until=2026-03-02T22:00:00Z&type=pull_request&action=opened&status=processed");
    assert_eq!(ids(&some.await.json()), sent[13..15]);
    let foreign = yard.get(&format!("/v1/events?type=push&cursor={cursor}x")).await;
    assert_eq!(foreign.code, 400);
}

#[tokio::test]
async fn parameters_out_of_range_are_refused_never_clamped() {
    let yard = Local::start().await;
    for query in [
        "limit=0",
        "limit=101",
        "limit=ten",
        "limit=-1",
        "status=done",
        "since=yesterday",
        "until=2026-13-01T00:00:00Z",
        "type=Push",
        "repository=nobody",
        "delivery=short",
        "delivery=%00%00%00%00%00%00%00%00",
        "cursor=e30",
        "colour=red",
        "type=push&type=push",
    ] {
        let reply = yard.get(&format!("/v1/events?{query}")).await;
        assert_eq!((reply.code, reply.header("content-type")), (400, Some("application/problem+json")), "{query}");
    }
    for path in [
        "/v1/events/nonsense",
        "/v1/commits/o/r/short/statuses",
        "/v1/commits/o/%2e%2e/0000000000000000000000000000000000000000/statuses",
    ] {
        assert_eq!(yard.get(path).await.code, 400, "{path}");
    }
    let unknown = yard.get("/v1/events/1-00000000").await;
    assert_eq!(unknown.code, 404);
    assert!(unknown.json()["detail"].as_str().unwrap().contains("may take some seconds to appear"));
    assert_eq!(yard.get("/v1/nothing").await.code, 404);
}

#[tokio::test]
async fn both_ports_say_that_they_are_well() {
    let yard = Local::start().await;
    for base in [&yard.webhooks, &yard.api] {
        let reply = standin::http::send("GET", &format!("{base}/health"), &[], "").await.unwrap();
        assert_eq!((reply.code, reply.json()["status"].as_str()), (200, Some("ok")));
    }
}
