//! The list of events, and the count of new ones.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use domain::error::PortError;
use domain::event::EventStatus;
use domain::ids::{EventId, EventType, Repository};
use domain::query::{EventPage, EventQuery, LIMIT};
use domain::trouble::RefusedStatus;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use lambda::http::problem::Problem;
use pages::Shell;
use pages::events::{Events, Filter, ROWS};
use pages::words::moment;

use super::{page, trouble, webhook_url};
use crate::events::cursor_or;
use crate::{Api, bad_request, unavailable};

/// The most refused statuses that are listed beside the events.
const REFUSED: usize = 25;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    RawQuery(raw): RawQuery,
    Extension(shell): Extension<Shell>,
) -> Response {
    let now = api.clock.now();
    let Asked { filter, further } = read(raw.unwrap_or_default().as_bytes());
    let cursor = further.iter().find(|(name, _)| name == "cursor").map(|(_, cursor)| cursor.as_str());
    let (query, problems) = query(&filter, now);
    let query = EventQuery { limit: ROWS, cursor: cursor.map(str::to_owned), ..query };
    let found = if problems.is_empty() { api.reader.events(&query).await } else { Ok(EventPage::default()) };
    let found = match found {
        Ok(found) => found,
        Err(error) => return trouble(shell, &cursor_or(&error)),
    };
    let code = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let url = webhook_url(&api, &shell);
    let refused = match refused(&api, &query, &filter).await {
        Ok(refused) => refused,
        Err(error) => return trouble(shell, &unavailable(&error)),
    };
    let events = Events::new(shell, filter, problems, &found, cursor, url, now);
    (code, page(&events.with_refused(&refused, now))).into_response()
}

/// Statuses that need somebody stand on the first page of the events that do, when that is all that is asked for: they
/// have a repository, but no index by it.
async fn refused(api: &Api, query: &EventQuery, filter: &Filter) -> Result<Vec<RefusedStatus>, PortError> {
    let only = filter.pairs().all(|(name, _)| matches!(name, "status" | "since" | "until"));
    if query.status != Some(EventStatus::Errored) || query.cursor.is_some() || !only {
        return Ok(Vec::new());
    }
    api.reader.refused_statuses(REFUSED).await
}

/// How many events have come since one, up to a hundred: one small answer, asked for every few seconds.
pub(super) async fn head(
    State(api): State<Arc<Api>>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    let Asked { filter, further } = read(raw.unwrap_or_default().as_bytes());
    let after = further.iter().find(|(name, _)| name == "after").and_then(|(_, id)| EventId::parse(id).ok());
    let after = after.ok_or_else(|| bad_request("after must be the id of an event."))?;
    let (query, problems) = query(&filter, now);
    if let Some(problem) = problems.into_iter().next() {
        return Err(bad_request(problem));
    }
    let page = api.reader.events(&EventQuery { limit: LIMIT, ..query }).await.map_err(|error| cursor_or(&error))?;
    // One that is not among the newest hundred (any more) has a hundred newer ones, as far as a count can tell.
    let new = page.events.iter().position(|event| event.id == after).unwrap_or(page.events.len());
    let tag = format!("\"{new}\"");
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(serde_json::json!({ "new": new })).into_response()
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// The filters of an address or a form, and what else stands in it.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) filter: Filter,
    pub(super) further: Vec<(String, String)>,
}

/// Reads an address.
pub(super) fn read(raw: &[u8]) -> Asked {
    Asked::of(url::form_urlencoded::parse(raw).into_owned())
}

impl Asked {
    /// Reads names and values.
    pub(super) fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut asked = Self::default();
        let filter = &mut asked.filter;
        for (name, value) in pairs {
            let place = match name.as_str() {
                "repository" => &mut filter.repository,
                "type" => &mut filter.event_type,
                "action" => &mut filter.action,
                "status" => &mut filter.status,
                "since" => &mut filter.since,
                "until" => &mut filter.until,
                "delivery" => &mut filter.delivery,
                "sha" => &mut filter.sha,
                "pull_request" => &mut filter.pull_request,
                _ => {
                    asked.further.push((name, value));
                    continue;
                }
            };
            value.trim().clone_into(place);
        }
        asked
    }
}

/// What to ask the record, and what could not be read.
pub(super) fn query(filter: &Filter, now: Timestamp) -> (EventQuery, Vec<String>) {
    let mut problems = Vec::new();
    let mut query = EventQuery { limit: LIMIT, now, ..EventQuery::default() };
    if !filter.repository.is_empty() {
        match Repository::parse(&filter.repository) {
            Ok(repository) => query.repository = Some(repository),
            Err(_) => problems.push("Repository: write it as owner/name.".to_owned()),
        }
    }
    if !filter.event_type.is_empty() {
        match EventType::parse(&filter.event_type) {
            Ok(kind) => query.event_type = Some(kind),
            Err(_) => problems.push("Event: a type such as pull_request.".to_owned()),
        }
    }
    query.action = Some(filter.action.clone()).filter(|action| !action.is_empty());
    if !filter.status.is_empty() {
        query.status = EventStatus::from_word(&filter.status);
        if query.status.is_none() {
            problems.push("State: there is no such state.".to_owned());
        }
    }
    query.delivery = Some(filter.delivery.clone()).filter(|guid| !guid.is_empty());
    query.sha = Some(filter.sha.to_ascii_lowercase()).filter(|sha| !sha.is_empty());
    if !filter.pull_request.is_empty() {
        query.pull_request = filter.pull_request.parse().ok();
        if query.pull_request.is_none() {
            problems.push("Pull request: its number.".to_owned());
        }
    }
    for (text, name, instant) in [(&filter.since, "From", &mut query.since), (&filter.until, "To", &mut query.until)] {
        if !text.is_empty() {
            *instant = moment(text);
            if instant.is_none() {
                problems.push(format!("{name}: a time such as 2026-03-02T10:00."));
            }
        }
    }
    if query.since.zip(query.until).is_some_and(|(since, until)| since >= until) {
        problems.push("From must be before To.".to_owned());
    }
    (query, problems)
}
