//! Whatever is sent, what it is counted under is a word of ours: CloudWatch charges for each that is new.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use domain::envelope::Attributes;
use domain::error::PortError;
use domain::ids::BodyKey;
use domain::ports::{BodyWriter, EventBus};
use domain::secrets::{FixedSecrets, Keyring};
use domain::signature;
use http::{HeaderName, HeaderValue, Request};
use ingest::Ingest;
use lambda::http::guard::Hosts;
use lambda::meter::emf::Emf;
use lambda::meter::{Meter, Refusal};
use proptest::prelude::*;
use serde_json::Value;
use testkit::clock::{CountingIds, ManualClock};
use tower::ServiceExt;

#[derive(Clone, Default)]
struct World(Arc<Mutex<Vec<u8>>>);

impl Write for World {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl EventBus for World {
    async fn publish(&self, _: &str, _: &Attributes) -> Result<(), PortError> {
        Ok(())
    }
}

#[async_trait]
impl BodyWriter for World {
    async fn put(&self, _: &BodyKey, _: Bytes) -> Result<(), PortError> {
        Ok(())
    }
}

/// The metrics of one request.
fn counted(headers: &[(&str, Vec<u8>)], signed: bool, body: Vec<u8>) -> Vec<Value> {
    let (world, clock) = (World::default(), Arc::new(ManualClock::default()));
    let emf = Arc::new(Emf::to(Some("Hookyard/yard".into()), clock.clone(), Box::new(world.clone())));
    let ingest = Ingest {
        secrets: Arc::new(FixedSecrets(Keyring::new("secret".into(), None))),
        bus: Arc::new(world.clone()),
        bodies: Arc::new(world.clone()),
        clock,
        ids: Arc::new(CountingIds::default()),
        public_url: None,
        meter: emf.clone(),
        refused: None,
    };
    let mut request = Request::post("/github");
    if signed {
        request = request.header(signature::HEADER, signature::sign(b"secret", &body));
    }
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::from_bytes(value)) {
            request = request.header(name, value);
        }
    }
    let request = request.body(Body::from(body)).unwrap();
    let router = ingest::router(Arc::new(ingest), Hosts::fronted());
    futures_util::FutureExt::now_or_never(router.oneshot(request)).expect("nothing waits here").unwrap();
    emf.flush();
    let text = String::from_utf8(world.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const NAMES: [&str; 6] = [
    "content-type",
    "x-github-event",
    "x-github-delivery",
    "x-github-hook-id",
    "x-hub-signature-256",
    "content-length",
];

fn value() -> impl Strategy<Value = Vec<u8>> {
    let usual = ["application/json", "push", "a-guid", "7", "Reason", "26214401"].map(|text| text.as_bytes().to_vec());
    prop_oneof![proptest::sample::select(usual.to_vec()), prop::collection::vec(any::<u8>(), 0..80)]
}

proptest! {
    #[test]
    fn no_request_makes_a_name_or_a_value_of_its_own(
        headers in prop::collection::vec((proptest::sample::select(NAMES.to_vec()), value()), 0..8),
        signed in any::<bool>(),
        body in prop_oneof![Just(b"{}".to_vec()), prop::collection::vec(any::<u8>(), 0..200)],
    ) {
        let known: BTreeSet<&str> = Refusal::ALL.iter().map(|reason| reason.as_str()).collect();
        let lines = counted(&headers, signed, body);
        prop_assert_eq!(lines.len(), 1, "one request, one line: {:?}", lines);
        let line = &lines[0];
        prop_assert!(testkit::emf::validate(line).is_ok(), "{}", line);
        let names: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        if line.get("Accepted").is_some() {
            prop_assert_eq!(names, ["Accepted", "_aws"]);
        } else {
            prop_assert_eq!(names, ["Reason", "Refused", "_aws"]);
            prop_assert!(known.contains(line["Reason"].as_str().unwrap()), "{}", line);
        }
    }
}
