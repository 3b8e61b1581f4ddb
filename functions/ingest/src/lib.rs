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
use http::{HeaderValue, StatusCode, header};
use lambda::http::guard::{Hosts, guarded};
use lambda::http::problem::Problem;
use tokio::sync::Semaphore;

use crate::accept::Accepted;

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
}

/// The base of the pages as the request itself tells it (on AWS: `requestContext.domainName`), put into the
/// request's extensions by the main.
#[derive(Debug, Clone)]
pub struct PublicBase(pub String);

/// The webhook port: `POST /github` and `GET /health`. `POST /github` is signed and answers to every host; the rest
/// is guarded.
pub fn router(ingest: Arc<Ingest>, hosts: Hosts) -> Router {
    let port = Port { ingest, large: Arc::new(Semaphore::new(body::LARGE_AT_ONCE)) };
    let guarded = guarded(Router::new().route("/health", get(health)).fallback(unknown), hosts);
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
    match accept::accept(&ingest, &large, request).await {
        Ok(accepted) => answer(accepted),
        Err(problem) => refuse(problem),
    }
}

fn answer(accepted: Accepted) -> Response {
    if accepted.ping {
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

fn refuse(problem: Problem) -> Response {
    let unavailable = problem.status == StatusCode::SERVICE_UNAVAILABLE;
    let mut response = problem.into_response();
    if unavailable {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
    }
    response
}

/// Answers whether this process runs; it needs nothing that could be down without `POST /github` saying so.
async fn health() -> Response {
    Json(serde_json::json!({ "status": "ok", "function": "ingest" })).into_response()
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
