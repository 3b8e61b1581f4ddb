//! Errors as `application/problem+json` (RFC 9457).

use axum::Extension;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// The slug of the problem that a response tells, among its extensions: for the log line, which never reads a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slug(pub &'static str);

/// An error as a client sees it. Nothing internal, no secret and no body of a request belongs in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// The kind, for programs: `urn:hookyard:problem:<slug>`; an empty one is `about:blank`, nothing beyond the status.
    pub slug: &'static str,
    /// The kind, for people: the same for every problem with this slug.
    pub title: String,
    /// What happened this time and what to do about it.
    pub detail: String,
    /// Further members; they never replace the four above.
    pub extra: Map<String, Value>,
}

impl Problem {
    /// A problem without further members.
    pub fn new(status: StatusCode, slug: &'static str, title: &str, detail: impl Into<String>) -> Self {
        Self { status, slug, title: title.to_owned(), detail: detail.into(), extra: Map::new() }
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// The `type` member.
    pub fn kind(&self) -> String {
        if self.slug.is_empty() { "about:blank".to_owned() } else { format!("urn:hookyard:problem:{}", self.slug) }
    }

    /// The JSON of the answer.
    pub fn to_json(&self) -> Value {
        let mut members = self.extra.clone();
        members.insert("type".to_owned(), self.kind().into());
        members.insert("title".to_owned(), self.title.clone().into());
        members.insert("status".to_owned(), self.status.as_u16().into());
        members.insert("detail".to_owned(), self.detail.clone().into());
        Value::Object(members)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        (self.status, Extension(Slug(self.slug)), [kind], self.to_json().to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use http_body_util::BodyExt;
    use serde_json::json;

    #[tokio::test]
    async fn it_is_answered_as_rfc_9457_says() {
        let problem =
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no-status", "No status accepted", "All three failed.")
                .with("results", json!([{ "result": "invalid" }]))
                .with("status", 200);
        let response = problem.into_response();
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            json!({
                "type": "urn:hookyard:problem:no-status", "title": "No status accepted", "status": 422,
                "detail": "All three failed.", "results": [{ "result": "invalid" }]
            })
        );
    }

    #[test]
    fn without_a_slug_it_says_no_more_than_the_status() {
        assert_eq!(Problem::new(StatusCode::NOT_FOUND, "", "Not Found", "").kind(), "about:blank");
    }
}
