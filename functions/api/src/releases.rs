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

use crate::answers::ReleasePage;
use crate::events::cursor_or;
use crate::openapi::Reading;
use crate::openapi::requests::{Page, ReleaseFilter};
use crate::params::Params;
use crate::{Api, access, bad_request};

const PARAMS: [&str; 5] = ["repository", "state", "since", "limit", "cursor"];

/// List releases
///
/// The newest first, by when they were published; kept current by GitHub's release events, and never expiring.
#[utoipa::path(get, path = "/v1/releases", tag = "releases", operation_id = "listReleases",
    params(ReleaseFilter, Page), responses((status = 200, description = "One page.", body = ReleasePage), Reading))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access::reading(&api, &headers).await?;
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
    let releases = page.releases.iter().map(Into::into).collect();
    Ok(Json(ReleasePage { releases, next_cursor: page.next_cursor }).into_response())
}
