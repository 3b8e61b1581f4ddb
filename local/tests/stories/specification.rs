//! The specification: every operation is there, and every answer is as it says.

use std::sync::Arc;

use async_trait::async_trait;
use domain::error::PortError;
use domain::ports::Secrets;
use domain::secrets::Keyring;
use serde_json::{Value, json};
use standin::ci::Answer;
use standin::http::{self, Reply};
use testkit::specification::Specification;
use testkit::story::REPOSITORY;

use crate::yard::{Kept, Local, SetUp};

const SHA: &str = "9fceb02aa0f3c9d3a77be310b3c6a8e4f2d1c0b9";
const KEY: (&str, &str) = ("authorization", "Bearer the-key");
const JSON: (&str, &str) = ("content-type", "application/json");

/// Who reads a yard by its specification, and which event stands for the parameter in an address.
struct Reader<'y> {
    yard: &'y Local,
    specification: &'y Specification,
    event: &'y str,
}

async fn specification(yard: &Local) -> Specification {
    Specification::of(&http::send("GET", &format!("{}/openapi.json", yard.api), &[], "").await.unwrap())
}

impl Reader<'_> {
    /// One request to an operation, whose answer is as the specification says.
    async fn ask(&self, method: &str, path: &str, query: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let base = if path == "/github" { &self.yard.webhooks } else { &self.yard.api };
        let (owner, repository) = REPOSITORY.split_once('/').unwrap();
        let at = path.replace("{id}", self.event).replace("{owner}", owner).replace("{repository}", repository);
        let url = format!("{base}{}{query}", at.replace("{sha}", SHA));
        let reply = http::send(method, &url, headers, body.to_vec()).await.unwrap();
        self.specification.check(method, path, &reply);
        reply
    }

    async fn get(&self, path: &str, query: &str) -> Reply {
        self.ask("GET", path, query, &[KEY], b"").await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path, "", &[KEY, JSON], body.to_string().as_bytes()).await
    }

    /// Whoever asks like this is answered with that code, everywhere where the specification knows it.
    async fn everywhere(&self, code: u16, headers: &[(&str, &str)], body: &[u8]) {
        for (method, path) in self.specification.operations() {
            if path != "/github" && self.specification.has(&method, &path, code) {
                let content: &[(&str, &str)] = if method == "POST" { &[JSON] } else { &[] };
                let kept = content.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
                let headers: Vec<_> = headers.iter().chain(kept).copied().collect();
                let body = if method == "POST" { body } else { b"" };
                let reply = self.ask(&method, &path, "", &headers, body).await;
                assert_eq!(reply.code, code, "{method} {path}: {}", reply.json());
            }
        }
    }
}

/// Events of every fate, a dead letter among them.
async fn busy_yard(folder: &std::path::Path) -> (Local, String) {
    let kept = SetUp { api_key: Some("the-key"), folder: Some(folder.to_owned()), ..SetUp::default() };
    let yard = kept.start().await;
    yard.webhook("ping.repository-hook").send().await;
    yard.webhook("quantum_entangled.no-fields").send().await.accepted();
    yard.webhook("release.published").send().await.accepted();
    yard.idle().await;
    // Its body is lost between two attempts: fanout sets it aside.
    yard.server().answer(Answer::status(503));
    let large = json!({ "filler": "x".repeat(300_000) }).to_string();
    yard.webhook_of("push", large).send().await.accepted();
    yard.idle().await;
    let body = std::fs::read_dir(yard.bodies()).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(body).unwrap();
    yard.later(3600).await;
    for (number, answer) in [
        (1, Answer::status(401)),
        (2, Answer::status(302)),
        (3, Answer::status(503)),
        (4, Answer::status(200).with("content-type", "application/json").body("{")),
    ] {
        yard.server().answer(answer);
        yard.pull_request(number, SHA).send().await.accepted();
        yard.idle().await;
    }
    yard.server().answer(Answer::json(&json!({ "statuses": [
        { "name": "build", "status": "pending", "message": "x".repeat(200), "target_url": "https://ci.example/7" },
        { "name": "build", "status": "pending" },
        { "name": "", "status": "pending" },
    ] })));
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    (yard, event)
}

#[tokio::test]
async fn every_answer_is_as_the_specification_says() {
    let folder = tempfile::tempdir().unwrap();
    let (yard, event) = busy_yard(folder.path()).await;
    let token = yard.server().calls().last().unwrap().header("x-hookyard-callback-token").unwrap().to_owned();
    let token = format!("Bearer {token}");
    let (yard, specification) = (&yard, &specification(&yard).await);
    let it = Reader { yard, specification, event: &event };
    let of_token = ("authorization", token.as_str());

    // What is read.
    for path in ["/openapi.json", "/health", "/v1/events/{id}", "/v1/events/{id}/payload"] {
        assert_eq!(it.get(path, "").await.code, 200, "{path}");
    }
    let events = it.get("/v1/events", "").await.json();
    let statuses: Vec<_> = events["events"].as_array().unwrap().iter().map(|event| &event["status"]).collect();
    for status in ["ignored", "processed", "errored", "unprocessed"] {
        assert!(statuses.contains(&&json!(status)), "{status} is not among {statuses:?}");
    }
    assert_eq!(it.get("/v1/releases", "?state=published").await.json()["releases"].as_array().unwrap().len(), 1);
    let paged = it.get("/v1/events", "?limit=2&since=2026-03-02T10:00:00Z").await.json();
    let cursor = paged["next_cursor"].as_str().unwrap();
    it.get("/v1/events", &format!("?limit=2&since=2026-03-02T10:00:00Z&cursor={cursor}")).await;
    for event in events["events"].as_array().unwrap() {
        let other = Reader { event: event["id"].as_str().unwrap(), ..it };
        assert_eq!(other.get("/v1/events/{id}", "").await.code, 200);
    }
    let commit = "/v1/commits/{owner}/{repository}/{sha}/statuses";
    assert_eq!(it.get(commit, "").await.json()["statuses"].as_array().unwrap().len(), 2);
    assert!(it.get("/v1/dead-letters", "").await.json()["dead_letters"][0]["reason"].is_string());

    // What is changed.
    for path in ["/v1/statuses", "/pulls/status/update"] {
        let some = json!({ "statuses": [{ "context": "ci", "state": "success" }, { "context": 7 }] });
        assert_eq!(it.ask("POST", path, "", &[of_token, JSON], some.to_string().as_bytes()).await.code, 202);
        assert_eq!(it.post(path, json!({ "statuses": [{}, 7] })).await.code, 422);
    }
    let one = "/v1/events/{id}/replay";
    assert_eq!(it.post(one, json!({})).await.json()["reason"], "not_errored");
    assert_eq!(it.post(one, json!({ "force": true, "by": "ana" })).await.code, 202);
    // In the same millisecond either of two replays may be the newer one. But no minute passes in the middle of a call: that
    // would be a server that does not answer.
    yard.idle().await;
    yard.later(60).await;
    let dry = it.post("/v1/replays", json!({ "dry_run": true })).await.json();
    assert_eq!((&dry["matched"], &dry["results"][0]["result"]), (&json!(2), &json!("matched")));
    let replayed = it.post("/v1/replays", json!({ "filter": {}, "force": true })).await.json();
    assert!(replayed["replayed"].as_u64() > Some(0) && replayed["left"].as_u64() > Some(0), "{replayed}");
    let again = it.post("/v1/replays", json!({ "force": true, "replay": replayed["replay"] })).await.json();
    assert!(again["already"].as_u64() > Some(0), "{again}");
    assert_eq!(it.post("/v1/dead-letters/redrive", json!({ "queue": "fanout" })).await.json()["redriven"], 1);
    it.yard.idle().await;
    it.yard.later(3600).await;
    let redelivered = it.get("/v1/events/{id}", "").await.json();
    assert_eq!(redelivered["runs"].as_array().unwrap().len(), 3);

    // What is refused everywhere.
    it.everywhere(401, &[("authorization", "Bearer another-key")], b"{}").await;
    let elsewhere = json!({ "repository": "o/r", "sha": SHA, "statuses": [{ "name": "ci", "status": "success" }] });
    it.everywhere(403, &[of_token], elsewhere.to_string().as_bytes()).await;
    it.everywhere(421, &[("host", "evil.example"), KEY], b"{}").await;
    it.everywhere(400, &[("host", "me@127.0.0.1"), KEY], b"{}").await;
    it.everywhere(413, &[KEY], &vec![b' '; (1 << 20) + 1]).await;
    it.everywhere(415, &[("content-type", "text/plain"), KEY], b"{}").await;
    for (path, query) in [
        ("/v1/events", "?limit=0"),
        (commit, "?cursor=x"),
        ("/v1/dead-letters", "?queue=none"),
        ("/v1/releases", "?state=gone"),
    ] {
        assert_eq!(it.get(path, query).await.code, 400, "{path}{query}");
    }
    assert_eq!(it.post("/v1/replays", json!({ "unknown": 1 })).await.code, 400);
    let nobody = Reader { event: "1-a", ..it };
    for path in ["/v1/events/{id}", "/v1/events/{id}/payload"] {
        assert_eq!(nobody.get(path, "").await.code, 404);
    }
    assert_eq!(nobody.post(one, json!({})).await.code, 404);

    let large = yard.webhook_of("push", json!({ "filler": "y".repeat(300_000) }).to_string());
    yard.server().answer(Answer::status(401));
    large.send().await.accepted();
    yard.idle().await;
    for body in std::fs::read_dir(yard.bodies()).unwrap() {
        std::fs::remove_file(body.unwrap().path()).unwrap();
    }
    assert_eq!(Reader { event: &large.id(), ..it }.post(one, json!({})).await.code, 410);

    // What GitHub hears.
    let push = || yard.webhook("push.branch");
    let too_large = yard.webhook_of("push", vec![b' '; 26_214_401]);
    let deliveries = [
        (202, push()),
        (200, yard.webhook("ping.repository-hook")),
        (400, push().header("x-github-hook-id", "two")),
        (401, push().signed_with("wrong")),
        (413, too_large),
        (415, push().header("content-type", "text/plain")),
    ];
    for (code, delivery) in deliveries {
        let reply = delivery.send().await.reply;
        specification.check("POST", "/github", &reply);
        assert_eq!(reply.code, code);
    }

    let unseen: Vec<_> = specification.unseen().into_iter().filter(|name| !name.ends_with(" 503")).collect();
    assert_eq!(unseen, ["GET /v1/events/{id}/payload 303"], "that is for AWS alone");
}

/// Secrets that cannot be read.
struct Lost;

#[async_trait]
impl Secrets for Lost {
    async fn current(&self) -> Result<Keyring, PortError> {
        Err(PortError::transient("something internal"))
    }
    async fn refresh(&self) -> Result<Keyring, PortError> {
        self.current().await
    }
}

#[tokio::test]
async fn what_cannot_be_answered_now_is_as_the_specification_says() {
    let kept = Kept { github: Some(Arc::new(Lost)), callback: Some(Arc::new(Lost)), ..Kept::default() };
    let yard = SetUp { kept, ..SetUp::default() }.start().await;
    let (yard, specification) = (&yard, &specification(&yard).await);
    let it = Reader { yard, specification, event: "1-a" };
    for (method, path) in specification.operations() {
        let token = [("authorization", "Bearer hy1.e30.e30"), JSON];
        if path != "/health" && path != "/openapi.json" && path != "/github" {
            assert_eq!(it.ask(&method, &path, "", &token, b"{}").await.code, 503, "{method} {path}");
        }
    }
    let reply = yard.webhook("push.branch").send().await.reply;
    specification.check("POST", "/github", &reply);
    assert_eq!(reply.code, 503);
    let unseen: Vec<_> = specification.unseen().into_iter().filter(|name| name.ends_with(" 503")).collect();
    assert_eq!(unseen, ["GET /health 503"], "its store would have to fail, which one on the disk does not");
}

#[tokio::test]
async fn both_ports_take_what_the_specification_says_and_nothing_else() {
    let yard = Local::start().await;
    let specification = specification(&yard).await;
    let mut described = std::collections::BTreeMap::<String, Vec<String>>::new();
    for (method, path) in specification.operations() {
        let methods = described.entry(path).or_default();
        methods.extend((method == "GET").then(|| "HEAD".to_owned()));
        methods.push(method);
        methods.sort();
    }
    for (path, methods) in described {
        let base = if path == "/github" { &yard.webhooks } else { &yard.api };
        let at = path.replace(['{', '}'], "");
        let reply = http::send("PATCH", &format!("{base}{at}"), &[], "").await.unwrap();
        let mut allow: Vec<_> = reply.header("allow").unwrap_or_default().split(',').map(str::to_owned).collect();
        allow.sort();
        assert_eq!((reply.code, allow), (405, methods), "{path}");
    }
}
