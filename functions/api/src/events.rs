//! `GET /v1/events…`: did the webhook arrive, and what became of it?

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use domain::delivery;
use domain::error::PortError;
use domain::event::EventStatus;
use domain::ids::{EventId, EventType, Repository, Sha};
use domain::ports::{EventStory, KeptBody};
use domain::query::{EventQuery, LIMIT};
use domain::replay::content_type;
use domain::statuses::row::StatusRow;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use lambda::http::problem::Problem;
use serde_json::value::RawValue;

use crate::answers::{EventPage, EventStory as Answer};
use crate::openapi::requests::{EventFilter, OneEvent, Page};
use crate::openapi::{NoSuchEvent, Reading};
use crate::params::Params;
use crate::{Api, access, bad_request, not_text, unavailable};

/// The largest payload that stands inside the event's own answer.
pub(crate) const PAYLOAD_INLINE: usize = 256 * 1024;

/// The deepest: beyond it many readers give up (serde_json at 128), and with the payload the whole answer would be
/// lost to them. GitHub's are less than ten deep.
const PAYLOAD_DEPTH: usize = 100;

/// The largest payload that stands in an answer where the body store can be asked for it: Lambda answers with at most
/// 6 MB, and bytes travel there as base64 (AWS Lambda: "Quotas").
const ANSWER_LIMIT: u64 = 4 << 20;

/// The most pages of a commit's statuses that are searched for those of one event.
const STATUS_PAGES: usize = 10;

const PARAMS: [&str; 9] = ["repository", "type", "action", "status", "delivery", "since", "until", "limit", "cursor"];

/// List events
///
/// The newest first. A page looks at no more than a thousand events, so it may hold fewer than the limit, even none,
/// while there is a next one.
#[utoipa::path(get, path = "/v1/events", tag = "events", operation_id = "listEvents", params(EventFilter, Page),
    responses((status = 200, description = "One page.", body = EventPage), Reading))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    RawQuery(text): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access::reading(&api, &headers).await?;
    let params = Params::read(text.as_deref(), &PARAMS)?;
    let query = query(&params, api.clock.now())?;
    in_order(&query)?;
    let page = api.reader.events(&query).await.map_err(|error| cursor_or(&error))?;
    let events = page.events.iter().map(Into::into).collect();
    Ok(Json(EventPage { events, next_cursor: page.next_cursor }).into_response())
}

/// The filters, the range and the page that are asked for.
pub(crate) fn query(params: &Params, now: Timestamp) -> Result<EventQuery, Problem> {
    let status = params.text("status").map(|word| {
        EventStatus::from_word(word).ok_or_else(|| {
            bad_request(format!("status must be one of {}.", EventStatus::ALL.map(EventStatus::as_str).join(", ")))
        })
    });
    let delivery = params.text("delivery").map(|guid| {
        let fit = (8..=64).contains(&guid.len()) && guid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fit {
            Ok(guid.to_owned())
        } else {
            Err(bad_request("delivery must be a GUID, or 8 or more of its first characters."))
        }
    });
    Ok(EventQuery {
        repository: params.id("repository", Repository::parse)?,
        event_type: params.id("type", EventType::parse)?,
        action: params.text("action").map(str::to_owned),
        status: status.transpose()?,
        delivery: delivery.transpose()?,
        since: params.instant("since")?,
        until: params.instant("until")?,
        limit: params.limit()?,
        cursor: params.text("cursor").map(str::to_owned),
        now,
        ..EventQuery::default()
    })
}

/// A range that ends before it begins is a mistake, not an empty list.
pub(crate) fn in_order(query: &EventQuery) -> Result<(), Problem> {
    if query.since.zip(query.until).is_some_and(|(since, until)| since >= until) {
        return Err(bad_request("since must be before until, and in the past."));
    }
    Ok(())
}

/// Show an event
///
/// With its runs, the statuses that came of it, and its payload where that is not large.
#[utoipa::path(get, path = "/v1/events/{id}", tag = "events", operation_id = "showEvent", params(OneEvent),
    responses((status = 200, description = "The event.", body = Answer), (status = 404, response = NoSuchEvent), Reading))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access::reading(&api, &headers).await?;
    let Path(id) = path.map_err(|_| not_text())?;
    let story = story(&api, &id).await?;
    let statuses = statuses_of(&api, &story).await?;
    let small = story.event.body_bytes <= PAYLOAD_INLINE as u64;
    let body = if small { body(&api, &story).await? } else { None };
    let payload = body.and_then(|bytes| {
        let json = delivery::json_of(&bytes, content_type(&story.headers)).ok()?.into_owned();
        RawValue::from_string(String::from_utf8(json).ok()?).ok()
    });
    let fit = |json: &str| json.len() <= PAYLOAD_INLINE && depth(json) <= PAYLOAD_DEPTH;
    let answer = Answer {
        event: (&story.event).into(),
        failure: story.event.failure_reason.map(|reason| reason.words().into()),
        runs: story.runs.iter().map(Into::into).collect(),
        statuses: statuses.iter().map(Into::into).collect(),
        payload_url: format!("/v1/events/{}/payload", story.event.id),
        payload: payload.filter(|raw| fit(raw.get())),
    };
    Ok(Json(answer).into_response())
}

/// Fetch an event's payload
///
/// The exact bytes that GitHub sent. They are somebody else's: they come as an attachment that no browser guesses at.
#[utoipa::path(get, path = "/v1/events/{id}/payload", tag = "events", operation_id = "fetchPayload", params(OneEvent),
    responses(
        (status = 200, description = "The bytes.", content(
            ("application/json"), ("application/x-www-form-urlencoded"),
        )),
        (status = 303, description = "On AWS, over 4 MB: where they are, for some minutes.",
            headers(("location" = String, description = "An address at the body store."))),
        (status = 404, response = NoSuchEvent),
        Reading,
    ))]
pub(crate) async fn payload(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access::reading(&api, &headers).await?;
    let Path(id) = path.map_err(|_| not_text())?;
    let story = story(&api, &id).await?;
    let content_type = content_type(&story.headers).as_str();
    if let Some(KeptBody::Stored(key)) = &story.body
        && story.event.body_bytes > ANSWER_LIMIT
        && let Some(link) = api.bodies.link(key, content_type).await.map_err(|error| unavailable(&error))?
    {
        return Ok(Redirect::to(&link).into_response());
    }
    let Some(bytes) = body(&api, &story).await? else {
        let detail = "The event is known, but its body has expired.";
        return Err(Problem::new(StatusCode::NOT_FOUND, "not-found", "No such payload", detail));
    };
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Somebody else's bytes: a browser shall neither guess what they are nor show them as a page of ours.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}

pub(crate) async fn story(api: &Api, id: &str) -> Result<EventStory, Problem> {
    let id = EventId::parse(id).map_err(|bad| bad_request(format!("{bad}.")))?;
    api.reader.event(&id).await.map_err(|error| unavailable(&error))?.ok_or_else(|| {
        let detail = "No such event is recorded. One that was just accepted may take some seconds to appear; \
                      events are kept for 90 days by default.";
        Problem::new(StatusCode::NOT_FOUND, "not-found", "No such event", detail)
    })
}

pub(crate) async fn body(api: &Api, story: &EventStory) -> Result<Option<Bytes>, Problem> {
    match &story.body {
        Some(KeptBody::Inline(bytes)) => Ok(Some(bytes.clone())),
        Some(KeptBody::Stored(key)) => api.bodies.get(key).await.map_err(|error| unavailable(&error)),
        None => Ok(None),
    }
}

/// How deep a JSON text is nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    let mut in_text = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_text = !in_text,
            b'\\' => drop(bytes.next()),
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The statuses that belong to the event, newest first: they are kept with their commit, so that both questions
/// are answered from one row.
pub(crate) async fn statuses_of(api: &Api, story: &EventStory) -> Result<Vec<StatusRow>, Problem> {
    let Some(repository) = &story.event.repository else { return Ok(Vec::new()) };
    let named = story.runs.iter().flat_map(|run| &run.attempts).filter_map(|attempt| attempt.sha.as_ref());
    let commits: BTreeSet<&Sha> = story.event.sha.iter().chain(named).collect();
    let mut found = Vec::new();
    for sha in commits {
        found.extend(of_commit(api, repository, sha).await?);
    }
    found.retain(|row| row.event.as_ref() == Some(&story.event.id));
    found.sort_by_key(|row| std::cmp::Reverse(row.accepted));
    Ok(found)
}

pub(crate) async fn of_commit(api: &Api, repository: &Repository, sha: &Sha) -> Result<Vec<StatusRow>, Problem> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    for _ in 0..STATUS_PAGES {
        let page = api.reader.statuses(repository, sha, LIMIT, cursor.as_deref()).await;
        let page = page.map_err(|error| unavailable(&error))?;
        rows.extend(page.statuses);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(rows)
}

/// A cursor that is none of ours is the caller's mistake; everything else is the store's.
pub(crate) fn cursor_or(error: &PortError) -> Problem {
    match error {
        PortError::Permanent(what) if what.starts_with("cursor") => {
            bad_request("cursor must be the next_cursor of the page before, with the same filters.")
        }
        _ => unavailable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_deep_a_text_is() {
        for (json, expected) in
            [("7", 0), ("{}", 1), (r#"{"a":[{}],"b":[]}"#, 3), (r#""[[[[""#, 0), (r#"{"\"[[":"\\","]]":[]}"#, 2)]
        {
            assert_eq!(depth(json), expected, "{json}");
        }
        assert_eq!(depth(&"[".repeat(100_000)), 100_000);
    }
}
