//! Stories: a test that reads like what a person would tell.
//!
//! A [`Yard`] is a gateway with a stand-in for GitHub and one for the user's server around it. It knows the gateway
//! by its two addresses and by [`Control`] only, so the same stories run against one machine and against AWS.
//!
//! ```text
//! let yard = …;
//! yard.server().answer(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "pending" }] })));
//! yard.webhook("pull_request.opened").send().await.accepted();
//! yard.idle().await;
//! assert_eq!(yard.github().newest_of(REPOSITORY, SHA, "ci").unwrap().state, "pending");
//! ```

mod call_back;
mod delivery;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use standin::ci::{Call, Ci};
use standin::github::Github;
use standin::http::{self, Reply};

pub use self::call_back::CallBack;
pub use self::delivery::{Delivery, Sent};

/// The repository of the samples in `events/`.
pub const REPOSITORY: &str = "octo-org/hello";

/// What a story needs of the gateway besides its addresses.
#[async_trait]
pub trait Control: Send + Sync {
    /// Returns when there is nothing to do at this moment.
    async fn idle(&self);
    /// Moves time on.
    fn advance(&self, seconds: i64);
    /// What time it is for the gateway.
    fn now(&self) -> Timestamp;
    /// So many seconds may have gone by of themselves since a story last looked.
    fn slack(&self) -> i64 {
        0
    }
}

/// A gateway and the two ends it talks to.
pub struct Yard {
    /// Base of the webhook port.
    pub webhooks: String,
    /// Base of the API port.
    pub api: String,
    /// What GitHub signs with.
    pub secret: String,
    /// What the gateway signs with, `whsec_…`.
    pub server_secret: String,
    /// Sent as bearer with every question to the API, where one is needed.
    pub api_key: Option<String>,
    /// Base of links to the pages; by default the API's.
    pub pages: String,
    /// Base of the call-back address; by default the API's.
    pub call_backs: String,
    github: Arc<Github>,
    server: Arc<Ci>,
    control: Arc<dyn Control>,
}

impl Yard {
    /// Puts one together around a running gateway.
    pub fn new(github: Arc<Github>, server: Arc<Ci>, control: Arc<dyn Control>, webhooks: String, api: String) -> Self {
        Self {
            pages: api.clone(),
            call_backs: api.clone(),
            webhooks,
            api,
            secret: delivery::sample_secret(),
            server_secret: String::new(),
            api_key: None,
            github,
            server,
            control,
        }
    }

    /// GitHub.
    pub fn github(&self) -> &Github {
        &self.github
    }

    /// The user's server.
    pub fn server(&self) -> &Ci {
        &self.server
    }

    /// Returns when there is nothing to do at this moment: no message due, none in flight.
    pub async fn idle(&self) {
        self.control.idle().await;
    }

    /// Moves time on.
    pub fn advance(&self, seconds: i64) {
        self.control.advance(seconds);
    }

    /// What time it is for the gateway.
    pub fn now(&self) -> Timestamp {
        self.control.now()
    }

    /// So many seconds may have gone by of themselves since a story last looked.
    pub fn slack(&self) -> i64 {
        self.control.slack()
    }

    /// Moves time on to just before so many seconds from the last look, and waits for what has become due.
    pub async fn nearly(&self, seconds: i64) {
        self.later(seconds - 1 - self.control.slack()).await;
    }

    /// Moves on what [`Self::nearly`] left out, and waits for what has become due.
    pub async fn and_now(&self) {
        self.later(1 + self.control.slack()).await;
    }

    /// Moves time on, and waits for what has become due.
    pub async fn later(&self, seconds: i64) {
        self.advance(seconds);
        self.idle().await;
    }

    /// A delivery of a sample in `events/`, by its name without `.json`.
    pub fn webhook(&self, sample: &str) -> Delivery<'_> {
        Delivery::of_sample(self, sample)
    }

    /// A delivery of any event with any body.
    pub fn webhook_of(&self, event: &str, body: impl Into<Vec<u8>>) -> Delivery<'_> {
        Delivery::new(self, event, body.into())
    }

    /// A pull request event of that commit; everything else is invented.
    pub fn pull_request(&self, number: u64, sha: &str) -> Delivery<'_> {
        self.pull_request_in(REPOSITORY, number, sha)
    }

    /// The same in another repository.
    pub fn pull_request_in(&self, repository: &str, number: u64, sha: &str) -> Delivery<'_> {
        let url = format!("https://api.github.com/repos/{repository}/pulls/{number}");
        let body = serde_json::json!({
            "action": "opened",
            "repository": { "full_name": repository },
            "sender": { "login": "ana" },
            "pull_request": { "number": number, "url": url, "head": { "sha": sha } },
        });
        self.webhook_of("pull_request", body.to_string())
    }

    /// A call-back with the token of that call.
    pub fn call_back(&self, call: &Call) -> CallBack<'_> {
        let token = call.header("x-hookyard-callback-token").expect("this event has no commit, so no token");
        CallBack::new(self).bearer(token)
    }

    /// A call-back without any bearer.
    pub fn call_back_openly(&self) -> CallBack<'_> {
        CallBack::new(self)
    }

    /// A call-back with the key, where there is one: by nobody's run.
    pub fn call_back_by_key(&self) -> CallBack<'_> {
        let open = CallBack::new(self);
        match &self.api_key {
            Some(key) => open.bearer(key),
            None => open,
        }
    }

    /// A question to the API port, with the key where there is one.
    pub async fn get(&self, path: &str) -> Reply {
        let bearer = self.api_key.as_ref().map(|key| format!("Bearer {key}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        http::send("GET", &format!("{}{path}", self.api), &headers, "").await.expect("the API answers")
    }

    /// JSON to the API port, with the key where there is one.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        let bearer = self.api_key.as_ref().map(|key| format!("Bearer {key}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
        let url = format!("{}{path}", self.api);
        http::send("POST", &url, &headers, body.to_string()).await.expect("the API answers")
    }

    /// An event as the API shows it.
    pub async fn event(&self, id: &str) -> Value {
        let reply = self.get(&format!("/v1/events/{id}")).await;
        assert_eq!(reply.code, 200, "{id}: {}", reply.json());
        reply.json()
    }

    /// The outcomes of a commit's statuses in one context, oldest accepted first.
    pub async fn outcomes(&self, repository: &str, sha: &str, context: &str) -> Vec<String> {
        let rows = self.rows(repository, sha, context).await;
        rows.iter().map(|row| row["outcome"].as_str().unwrap().to_owned()).collect()
    }

    /// The rows of a commit's statuses in one context, oldest accepted first.
    pub async fn rows(&self, repository: &str, sha: &str, context: &str) -> Vec<Value> {
        let reply = self.get(&format!("/v1/commits/{repository}/{sha}/statuses")).await;
        assert_eq!(reply.code, 200, "{}", reply.json());
        let all = reply.json();
        let mut rows: Vec<Value> = all["statuses"].as_array().unwrap().clone();
        rows.retain(|row| row["context"].as_str().unwrap().eq_ignore_ascii_case(context));
        rows.reverse();
        rows
    }

    /// What GitHub was told in one context, oldest first.
    pub fn told(&self, sha: &str, context: &str) -> Vec<String> {
        let all = self.github.statuses(REPOSITORY, sha);
        all.into_iter().filter(|status| status.context.eq_ignore_ascii_case(context)).map(|s| s.state).collect()
    }
}
