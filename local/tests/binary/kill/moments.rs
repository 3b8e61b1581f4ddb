//! The trigger is pulled at the worst moments, by construction: by whoever the gateway is talking to, while it does.

use std::io::{Read, Write};
use std::net::TcpStream;

use standin::Moment::{Answered, Taken};
use standin::ci::Answer;
use standin::github::{Fault, Kind};
use testkit::story::REPOSITORY;

use super::ledger::audit;
use super::steered::{Scene, Seen};
use super::storm::{Point, Storm, Trigger};

/// Pulled at each of these points in turn, when it has come so many times since the last.
fn at(points: &[(Point, usize)]) -> Trigger {
    let mut left = points.to_vec();
    left.reverse();
    Box::new(move |point| {
        let Some((next, times)) = left.last_mut() else { return false };
        if *next != point {
            return false;
        }
        *times -= 1;
        let now = *times == 0;
        if now {
            left.pop();
        }
        now
    })
}

/// Two deliveries, struck there: each strike comes, and then the books balance.
async fn struck(name: &str, points: &[(Point, usize)], faults: &[Fault]) {
    let mut storm = Storm::new(2, 1, at(points)).await;
    for fault in faults {
        storm.scene().github.fail(Kind::Post, fault.clone());
    }
    let gateway = storm.rage(|| 0).await;
    assert_eq!(storm.lives, points.len() + 1, "{name}: one life for each strike, and one to finish");
    let (entries, told) = storm.books(&gateway).await;
    assert!(entries.iter().filter(|entry| entry.acknowledged).count() == 2, "{name}");
    assert_eq!(audit(&entries, &told), [""; 0], "{name}: told {told:#?}");
}

const POST_APPLIED: Point = Point::Github(Kind::Post, Taken);
const POST_ANSWERED: Point = Point::Github(Kind::Post, Answered);
const LIST_TAKEN: Point = Point::Github(Kind::List, Taken);
const LIST_ANSWERED: Point = Point::Github(Kind::List, Answered);

#[tokio::test(flavor = "multi_thread")]
async fn struck_by_github() {
    struck("applied, killed before the answer", &[(POST_APPLIED, 1)], &[]).await;
    struck("applied and answered, killed before that is recorded", &[(POST_ANSWERED, 1)], &[]).await;
    struck("later", &[(POST_APPLIED, 3)], &[]).await;
    struck("not applied, killed before the answer", &[(POST_APPLIED, 1)], &[Fault::Close]).await;
    struck("killed when it asks what became of it", &[(POST_APPLIED, 1), (LIST_TAKEN, 1)], &[]).await;
    struck("killed when it knows what became of it", &[(POST_APPLIED, 1), (LIST_ANSWERED, 1)], &[]).await;
    let again = [(POST_APPLIED, 1), (LIST_ANSWERED, 1), (LIST_TAKEN, 1), (POST_APPLIED, 1)];
    // Only what was not applied is certain to be sent once more: everything else may have been written meanwhile.
    struck("again and again", &again, &[Fault::Close]).await;
    struck("at the POST that comes after a settling", &[(POST_APPLIED, 1), (POST_APPLIED, 1)], &[Fault::Close]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn struck_by_the_server() {
    let (called, answered) = (Point::Server(Taken), Point::Server(Answered));
    struck("called, killed before the answer", &[(called, 1)], &[]).await;
    struck("answered, killed before the statuses are sent on", &[(answered, 1)], &[]).await;
    struck("twice in a row", &[(called, 1), (called, 1)], &[]).await;
    struck("first there, then at GitHub", &[(answered, 1), (POST_APPLIED, 1)], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn struck_by_whoever_has_read_an_answer() {
    struck("right after a 202", &[(Point::Acknowledged, 1)], &[]).await;
    struck("twice", &[(Point::Acknowledged, 1), (Point::Acknowledged, 1)], &[]).await;
    struck("right after a call-back's 202", &[(Point::CallBack, 1)], &[]).await;
    struck("between the call-backs of a context", &[(Point::CallBack, 1), (Point::CallBack, 2)], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_faults_before_the_strike() {
    let both = [Fault::ApplyThenClose, Fault::ApplyThenFail(502), Fault::ApplyThenCutShort];
    for fault in both {
        let name = format!("{fault:?}, and then killed at the look");
        struck(&name, &[(LIST_TAKEN, 1)], &[fault]).await;
    }
    struck("refused by a proxy, then applied and killed", &[(POST_APPLIED, 2)], &[Fault::Fails(502)]).await;
}

/// What GitHub shows about the one commit of these stories.
fn told(scene: &Scene) -> Vec<String> {
    scene.github.statuses(REPOSITORY, SHA).into_iter().map(|status| status.state).collect()
}

const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_github_is_silent() {
    // Applied and never answered; the time-out (10 s) comes, and then the kill.
    let scene = Scene::new().await;
    scene.github.fail(Kind::Post, Fault::ApplyThenHang);
    let gateway = scene.start().await;
    gateway.call_back_openly().about(REPOSITORY, SHA).status("ci", "success", "").accepted().await;
    scene.github.wait_for_statuses(REPOSITORY, SHA, 1).await;
    gateway.later(10).await;
    gateway.kill().await;
    let gateway = scene.start().await;
    gateway.later(40).await;
    assert_eq!(told(&scene), ["success"]);
    assert_eq!(gateway.outcomes(REPOSITORY, SHA, "ci").await, ["written"]);

    // Taken, and applied only after the kill, within the 30 s of the promise.
    scene.github.fail(Kind::Post, Fault::HangThenApply);
    gateway.advance(1);
    gateway.call_back_openly().about(REPOSITORY, SHA).status("ci", "failure", "").accepted().await;
    let seen = scene.github.requests().len();
    scene.github.wait_for(seen + 1).await;
    gateway.kill().await;
    scene.github.release();
    scene.github.wait_for_statuses(REPOSITORY, SHA, 2).await;
    let gateway = scene.start().await;
    gateway.later(31).await;
    assert_eq!(told(&scene), ["success", "failure"]);

    // The same, later than that: it may stand twice, and says nothing else.
    scene.github.fail(Kind::Post, Fault::HangThenApply);
    gateway.advance(1);
    gateway.call_back_openly().about(REPOSITORY, SHA).status("ci", "error", "").accepted().await;
    let seen = scene.github.requests().len();
    scene.github.wait_for(seen + 1).await;
    gateway.kill().await;
    let gateway = scene.start().await;
    gateway.later(31).await;
    scene.github.release();
    scene.github.wait_for_statuses(REPOSITORY, SHA, 4).await;
    assert_eq!(told(&scene), ["success", "failure", "error", "error"]);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_stops() {
    let scene = Scene::new().await;
    scene.server.answer(Answer::status(200).hanging());
    scene.github.fail(Kind::Post, Fault::ApplyThenHang);
    let gateway = scene.start().await;
    let event = gateway.pull_request(7, SHA).send().await.accepted();
    gateway.call_back_openly().about(REPOSITORY, SHA).status("ci", "success", "").accepted().await;
    scene.server.wait_for(1).await;
    scene.github.wait_for_statuses(REPOSITORY, SHA, 1).await;
    // It waits for both, and takes no more meanwhile.
    let (killer, address) = (gateway.killer(), gateway.webhooks.strip_prefix("http://").unwrap().to_owned());
    let stopping = tokio::spawn(gateway.stop());
    refuses(&address).await;
    killer.kill();
    assert!(!stopping.await.unwrap(), "it was not done");

    let gateway = scene.start().await;
    gateway.later(31).await;
    gateway.later(31).await;
    assert_eq!(gateway.event(&event).await["status"], "processed");
    assert_eq!((told(&scene), scene.server.calls().len()), (vec!["success".to_owned()], 2));
}

/// Returns as soon as nobody listens there any more.
async fn refuses(address: &str) {
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_request_comes_in() {
    let scene = Scene::new().await;
    let gateway = scene.start().await;
    let delivery = gateway.pull_request(7, SHA);
    let (id, body) = (delivery.id(), delivery.bytes());
    let signature = domain::signature::sign(gateway.secret.as_bytes(), &body);
    let (hook, guid) = id.split_once('-').unwrap();
    let head = format!(
        "POST /github HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nx-github-event: pull_request\r\n\
         x-github-delivery: {guid}\r\nx-github-hook-id: {hook}\r\nx-hub-signature-256: {signature}\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(gateway.webhooks.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    // It has read the head and wants the body: half of it comes.
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body[..body.len() / 2]).unwrap();
    gateway.kill().await;
    assert_eq!(stream.read(&mut answer).unwrap_or_default(), 0, "it was never acknowledged");

    let gateway = scene.start().await;
    gateway.later(31).await;
    assert_eq!(gateway.get(&format!("/v1/events/{id}")).await.code, 404);
    assert_eq!(scene.server.calls().len(), 0);
    // The sender tries again, under the same name.
    assert_eq!(gateway.pull_request(7, SHA).guid(guid).send().await.accepted(), id);
    gateway.idle().await;
    assert_eq!(gateway.event(&id).await["receipts"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_while_it_starts() {
    let scene = Scene::new().await;
    scene.server.stop().await;
    let gateway = scene.start().await;
    let mut events = Vec::new();
    for _ in 0..20 {
        events.push(gateway.webhook("push.branch").send().await.accepted());
    }
    gateway.idle().await;
    gateway.kill().await;
    scene.pass(60);
    // At its first word, and before it; then at the first call that the start takes up again.
    scene.begin().killer.kill();
    for _ in 0..5 {
        let starting = scene.begin();
        let killer = starting.killer.clone();
        drop(starting);
        killer.bury();
    }
    scene.server.restart().await.unwrap();
    let starting = scene.begin();
    let killer = starting.killer.clone();
    scene.server.watch(move |_, _| killer.kill());
    if let Some(gateway) = starting.ready(&scene).await {
        assert_eq!(gateway.idle_or_dead().await, Seen::Dead);
        gateway.dead().await;
    }
    scene.server.watch(|_, _| {});
    let gateway = scene.start().await;
    for _ in 0..3 {
        gateway.later(31).await;
    }
    for event in &events {
        assert_eq!(gateway.event(event).await["status"], "processed");
    }
    let mut receipts: Vec<_> = scene.server.calls().into_iter().map(|call| call.receipt).collect();
    receipts.sort();
    receipts.dedup();
    assert_eq!(receipts.len(), 20, "each under its own id");
}
