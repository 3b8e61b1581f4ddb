//! One gateway's API over HTTP, and its refusals as what this program ends with.

use std::sync::Arc;

use bytes::Bytes;
use domain::ports::Clock;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{Method, Request};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use server::Web;
use url::Url;

use super::address::origin;
use crate::cli::exit;
use crate::failure::Failure;

/// The largest answer that is read, in bytes: a payload has at most 25 MiB.
const LARGEST: usize = 32 * 1024 * 1024;

/// How often what may be repeated is repeated after a 503, and the longest wait before it, in seconds.
const PATIENCE: (u32, i64) = (4, 30);

/// A gateway. Connects to nothing until it is asked something.
pub(crate) struct Gateway {
    base: Url,
    key: Option<SecretString>,
    web: Web,
    clock: Arc<dyn Clock>,
}

/// What it answered, below 400.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) code: u16,
    /// The bytes.
    pub(crate) body: Bytes,
    /// Where it points to.
    location: Option<String>,
}

/// The members of problem+json that are of use here.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    detail: String,
    reason: Option<String>,
    results: Vec<Value>,
}

impl Gateway {
    pub(super) fn new(base: Url, key: Option<SecretString>, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let web = Web::new(&base, clock.clone())
            .map_err(|error| Failure::usage(error.to_string(), "install your system's CA certificates"))?;
        Ok(Self { base, key, web, clock })
    }

    /// Its address without a path.
    pub(crate) fn origin(&self) -> String {
        origin(&self.base)
    }

    /// Whether a key goes with every request.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Asks for something.
    pub(crate) async fn get(&self, path: &[&str], params: &[(&str, String)]) -> Result<Answer, Failure> {
        let mut url = self.at(path);
        if !params.is_empty() {
            url.query_pairs_mut().extend_pairs(params);
        }
        self.send(Method::GET, url, &[], Bytes::new()).await
    }

    /// Tells it to do something that it may be told twice: an answer of 503 is no reason to give up at once.
    pub(crate) async fn post(&self, path: &[&str], headers: &[(&str, &str)], body: &Value) -> Result<Answer, Failure> {
        self.send(Method::POST, self.at(path), headers, Bytes::from(body.to_string())).await
    }

    /// The same, once only.
    pub(crate) async fn post_once(&self, path: &[&str], body: &Value) -> Result<Answer, Failure> {
        let reply = self.exchange(Method::POST, self.at(path), &[], Bytes::from(body.to_string())).await?;
        self.judge(reply)
    }

    /// The bytes at an address that an answer points to, which is told nothing about us.
    pub(crate) async fn follow(&self, answer: Answer) -> Result<Answer, Failure> {
        let Some(target) = answer.location.as_deref().filter(|_| answer.code == 303) else { return Ok(answer) };
        let elsewhere = || Failure::new("the gateway points to an address that is none", "report this");
        let url = self.base.join(target).map_err(|_| elsewhere())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(elsewhere());
        }
        let stranger = Self::new(url.clone(), None, self.clock.clone())?;
        stranger.send(Method::GET, url, &[], Bytes::new()).await
    }

    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // An http address always takes a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn send(&self, method: Method, url: Url, headers: &[(&str, &str)], body: Bytes) -> Result<Answer, Failure> {
        for _ in 0..PATIENCE.0 {
            let reply = self.exchange(method.clone(), url.clone(), headers, body.clone()).await?;
            let wait = reply.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
            match wait.filter(|_| reply.status() == 503) {
                Some(seconds) => {
                    let wait = SignedDuration::from_secs(seconds.clamp(0, PATIENCE.1));
                    let now = self.clock.now();
                    self.clock.sleep_until(now.checked_add(wait).unwrap_or(now)).await;
                }
                None => return self.judge(reply),
            }
        }
        let reply = self.exchange(method, url, headers, body).await?;
        self.judge(reply)
    }

    async fn exchange(
        &self,
        method: Method,
        url: Url,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<http::Response<Bytes>, Failure> {
        let broken = || Failure::usage(format!("{} cannot be asked", origin(&url)), "give another address with --url");
        let mut request = Request::builder().method(method.clone()).uri(url.as_str());
        request = request.header(USER_AGENT, concat!("hookyard/", env!("CARGO_PKG_VERSION")));
        if method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).map_err(|_| broken())?;
            request = request.header(name, HeaderValue::try_from(*value).map_err(|_| broken())?);
        }
        if let Some(key) = &self.key {
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", key.expose_secret())).map_err(|_| broken())?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        let request = request.body(body).map_err(|_| broken())?;
        self.web.send(request, LARGEST).await.map_err(|error| {
            let why = error.to_string();
            let why = Failure::of_sentences(&why, "");
            let hint = "start the gateway with hookyard serve, or give another address with --url";
            Failure::new(format!("{} cannot be reached: {}", origin(&url), why.what()), hint).with(exit::UNREACHABLE)
        })
    }

    fn judge(&self, reply: http::Response<Bytes>) -> Result<Answer, Failure> {
        let code = reply.status().as_u16();
        let location = reply.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        match code {
            200..=299 | 303 => Ok(Answer { code, location, body: reply.into_body() }),
            300..=399 => {
                let hint = "give the address that it points to with --url";
                Err(Failure::new(format!("{} answered with a redirect ({code})", self.origin()), hint))
            }
            _ => Err(self.refused(code, serde_json::from_slice(reply.body()).unwrap_or_default())),
        }
    }

    fn refused(&self, code: u16, problem: Problem) -> Failure {
        let Problem { detail, reason, results } = problem;
        let said = if detail.is_empty() { format!("{} answered {code}.", self.origin()) } else { detail };
        match (code, reason.as_deref()) {
            (401, _) if self.has_key() => Failure::new(
                format!("the key does not fit {}", self.origin()),
                "give the one that is its HOOKYARD_API_KEY, in the environment or with --key-file",
            )
            .with(exit::NO_KEY),
            (401, _) => Failure::new(
                format!("{} wants its key", self.origin()),
                "set HOOKYARD_API_KEY, or give a file that holds it with --key-file",
            )
            .with(exit::NO_KEY),
            (403, _) => Failure::of_sentences(&said, "give the gateway's key").with(exit::NO_KEY),
            (404, _) => Failure::of_sentences(&said, "see whether that is the address of the API, not of webhooks")
                .with(exit::NOT_FOUND),
            (400, _) => Failure::of_sentences(&said, "see the command's --help").with(exit::USAGE),
            (409, Some("not_errored")) => Failure::new("it has not failed", "add --force to replay it all the same"),
            (422, _) => {
                let why = results.iter().filter_map(|result| result["reason"].as_str()).next();
                Failure::of_sentences(&said, why.unwrap_or("correct it and send it again"))
            }
            (500.., _) => Failure::of_sentences(&said, "try again in a moment, or read the gateway's log"),
            _ => Failure::of_sentences(&said, "see the command's --help"),
        }
    }
}

impl Answer {
    /// The JSON as a shape that this version knows.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            let hint = "see whether that is the address of a Hookyard gateway, and of this version";
            Failure::new(format!("the answer is not what was expected, at {place}"), hint)
        })
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
