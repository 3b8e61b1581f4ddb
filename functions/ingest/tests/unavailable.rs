//! What cannot be made durable is not accepted: 503 with `Retry-After`, and nothing half-done.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use domain::envelope::Attributes;
use domain::error::PortError;
use domain::ids::BodyKey;
use domain::ports::{BodyWriter, EventBus};
use domain::secrets::{FixedSecrets, Keyring};
use domain::signature;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use ingest::Ingest;
use lambda::http::guard::Hosts;
use lambda::meter::Silent;
use testkit::clock::{CountingIds, ManualClock};
use tower::ServiceExt;

/// A world that fails where it is told to, and remembers what it took.
#[derive(Default)]
struct World {
    bus_is_down: bool,
    bodies_are_down: bool,
    published: Mutex<usize>,
    stored: Mutex<usize>,
}

#[async_trait]
impl EventBus for World {
    async fn publish(&self, _: &str, _: &Attributes) -> Result<(), PortError> {
        if self.bus_is_down {
            return Err(PortError::transient("the bus said something internal"));
        }
        *self.published.lock().unwrap() += 1;
        Ok(())
    }
}

#[async_trait]
impl BodyWriter for World {
    async fn put(&self, _: &BodyKey, _: Bytes) -> Result<(), PortError> {
        if self.bodies_are_down {
            return Err(PortError::transient("the store said something internal"));
        }
        *self.stored.lock().unwrap() += 1;
        Ok(())
    }
}

fn port(world: &Arc<World>) -> (Router, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let ingest = Ingest {
        secrets: Arc::new(FixedSecrets(Keyring::new("secret".into(), None))),
        bus: world.clone(),
        bodies: world.clone(),
        clock: clock.clone(),
        ids: Arc::new(CountingIds::default()),
        public_url: None,
        meter: Arc::new(Silent),
        refused: None,
    };
    (ingest::router(Arc::new(ingest), Hosts::fronted()), clock)
}

async fn deliver(router: &Router, body: Vec<u8>) -> Response<Body> {
    let request = Request::post("/github")
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .header("x-github-event", "push")
        .header("x-github-delivery", "a-guid")
        .header(signature::HEADER, signature::sign(b"secret", &body))
        .body(Body::from(body))
        .unwrap();
    router.clone().oneshot(request).await.unwrap()
}

async fn assert_unavailable(response: Response<Body>) {
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "30");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains("edeliver it") && !text.contains("internal"), "{text}");
}

fn large() -> Vec<u8> {
    format!(r#"{{"filler":"{}"}}"#, "x".repeat(300_000)).into_bytes()
}

#[tokio::test]
async fn a_bus_that_will_not_take_it_is_a_503() {
    let world = Arc::new(World { bus_is_down: true, ..World::default() });
    assert_unavailable(deliver(&port(&world).0, b"{}".to_vec()).await).await;
    assert_unavailable(deliver(&port(&world).0, large()).await).await;
}

#[tokio::test]
async fn a_body_that_cannot_be_stored_is_never_published() {
    let world = Arc::new(World { bodies_are_down: true, ..World::default() });
    assert_unavailable(deliver(&port(&world).0, large()).await).await;
    assert_eq!(*world.published.lock().unwrap(), 0);
    assert_eq!(deliver(&port(&world).0, b"{}".to_vec()).await.status(), 202, "a small one needs no store");
}

/// A delivery that declares two megabytes, sends some, and then nothing more.
async fn stand_still(router: Router) -> Response<Body> {
    let some = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 600 * 1024]))]);
    let silent = Body::from_stream(some.chain(futures_util::stream::pending()));
    let request = Request::post("/github").header("content-length", 2 << 20).body(silent).unwrap();
    router.oneshot(request).await.unwrap()
}

async fn let_others_run() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_ninth_large_body_waits_for_a_place_and_those_that_stand_still_lose_theirs() {
    let world = Arc::new(World::default());
    let (router, clock) = port(&world);
    let body = || format!(r#"{{"filler":"{}"}}"#, "x".repeat(2 << 20)).into_bytes();
    // Those that only declare much, and send nothing, have no place.
    let silent = |_| {
        let silent = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let request = Request::post("/github").header("content-length", 2 << 20).body(silent).unwrap();
        tokio::spawn(router.clone().oneshot(request))
    };
    let silent: Vec<_> = (0..100).map(silent).collect();
    let_others_run().await;
    assert_eq!(deliver(&router, body()).await.status(), 202);

    let stuck: Vec<_> = (0..8).map(|_| tokio::spawn(stand_still(router.clone()))).collect();
    let_others_run().await;
    clock.advance(1);
    let waiting = tokio::spawn({
        let (router, body) = (router.clone(), body());
        async move { deliver(&router, body).await }
    });
    let_others_run().await;
    assert!(!waiting.is_finished(), "there is no place");
    assert_eq!(deliver(&router, b"{}".to_vec()).await.status(), 202, "small ones need none");
    clock.advance(4);
    assert_eq!(waiting.await.unwrap().status(), 202, "before its own patience is over");
    for response in stuck {
        assert_eq!(response.await.unwrap().status(), 400);
    }
    clock.advance(30);
    for response in silent {
        assert_eq!(response.await.unwrap().unwrap().status(), 400);
    }
}

#[tokio::test]
async fn who_waits_in_vain_for_a_place_is_told_so() {
    let world = Arc::new(World::default());
    let (router, clock) = port(&world);
    // Eight that keep the pace, and so their places.
    let (senders, stuck): (Vec<_>, Vec<_>) = (0..8)
        .map(|_| {
            let (sender, ended) = tokio::sync::oneshot::channel::<()>();
            let some = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 8 << 20]))]);
            let end = futures_util::stream::once(ended).filter_map(async |_| None);
            let request = Request::post("/github").body(Body::from_stream(some.chain(end))).unwrap();
            (sender, tokio::spawn(router.clone().oneshot(request)))
        })
        .unzip();
    let_others_run().await;
    let ninth = tokio::spawn({
        let router = router.clone();
        async move { deliver(&router, vec![b'x'; 600 * 1024]).await }
    });
    let_others_run().await;
    clock.advance(6);
    assert_unavailable(ninth.await.unwrap()).await;
    drop(senders);
    for response in stuck {
        assert_eq!(response.await.unwrap().unwrap().status(), 415, "they were read to their end");
    }
}
