//! The line of one event, from the webhook to the commit.

use serde_json::json;
use standin::ci::{Answer, signature};

use crate::story::{REPOSITORY, Yard};

const SHA: &str = "2379487d2de746adadf6da04e1309e640529de11";

pub async fn a_signed_webhook_becomes_statuses_on_the_commit(yard: &Yard) {
    yard.server().answer(Answer::json(&json!({ "statuses": [
        { "name": "build", "status": "pending", "message": "initializing", "target_url": "https://ci.example/7" },
        { "context": "lint", "state": "pending", "description": "queued" },
    ] })));
    let delivery = yard.webhook("pull_request.opened");
    let sent = delivery.send().await;
    let event = sent.accepted();
    assert_eq!(event, delivery.id());
    assert_eq!(sent.reply.header("location"), Some(format!("{}/events/{event}", yard.pages).as_str()));
    yard.idle().await;

    let call = yard.server().next_call().await;
    assert_eq!(call.body, delivery.bytes(), "byte for byte");
    assert!(signature::is_signed(&call, &yard.server_secret));
    assert_eq!(call.header("webhook-id"), Some(sent.receipt().as_str()));
    let trace = format!("00-{}-", sent.receipt().replace('-', ""));
    assert!(call.header("traceparent").unwrap().starts_with(&trace), "the trace is the receipt's");
    assert_eq!(call.header("x-hookyard-callback-url"), Some(format!("{}/v1/statuses", yard.call_backs).as_str()));

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

pub async fn the_servers_request_holds_githubs_headers_and_nothing_of_ours_but_the_promised(yard: &Yard) {
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

pub async fn a_form_is_the_same_event_and_reaches_the_server_as_it_came(yard: &Yard) {
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

pub async fn a_redelivery_runs_again_and_the_event_tells_of_both(yard: &Yard) {
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

pub async fn two_hooks_share_a_guid_and_are_two_events(yard: &Yard) {
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

pub async fn an_event_that_nobody_has_heard_of_is_sent_and_recorded(yard: &Yard) {
    let event = yard.webhook("quantum_entangled.no-fields").send().await.accepted();
    yard.idle().await;
    let call = yard.server().next_call().await;
    assert_eq!(call.header("x-hookyard-callback-token"), None, "there is no commit to report on");
    let event = yard.event(&event).await;
    assert_eq!((&event["status"], &event["repository"]), (&json!("processed"), &json!(null)));
}

pub async fn a_ping_is_a_pong_and_on_record(yard: &Yard) {
    let delivery = yard.webhook("ping.repository-hook");
    let sent = delivery.send().await;
    assert_eq!((sent.reply.code, sent.reply.json()), (200, json!({ "pong": true, "event": delivery.id() })));
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 0);
    let event = yard.event(&delivery.id()).await;
    assert_eq!((&event["status"], &event["reason"]), (&json!("ignored"), &json!("set-up check")));
}

pub async fn our_own_status_comes_back_as_an_echo_and_goes_nowhere(yard: &Yard) {
    yard.call_back_by_key().about(REPOSITORY, SHA).status("ci", "success", "fine").accepted().await;
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
    yard.call_back_by_key().about(REPOSITORY, SHA).status("ci", "failure", "oh").accepted().await;
    yard.idle().await;
    let late = yard.webhook_of("status", status(id, "told late, in words of GitHub's own")).send().await.accepted();
    yard.idle().await;
    assert_eq!(yard.event(&late).await["reason"], "echo of our own status");
    let echo = yard.event(&echo).await;
    assert_eq!((&echo["status"], &echo["reason"]), (&json!("ignored"), &json!("echo of our own status")));
    assert_eq!(yard.event(&foreign).await["status"], "processed");
    assert_eq!(yard.server().calls().len(), 1);
}
