//! An answer before it travels, and the texts that GitHub answers with.

use std::fmt::Display;

use bytes::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::record::Status;
use crate::listener::{Body, Closed};

const DOCUMENTATION: &str = "https://docs.github.com/rest/commits/statuses";

/// An answer: status, headers, body.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn json(status: StatusCode, value: &Value) -> Self {
        let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
        Self { status, headers, body: Bytes::from(value.to_string()) }
    }

    /// GitHub's usual error: one sentence, where to read on, and the status as text.
    pub(super) fn message(status: StatusCode, message: impl Display) -> Self {
        let text = status.as_str().to_owned();
        let value = json!({ "message": message.to_string(), "documentation_url": DOCUMENTATION, "status": text });
        Self::json(status, &value)
    }

    /// 422 with one entry in `errors`.
    pub(super) fn invalid(field: Option<&str>, message: &str) -> Self {
        let mut error = json!({ "resource": "Status", "code": "custom", "message": message });
        if let Some(field) = field {
            error["field"] = Value::from(field);
        }
        let value = json!({
            "message": "Validation Failed",
            "errors": [error],
            "documentation_url": DOCUMENTATION,
            "status": "422",
        });
        Self::json(StatusCode::UNPROCESSABLE_ENTITY, &value)
    }

    /// Sets a header, in place of one with the same name.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.headers.retain(|(present, _)| *present != name);
        self.headers.push((name, value.to_string()));
        self
    }

    /// Sets a header unless it is there.
    pub(super) fn or(self, name: &'static str, value: impl Display) -> Self {
        if self.headers.iter().any(|(present, _)| *present == name) { self } else { self.with(name, value) }
    }

    /// The answer on the wire, with the length of this body and the bytes of that one.
    pub(super) fn send(&self, body: Body) -> Result<Response<Body>, Closed> {
        let mut response = Response::builder().status(self.status).header("content-length", self.body.len());
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        // Only a header that is no header can fail here; all of them are made in this module.
        response.body(body).map_err(|_| Closed)
    }
}

/// A status as GitHub shows it; `api` is the base that the request was sent to.
pub(super) fn status(api: &str, status: &Status) -> Value {
    let Status { id, repository, sha, state, description, target_url, context, created_at, creator } = status;
    json!({
        "url": format!("{api}/repos/{repository}/statuses/{sha}"),
        "avatar_url": format!("{api}/avatars/{creator}"),
        "id": id,
        "node_id": format!("SC_{id}"),
        "state": state,
        "description": description,
        "target_url": target_url,
        "context": context,
        "created_at": created_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "updated_at": created_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "creator": { "login": creator, "id": 1, "type": "User", "site_admin": false },
    })
}
