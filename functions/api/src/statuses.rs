//! `POST /v1/statuses`: statuses by call-back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{self, State};
use axum::response::{IntoResponse, Response};
use domain::ids::{ReceiptId, Repository, Sha, StatusId};
use domain::statuses::message::StatusMessage;
use domain::statuses::request::{self, Item, Request};
use domain::statuses::{Accepted, DESCRIPTION_LIMIT, Via, id};
use domain::trace::TraceId;
use http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use lambda::http::problem::Problem;
use lambda::telemetry::about;
use tracing::Span;

use crate::access::{self, Caller};
use crate::answers::{StatusResult, StatusResults, Verdict};
use crate::openapi::requests::{Repeat, StatusRequest};
use crate::openapi::{Changing, NoStatus};
use crate::{Api, bad_request, body, retry_later, unavailable};

/// Report statuses
///
/// By call-back, with the token that came with an event or with the key. Each status is answered by itself; accepted
/// ones are on their way to GitHub.
#[utoipa::path(post, path = "/v1/statuses", tag = "statuses", operation_id = "reportStatuses",
    security(("key" = []), ("token" = [])),
    params(Repeat),
    request_body = StatusRequest,
    responses(
        (status = 202, description = "At least one was accepted.", body = StatusResults),
        (status = 422, response = NoStatus),
        Changing,
    ))]
pub(crate) async fn post(State(api): State<Arc<Api>>, request: extract::Request) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    body::json_only(&headers)?;
    // Nothing is read of a body whose sender may not send one.
    let caller = access::caller(&api, &headers).await?;
    let trace = trace(&headers, &caller);
    tell_caller(&caller, trace.as_ref());
    let body = body::bytes(request).await?;
    let idempotency_key = idempotency_key(&headers)?;
    let request = request::read(&body).map_err(|unreadable| bad_request(unreadable.to_string()))?;
    let target = target(&request, &caller)?;
    let (results, accepted) = accept(&api, request, target, &caller, idempotency_key.as_deref(), trace);
    tell_accepted(&accepted, results.len());
    if accepted.is_empty() {
        let detail = "None of the statuses was accepted; each result says why.";
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no-status", "No status accepted", detail);
        return Ok(problem.with("results", serde_json::json!(results)).into_response());
    }
    if let Err(error) = api.statuses.send(&accepted).await {
        return Ok(retry_later(unavailable(&error)));
    }
    Ok((StatusCode::ACCEPTED, Json(StatusResults { results })).into_response())
}

/// The trace that the caller names, where it is not the run's own.
fn trace(headers: &HeaderMap, caller: &Caller) -> Option<TraceId> {
    let mut values = headers.get_all("traceparent").iter();
    let named = values.next().and_then(|value| TraceId::from_traceparent(value.to_str().ok()?));
    let own = match caller {
        Caller::Reader(_) => None,
        Caller::Token(grant) => Some(TraceId::of(grant.receipt)),
    };
    named.filter(|named| values.next().is_none() && Some(named) != own.as_ref())
}

/// Tells the request's log line whom it comes from, before anything about it can be wrong.
fn tell_caller(caller: &Caller, trace: Option<&TraceId>) {
    match caller {
        Caller::Reader(_) => about(None, None, None, trace),
        Caller::Token(grant) => {
            let own = TraceId::of(grant.receipt);
            about(Some(&grant.event), Some(grant.receipt), Some(&grant.repository), Some(trace.unwrap_or(&own)));
        }
    }
}

/// Tells it what was taken.
fn tell_accepted(accepted: &[StatusMessage], sent: usize) {
    let span = Span::current();
    span.record("sent", sent).record("accepted", accepted.len());
    if let Some(first) = accepted.first() {
        span.record("sha", first.sha.as_str()).record("via", first.via.as_str());
        about(None, None, Some(&first.repository).filter(|_| first.via == Via::Key), None);
    }
}

/// Where the statuses belong, or why they belong nowhere.
type Target = Result<(Repository, Sha), String>;

/// The commit that the request names; a token's own where it names none. A token holds for nothing else.
fn target(request: &Request, caller: &Caller) -> Result<Target, Problem> {
    let named = || {
        let repository = request.repository.clone()?;
        Ok::<_, String>((repository, request.sha.clone()?))
    };
    let (repository, sha) = match named() {
        Ok(named) => named,
        Err(why) => return Ok(Err(why)),
    };
    let (repository, sha) = match caller {
        Caller::Reader(_) => (repository, sha),
        Caller::Token(grant) => {
            let foreign = repository.as_ref().is_some_and(|named| !named.same_as(&grant.repository))
                || sha.as_ref().is_some_and(|named| *named != grant.sha);
            if foreign {
                let detail = format!(
                    "This call-back token holds for {} at {} only. Use the API key to report on anything else.",
                    grant.repository, grant.sha
                );
                return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "Another commit", detail));
            }
            (repository.or(Some(grant.repository.clone())), sha.or(Some(grant.sha.clone())))
        }
    };
    Ok(match (repository, sha) {
        (Some(repository), Some(sha)) => Ok((repository, sha)),
        (None, _) => Err("repository (or pull_request_url) is missing".to_owned()),
        (_, None) => Err("sha is missing".to_owned()),
    })
}

fn accept(
    api: &Api,
    request: Request,
    target: Target,
    caller: &Caller,
    idempotency_key: Option<&str>,
    trace: Option<TraceId>,
) -> (Vec<StatusResult>, Vec<StatusMessage>) {
    let now = api.clock.now();
    // Never earlier than the one before, even when the clock was set back meanwhile: ids only grow, by milliseconds.
    let at = match ReceiptId(api.ids.next(now)).made_at() {
        Some(grown) if grown > now => grown.checked_add(SignedDuration::from_millis(1)).unwrap_or(grown),
        _ => now,
    };
    let (run, event, via) = match caller {
        Caller::Reader(_) => (None, None, Via::Key),
        Caller::Token(grant) => (Some(grant.receipt), Some(grant.event.clone()), Via::Token),
    };
    let mut accepted = Vec::new();
    let mut results = Vec::with_capacity(request.items.len());
    for (index, Item { context, read }) in request.items.into_iter().enumerate() {
        let read = match (&target, read) {
            (_, Err(why)) => Err(why),
            (Err(why), _) => Err(why.clone()),
            (Ok((repository, sha)), Ok(read)) => Ok((repository, sha, read)),
        };
        match read {
            Err(reason) => {
                results.push(StatusResult { id: None, context, result: Verdict::Invalid, reason: Some(reason) });
            }
            Ok((repository, sha, read)) => {
                let id: StatusId = match idempotency_key {
                    Some(key) => id::of_key(event.as_ref(), repository, sha, key, index, &read.content),
                    None => id::of_uuid(api.ids.next(at)),
                };
                let reason = read.cut.then(|| format!("description cut to {DESCRIPTION_LIMIT} characters"));
                results.push(StatusResult { id: Some(id.clone()), context, result: Verdict::Accepted, reason });
                accepted.push(StatusMessage {
                    id,
                    repository: repository.clone(),
                    sha: sha.clone(),
                    content: read.content,
                    accepted: Accepted { at, index: read.index },
                    reopen: read.reopen,
                    via,
                    run,
                    event: event.clone(),
                    trace: trace.clone(),
                });
            }
        }
    }
    (results, accepted)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().map(str::trim).filter(|text| (1..=255).contains(&text.len()));
    match (text, values.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(bad_request("Idempotency-Key must be given once, with 1 to 255 printable ASCII characters.")),
    }
}
