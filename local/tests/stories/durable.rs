//! What was accepted is finished, whatever happens to the process in between.

use std::sync::Arc;

use embedded::queue::FANOUT;
use serde_json::json;
use standin::ci::{Answer, Ci};
use standin::github::{Fault, Github, Kind, Token};
use testkit::clock::{CountingIds, ManualClock};
use testkit::story::REPOSITORY;

use crate::yard::{Local, SetUp};

const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

/// The ends that outlive a gateway, and what it needs to go on.
struct World {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    ids: Arc<CountingIds>,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::default(), ids: Arc::default() }
    }

    fn set_up(&self) -> SetUp {
        let folder = Some(self.folder.path().to_owned());
        SetUp { folder, clock: self.clock.clone(), ids: self.ids.clone(), ..SetUp::default() }
    }

    async fn ends(&self) -> (Arc<Github>, Arc<Ci>) {
        let github = Github::start_with(([127, 0, 0, 1], 0).into(), vec![Token::new("first", "token-one")]).await;
        (Arc::new(github.unwrap()), Arc::new(Ci::start().await.unwrap()))
    }

    async fn start(&self, github: &Arc<Github>, server: &Arc<Ci>) -> Local {
        self.set_up().start_between(github.clone(), server.clone()).await
    }
}

#[tokio::test]
async fn stopped_in_order_and_started_again_it_goes_on_where_it_was() {
    let world = World::new();
    let (github, server) = world.ends().await;
    server.stop().await;
    let yard = world.start(&github, &server).await;
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    github.fail(Kind::Post, Fault::TooMany { retry_after: 600 });
    yard.call_back_openly().about(REPOSITORY, SHA).status("ci", "pending", "").accepted().await;
    yard.idle().await;
    yard.stop().await;

    server.restart().await.unwrap();
    let yard = world.start(&github, &server).await;
    assert_eq!(yard.event(&event).await["tries"], 1, "the record is there");
    yard.idle().await;
    assert_eq!(server.calls().len(), 0, "the wait for the next attempt is kept");
    yard.later(5).await;
    assert_eq!(yard.event(&event).await["status"], "processed");
    assert_eq!(yard.told(SHA, "ci").len(), 0, "and GitHub's pause is kept too");
    yard.later(600).await;
    assert_eq!(yard.told(SHA, "ci"), ["pending"]);
}

#[tokio::test]
async fn killed_while_the_server_works_it_calls_again_under_the_same_id() {
    let world = World::new();
    let (github, server) = world.ends().await;
    server.answer(Answer::status(200).hanging());
    let yard = world.start(&github, &server).await;
    let event = yard.pull_request(7, SHA).send().await.accepted();
    server.wait_for_in_flight(1).await;
    yard.kill().await;

    let yard = world.start(&github, &server).await;
    yard.idle().await;
    assert_eq!(server.calls().len(), 1, "the lease of the attempt that was cut off holds");
    yard.later(30).await;
    let calls = server.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
    let seen = yard.event(&event).await;
    assert_eq!(seen["status"], "processed");
    let outcomes: Vec<_> =
        seen["runs"][0]["attempts"].as_array().unwrap().iter().map(|a| a["outcome"].clone()).collect();
    assert_eq!(outcomes, [json!("cut_off"), json!("taken")]);
}

#[tokio::test]
async fn killed_between_githubs_apply_and_its_answer_it_writes_once() {
    let world = World::new();
    let (github, server) = world.ends().await;
    github.fail(Kind::Post, Fault::ApplyThenHang);
    let yard = world.start(&github, &server).await;
    yard.call_back_openly().about(REPOSITORY, SHA).status("ci", "success", "").accepted().await;
    github.wait_for_statuses(REPOSITORY, SHA, 1).await;
    yard.kill().await;

    let yard = world.start(&github, &server).await;
    yard.idle().await;
    yard.later(30).await;
    yard.later(30).await;
    assert_eq!(yard.told(SHA, "ci"), ["success"]);
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["written"]);
    assert_eq!(github.requests().iter().filter(|seen| seen.kind == Kind::Post).count(), 1);
}

#[tokio::test]
async fn a_message_that_cuts_us_off_five_times_is_set_aside() {
    let world = World::new();
    let (github, server) = world.ends().await;
    server.answer_always(Answer::status(200).hanging());
    let mut yard = world.start(&github, &server).await;
    let event = yard.pull_request(7, SHA).send().await.accepted();
    for round in 1..=5 {
        server.wait_for(round).await;
        yard.kill().await;
        server.release();
        yard = world.start(&github, &server).await;
        yard.idle().await;
        yard.advance(31);
    }
    yard.idle().await;
    let seen = yard.event(&event).await;
    assert_eq!((&seen["status"], &seen["failure_reason"]), (&json!("errored"), &json!("internal")));
    assert_eq!(server.calls().len(), 5);
    let queue = yard.gateway().queue(FANOUT).unwrap();
    assert_eq!(queue.counts().await.unwrap().dead, 1);
    // Somebody finds the cause, and redrives: the same receipt runs again.
    server.answer_always(Answer::status(200));
    queue.redrive(10).await.unwrap();
    yard.idle().await;
    let seen = yard.event(&event).await;
    assert_eq!((&seen["status"], &seen["failure_reason"]), (&json!("processed"), &json!(null)));
}

#[tokio::test]
async fn a_hundred_deliveries_at_once_and_a_kill_lose_none() {
    let world = World::new();
    let (github, server) = world.ends().await;
    server.answer_always(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "success" }] })));
    let yard = Arc::new(world.start(&github, &server).await);
    let mut sends = tokio::task::JoinSet::new();
    for n in 0..100u64 {
        let yard = yard.clone();
        sends.spawn(
            async move { yard.pull_request(n, &format!("{n:040x}").replacen('0', "a", 1)).send().await.accepted() },
        );
    }
    let mut events = Vec::new();
    while let Some(event) = sends.join_next().await {
        events.push(event.unwrap());
    }
    Arc::into_inner(yard).unwrap().kill().await;

    let yard = world.start(&github, &server).await;
    for _ in 0..10 {
        yard.later(31).await;
    }
    for event in &events {
        assert_eq!(yard.event(event).await["status"], "processed");
    }
    for n in 0..100u64 {
        let sha = format!("{n:040x}").replacen('0', "a", 1);
        assert_eq!(yard.told(&sha, "ci"), ["success"], "commit {n} has its status, once");
    }
}
