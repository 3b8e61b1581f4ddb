//! Turns a request into a fact: GitHub's delivery comes in, is checked, and is durable before it is acknowledged.
//!
//! `POST /github`, in this order: size (413), content type (415), signature (401), headers and JSON (400), then the
//! bus (503 when it will not take it). Start with [`router`]; the checks are in `accept`, the body's limits in `body`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod accept;
mod body;
#[cfg(feature = "main")]
pub mod front;
pub mod settings;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::ports::{BodyWriter, Clock, EventBus, Ids, Secrets};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use lambda::http::guard::{Hosts, guarded, is_here};
use lambda::http::problem::Problem;
use lambda::meter::refusals::Refusals;
use lambda::meter::{Fact, Meter};
use lambda::telemetry::subject;
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::accept::{Accepted, Refused};

/// What the `ingest` function needs from the world.
pub struct Ingest {
    /// The webhook secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Where events go.
    pub bus: Arc<dyn EventBus>,
    /// Where bodies go that are too large for it.
    pub bodies: Arc<dyn BodyWriter>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Receipts.
    pub ids: Arc<dyn Ids>,
    /// Base of the pages, for `Location`; none when only the request knows it ([`PublicBase`]).
    pub public_url: Option<String>,
    /// Who counts what is accepted and refused.
    pub meter: Arc<dyn Meter>,
    /// What `/health` tells a request on this machine of refused deliveries. None where the port is open to others
    /// or the counts are elsewhere: which check a request fails on is nothing for a stranger.
    pub refused: Option<Arc<Refusals>>,
}

/// The base of the pages as the request itself tells it (on AWS: `requestContext.domainName`), put into the
/// request's extensions by the main.
#[derive(Debug, Clone)]
pub struct PublicBase(pub String);

/// The webhook port: `POST /github` and `GET /health`. `POST /github` is signed and answers to every host; the rest
/// is guarded.
pub fn router(ingest: Arc<Ingest>, hosts: Hosts) -> Router {
    let health = Router::new().route("/health", get(health)).fallback(unknown).with_state(ingest.clone());
    let port = Port { ingest, large: Arc::new(Semaphore::new(body::LARGE_AT_ONCE)) };
    let guarded = guarded(health, hosts);
    let signed = Router::new().route("/github", post(github).fallback(only_post)).with_state(port);
    signed.merge(guarded)
}

/// What the port's requests share.
#[derive(Clone)]
struct Port {
    ingest: Arc<Ingest>,
    large: Arc<Semaphore>,
}

async fn github(State(Port { ingest, large }): State<Port>, request: Request) -> Response {
    let work = async {
        match accept::accept(&ingest, &large, request).await {
            Ok(accepted) => {
                ingest.meter.count(Fact::Accepted);
                tracing::info!(
                    outcome = "accepted", r#type = %accepted.event_type, bytes = accepted.bytes, "a delivery was accepted"
                );
                answer(accepted)
            }
            Err(refused) => {
                ingest.meter.count(Fact::Refused(refused.reason));
                refuse(refused)
            }
        }
    };
    work.instrument(subject()).await
}

fn answer(accepted: Accepted) -> Response {
    if accepted.event_type.as_str() == "ping" {
        return Json(serde_json::json!({ "pong": true, "event": accepted.event })).into_response();
    }
    let body = Json(serde_json::json!({ "event": accepted.event, "receipt": accepted.receipt }));
    let mut response = (StatusCode::ACCEPTED, body).into_response();
    // An event id is digits, letters and hyphens; only an odd public URL could make this no header value.
    if let Some(location) = accepted.location.and_then(|url| HeaderValue::from_str(&url).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn refuse(Refused { reason, why, problem }: Refused) -> Response {
    let unavailable = problem.status == StatusCode::SERVICE_UNAVAILABLE;
    let (reason, code) = (reason.as_str(), problem.status.as_u16());
    if unavailable {
        tracing::error!(outcome = "refused", reason, code, why, "a delivery was refused");
    } else {
        tracing::warn!(outcome = "refused", reason, code, why, "a delivery was refused");
    }
    let mut response = problem.into_response();
    if unavailable {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
    }
    response
}

/// Answers whether this process runs; it needs nothing that could be down without `POST /github` saying so.
async fn health(State(ingest): State<Arc<Ingest>>, headers: HeaderMap) -> Response {
    let mut health = serde_json::json!({ "status": "ok", "function": "ingest" });
    if let Some(refused) = ingest.refused.as_ref().filter(|_| is_here(&headers)) {
        health["refused"] = refused.to_json();
    }
    Json(health).into_response()
}

async fn only_post() -> Response {
    let detail = "Deliveries are sent with POST. To see whether this port is up, open /health.";
    let mut response =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed", detail).into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

async fn unknown() -> Problem {
    let detail = "This port takes GitHub's webhooks at /github. Pages and the API are on the other port.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
}
