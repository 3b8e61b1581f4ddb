//! A payload that is too large for an answer is handed out by the body store, where that can.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;

use api::Api;
use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use domain::dead_letters::{DeadLetterPage, DeadLetterQueue, Redriven, Which};
use domain::envelope::Attributes;
use domain::error::PortError;
use domain::event::{EventStatus, GithubEvent, Source};
use domain::hours::Hour;
use domain::ids::{BodyKey, EventId, EventType, Repository, Sha};
use domain::ports::{
    BodyReader, DeadLetters, EventBus, EventReader, EventStory, HourReader, KeptBody, ReleaseReader, StatusQueue,
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

/// One event with a body of so many bytes in a store that has addresses, or has none.
#[derive(Clone)]
struct World {
    bytes: u64,
    addresses: bool,
}

#[async_trait]
impl BodyReader for World {
    async fn get(&self, _: &BodyKey) -> Result<Option<Bytes>, PortError> {
        Ok(Some(Bytes::from(vec![b' '; usize::try_from(self.bytes).unwrap()])))
    }
    async fn link(&self, key: &BodyKey, content_type: &str) -> Result<Option<String>, PortError> {
        Ok(self.addresses.then(|| format!("https://bucket.example/{}?as={content_type}", key.as_str())))
    }
}

#[async_trait]
impl EventReader for World {
    async fn needs_you(&self, _: Timestamp, _: usize) -> Result<Vec<Trouble>, PortError> {
        Err(PortError::permanent("nobody asks"))
    }
    async fn refused_statuses(&self, _: usize) -> Result<Vec<RefusedStatus>, PortError> {
        Err(PortError::permanent("nobody asks"))
    }
    async fn events(&self, _: &EventQuery) -> Result<EventPage, PortError> {
        Ok(EventPage::default())
    }
    async fn event(&self, id: &EventId) -> Result<Option<EventStory>, PortError> {
        let event = GithubEvent {
            id: id.clone(),
            event_type: EventType::parse("push").unwrap(),
            action: None,
            source: Source::Repository,
            installation_id: None,
            repository: None,
            sender: None,
            sha: None,
            pull_request: None,
            about: None,
            body_sha256: String::new(),
            body_bytes: self.bytes,
            same_body_as: None,
            receipts: vec![],
            received_at: "2026-03-02T10:00:00Z".parse().unwrap(),
            status: EventStatus::Processed,
            reason: None,
            failure_reason: None,
            processed_at: None,
            tries: 0,
            last_answer: None,
            next_attempt_at: None,
        };
        let body = Some(KeptBody::Stored(BodyKey::parse("bodies/x").unwrap()));
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Ok(Some(EventStory { event, runs: vec![], body, headers }))
    }
    async fn statuses(&self, _: &Repository, _: &Sha, _: usize, _: Option<&str>) -> Result<StatusPage, PortError> {
        Ok(StatusPage::default())
    }
    async fn ping(&self) -> Result<(), PortError> {
        Ok(())
    }
}

/// Nothing here is sent, published or set aside.
struct Nowhere;

#[async_trait]
impl StatusQueue for Nowhere {
    async fn send(&self, _: &[StatusMessage]) -> Result<(), PortError> {
        Err(PortError::permanent("nowhere"))
    }
}

#[async_trait]
impl HourReader for World {
    async fn hours(&self, _: Timestamp, _: usize) -> Result<Vec<Hour>, PortError> {
        Err(PortError::permanent("nowhere"))
    }
}

#[async_trait]
impl ReleaseReader for Nowhere {
    async fn releases(&self, _: &ReleaseQuery) -> Result<ReleasePage, PortError> {
        Err(PortError::permanent("nowhere"))
    }
}

#[async_trait]
impl EventBus for Nowhere {
    async fn publish(&self, _: &str, _: &Attributes) -> Result<(), PortError> {
        Err(PortError::permanent("nowhere"))
    }
}

#[async_trait]
impl DeadLetters for Nowhere {
    async fn count(&self, _: DeadLetterQueue) -> Result<u64, PortError> {
        Err(PortError::permanent("nowhere"))
    }
    async fn list(&self, _: DeadLetterQueue, _: usize) -> Result<DeadLetterPage, PortError> {
        Err(PortError::permanent("nowhere"))
    }
    async fn redrive(&self, _: DeadLetterQueue, _: &Which) -> Result<Redriven, PortError> {
        Err(PortError::permanent("nowhere"))
    }
}

async fn payload(bytes: u64, addresses: bool) -> Response<Body> {
    ask("/v1/events/1-a/payload", bytes, addresses).await
}

async fn reply(response: Response<Body>) -> Reply {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply { code: parts.status.as_u16(), headers: parts.headers, body }
}

async fn ask(path: &str, bytes: u64, addresses: bool) -> Response<Body> {
    let world = Arc::new(World { bytes, addresses });
    let api = Api {
        refused: None,
        site: api::Site::on_aws(None),
        reader: world.clone(),
        releases: Arc::new(Nowhere),
        bodies: world,
        statuses: Arc::new(Nowhere),
        bus: Arc::new(Nowhere),
        dead_letters: Arc::new(Nowhere),
        callback_secrets: Arc::new(FixedSecrets(Keyring::new("secret".into(), None))),
        api_key: None,
        open: true,
        clock: Arc::new(ManualClock::default()),
        ids: Arc::new(CountingIds::default()),
    };
    let request = Request::get(path).header("host", "127.0.0.1").body(Body::empty()).unwrap();
    api::router(Arc::new(api), Hosts::new(None, None)).oneshot(request).await.unwrap()
}

#[tokio::test]
async fn over_4_mb_the_caller_is_sent_to_the_bucket() {
    let sent_on = payload((4 << 20) + 1, true).await;
    assert_eq!(sent_on.status(), 303);
    assert_eq!(sent_on.headers()["location"], "https://bucket.example/bodies/x?as=application/json");
    let described = Specification::of(&reply(ask("/openapi.json", 0, true).await).await);
    described.check("GET", "/v1/events/{id}/payload", &reply(sent_on).await);
    for (bytes, addresses) in [(4 << 20, true), ((4 << 20) + 1, false)] {
        let answer = payload(bytes, addresses).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len() as u64, bytes);
    }
}
