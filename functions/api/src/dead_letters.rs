//! `GET /v1/dead-letters` and `POST /v1/dead-letters/redrive`: what is stuck inside, and sending it back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{self, RawQuery, State};
use axum::response::{IntoResponse, Response};
use domain::dead_letters::{DeadLetterQueue, LIMIT, Which};
use futures_util::future::try_join_all;
use http::HeaderMap;
use lambda::http::problem::Problem;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::answers::{DeadLetterPage, QueueCount, Redriven};
use crate::openapi::requests::OneQueue;
use crate::openapi::{Changing, Reading, names};
use crate::params::Params;
use crate::{Api, access, bad_request, body, unavailable};

/// List dead letters
///
/// What was set aside, oldest first.
#[utoipa::path(get, path = "/v1/dead-letters", tag = "dead letters", operation_id = "listDeadLetters",
    params(OneQueue), responses((status = 200, description = "Up to a hundred.", body = DeadLetterPage), Reading))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access::reading(&api, &headers).await?;
    let params = Params::read(query.as_deref(), &["queue", "limit"])?;
    let queues = match params.text("queue") {
        Some(word) => vec![queue(word)?],
        None => DeadLetterQueue::ALL.to_vec(),
    };
    let limit = params.limit()?;
    let looks = queues.iter().map(|queue| api.dead_letters.list(*queue, limit));
    let pages = try_join_all(looks).await.map_err(|error| unavailable(&error))?;
    let count = |(queue, count)| QueueCount { queue, count };
    let counts =
        queues.iter().map(|queue| queue.as_str()).zip(pages.iter().map(|page| page.count)).map(count).collect();
    let mut letters: Vec<_> = pages.into_iter().flat_map(|page| page.letters).collect();
    letters.sort_by_key(|letter| letter.since);
    letters.truncate(limit);
    let dead_letters = letters.into_iter().map(Into::into).collect();
    Ok(Json(DeadLetterPage { dead_letters, queues: counts }).into_response())
}

/// Which dead letters to send back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RedriveRequest, examples(json!({ "queue": "fanout" })))]
pub(crate) struct Request {
    #[schema(value_type = names::QueueName)]
    queue: String,
    /// Only these; left out, up to a hundred of the queue.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 100)]
    ids: Option<Vec<String>>,
}

/// Send dead letters back
///
/// To the queue that they were meant for. What has ended meanwhile is not done twice.
#[utoipa::path(post, path = "/v1/dead-letters/redrive", tag = "dead letters", operation_id = "redriveDeadLetters",
    request_body = Request, responses((status = 200, description = "What was sent back.", body = Redriven), Changing))]
pub(crate) async fn redrive(State(api): State<Arc<Api>>, request: extract::Request) -> Result<Response, Problem> {
    body::json_only(request.headers())?;
    access::reader(&api, request.headers()).await?;
    let Request { queue: word, ids } = body::read(request).await?;
    let queue = queue(&word)?;
    let which = match ids {
        None => Which::Any(LIMIT),
        Some(ids) if (1..=LIMIT).contains(&ids.len()) => Which::These(ids),
        Some(_) => return Err(bad_request(format!("ids must be 1 to {LIMIT}; leave it out for all."))),
    };
    let redriven = api.dead_letters.redrive(queue, &which).await.map_err(|error| unavailable(&error))?;
    tracing::info!(
        queue = queue.as_str(),
        redriven = redriven.ids.len(),
        missing = redriven.missing.len(),
        "dead letters were sent back"
    );
    Ok(Json(Redriven::new(queue, redriven)).into_response())
}

fn queue(word: &str) -> Result<DeadLetterQueue, Problem> {
    DeadLetterQueue::from_word(word).ok_or_else(|| {
        let words = DeadLetterQueue::ALL.map(DeadLetterQueue::as_str).join(", ");
        bad_request(format!("queue must be one of {words}."))
    })
}
