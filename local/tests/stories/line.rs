//! The line of one event, from the webhook to the commit.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use domain::envelope::{Body, Envelope};
use domain::ids::{EventId, ReceiptId};
use embedded::queue::{FANOUT, Outgoing, STATUSES};
use serde_json::{Value, json};
use standin::ci::{Answer, signature};
use testkit::story::REPOSITORY;

use crate::yard::{Local, SERVER_SECRET, SetUp};

const SHA: &str = "2379487d2de746adadf6da04e1309e640529de11";

#[tokio::test]
async fn a_signed_webhook_becomes_statuses_on_the_commit() {
    let yard = Local::start().await;
    yard.server().answer(Answer::json(&json!({ "statuses": [
        { "name": "build", "status": "pending", "message": "initializing", "target_url": "https://ci.example/7" },
        { "context": "lint", "state": "pending", "description": "queued" },
    ] })));
    let delivery = yard.webhook("pull_request.opened");
    let sent = delivery.send().await;
    let event = sent.accepted();
    assert_eq!(event, delivery.id());
    assert_eq!(sent.reply.header("location"), Some(format!("{}/events/{event}", yard.api).as_str()));
    yard.idle().await;

    let call = yard.server().next_call().await;
    assert_eq!(call.body, delivery.bytes(), "byte for byte");
    assert!(signature::is_signed(&call, SERVER_SECRET));
    assert_eq!(call.header("webhook-id"), Some(sent.receipt().as_str()));
    let trace = format!("00-{}-", sent.receipt().replace('-', ""));
    assert!(call.header("traceparent").unwrap().starts_with(&trace), "the trace is the receipt's");
    assert_eq!(call.header("x-hookyard-callback-url"), Some(format!("{}/v1/statuses", yard.api).as_str()));

    let build = yard.github().newest_of(REPOSITORY, SHA, "build").unwrap();
    assert_eq!((build.state.as_str(), build.description.as_deref()), ("pending", Some("initializing")));
    assert_eq!(build.target_url.as_deref(), Some("https://ci.example/7"), "the server's own link stays");

    let reply =
        yard.call_back(&call).status("build", "success", "done").status("lint", "failure", "tabs").accepted().await;
    assert_eq!(reply["results"][0]["result"], "accepted");
    yard.idle().await;
    assert_eq!(yard.told(SHA, "build"), ["pending", "success"]);
    assert_eq!(yard.told(SHA, "lint"), ["pending", "failure"]);

    let event = yard.event(&event).await;
    assert_eq!((&event["status"], &event["about"]), (&json!("processed"), &json!("#7 2379487")));
    assert_eq!(event["runs"][0]["attempts"][0]["code"], 200);
    assert_eq!(event["statuses"].as_array().unwrap().len(), 4);
    assert_eq!(event["payload"]["action"], "opened");
}

#[tokio::test]
async fn the_servers_request_holds_githubs_headers_and_nothing_of_ours_but_the_promised() {
    let yard = Local::start().await;
    let delivery =
        yard.webhook("pull_request.opened").header("x-github-enterprise-host", "caf\u{e9}").header("cookie", "no");
    delivery.send().await.accepted();
    let call = yard.server().next_call().await;
    let mut names: Vec<&str> = call.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept",
            "content-length",
            "content-type",
            "host",
            "traceparent",
            "user-agent",
            "webhook-id",
            "webhook-signature",
            "webhook-timestamp",
            "x-github-delivery",
            "x-github-enterprise-host",
            "x-github-event",
            "x-github-hook-id",
            "x-github-hook-installation-target-type",
            "x-hookyard-callback-token",
            "x-hookyard-callback-url",
            "x-hub-signature-256",
        ]
    );
    assert_eq!(call.header("user-agent"), Some("GitHub-Hookshot/1a2b3c4"));
    yard.idle().await;
}

#[tokio::test]
async fn a_form_is_the_same_event_and_reaches_the_server_as_it_came() {
    let yard = Local::start().await;
    let delivery = yard.webhook("pull_request.opened").form();
    let event = delivery.send().await.accepted();
    yard.idle().await;
    let call = yard.server().next_call().await;
    assert_eq!(call.body, delivery.bytes());
    assert!(call.body.starts_with(b"payload=%7B"));
    assert_eq!(call.header("content-type"), Some("application/x-www-form-urlencoded"));
    let event = yard.event(&event).await;
    assert_eq!((&event["repository"], &event["sha"]), (&json!(REPOSITORY), &json!(SHA)));
    assert_eq!(event["payload"]["pull_request"]["number"], 7, "the payload is the JSON inside");
    let exact = yard.get(&format!("/v1/events/{}/payload", delivery.id())).await;
    assert_eq!(exact.body, delivery.bytes(), "and the exact bytes are the form");
}

#[tokio::test]
async fn a_redelivery_runs_again_and_the_event_tells_of_both() {
    let yard = Local::start().await;
    let delivery = yard.webhook("pull_request.opened");
    let first = delivery.send().await;
    yard.idle().await;
    yard.advance(60);
    let second = delivery.send().await;
    assert_ne!(first.receipt(), second.receipt());
    assert_eq!(first.accepted(), second.accepted());
    yard.idle().await;
    let calls = yard.server().calls();
    assert_eq!(calls.len(), 2, "the server is called again");
    assert_ne!(calls[0].header("webhook-id"), calls[1].header("webhook-id"), "under an id of its own");
    let event = yard.event(&delivery.id()).await;
    assert_eq!(event["receipts"], json!([first.receipt(), second.receipt()]));
    assert_eq!(event["runs"].as_array().unwrap().len(), 2);
    assert_eq!(event["status"], "processed");
}

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
async fn two_hooks_share_a_guid_and_are_two_events() {
    let yard = Local::start().await;
    let guid = "0b989ba4-242f-11e5-81e1-c7b6966d2516";
    let one = yard.webhook("pull_request.opened").guid(guid).hook("1").send().await.accepted();
    yard.advance(1);
    let two = yard.webhook("pull_request.opened").guid(guid).hook("2").send().await.accepted();
    assert_ne!(one, two);
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 2);
    let list = yard.get("/v1/events?delivery=0b989ba4").await.json();
    assert_eq!(list["events"].as_array().unwrap().len(), 2);
    let same: Vec<_> = list["events"].as_array().unwrap().iter().filter_map(|e| e["same_body_as"].as_str()).collect();
    assert_eq!(same.len(), 1, "one of them carries the other's bytes, and says so");
}

#[tokio::test]
async fn an_event_that_nobody_has_heard_of_is_sent_and_recorded() {
    let yard = Local::start().await;
    let event = yard.webhook("quantum_entangled.no-fields").send().await.accepted();
    yard.idle().await;
    let call = yard.server().next_call().await;
    assert_eq!(call.header("x-hookyard-callback-token"), None, "there is no commit to report on");
    let event = yard.event(&event).await;
    assert_eq!((&event["status"], &event["repository"]), (&json!("processed"), &json!(null)));
}

#[tokio::test]
async fn a_ping_is_a_pong_and_on_record() {
    let yard = Local::start().await;
    let delivery = yard.webhook("ping.repository-hook");
    let sent = delivery.send().await;
    assert_eq!((sent.reply.code, sent.reply.json()), (200, json!({ "pong": true, "event": delivery.id() })));
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 0);
    let event = yard.event(&delivery.id()).await;
    assert_eq!((&event["status"], &event["reason"]), (&json!("ignored"), &json!("set-up check")));
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
async fn our_own_status_comes_back_as_an_echo_and_goes_nowhere() {
    let yard = Local::start().await;
    yard.call_back_openly().about(REPOSITORY, SHA).status("ci", "success", "fine").accepted().await;
    yard.idle().await;
    let id = yard.github().newest_of(REPOSITORY, SHA, "ci").unwrap().id;
    let status = |id: u64, description: &str| {
        json!({ "id": id, "sha": SHA, "context": "ci", "state": "success", "description": description,
                "target_url": null, "repository": { "full_name": REPOSITORY } })
        .to_string()
    };
    let echo = yard.webhook_of("status", status(id, "fine")).send().await.accepted();
    let foreign = yard.webhook_of("status", status(id + 100, "somebody else's")).send().await.accepted();
    yard.idle().await;
    // GitHub tells of the one before when we have written the next already.
    yard.advance(1);
    yard.call_back_openly().about(REPOSITORY, SHA).status("ci", "failure", "oh").accepted().await;
    yard.idle().await;
    let late = yard.webhook_of("status", status(id, "told late, in words of GitHub's own")).send().await.accepted();
    yard.idle().await;
    assert_eq!(yard.event(&late).await["reason"], "echo of our own status");
    let echo = yard.event(&echo).await;
    assert_eq!((&echo["status"], &echo["reason"]), (&json!("ignored"), &json!("echo of our own status")));
    assert_eq!(yard.event(&foreign).await["status"], "processed");
    assert_eq!(yard.server().calls().len(), 1);
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
