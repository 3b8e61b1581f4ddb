//! `GET /v1/commits/…/statuses`: why does GitHub show this?

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use domain::ids::{Repository, Sha};
use http::HeaderMap;
use lambda::http::problem::Problem;

use crate::answers::StatusPage;
use crate::events::cursor_or;
use crate::openapi::Reading;
use crate::openapi::requests::{OneCommit, Page};
use crate::params::Params;
use crate::{Api, access, bad_request, not_text};

/// List the statuses of a commit
///
/// The newest accepted first, with what became of each.
#[utoipa::path(get, path = "/v1/commits/{owner}/{repository}/{sha}/statuses", tag = "statuses",
    operation_id = "listCommitStatuses", params(OneCommit, Page),
    responses((status = 200, description = "One page.", body = StatusPage), Reading))]
pub(crate) async fn statuses(
    State(api): State<Arc<Api>>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access::reading(&api, &headers).await?;
    let Path((owner, name, sha)) = path.map_err(|_| not_text())?;
    let params = Params::read(query.as_deref(), &["limit", "cursor"])?;
    let bad = |bad: domain::ids::BadId| bad_request(format!("{bad}."));
    let repository = Repository::parse(&format!("{owner}/{name}")).map_err(bad)?;
    let sha = Sha::of(&sha).map_err(bad)?;
    let page = api.reader.statuses(&repository, &sha, params.limit()?, params.text("cursor")).await;
    let page = page.map_err(|error| cursor_or(&error))?;
    let statuses = page.statuses.iter().map(Into::into).collect();
    Ok(Json(StatusPage { statuses, next_cursor: page.next_cursor }).into_response())
}
