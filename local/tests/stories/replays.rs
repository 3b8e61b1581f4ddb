//! Replays: what GitHub delivered runs again, because somebody asked for it, and once however often they ask.

use serde_json::{Value, json};
use standin::ci::Answer;
use standin::http::Reply;
use testkit::story::REPOSITORY;

use crate::yard::{Local, SetUp};

const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

async fn replay(yard: &Local, event: &str, body: Value) -> Reply {
    yard.post(&format!("/v1/events/{event}/replay"), &body).await
}

async fn replays(yard: &Local, body: Value) -> Value {
    let reply = yard.post("/v1/replays", &body).await;
    assert_eq!(reply.code, 200, "{}", reply.json());
    reply.json()
}

/// A delivery that the server refuses for good.
async fn errored(yard: &Local, number: u64) -> String {
    yard.server().answer(Answer::status(401));
    let event = yard.pull_request(number, SHA).send().await.accepted();
    yard.idle().await;
    assert_eq!(yard.event(&event).await["status"], "errored");
    event
}

fn runs(event: &Value) -> Vec<(&str, &str)> {
    let runs = event["runs"].as_array().unwrap().iter();
    runs.map(|run| (run["state"].as_str().unwrap(), run["asked_by"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_replay_after_the_server_was_repaired_succeeds() {
    let yard = Local::start().await;
    let event = errored(&yard, 7).await;
    let first = yard.server().next_call().await;
    yard.advance(60);
    yard.server().answer(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "success" }] })).hanging());
    let reply = replay(&yard, &event, json!({ "by": "ana, command line" })).await;
    assert_eq!(reply.code, 202);
    let said = reply.json();
    assert_eq!(said["event"], json!(event));

    yard.server().wait_for(2).await;
    let during = yard.event(&event).await;
    assert_eq!((&during["status"], &during["failure_reason"]), (&json!("reprocessing"), &json!(null)));
    yard.server().release();
    yard.idle().await;
    let second = yard.server().next_call().await;
    assert_eq!(second.body, first.body, "byte for byte");
    assert_eq!(second.header("x-hub-signature-256"), first.header("x-hub-signature-256"));
    assert_eq!(second.header("webhook-id"), said["receipt"].as_str(), "another receipt");
    assert_ne!(second.header("webhook-id"), first.header("webhook-id"));

    let seen = yard.event(&event).await;
    assert_eq!(seen["status"], "processed");
    assert_eq!(runs(&seen), [("errored", "github"), ("processed", "loopback: ana, command line")]);
    assert_eq!((&seen["runs"][0]["replay"], &seen["runs"][1]["replay"]), (&json!(null), &said["replay"]));
    assert_eq!(seen["receipts"].as_array().unwrap().len(), 2);
    assert_eq!(yard.told(SHA, "ci"), ["success"]);
}

#[tokio::test]
async fn repeating_a_replay_runs_nothing_twice() {
    let yard = SetUp { api_key: Some("the-key-of-this-yard"), ..SetUp::default() }.start().await;
    let event = errored(&yard, 7).await;
    let first = replay(&yard, &event, json!({})).await.json();
    // Before it has run, and after.
    let again = json!({ "replay": first["replay"] });
    assert_eq!(replay(&yard, &event, again.clone()).await.json(), first);
    // While it runs, time stands still: it must not look as if it had been cut off.
    yard.idle().await;
    yard.later(60).await;
    let third = replay(&yard, &event, again).await;
    assert_eq!((third.code, third.json()), (202, first.clone()));
    yard.later(60).await;
    assert_eq!(yard.server().calls().len(), 2, "once by GitHub, once by the replay");
    let seen = yard.event(&event).await;
    assert_eq!(runs(&seen), [("errored", "github"), ("processed", "key")]);

    // Asked for anew it would run again, but it has not failed; by force it does.
    let anew = replay(&yard, &event, json!({})).await;
    assert_eq!((anew.code, &anew.json()["reason"]), (409, &json!("not_errored")));
    let forced = replay(&yard, &event, json!({ "force": true })).await;
    assert_eq!(forced.code, 202);
    assert_ne!(forced.json()["receipt"], first["receipt"]);
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 3);
}

#[tokio::test]
async fn a_filter_with_250_events_is_replayed_in_three_calls() {
    let yard = Local::start().await;
    yard.server().answer_always(Answer::status(401));
    let mut sent = Vec::new();
    for n in 0..250 {
        sent.push(yard.pull_request(n, SHA).send().await.accepted());
        yard.advance(1);
    }
    yard.webhook("push.branch").send().await.accepted();
    yard.pull_request_in("acme/other", 1, SHA).send().await.accepted();
    yard.idle().await;
    yard.server().answer_always(Answer::status(200));
    let before = yard.server().calls().len();
    yard.advance(60);

    let filter = json!({ "repository": REPOSITORY.to_uppercase(), "type": "pull_request" });
    let dry = replays(&yard, json!({ "filter": filter, "dry_run": true })).await;
    assert_eq!((&dry["matched"], &dry["replayed"]), (&json!(100), &json!(0)));
    assert_eq!(dry["results"][0]["result"], "matched");
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), before, "counting changes nothing");

    // One that arrives while the replay goes on is none of its business, even though it fails as well.
    yard.advance(1);
    yard.server().answer(Answer::status(401));
    let late = yard.pull_request(999, SHA).send().await.accepted();
    yard.idle().await;
    let (mut cursor, mut counts) = (json!(null), Vec::new());
    loop {
        let body = json!({ "filter": filter, "replay": dry["replay"], "cursor": cursor });
        let page = replays(&yard, body).await;
        assert_eq!(page["replay"], dry["replay"]);
        counts.push((page["matched"].as_u64().unwrap(), page["replayed"].as_u64().unwrap()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(counts, [(100, 100), (100, 100), (50, 50)]);
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), before + 1 + 250);
    for event in [&sent[0], &sent[249]] {
        let seen = yard.event(event).await;
        assert_eq!((&seen["status"], &seen["runs"][1]["replay"]), (&json!("processed"), &dry["replay"]));
    }
    assert_eq!(yard.event(&late).await["status"], "errored");

    // The receipts of a replay are ordered as their events once came, so the newest event still counts most.
    let receipt = |event: Value| event["receipts"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
    let mut receipts = Vec::new();
    for event in sent.iter().step_by(50) {
        receipts.push(receipt(yard.event(event).await));
    }
    assert!(receipts.is_sorted(), "{receipts:?}");

    let body = json!({ "filter": filter, "replay": dry["replay"] });
    assert_eq!(replays(&yard, body).await["matched"], 0, "nothing of it fails any more");
}

#[tokio::test]
async fn cut_off_between_publishing_and_answering_it_is_repeated_without_harm() {
    let folder = tempfile::tempdir().unwrap();
    let set_up = SetUp { folder: Some(folder.path().to_owned()), ..SetUp::default() };
    let (clock, ids) = (set_up.clock.clone(), set_up.ids.clone());
    let yard = set_up.start().await;
    let (first, second) = (errored(&yard, 7).await, errored(&yard, 8).await);
    yard.advance(60);
    // The caller has minted the replay, so that even an answer that never came can be asked for again.
    let mine = "r-019cadfe-7360-7000-8000-00000000abcd";
    let body = json!({ "replay": mine });
    // Published, and the process dies before anybody works on it or hears of it.
    yard.server().answer_always(Answer::status(200).hanging());
    replays(&yard, body.clone()).await;
    yard.server().wait_for(3).await;
    let (github, server) = yard.ends();
    yard.kill().await;
    server.release();
    server.answer_always(Answer::status(200));

    let set_up = SetUp { folder: Some(folder.path().to_owned()), clock, ids, ..SetUp::default() };
    let yard = set_up.start_between(github, server).await;
    // One that had not begun is published once more: fanout knows the receipt by then.
    replays(&yard, body).await;
    for _ in 0..4 {
        yard.later(31).await;
    }
    for event in [first, second] {
        let seen = yard.event(&event).await;
        assert_eq!((&seen["status"], seen["runs"].as_array().unwrap().len()), (&json!("processed"), 2));
        assert_eq!(seen["runs"][1]["replay"], mine);
    }
}

#[tokio::test]
async fn what_is_under_way_or_has_run_since_is_left_alone() {
    let yard = Local::start().await;
    let delivery = yard.pull_request(2, SHA).guid("0b989ba4-242f-11e5-81e1-c7b6966d2516");
    yard.server().answer(Answer::status(401));
    let event = delivery.send().await.accepted();
    yard.idle().await;
    let dry = replays(&yard, json!({ "dry_run": true })).await;
    assert_eq!(dry["matched"], 1);
    // GitHub delivers it again after the replay was begun, and it fails again.
    yard.advance(60);
    yard.server().answer(Answer::status(401));
    delivery.send().await.accepted();
    yard.idle().await;
    let page = replays(&yard, json!({ "replay": dry["replay"] })).await;
    assert_eq!((&page["matched"], &page["replayed"], &page["left"]), (&json!(1), &json!(0), &json!(1)));
    assert_eq!(page["results"][0]["reason"], "run_since");
    let refused = replay(&yard, &event, json!({ "replay": dry["replay"] })).await;
    assert_eq!((refused.code, &refused.json()["reason"]), (409, &json!("run_since")));
    // A new one is newer, although no time has passed.
    assert_eq!(replay(&yard, &event, json!({})).await.code, 202);
    yard.idle().await;
    assert_eq!(yard.event(&event).await["status"], "processed");

    yard.server().answer(Answer::status(503));
    let waiting = yard.pull_request(1, SHA).send().await.accepted();
    yard.idle().await;
    let refused = replay(&yard, &waiting, json!({ "force": true })).await;
    assert_eq!((refused.code, &refused.json()["reason"]), (409, &json!("under_way")));
}

#[tokio::test]
async fn by_force_everything_that_has_ended_runs_again() {
    let yard = Local::start().await;
    yard.webhook("push.branch").send().await.accepted();
    yard.webhook("ping.repository-hook").send().await.reply.json();
    yard.idle().await;
    errored(&yard, 7).await;
    yard.advance(60);
    let before = yard.server().calls().len();
    let forced = replays(&yard, json!({ "force": true })).await;
    assert_eq!((&forced["matched"], &forced["replayed"]), (&json!(3), &json!(3)));
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), before + 2, "the set-up check still goes to nobody");
    let one = replays(&yard, json!({ "force": true, "filter": { "status": "ignored" } })).await;
    assert_eq!((&one["matched"], &one["results"][0]["type"]), (&json!(1), &json!("ping")));
    let refused = yard.post("/v1/replays", &json!({ "filter": { "status": "processed" } })).await;
    assert_eq!(refused.code, 400, "not without force");
}

#[tokio::test]
async fn a_large_body_is_named_not_copied_and_one_that_has_expired_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let yard = SetUp { folder: Some(folder.path().to_owned()), ..SetUp::default() }.start().await;
    let delivery = yard.webhook_of("push", json!({ "filler": "x".repeat(300_000) }).to_string());
    yard.server().answer(Answer::status(401));
    let event = delivery.send().await.accepted();
    yard.idle().await;
    assert_eq!(replay(&yard, &event, json!({})).await.code, 202);
    yard.idle().await;
    assert!(yard.server().calls().last().unwrap().body == delivery.bytes(), "byte for byte");
    let bodies: Vec<_> = std::fs::read_dir(yard.bodies()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(bodies.len(), 1);

    std::fs::remove_file(&bodies[0]).unwrap();
    yard.advance(1);
    let gone = replay(&yard, &event, json!({ "force": true })).await;
    assert_eq!((gone.code, &gone.json()["reason"]), (410, &json!("body_expired")));
    let page = replays(&yard, json!({ "force": true })).await;
    assert_eq!((&page["left"], &page["results"][0]["reason"]), (&json!(1), &json!("body_expired")));
}

#[tokio::test]
async fn markup_in_every_field_stays_text() {
    let yard = Local::start().await;
    let nasty = "<img src=x onerror=alert(1)>'\"&\u{202e}";
    let body = json!({
        "action": nasty, "repository": { "full_name": nasty }, "sender": { "login": nasty },
        "pull_request": { "number": 7, "head": { "sha": SHA } },
    });
    yard.server().answer(Answer::status(401));
    let event = yard.webhook_of("pull_request", body.to_string()).send().await.accepted();
    yard.idle().await;
    let reply = yard.post("/v1/replays", &json!({ "filter": { "action": nasty }, "by": nasty })).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json()["replayed"], 1);
    yard.idle().await;
    let seen = yard.event(&event).await;
    assert_eq!((&seen["status"], &seen["action"]), (&json!("processed"), &json!(nasty)));
    assert_eq!(seen["runs"][1]["asked_by"], format!("loopback: {nasty}"));
    assert_eq!(seen["repository"], json!(null), "no such repository can be");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_and_runs_nothing() {
    let yard = Local::start().await;
    let event = errored(&yard, 7).await;
    let long = "x".repeat(101);
    for body in [
        json!([]),
        json!({ "filter": { "repository": "" } }),
        json!({ "filter": { "action": "" } }),
        json!({ "filter": { "repository": "nobody" } }),
        json!({ "filter": { "colour": "red" } }),
        json!({ "filter": { "status": "done" } }),
        json!({ "since": "yesterday" }),
        json!({ "since": "2026-03-02T10:00:00Z", "until": "2026-03-02T10:00:00Z" }),
        json!({ "since": "2026-03-03T10:00:00Z" }),
        json!({ "cursor": "e30" }),
        json!({ "cursor": "e30", "replay": "r-019cadfd-8900-7000-8000-00000000abcd" }),
        json!({ "replay": "r-7f3a" }),
        json!({ "replay": "r-029cadb2-ed00-7000-8000-00000000abcd" }),
        json!({ "by": "" }),
        json!({ "by": long }),
        json!({ "by": "a\nb" }),
        json!({ "force": "yes" }),
        json!({ "dryrun": true }),
    ] {
        let reply = yard.post("/v1/replays", &body).await;
        assert_eq!((reply.code, reply.header("content-type")), (400, Some("application/problem+json")), "{body}");
    }
    assert_eq!(replay(&yard, "1-00000000", json!({})).await.code, 404);
    assert_eq!(replay(&yard, "nonsense", json!({})).await.code, 400);
    assert_eq!(replay(&yard, &event, json!({ "filter": {} })).await.code, 400);
    for path in [format!("/v1/events/{event}/replay"), "/v1/replays".to_owned()] {
        let url = format!("{}{path}", yard.api);
        assert_eq!(standin::http::send("POST", &url, &[], "").await.unwrap().code, 415, "a page could send this");
    }
    yard.later(60).await;
    assert_eq!(yard.server().calls().len(), 1, "nothing ran");
}
