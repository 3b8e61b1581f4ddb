//! One log line for each request that was to change something, and for each that could not be answered.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use domain::error::PortError;
use http::Method;
use lambda::http::problem::Slug;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span};

/// The layer. What a request is about stands in its span, told by the handlers as they find out.
pub(crate) async fn one_line(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let span = tracing::error_span!(
        "about", event = Empty, receipt = Empty, repository = Empty, trace_id = Empty,
        method = %request.method(), route, sha = Empty, via = Empty, sent = Empty, accepted = Empty, why = Empty
    );
    let work = async {
        let response = next.run(request).await;
        let (code, reason) = (response.status().as_u16(), response.extensions().get::<Slug>().map(|slug| slug.0));
        match code {
            500.. => tracing::error!(outcome = "unavailable", code, reason, "a request could not be answered"),
            _ if reads => tracing::debug!(code, reason, "a request was answered"),
            400.. => tracing::info!(outcome = "refused", code, reason, "a request was refused"),
            _ => tracing::info!(outcome = "accepted", code, "a request was accepted"),
        }
        response
    };
    work.instrument(span).await
}

/// What kept a request from being answered, for its line.
pub(crate) fn because(error: &PortError) {
    Span::current().record("why", display(error));
}
