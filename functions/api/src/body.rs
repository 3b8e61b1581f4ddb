//! Bodies of requests: JSON and nothing else, of a bounded size.

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, StatusCode, header};
use lambda::http::problem::Problem;
use serde::de::DeserializeOwned;

use crate::bad_request;

/// The most bytes of a request body: a hundred statuses at their limits.
pub(crate) const BODY_LIMIT: usize = 1 << 20;

/// Pages of other origins can send forms and plain text without asking first, but not this content type.
pub(crate) fn json_only(headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let essence = values.next().and_then(|value| value.to_str().ok()?.split(';').next());
    if values.next().is_none() && essence.is_some_and(|e| e.trim().eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    let detail = "Send JSON, with content-type: application/json.";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", "Unsupported content type", detail))
}

/// The bytes, if they all came and were not too many. To be asked for only once the sender is known: of a body whose
/// sender may not send one, nothing is read.
pub(crate) async fn bytes(request: Request) -> Result<Bytes, Problem> {
    // What is announced as too large need not come first.
    if request.body().size_hint().lower() > BODY_LIMIT as u64 {
        return Err(too_large());
    }
    Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => bad_request("The body was cut short."),
    })
}

/// The bytes, read as what the address takes. The reader's words name fields and places, never values from the body.
pub(crate) async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let bytes = bytes(request).await?;
    // serde takes a list for an object, field by field; an empty one would be an object with nothing said.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(bad_request("The body must be a JSON object."));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "a field is missing, unknown or of another type",
            _ => "it is no JSON",
        };
        bad_request(format!("The body cannot be used at line {}, column {}: {what}.", error.line(), error.column()))
    })
}

fn too_large() -> Problem {
    let detail = "A request may have 1 MiB; send less at once.";
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large", detail)
}
