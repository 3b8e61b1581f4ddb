//! The sample events of API Gateway, read as Lambda reads them, are taken, and their bodies travel byte for byte: the
//! form too, which comes as base64.
#![cfg(feature = "main")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use domain::envelope::{self, Attributes, Envelope};
use domain::error::PortError;
use domain::ids::BodyKey;
use domain::ports::{BodyWriter, EventBus};
use domain::secrets::{FixedSecrets, Keyring};
use ingest::Ingest;
use lambda::http::guard::Hosts;
use testkit::clock::{CountingIds, ManualClock};
use tower::ServiceExt;

#[derive(Default)]
struct Published(Mutex<Vec<String>>);

#[async_trait]
impl EventBus for Published {
    async fn publish(&self, body: &str, _: &Attributes) -> Result<(), PortError> {
        self.0.lock().unwrap().push(body.to_owned());
        Ok(())
    }
}

#[async_trait]
impl BodyWriter for Published {
    async fn put(&self, _: &BodyKey, _: Bytes) -> Result<(), PortError> {
        Err(PortError::permanent("no sample is that large"))
    }
}

#[tokio::test]
async fn every_sample_of_ingest_is_taken_as_lambda_hands_it_over() {
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
    let index: serde_json::Value =
        serde_json::from_slice(&std::fs::read(format!("{events}/index.json")).unwrap()).unwrap();
    let secret = index["sample_secret"].as_str().unwrap();
    let bodies = [
        ("lambda/ingest.github-json.json", "pull_request.opened.json", false),
        ("lambda/ingest.github-form.json", "push.branch-form.form", true),
    ];
    let listed = index["lambda"].as_array().unwrap().iter().filter(|entry| entry["function"] == "ingest");
    let listed: Vec<_> = listed.map(|entry| entry["file"].as_str().unwrap()).collect();
    assert_eq!(listed, bodies.map(|(file, ..)| file), "every sample has its body here");
    for (file, sent, base64) in bodies {
        let text = std::fs::read_to_string(format!("{events}/{file}")).unwrap();
        let published = Arc::new(Published::default());
        let ingest = Ingest {
            secrets: Arc::new(FixedSecrets(Keyring::new(secret.into(), None))),
            bus: published.clone(),
            bodies: published.clone(),
            meter: Arc::new(lambda::meter::Silent),
            refused: None,
            clock: Arc::new(ManualClock::default()),
            ids: Arc::new(CountingIds::default()),
            public_url: None,
        };
        let (parts, body) = lambda_http::request::from_str(&text).unwrap().into_parts();
        assert_eq!(matches!(body, lambda_http::Body::Binary(_)), base64, "{file}");
        let request = http::Request::from_parts(parts, Body::from(body.to_vec()));
        let response = ingest::router(Arc::new(ingest), Hosts::fronted()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 202, "{file}");
        let published = published.0.lock().unwrap();
        let envelope = Envelope::decode(&published[0]).unwrap();
        let sent = std::fs::read(format!("{events}/{sent}")).unwrap();
        assert_eq!(envelope.body, envelope::Body::Inline(sent.into()), "{file}");
    }
}
