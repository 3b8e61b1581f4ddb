//! The two calls, and what their outcomes say about the write.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::error::PortError;
use domain::ids::{CredentialId, Repository, Sha};
use domain::ports::{Clock, GithubAnswer, GithubStatuses, ListReply, ListedStatus, PostReply, TokenNow};
use domain::statuses::{Content, State};
use http::{HeaderMap, StatusCode, header::LINK};
use http_body_util::{BodyExt, Collected, Limited, combinators::BoxBody};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::client::{self, SetUpError};
use crate::credentials::Credentials;
use crate::tokens::Tokens;
use crate::words;

/// Time for one call, from the connection to the last byte of the answer.
pub const TIME_OUT: Duration = Duration::from_secs(10);

/// The most that is read of an answer, in bytes: a page of 100 statuses, each with its author, is some 300 KB.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Statuses per page, GitHub's maximum ("List commit statuses for a reference").
const PER_PAGE: u32 = 100;

/// GitHub, with the tokens that were configured.
pub struct Github {
    base: String,
    host: String,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
}

impl Github {
    /// The API at `api_url` (`https://api.github.com`, or `https://HOST/api/v3` of an enterprise server). Connects
    /// to nothing yet.
    ///
    /// # Errors
    /// [`SetUpError`] when the URL or a token cannot be used, when `https` finds no root certificates on this
    /// machine, and outside a tokio runtime.
    pub fn new(api_url: &Url, tokens: Tokens, clock: Arc<dyn Clock>) -> Result<Self, SetUpError> {
        let base = client::base(api_url)?;
        let credentials = Credentials::new(base.clone(), client::pool(api_url)?, tokens, clock.clone())?;
        let host = api_url.host_str().unwrap_or_default().to_owned();
        Ok(Self { base, host, credentials, clock })
    }

    /// Runs one request to the last byte of its answer, or to the time-out.
    async fn run(
        &self,
        request: impl Future<Output = octocrab::Result<http::Response<BoxBody<Bytes, octocrab::Error>>>>,
    ) -> Outcome {
        let Ok(until) = self.clock.now().checked_add(TIME_OUT) else {
            return Outcome::NotSent("The clock is at its end.".to_owned());
        };
        let answer = async {
            let (parts, body) = match request.await {
                Ok(response) => response.into_parts(),
                Err(error) => return self.failed(&error),
            };
            match Limited::new(body, LARGEST_ANSWER).collect().await.map(Collected::to_bytes) {
                Ok(body) => Outcome::Answered(parts.status, parts.headers, body),
                Err(_) => Outcome::Lost(format!("GitHub's answer ({}) broke off.", parts.status.as_u16())),
            }
        };
        tokio::select! {
            biased;
            outcome = answer => outcome,
            () = self.clock.sleep_until(until) => Outcome::Lost(format!("No answer within {} s.", TIME_OUT.as_secs())),
        }
    }

    /// A failure before the head of the answer: was there a connection at all?
    fn failed(&self, error: &(dyn Error + 'static)) -> Outcome {
        let mut connecting = false;
        let mut cause = error;
        loop {
            let pooled = cause.downcast_ref::<hyper_util::client::legacy::Error>();
            connecting |= pooled.is_some_and(hyper_util::client::legacy::Error::is_connect);
            match cause.source() {
                Some(deeper) => cause = deeper,
                None => break,
            }
        }
        if connecting {
            // The innermost cause names a refusal, a name or a certificate; it never sees the request.
            return Outcome::NotSent(words::line(&format!("No connection to {}: {cause}.", self.host)));
        }
        Outcome::Lost("The connection closed before an answer.".to_owned())
    }
}

/// Without tokens.
impl std::fmt::Debug for Github {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Github").field("base", &self.base).finish_non_exhaustive()
    }
}

enum Outcome {
    Answered(StatusCode, HeaderMap, Bytes),
    /// Not a byte of the request left.
    NotSent(String),
    /// It may have arrived.
    Lost(String),
}

/// What is sent.
#[derive(Serialize)]
struct NewStatus<'a> {
    state: State,
    context: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_url: Option<&'a str>,
}

/// What is read of a listed status.
#[derive(Deserialize)]
struct Entry {
    id: u64,
    state: String,
    context: String,
    description: Option<String>,
    target_url: Option<String>,
}

#[async_trait]
impl GithubStatuses for Github {
    async fn credential(&self, repository: &Repository) -> Result<Option<CredentialId>, PortError> {
        self.credentials.of(repository).await
    }

    async fn token_now(&self, credential: &CredentialId, repository: &Repository) -> TokenNow {
        self.credentials.now(credential, repository).await
    }

    async fn post(
        &self,
        credential: &CredentialId,
        repository: &Repository,
        sha: &Sha,
        content: &Content,
    ) -> PostReply {
        let Some(crab) = self.credentials.crab(credential) else {
            return PostReply::NotSent(NO_TOKEN.to_owned());
        };
        let uri = format!("{}/repos/{repository}/statuses/{sha}", self.base);
        let body = NewStatus {
            state: content.state,
            context: &content.context,
            description: content.description.as_deref(),
            target_url: content.target_url.as_deref(),
        };
        match self.run(crab._post(uri, Some(&body))).await {
            Outcome::Answered(StatusCode::CREATED, _, body) => match id(&body) {
                Some(id) => PostReply::Created(id),
                None => PostReply::Unknown("GitHub answered 201 without an id.".to_owned()),
            },
            Outcome::Answered(status, headers, body) => PostReply::Answered(answer(status, &headers, &body)),
            Outcome::NotSent(why) => PostReply::NotSent(why),
            Outcome::Lost(why) => PostReply::Unknown(why),
        }
    }

    async fn list(&self, credential: &CredentialId, repository: &Repository, sha: &Sha, page: u32) -> ListReply {
        let Some(crab) = self.credentials.crab(credential) else {
            return ListReply::Failed(NO_TOKEN.to_owned());
        };
        let uri = format!("{}/repos/{repository}/commits/{sha}/statuses?per_page={PER_PAGE}&page={page}", self.base);
        match self.run(crab._get(uri)).await {
            Outcome::Answered(StatusCode::OK, headers, body) => match serde_json::from_slice::<Vec<Entry>>(&body) {
                Ok(entries) => ListReply::Listed(entries.into_iter().filter_map(listed).collect(), more(&headers)),
                Err(_) => ListReply::Failed("GitHub answered 200 without a list of statuses.".to_owned()),
            },
            Outcome::Answered(status, headers, body) => ListReply::Answered(answer(status, &headers, &body)),
            Outcome::NotSent(why) | Outcome::Lost(why) => ListReply::Failed(why),
        }
    }
}

const NO_TOKEN: &str = "The token that this status was meant for is not configured here.";

/// The numeric id that a 201 must hold.
fn id(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(body).ok()?.get("id")?.as_u64()
}

/// A status in a state that GitHub did not have when this was written is none of ours: it is left out.
fn listed(entry: Entry) -> Option<ListedStatus> {
    let Entry { id, state, context, description, target_url } = entry;
    let state = State::from_word(&state)?;
    Some(ListedStatus { id, content: Content { context, state, description, target_url } })
}

/// Whether `Link` names a next page.
fn more(headers: &HeaderMap) -> bool {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    links.flat_map(|value| value.split(',')).any(|link| link.contains("rel=\"next\""))
}

fn answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> GithubAnswer {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    GithubAnswer {
        code: status.as_u16(),
        words: words::words(body),
        retry_after: text("retry-after"),
        remaining: text("x-ratelimit-remaining"),
        reset: text("x-ratelimit-reset"),
    }
}
