//! The pages: the same record as `/v1`, for people. What they look like stands in `shared/pages`; here is what each
//! of them asks for, and who may see it.

mod commit;
mod dead_letters;
mod event;
mod events;
mod form;
mod go;
mod overview;
mod releases;
mod replay;
pub(crate) mod session;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use lambda::http::problem::Problem;
use pages::mark::Role;
use pages::notice::{Help, Notice};
use pages::{Section, Shell, Template};

use crate::{Api, access};

/// What the pages say of the place they run at.
#[derive(Debug, Clone)]
pub struct Site {
    /// `local` or `AWS`.
    pub place: &'static str,
    /// Where deliveries go, for the first page that somebody sees; none when that is the host of the pages.
    pub webhook_url: Option<String>,
    /// The user's server as the stories name it.
    pub server: String,
    /// GitHub's address for people, `https://github.com`; none when it is not known.
    pub github: Option<String>,
    /// Whether the pages are reached by https from elsewhere: then the session's cookie is for https only.
    pub https: bool,
    /// Where refused deliveries are shown when this process does not count them: CloudWatch's dashboard.
    pub dashboard: Option<String>,
}

impl Site {
    /// Behind API Gateway, where one host has everything and all of it is https.
    pub fn on_aws(dashboard: Option<String>) -> Self {
        let server = "your server".to_owned();
        Self { place: "AWS", webhook_url: None, server, github: None, https: true, dashboard }
    }
}

/// Nothing runs, nothing is fetched, nothing is sent but what this gateway serves itself.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Routes of the pages.
pub(crate) fn router(api: Arc<Api>) -> Router<Arc<Api>> {
    let read = Router::new()
        .route("/", get(overview::show))
        .route("/events", get(events::list))
        .route("/events/head", get(events::head))
        .route("/events/replay", get(replay::ask))
        .route("/replays/{id}", get(replay::show).post(replay::go_on))
        .route("/events/{id}", get(event::show))
        .route("/events/{id}/replay", post(event::replay))
        .route("/releases", get(releases::list))
        .route("/commits/{owner}/{repository}/{sha}", get(commit::show))
        .route("/dead-letters", get(dead_letters::show).post(dead_letters::redrive))
        .route("/go", get(go::find))
        .route_layer(middleware::from_fn_with_state(api, readers_only));
    read.route("/help", get(help))
        .route("/sign-in", get(sign_in::ask).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/assets/{name}", get(asset))
        .route("/favicon.ico", get(icon))
        .layer(middleware::map_response(safe))
}

/// What stands around a page for who reads it: with a session, with the key as a bearer, or openly on this machine.
async fn reader(api: &Api, headers: &HeaderMap) -> Result<Shell, Problem> {
    let session = session::of(api, headers).await?;
    if session.is_none() {
        access::reader(api, headers).await?;
    }
    let csrf = session::csrf(api, session.as_ref()).await?;
    Ok(Shell { reader: true, signed_in: session.is_some(), csrf, ..stranger(api, headers) })
}

/// Where deliveries go.
fn webhook_url(api: &Api, shell: &Shell) -> String {
    api.site.webhook_url.clone().unwrap_or_else(|| format!("https://{}/github", shell.host))
}

/// What stands around a page for those who may not see the record.
fn stranger(api: &Api, headers: &HeaderMap) -> Shell {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    Shell {
        section: Section::Elsewhere,
        host: host.to_owned(),
        place: api.site.place,
        reader: false,
        signed_in: false,
        csrf: String::new(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// A page, or a sentence that there is none.
pub(crate) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A problem as a page.
pub(crate) fn trouble(shell: Shell, problem: &Problem) -> Response {
    let links = vec![("All events", "/events".to_owned())];
    let role = if problem.status.is_server_error() { Role::Bad } else { Role::Quiet };
    let notice = Notice {
        shell,
        title: problem.title.clone(),
        role,
        headline: format!("{}.", problem.title.trim_end_matches('.')),
        sentences: vec![problem.detail.clone()],
        links,
    };
    (problem.status, page(&notice)).into_response()
}

async fn help(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let shell = reader(&api, &headers).await.unwrap_or_else(|_| stranger(&api, &headers));
    page(&Help::new(shell))
}

async fn asset(Path(name): Path<String>) -> Response {
    let Some(asset) = pages::assets::at(&format!("/assets/{name}")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kept = "public, max-age=31536000, immutable";
    ([(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, kept)], asset.text).into_response()
}

/// Browsers ask for it where an answer names no icon, as JSON cannot.
async fn icon() -> Response {
    let Some(icon) = pages::assets::at(&pages::assets::addresses().icon) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    ([(header::CONTENT_TYPE, icon.kind), (header::CACHE_CONTROL, "public, max-age=86400")], icon.text).into_response()
}

/// What every answer of the pages carries.
async fn safe(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Lets only readers through, and hands on what stands around their pages. Who follows a link without a session is
/// asked for the key and comes back to where they were.
async fn readers_only(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    match reader(&api, request.headers()).await {
        Ok(shell) => {
            request.extensions_mut().insert(shell);
            next.run(request).await
        }
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED && request.method() == Method::GET => {
            let place = request.uri().path_and_query().map_or("/", |place| place.as_str());
            Redirect::to(&pages::events::address("/sign-in", [("next", place)])).into_response()
        }
        Err(problem) => trouble(stranger(&api, request.headers()), &problem),
    }
}
