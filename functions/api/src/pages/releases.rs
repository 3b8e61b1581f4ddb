//! The list of releases.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use domain::ids::Repository;
use domain::query::{ReleasePage, ReleaseQuery};
use domain::release::ReleaseState;
use http::StatusCode;
use pages::Shell;
use pages::releases::{Filter, ROWS, Releases};
use pages::words::moment;

use super::{page, trouble};
use crate::Api;
use crate::events::cursor_or;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    RawQuery(raw): RawQuery,
    Extension(shell): Extension<Shell>,
) -> Response {
    let (filter, cursor) = read(raw.as_deref());
    let (query, problems) = query(&filter, cursor.clone());
    let found = if problems.is_empty() { api.releases.releases(&query).await } else { Ok(ReleasePage::default()) };
    let found = match found {
        Ok(found) => found,
        Err(error) => return trouble(shell, &cursor_or(&error)),
    };
    let code = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    (code, page(&Releases::new(shell, filter, problems, &found, cursor.as_deref(), api.clock.now()))).into_response()
}

fn read(raw: Option<&str>) -> (Filter, Option<String>) {
    let (mut filter, mut cursor) = (Filter::default(), None);
    for (name, value) in url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes()) {
        let value = value.trim().to_owned();
        match name.as_ref() {
            "repository" => filter.repository = value,
            "state" => filter.state = value,
            "since" => filter.since = value,
            "cursor" => cursor = Some(value),
            _ => {}
        }
    }
    (filter, cursor)
}

/// What to ask the record, and what could not be read.
fn query(filter: &Filter, cursor: Option<String>) -> (ReleaseQuery, Vec<String>) {
    let mut problems = Vec::new();
    let mut query = ReleaseQuery { limit: ROWS, cursor, ..ReleaseQuery::default() };
    if !filter.repository.is_empty() {
        match Repository::parse(&filter.repository) {
            Ok(repository) => query.repository = Some(repository),
            Err(_) => problems.push("Repository: write it as owner/name.".to_owned()),
        }
    }
    if !filter.state.is_empty() {
        query.state = ReleaseState::from_word(&filter.state);
        if query.state.is_none() {
            problems.push("State: there is no such state.".to_owned());
        }
    }
    if !filter.since.is_empty() {
        query.since = moment(&filter.since);
        if query.since.is_none() {
            problems.push("Published from: a time such as 2026-03-02T10:00.".to_owned());
        }
    }
    (query, problems)
}
