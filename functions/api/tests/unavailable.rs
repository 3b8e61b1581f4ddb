//! A queue that takes only some, or a record that cannot be read, is a 503 that says to come again.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;

use api::Api;
use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use domain::dead_letters::{DeadLetterPage, DeadLetterQueue, Redriven, Which};
use domain::envelope::Attributes;
use domain::error::PortError;
use domain::hours::Hour;
use domain::ids::{BodyKey, EventId, Repository, Sha};
use domain::ports::{
    BodyReader, DeadLetters, EventBus, EventReader, EventStory, HourReader, ReleaseReader, StatusQueue,
};
use domain::query::{EventPage, EventQuery, ReleasePage, ReleaseQuery, StatusPage};
use domain::secrets::{FixedSecrets, Keyring};
use domain::statuses::message::StatusMessage;
use domain::trouble::{RefusedStatus, Trouble};
use http::{Request, Response};
use http_body_util::BodyExt;
use jiff::Timestamp;
use lambda::http::guard::Hosts;
use standin::http::Reply;
use testkit::clock::{CountingIds, ManualClock};
use testkit::specification::Specification;
use tower::ServiceExt;

/// Everything behind the API fails, in words that are nobody's business.
struct Down;

fn down<T>() -> Result<T, PortError> {
    Err(PortError::transient("something internal"))
}

#[async_trait]
impl StatusQueue for Down {
    async fn send(&self, _: &[StatusMessage]) -> Result<(), PortError> {
        down()
    }
}

#[async_trait]
impl EventBus for Down {
    async fn publish(&self, _: &str, _: &Attributes) -> Result<(), PortError> {
        down()
    }
}

#[async_trait]
impl BodyReader for Down {
    async fn get(&self, _: &BodyKey) -> Result<Option<Bytes>, PortError> {
        down()
    }
}

#[async_trait]
impl DeadLetters for Down {
    async fn count(&self, _: DeadLetterQueue) -> Result<u64, PortError> {
        down()
    }
    async fn list(&self, _: DeadLetterQueue, _: usize) -> Result<DeadLetterPage, PortError> {
        down()
    }
    async fn redrive(&self, _: DeadLetterQueue, _: &Which) -> Result<Redriven, PortError> {
        down()
    }
}

#[async_trait]
impl EventReader for Down {
    async fn needs_you(&self, _: Timestamp, _: usize) -> Result<Vec<Trouble>, PortError> {
        down()
    }
    async fn refused_statuses(&self, _: usize) -> Result<Vec<RefusedStatus>, PortError> {
        down()
    }
    async fn events(&self, _: &EventQuery) -> Result<EventPage, PortError> {
        down()
    }
    async fn event(&self, _: &EventId) -> Result<Option<EventStory>, PortError> {
        down()
    }
    async fn statuses(&self, _: &Repository, _: &Sha, _: usize, _: Option<&str>) -> Result<StatusPage, PortError> {
        down()
    }
    async fn ping(&self) -> Result<(), PortError> {
        down()
    }
}

#[async_trait]
impl HourReader for Down {
    async fn hours(&self, _: Timestamp, _: usize) -> Result<Vec<Hour>, PortError> {
        down()
    }
}

#[async_trait]
impl ReleaseReader for Down {
    async fn releases(&self, _: &ReleaseQuery) -> Result<ReleasePage, PortError> {
        down()
    }
}

async fn ask(method: &str, path: &str, body: &str) -> Response<Body> {
    let api = Api {
        reader: Arc::new(Down),
        releases: Arc::new(Down),
        bodies: Arc::new(Down),
        statuses: Arc::new(Down),
        bus: Arc::new(Down),
        dead_letters: Arc::new(Down),
        callback_secrets: Arc::new(FixedSecrets(Keyring::new("secret".into(), None))),
        api_key: None,
        open: true,
        clock: Arc::new(ManualClock::default()),
        ids: Arc::new(CountingIds::default()),
        site: api::Site::on_aws(None),
        refused: None,
    };
    let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
    let request = request.header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap();
    api::router(Arc::new(api), Hosts::new(None, None)).oneshot(request).await.unwrap()
}

async fn detail(response: Response<Body>) -> String {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn statuses_that_the_queue_did_not_take_are_to_be_sent_again() {
    let body =
        format!(r#"{{"repository":"o/r","sha":"{}","statuses":[{{"name":"ci","status":"success"}}]}}"#, "a".repeat(40));
    let response = ask("POST", "/v1/statuses", &body).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "5");
    let said = detail(response).await;
    assert!(said.contains("Try again") && !said.contains("internal"), "{said}");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_says_so_and_nothing_internal() {
    let commit = format!("/v1/commits/o/r/{}/statuses", "a".repeat(40));
    let plain =
        ["/v1/events", "/v1/events/1-a", "/v1/events/1-a/payload", "/v1/releases", "/v1/dead-letters", "/health"];
    for path in plain.into_iter().chain([commit.as_str()]) {
        let response = ask("GET", path, "").await;
        assert_eq!(response.status(), 503, "{path}");
        let said = detail(response).await;
        assert!(said.contains("Try again") && !said.contains("internal"), "{path}: {said}");
    }
}

#[tokio::test]
async fn pages_say_so_as_well() {
    for path in ["/", "/events", "/events?status=errored", "/releases", "/dead-letters"] {
        let response = ask("GET", path, "").await;
        assert_eq!(response.status(), 503, "{path}");
        let page = response.into_body().collect().await.unwrap().to_bytes();
        let page = String::from_utf8_lossy(&page);
        assert!(page.contains("Try again") && !page.contains("internal"), "{path}: {page}");
    }
}

#[tokio::test]
async fn dead_letters_that_cannot_be_sent_back_stay_where_they_are() {
    let response = ask("POST", "/v1/dead-letters/redrive", r#"{"queue":"fanout"}"#).await;
    assert_eq!(response.status(), 503);
    let said = detail(response).await;
    assert!(said.contains("Try again") && !said.contains("internal"), "{said}");
}

#[tokio::test]
async fn every_address_says_which_methods_it_takes() {
    let commit = format!("/v1/commits/o/r/{}/statuses", "a".repeat(40));
    for (path, allow) in [
        ("/v1/statuses", "POST"),
        ("/pulls/status/update", "POST"),
        ("/v1/events", "GET,HEAD"),
        ("/v1/events/1-a", "GET,HEAD"),
        ("/v1/events/1-a/payload", "GET,HEAD"),
        ("/v1/events/1-a/replay", "POST"),
        ("/v1/replays", "POST"),
        ("/v1/dead-letters", "GET,HEAD"),
        ("/v1/dead-letters/redrive", "POST"),
        (&commit, "GET,HEAD"),
        ("/health", "GET,HEAD"),
    ] {
        let refused = ask("DELETE", path, "").await;
        assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (405, &allow.parse().unwrap()), "{path}");
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        let options = ask("OPTIONS", path, "").await;
        assert_eq!((options.status().as_u16(), &options.headers()["allow"]), (204, &allow.parse().unwrap()), "{path}");
        let head = ask("HEAD", path, "").await;
        assert_eq!(head.status().as_u16(), if allow == "POST" { 405 } else { 503 }, "{path}");
        assert!(head.into_body().collect().await.unwrap().to_bytes().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_replay_that_the_bus_did_not_take_can_be_repeated_by_its_name() {
    let response = ask("POST", "/v1/replays", "{}").await;
    assert_eq!(response.status(), 503);
    let said = detail(response).await;
    assert!(said.contains("Try again") && !said.contains("internal"), "{said}");
}

#[tokio::test]
async fn what_needs_a_store_that_fails_is_as_the_specification_says() {
    let specification = Specification::of(&reply(ask("GET", "/openapi.json", "").await).await);
    let events = format!("/v1/commits/o/r/{}/statuses", "a".repeat(40));
    for (path, at) in [
        ("/health", "/health"),
        ("/v1/events", "/v1/events"),
        ("/v1/events/{id}", "/v1/events/1-a"),
        ("/v1/events/{id}/payload", "/v1/events/1-a/payload"),
        ("/v1/commits/{owner}/{repository}/{sha}/statuses", &events),
        ("/v1/dead-letters", "/v1/dead-letters"),
    ] {
        specification.check("GET", path, &reply(ask("GET", at, "").await).await);
    }
}

async fn reply(response: Response<Body>) -> Reply {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply { code: parts.status.as_u16(), headers: parts.headers, body }
}
