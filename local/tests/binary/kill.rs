//! `kill -9`, here after a delivery was acknowledged: it is delivered all the same, and under one id.
//!
//! Below: at the worst moments, one by one (`moments`); by an event that kills whoever works on it (`poison`); the binary itself
//! and the real clock at four moments together (`real`);
//! a thousand deliveries under random kills (`thousand`).

mod ledger;
mod moments;
mod poison;
mod real;
mod steered;
mod storm;
mod thousand;

use std::net::Ipv4Addr;

use serde_json::json;
use standin::ci::{Answer, Ci, signature};
use standin::github::Github;
use tokio::net::TcpSocket;

use crate::place::{Accepted, PATIENCE, Place};

const SERVER_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_the_kill_reaches_the_server_and_github_once() {
    let place = Place::new();
    let github = Github::start().await.unwrap();
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let down = format!("http://{}/hook", nobody.local_addr().unwrap());
    let serve = |server: &str| {
        let serve = place.serve().set("YOUR_SERVER_URL", server).set("YOUR_SERVER_SECRET", SERVER_SECRET);
        serve.set("GITHUB_API_URL", &github.url()).set("GITHUB_TOKEN", Github::TOKEN)
    };

    let mut gateway = serve(&down).ready();
    assert!(gateway.said().contains("    not reachable now, events wait and are tried again\n"), "{}", gateway.said());
    let samples = [("pull_request.opened.json", "pull_request"), ("push.branch.json", "push")];
    let accepted: Vec<Accepted> =
        samples.iter().map(|(sample, event)| place.send(&gateway, sample, event).run().accepted()).collect();
    // Both lines may come in any order: each is looked for in all that was said.
    while !accepted.iter().all(|one| gateway.said().contains(&one.short)) {
        gateway.until(&["! retrying", "unreachable, again at "]);
    }
    assert_eq!(gateway.kill().code, None);

    let ci = Ci::start().await.unwrap();
    ci.answer_always(Answer::json(&json!({ "statuses": [{ "name": "build", "status": "pending" }] })));
    let mut gateway = serve(&ci.url()).ready();
    while !accepted.iter().all(|one| gateway.said().contains(&one.short)) {
        gateway.until(&["✓ done", " 200 ", "1 status "]);
    }
    for _ in &accepted {
        tokio::time::timeout(PATIENCE, github.next_status()).await.unwrap();
    }
    for one in &accepted {
        let event = gateway.event(&one.event).await;
        assert_eq!(event["status"], "processed");
        assert_eq!(event["runs"].as_array().unwrap().len(), 1);
        let attempts = event["runs"][0]["attempts"].as_array().unwrap();
        let (last, before) = attempts.split_last().unwrap();
        assert_eq!(last["outcome"], "taken");
        assert!(!before.is_empty() && before.iter().all(|one| one["outcome"] == "server_unreachable"), "{event}");
    }
    gateway.stop("TERM");

    let calls = ci.calls();
    assert!(calls.iter().all(|call| signature::is_signed(call, SERVER_SECRET)));
    let mut ids: Vec<_> = calls.iter().map(|call| call.receipt.as_str()).collect();
    let mut receipts: Vec<_> = accepted.iter().map(|one| one.receipt.as_str()).collect();
    ids.sort_unstable();
    receipts.sort_unstable();
    assert_eq!(ids, receipts, "each under the id that its 202 named, once");
    let statuses = github.all_statuses();
    assert_eq!(statuses.len(), 2);
    assert_ne!(statuses[0].sha, statuses[1].sha, "each once");

    // Nothing is left to do, or to do again.
    let gateway = serve(&ci.url()).ready();
    assert!(!gateway.said().contains("waiting)"), "{}", gateway.said());
    gateway.stop("INT");
    assert_eq!(ci.calls().len(), 2);
}
