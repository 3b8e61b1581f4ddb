//! The power goes at the very moment at which something is acknowledged: it is on the disk all the same.
//!
//! A kill cannot show that. What a killed process wrote is still in the system's page cache, synced or not, and the
//! next process reads it from there. So the real binary runs under `strace`, and what it asked of the system is played
//! again on a disk that keeps only what was synced (`disk`). At every acknowledgement the power is cut, and what is
//! left of the data folder is opened.
//!
//! Not among the tests that run by default, because it needs `strace`, and so Linux: `cargo test --test power`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod disk;
#[path = "../binary/place.rs"]
#[allow(dead_code, reason = "what other tests need of it")]
mod place;
mod trace;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use domain::envelope::{Body, Envelope};
use domain::ids::{EventId, Repository, Sha};
use domain::ports::{BodyReader, EventReader, HeadReader};
use domain::signature;
use domain::statuses::ContextKey;
use domain::statuses::message::StatusMessage;
use embedded::bodies::Bodies;
use embedded::engine::Engine;
use embedded::queue::{FANOUT, Queues, STATUSES};
use lambda::clock::SystemClock;
use serde_json::{Value, json};
use standin::ci::{Answer, Ci};
use standin::github::Github;
use standin::http;
use store::Store;
use testkit::clock::ManualClock;
use tokio::task::JoinSet;

use crate::disk::Disk;
use crate::place::Place;
use crate::trace::Trace;

const SECRET: &str = "signs deliveries in this test";
const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

/// What is acknowledged: receipts of deliveries, ids of statuses.
#[derive(Debug, Default)]
struct Acknowledged {
    receipts: HashSet<String>,
    statuses: HashSet<String>,
}

impl Acknowledged {
    /// Notes what an answer acknowledges; false when it is none that does.
    fn note(&mut self, answer: &[u8]) -> bool {
        let text = String::from_utf8_lossy(answer);
        let Some(body) = text.strip_prefix("HTTP/1.1 202 ").and_then(|rest| rest.split("\r\n\r\n").nth(1)) else {
            return false;
        };
        let body: Value = serde_json::from_str(body).unwrap();
        if let Some(receipt) = body["receipt"].as_str() {
            self.receipts.insert(receipt.to_owned());
        }
        for result in body["results"].as_array().into_iter().flatten() {
            self.statuses.insert(result["id"].as_str().unwrap().to_owned());
        }
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_power_cut_at_that_moment() {
    let place = Place::new();
    let (ci, github) = (Ci::start().await.unwrap(), Github::start().await.unwrap());
    // Nothing is ever finished, so nothing leaves the queues again.
    ci.answer_always(Answer::status(200).hanging());
    github.hold();
    let log = place.path("trace");
    // With an absolute path, so that every path in the trace is one.
    let data = place.path("").canonicalize().unwrap().join("data");
    let calls = "trace=openat,pwrite64,write,writev,sendto,ftruncate,fsync,fdatasync,unlink,unlinkat,/^rename";
    let tracer = ["strace", "-D", "-f", "-y", "-xx", "-s", "2000000", "-qq", "-e", calls, "-o", log.to_str().unwrap()];
    let serve = place
        .serve()
        .set("HOOKYARD_DATA", data.to_str().unwrap())
        .set("GITHUB_SECRET", SECRET)
        .set("YOUR_SERVER_URL", &ci.url());
    let serve = serve.set("GITHUB_API_URL", &github.url()).set("GITHUB_TOKEN", Github::TOKEN);
    let gateway = serve.under(&tracer).ready();
    let to = To { webhooks: gateway.webhooks.clone(), api: gateway.api.clone() };

    // One after the other, then several at once; the largest is too large for the queue.
    for (number, size) in [(1, 10), (2, 22_000), (3, 300_000)] {
        to.deliver(number, size).await;
        to.report(number).await;
    }
    let mut at_once = JoinSet::new();
    for number in 4..24 {
        let to = to.clone();
        at_once.spawn(async move {
            to.deliver(number, 5_000).await;
            to.report(number).await;
        });
    }
    at_once.join_all().await;
    ci.wait_for(23).await;
    github.wait_for(1).await;
    gateway.kill();

    let trace = Trace::read(&std::fs::read_to_string(&log).unwrap());
    let mut acknowledged = Acknowledged::default();
    let (mut cuts, mut calls) = (Vec::new(), Vec::new());
    Disk::replay(&trace, |disk, sent| {
        let left = || {
            let left = tempfile::tempdir().unwrap();
            disk.salvage(data.to_str().unwrap(), left.path());
            left
        };
        if acknowledged.note(sent) {
            cuts.push((left(), acknowledged.receipts.clone(), acknowledged.statuses.clone()));
        } else if let Some(call) = Outgoing::seen(sent) {
            calls.push((left(), call));
        }
    });
    recorded_before_they_were_sent(calls).await;
    assert_eq!(cuts.len(), 2 * 23, "each acknowledgement was seen in the trace");
    for (number, (left, receipts, statuses)) in cuts.into_iter().enumerate() {
        let queues = Queues::open(&left.path().join("queues.sqlite"), Arc::new(ManualClock::default())).unwrap();
        let bodies = Bodies::open(&left.path().join("bodies")).unwrap();
        let waiting = async |name: &str| {
            queues.queue(name).unwrap().receive(1000, Duration::from_secs(60)).await.unwrap().into_iter()
        };
        let mut kept = HashSet::new();
        for message in waiting(FANOUT).await {
            let envelope = Envelope::decode(&message.body).unwrap();
            if let Body::Stored { key, .. } = &envelope.body {
                assert!(bodies.get(key).await.unwrap().is_some(), "acknowledgement {number}: a body is missing");
            }
            kept.insert(envelope.receipt.to_string());
        }
        assert!(receipts.is_subset(&kept), "acknowledgement {number}: {:?} are lost", receipts.difference(&kept));
        let mut kept = HashSet::new();
        for message in waiting(STATUSES).await {
            kept.insert(StatusMessage::decode(&message.body).unwrap().id.to_string());
        }
        assert!(statuses.is_subset(&kept), "acknowledgement {number}: {:?} are lost", statuses.difference(&kept));
    }
}

/// What goes to somebody else, and must not go twice when the power has gone in between.
enum Outgoing {
    /// An event, to the user's server.
    Event(EventId),
    /// A status, to GitHub: its context.
    Status(String),
}

impl Outgoing {
    fn seen(sent: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(sent);
        let (head, body) = text.split_once("\r\n\r\n")?;
        if head.starts_with("POST /hook ") {
            let guid = head.lines().find_map(|line| line.strip_prefix("x-github-delivery: "))?;
            // The deliveries of this test name no hook, which counts as hook 0.
            return EventId::parse(&format!("0-{guid}")).ok().map(Self::Event);
        }
        let status = head.starts_with("POST /repos/").then(|| serde_json::from_str::<Value>(body).ok())??;
        Some(Self::Status(status["context"].as_str()?.to_owned()))
    }
}

/// Whatever was sent was on the disk before as an attempt, or as an intent: the record is synced as well.
async fn recorded_before_they_were_sent(calls: Vec<(tempfile::TempDir, Outgoing)>) {
    let (mut events, mut statuses) = (0, 0);
    for (left, call) in calls {
        let engine = Engine::open(&left.path().join("database.sqlite")).unwrap();
        let store = Store::new(engine.client(), "hookyard", Arc::new(SystemClock));
        match call {
            Outgoing::Event(id) => {
                let story = store.event(&id).await.unwrap().expect("the event that is being sent is not on the disk");
                assert_eq!(story.runs[0].attempts.len(), 1, "{id}: its attempt is not on the disk");
                events += 1;
            }
            Outgoing::Status(context) => {
                let repository = Repository::parse("octo-org/hello").unwrap();
                let key = ContextKey::new(repository, Sha::parse(SHA).unwrap(), &context);
                let intent = store.head(&key).await.unwrap().intent;
                assert!(intent.is_some(), "{context}: the intent is not on the disk");
                statuses += 1;
            }
        }
    }
    assert!(events == 23 && statuses > 0, "{events} events and {statuses} statuses were seen on their way");
}

/// The addresses of a gateway.
#[derive(Clone)]
struct To {
    webhooks: String,
    api: String,
}

impl To {
    async fn deliver(&self, number: u64, size: usize) {
        let body =
            json!({ "after": SHA, "repository": { "full_name": "octo-org/hello" }, "noise": noise(number, size) });
        let body = body.to_string();
        let signature = signature::sign(SECRET.as_bytes(), body.as_bytes());
        let guid = format!("guid-{number}");
        let headers = [
            ("content-type", "application/json"),
            ("x-github-event", "push"),
            ("x-github-delivery", guid.as_str()),
            (signature::HEADER, &signature),
        ];
        let reply = http::send("POST", &self.webhooks, &headers, body).await.unwrap();
        assert_eq!(reply.code, 202, "{}", reply.json());
    }

    async fn report(&self, number: u64) {
        let status = json!({ "name": format!("ci-{number}"), "status": "success", "message": "fine" });
        let body = json!({ "repository": "octo-org/hello", "sha": SHA, "statuses": [status] });
        let url = format!("{}/v1/statuses", self.api);
        let json = [("content-type", "application/json")];
        let reply = http::send("POST", &url, &json, body.to_string()).await.unwrap();
        assert_eq!(reply.code, 202, "{}", reply.json());
    }
}

/// Letters without a pattern: what compresses well would all be small.
fn noise(seed: u64, size: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + u8::try_from(state % 26).unwrap())
    };
    (0..size).map(|_| letter()).collect()
}
