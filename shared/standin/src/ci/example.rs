//! A small continuous-integration server: it takes pull requests, says at once what it is going to do, and calls
//! back when it has done it.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::signature::is_signed;
use super::{Answer, Call, Ci};
use crate::watched::Watched;

/// The contexts that every pull request gets.
pub const CONTEXTS: [&str; 2] = ["build", "integration-testing"];

/// Work that a pull request gave us, and where to report it.
#[derive(Clone)]
pub struct Job {
    /// The receipt that it came with.
    pub receipt: String,
    /// `owner/name`.
    pub repository: String,
    /// The head commit.
    pub sha: String,
    /// As GitHub wrote it.
    pub pull_request_url: String,
    callback_url: String,
    callback_token: String,
}

/// Without the token.
impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("receipt", &self.receipt)
            .field("repository", &self.repository)
            .field("sha", &self.sha)
            .finish_non_exhaustive()
    }
}

/// One status to report.
#[derive(Debug, Clone)]
pub struct Report {
    /// The context.
    pub name: String,
    /// `pending`, `success`, `failure` or `error`.
    pub status: String,
    /// The description.
    pub message: String,
}

impl Report {
    /// A status of that context, with a description.
    pub fn new(name: &str, status: &str, message: &str) -> Self {
        Self { name: name.to_owned(), status: status.to_owned(), message: message.to_owned() }
    }
}

/// What came of a call-back.
#[derive(Debug, Clone)]
pub struct CalledBack {
    /// HTTP status.
    pub code: u16,
    /// The answer, when it was JSON.
    pub body: Option<Value>,
}

/// Why a call-back got no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallBackError {
    /// The URL that came with the event is none.
    #[error("the call-back URL cannot be used")]
    Url(#[source] hyper::http::Error),
    /// No connection, or it broke.
    #[error("nobody answered the call-back")]
    Connection(#[source] hyper_util::client::legacy::Error),
    /// The answer broke off, or was larger than 1 MiB.
    #[error("the answer to the call-back cannot be read")]
    Answer,
}

/// The example server's mind. Clones share it.
#[derive(Clone)]
pub struct Example {
    secret: Option<String>,
    jobs: Arc<Watched<Jobs>>,
}

#[derive(Default)]
struct Jobs {
    all: Vec<Job>,
    told: usize,
}

impl Example {
    /// With a secret (`whsec_…`), calls that it did not sign are answered 401.
    pub fn new(secret: Option<&str>) -> Self {
        Self { secret: secret.map(ToOwned::to_owned), jobs: Arc::new(Watched::new(Jobs::default())) }
    }

    /// Answers every call of `ci` from now on.
    pub fn take_over(&self, ci: &Ci) {
        let example = self.clone();
        ci.on_call(move |call| {
            let answer = example.answer(&call);
            async move { Some(answer) }
        });
    }

    /// Two pending statuses for a pull request that was opened or got new commits, and 200 for anything else.
    pub fn answer(&self, call: &Call) -> Answer {
        if self.secret.as_ref().is_some_and(|secret| !is_signed(call, secret)) {
            return Answer::status(401).with("content-type", "text/plain").body("the signature does not fit");
        }
        let Some(job) = job(call) else {
            return Answer::json(&json!({ "statuses": [] }));
        };
        let report = |name: &str| json!({ "name": name, "status": "pending", "message": "initializing" });
        let answer = json!({ "statuses": CONTEXTS.map(report) });
        // A repeat of a delivery that we have already taken gets the same answer, and no second job.
        self.jobs.change(|jobs| {
            if !jobs.all.iter().any(|known| known.receipt == job.receipt) {
                jobs.all.push(job);
            }
        });
        Answer::json(&answer)
    }

    /// The next job that this has not returned yet; waits for it.
    pub async fn next_job(&self) -> Job {
        self.jobs
            .wait(|jobs| {
                let next = jobs.all.get(jobs.told).cloned()?;
                jobs.told += 1;
                Some(next)
            })
            .await
    }

    /// Reports statuses of a job: one POST, over plain HTTP, as everything here stays on this machine.
    ///
    /// # Errors
    /// When no whole answer came; an answer of any status is none.
    pub async fn call_back(&self, job: &Job, reports: &[Report]) -> Result<CalledBack, CallBackError> {
        let statuses: Vec<Value> = reports
            .iter()
            .map(|Report { name, status, message }| json!({ "name": name, "status": status, "message": message }))
            .collect();
        let body =
            json!({ "pull_request_url": job.pull_request_url, "sha": job.sha, "statuses": statuses }).to_string();
        let request = Request::post(&job.callback_url)
            .header("authorization", format!("Bearer {}", job.callback_token))
            .header("content-type", "application/json")
            .body(Full::<Bytes>::from(body))
            .map_err(CallBackError::Url)?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.map_err(CallBackError::Connection)?;
        let code = response.status().as_u16();
        let body = Limited::new(response.into_body(), 1024 * 1024);
        let body = body.collect().await.map_err(|_| CallBackError::Answer)?.to_bytes();
        Ok(CalledBack { code, body: serde_json::from_slice(&body).ok() })
    }
}

/// The work in a call, if there is any.
fn job(call: &Call) -> Option<Job> {
    if call.header("x-github-event") != Some("pull_request") {
        return None;
    }
    let event = call.json()?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
    if !matches!(event["action"].as_str(), Some("opened" | "synchronize")) {
        return None;
    }
    Some(Job {
        receipt: call.receipt.clone(),
        repository: text("/repository/full_name")?,
        sha: text("/pull_request/head/sha")?,
        pull_request_url: text("/pull_request/url")?,
        callback_url: call.header("x-hookyard-callback-url")?.to_owned(),
        callback_token: call.header("x-hookyard-callback-token")?.to_owned(),
    })
}
