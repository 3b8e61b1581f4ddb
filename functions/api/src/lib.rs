//! Lets people and servers talk to the gateway: call-backs in, the record out.
//!
//! `POST /v1/statuses` takes statuses (`statuses`), `GET /v1/…` reads the record (`events`, `releases`, `commits`),
//! `/v1/events/{id}/replay` and `/v1/replays` run it again (`replays`), `/v1/dead-letters` shows and sends back what is stuck (`dead_letters`), `access` decides who may,
//! `answers` holds what is sent, `openapi` describes all of it. Start with [`router`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod access;
mod answers;
mod body;
mod commits;
mod dead_letters;
mod events;
mod lines;
mod openapi;
mod pages;
mod params;
mod releases;
mod replays;
pub mod settings;
mod statuses;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router, middleware};
use domain::error::PortError;
use domain::ports::{BodyReader, Clock, DeadLetters, EventBus, EventReader, Ids, ReleaseReader, Secrets, StatusQueue};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lambda::http::guard::{Hosts, guarded};
use lambda::http::problem::Problem;
use lambda::meter::refusals::Refusals;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use self::answers::Health;
pub use self::pages::Site;

/// What the `api` function needs from the world.
pub struct Api {
    /// The record.
    pub reader: Arc<dyn EventReader>,
    /// Releases, out of the same record.
    pub releases: Arc<dyn ReleaseReader>,
    /// Bodies that are not kept in the table.
    pub bodies: Arc<dyn BodyReader>,
    /// Where accepted statuses go.
    pub statuses: Arc<dyn StatusQueue>,
    /// Where replays go, as deliveries do.
    pub bus: Arc<dyn EventBus>,
    /// What was set aside.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Checks call-back tokens.
    pub callback_secrets: Arc<dyn Secrets>,
    /// The API key; none where none is set.
    pub api_key: Option<Arc<dyn Secrets>>,
    /// Whether a request without a bearer counts as one with the key: only on loopback without a key.
    pub open: bool,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids of call-backs and of replays.
    pub ids: Arc<dyn Ids>,
    /// What the pages say of the place they run at.
    pub site: Site,
    /// Refused deliveries by reason, for `/health` with the key; none where another process counts them.
    pub refused: Option<Arc<Refusals>>,
}

/// The smallest answer that is compressed, in bytes: what fits into one packet gains nothing.
const COMPRESSED_FROM: u16 = 1024;

type Route = fn() -> MethodRouter<Arc<Api>>;

/// The addresses for programs: each of them is in the specification. The pages have theirs in `pages`.
const ROUTES: [(&str, Route); 13] = [
    ("/v1/statuses", || post(statuses::post)),
    ("/pulls/status/update", || post(statuses::post)),
    ("/v1/events", || get(events::list)),
    ("/v1/events/{id}", || get(events::show)),
    ("/v1/events/{id}/payload", || get(events::payload)),
    ("/v1/events/{id}/replay", || post(replays::one)),
    ("/v1/replays", || post(replays::many)),
    ("/v1/releases", || get(releases::list)),
    ("/v1/commits/{owner}/{repository}/{sha}/statuses", || get(commits::statuses)),
    ("/v1/dead-letters", || get(dead_letters::list)),
    ("/v1/dead-letters/redrive", || post(dead_letters::redrive)),
    ("/health", || get(health)),
    ("/openapi.json", || get(openapi::openapi)),
];

/// The status, query and page port.
pub fn router(api: Arc<Api>, hosts: Hosts) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, (path, route)| router.route(path, route()));
    let router = routes
        .layer(middleware::map_response(kept_nowhere))
        .merge(pages::router(api.clone()))
        .method_not_allowed_fallback(other_method)
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(body::BODY_LIMIT))
        .layer(middleware::from_fn(lines::one_line))
        .layer(CompressionLayer::new().gzip(true).compress_when(SizeAbove::new(COMPRESSED_FROM)))
        .with_state(api);
    guarded(router, hosts)
}

/// Look whether it works
///
/// Both ports answer. On this one the record can be read; who may read it also hears which deliveries were refused.
#[utoipa::path(get, path = "/health", tag = "gateway", operation_id = "health", security((), ("key" = [])),
    responses(
        (status = 200, description = "It works.", body = Health),
        (status = 503, response = openapi::Unavailable),
        openapi::Anywhere,
    ))]
async fn health(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<Json<Health>, Problem> {
    api.reader.ping().await.map_err(|error| unavailable(&error))?;
    let refused = match &api.refused {
        Some(refused) if access::reading(&api, &headers).await.is_ok() => Some(refused.to_json()),
        _ => None,
    };
    Ok(Json(Health { status: "ok", function: "api", refused }))
}

/// Somebody else's record belongs in no cache, and is read as what it says it is.
async fn kept_nowhere(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The router adds `Allow`, which is all that OPTIONS asks for.
async fn other_method(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let detail = "This address does not take that method; Allow says which ones it does.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed", detail).into_response()
}

async fn unknown() -> Problem {
    let detail =
        "There is nothing at this address. Events are at /v1/events; webhooks go to the other port, at /github.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
}

/// A parameter or a body that cannot be read.
fn bad_request(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-request", "Bad request", detail)
}

/// A path with escapes that are no UTF-8.
fn not_text() -> Problem {
    bad_request("The address holds bytes that are no text.")
}

/// The store or a queue did not answer. What it said goes to the log, not to the caller.
fn unavailable(error: &PortError) -> Problem {
    lines::because(error);
    let detail = "Hookyard cannot reach its store or its queue right now. Try again in a moment.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available now", detail)
}

/// The same, with a hint for clients that wait by themselves.
fn retry_later(problem: Problem) -> Response {
    let mut response = problem.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}
