//! A call-back: the user's server reports statuses.

use serde_json::{Value, json};
use standin::http::{self, Failed, Reply};

use super::Yard;

/// A call-back that has not been sent.
pub struct CallBack<'y> {
    yard: &'y Yard,
    bearer: Option<String>,
    body: Value,
    headers: Vec<(String, String)>,
    path: &'static str,
}

impl<'y> CallBack<'y> {
    pub(super) fn new(yard: &'y Yard) -> Self {
        Self { yard, bearer: None, body: json!({ "statuses": [] }), headers: Vec::new(), path: "/v1/statuses" }
    }

    /// With this bearer.
    pub fn bearer(mut self, bearer: &str) -> Self {
        self.bearer = Some(bearer.to_owned());
        self
    }

    /// To the address that the ancestor used.
    pub fn to_the_alias(mut self) -> Self {
        self.path = "/pulls/status/update";
        self
    }

    /// About that commit; by default the token's own.
    pub fn about(mut self, repository: &str, sha: &str) -> Self {
        self.body["repository"] = repository.into();
        self.body["sha"] = sha.into();
        self
    }

    /// With one more status.
    pub fn status(self, name: &str, status: &str, message: &str) -> Self {
        self.entry(json!({ "name": name, "status": status, "message": message }))
    }

    /// With one more entry, whatever it is.
    pub fn entry(mut self, entry: Value) -> Self {
        self.body["statuses"].as_array_mut().unwrap().push(entry);
        self
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this body instead.
    pub fn body(mut self, body: Value) -> Self {
        self.body = body;
        self
    }

    /// Sends it.
    pub async fn send(&self) -> Reply {
        self.try_send().await.expect("the API answers")
    }

    /// Sends it to a gateway that may die before it answers.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn try_send(&self) -> Result<Reply, Failed> {
        let bearer = self.bearer.as_ref().map(|bearer| format!("Bearer {bearer}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
        headers.extend(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let url = format!("{}{}", self.yard.api, self.path);
        http::send("POST", &url, &headers, self.body.to_string()).await
    }

    /// Sends it; it has to be a 202.
    pub async fn accepted(&self) -> Value {
        let reply = self.send().await;
        assert_eq!(reply.code, 202, "{}", reply.json());
        reply.json()
    }
}
