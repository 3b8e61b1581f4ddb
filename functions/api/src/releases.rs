//! `GET /v1/releases`: what has been released, and what became of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use domain::ids::Repository;
use domain::query::ReleaseQuery;
use domain::release::ReleaseState;
use http::HeaderMap;
use lambda::http::problem::Problem;

use crate::events::cursor_or;
use crate::params::Params;
use crate::{Api, access, bad_request, json};

const PARAMS: [&str; 5] = ["repository", "state", "since", "limit", "cursor"];

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access::reader(&api, &headers).await?;
    let params = Params::read(query.as_deref(), &PARAMS)?;
    let state = params.text("state").map(|word| {
        ReleaseState::from_word(word).ok_or_else(|| {
            bad_request(format!("state must be one of {}.", ReleaseState::ALL.map(ReleaseState::as_str).join(", ")))
        })
    });
    let query = ReleaseQuery {
        repository: params.id("repository", Repository::parse)?,
        state: state.transpose()?,
        since: params.instant("since")?,
        limit: params.limit()?,
        cursor: params.text("cursor").map(str::to_owned),
    };
    let page = api.releases.releases(&query).await.map_err(|error| cursor_or(&error))?;
    let releases: Vec<_> = page.releases.iter().map(json::release).collect();
    Ok(Json(serde_json::json!({ "releases": releases, "next_cursor": page.next_cursor })).into_response())
}
