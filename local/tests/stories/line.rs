//! The line of one event, from the webhook to the commit.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use domain::envelope::{Body, Envelope};
use domain::ids::{EventId, ReceiptId};
use embedded::queue::{FANOUT, Outgoing, STATUSES};
use serde_json::{Value, json};
use standin::ci::Answer;
use testkit::story::REPOSITORY;

use crate::yard::{Local, SetUp};

const SHA: &str = "2379487d2de746adadf6da04e1309e640529de11";

#[tokio::test]
async fn the_same_receipt_twice_out_of_the_queue_runs_once() {
    let yard = Local::start().await;
    let envelope = Envelope {
        event: EventId::parse("1-0b989ba4-242f-11e5-81e1-c7b6966d2516").unwrap(),
        event_type: "push".to_owned().try_into().unwrap(),
        receipt: ReceiptId::parse("019caaaa-0000-7000-8000-000000000001").unwrap(),
        source: domain::event::Source::Repository,
        received_at: "2026-03-02T10:00:00Z".parse().unwrap(),
        content_type: domain::delivery::ContentType::Json,
        headers: vec![("content-type".into(), "application/json".into())],
        body: Body::Inline(b"{}".as_slice().into()),
        asked_by: domain::run::AskedBy::Github,
    };
    let text = envelope.encode();
    let queue = yard.gateway().queue(FANOUT).unwrap();
    let copy = Outgoing { body: &text, ..Outgoing::default() };
    queue.send_batch(&[copy, copy, copy]).await.unwrap();
    yard.idle().await;
    // A copy that comes while the first is worked on waits for its lease, and then finds the run finished.
    yard.later(31).await;
    assert_eq!(yard.server().calls().len(), 1);
    let event = yard.event(&envelope.event.to_string()).await;
    assert_eq!(event["runs"].as_array().unwrap().len(), 1);
    assert_eq!(event["tries"], 1);
}

#[tokio::test]
async fn without_a_server_events_are_recorded_as_unhandled() {
    let yard = SetUp { server: false, ..SetUp::default() }.start().await;
    let event = yard.webhook("pull_request.opened").send().await.accepted();
    yard.idle().await;
    let event = yard.event(&event).await;
    assert_eq!(event["status"], "unhandled");
    assert!(event["reason"].as_str().unwrap().contains("YOUR_SERVER_URL"));
}

#[tokio::test]
async fn without_a_token_statuses_are_decided_and_recorded() {
    let yard = SetUp { token: false, ..SetUp::default() }.start().await;
    yard.server().answer(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "pending" }] })));
    yard.webhook("pull_request.opened").send().await.accepted();
    let call = yard.server().next_call().await;
    yard.idle().await;
    yard.advance(1);
    yard.call_back(&call).status("ci", "success", "").accepted().await;
    yard.idle().await;
    yard.advance(1);
    yard.call_back(&call).status("ci", "pending", "").accepted().await;
    yard.idle().await;
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["not_sent", "not_sent", "superseded"]);
    assert_eq!(yard.github().requests().len(), 0, "nothing leaves the machine");
}

#[tokio::test]
async fn every_sample_is_accepted_and_its_facts_are_what_the_index_says() {
    let yard = Local::start().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");
    let index: serde_json::Value =
        serde_json::from_slice(&std::fs::read(format!("{folder}/index.json")).unwrap()).unwrap();
    let mut known: Vec<String> = vec!["index.json".into(), "README.md".into(), "lambda".into()];
    for entry in index["deliveries"].as_array().unwrap() {
        let file = entry["file"].as_str().unwrap();
        known.push(file.to_owned());
        known.extend(entry["raw"].as_str().map(str::to_owned));
        let delivery = yard.webhook(file.strip_suffix(".json").unwrap());
        assert!(matches!(delivery.send().await.reply.code, 200 | 202), "{file}");
        yard.idle().await;
        let event = yard.event(&delivery.id()).await;
        for (name, value) in entry["expect"].as_object().unwrap() {
            assert_eq!(&event[name], value, "{file}: {name}");
        }
        assert_eq!((&event["type"], &event["action"]), (&entry["event"], &entry["action"]), "{file}");
    }
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "no handler is shown events/{name}");
    }
}

#[tokio::test]
async fn every_lambda_sample_is_accepted_by_the_function_it_is_for() {
    let yard = SetUp { api_key: Some("sample-api-key"), ..SetUp::default() }.start().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");
    let read = |path: String| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let index = read(format!("{folder}/index.json"));
    let mut known = Vec::new();
    for entry in index["lambda"].as_array().unwrap() {
        let (file, function) = (entry["file"].as_str().unwrap(), entry["function"].as_str().unwrap());
        known.push(file.trim_start_matches("lambda/").to_owned());
        let event = read(format!("{folder}/lambda/{}", known.last().unwrap()));
        if entry["trigger"] == "http" {
            let code = ask(&yard, function, &event).await;
            assert!(matches!(code, 200 | 202), "{file}: {code}");
            continue;
        }
        let queue = yard.gateway().queue(if function == "status" { STATUSES } else { FANOUT }).unwrap();
        for record in event["Records"].as_array().unwrap() {
            let attributes = &record["attributes"];
            let fifo = attributes["MessageGroupId"].as_str().zip(attributes["MessageDeduplicationId"].as_str());
            let message = Outgoing { body: record["body"].as_str().unwrap(), fifo, ..Outgoing::default() };
            queue.send(message).await.unwrap();
        }
        yard.idle().await;
        // Two receipts of one event that are first seen at once: one of them looks again a moment later.
        yard.later(5).await;
        let counts = queue.counts().await.unwrap();
        assert_eq!((counts.dead, counts.delayed), (0, 0), "{file}: set aside, or not finished");
    }
    for file in std::fs::read_dir(format!("{folder}/lambda")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "no handler is shown events/lambda/{name}");
    }
}

/// Sends what API Gateway's payload 2.0 stands for, to the port that the function serves here.
async fn ask(yard: &Local, function: &str, event: &Value) -> u16 {
    let base = if function == "ingest" { &yard.webhooks } else { &yard.api };
    let query = event["rawQueryString"].as_str().filter(|query| !query.is_empty());
    let url = format!(
        "{base}{}{}",
        event["rawPath"].as_str().unwrap(),
        query.map(|query| format!("?{query}")).unwrap_or_default()
    );
    let text = event["body"].as_str().unwrap_or_default();
    let body = if event["isBase64Encoded"] == true { BASE64_STANDARD.decode(text).unwrap() } else { text.into() };
    let own = |name: &str| !matches!(name, "host" | "content-length");
    let headers: Vec<_> = event["headers"].as_object().unwrap().iter().filter(|(name, _)| own(name)).collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let method = event["requestContext"]["http"]["method"].as_str().unwrap();
    standin::http::send(method, &url, &headers, body).await.unwrap().code
}
