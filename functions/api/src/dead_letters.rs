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
use serde_json::json;

use crate::params::Params;
use crate::{Api, access, bad_request, body, json, unavailable};

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access::reader(&api, &headers).await?;
    let params = Params::read(query.as_deref(), &["queue", "limit"])?;
    let queues = match params.text("queue") {
        Some(word) => vec![queue(word)?],
        None => DeadLetterQueue::ALL.to_vec(),
    };
    let limit = params.limit()?;
    let looks = queues.iter().map(|queue| api.dead_letters.list(*queue, limit));
    let pages = try_join_all(looks).await.map_err(|error| unavailable(&error))?;
    let counts: Vec<_> = queues
        .iter()
        .zip(&pages)
        .map(|(queue, page)| json!({ "queue": queue.as_str(), "count": page.count }))
        .collect();
    let mut letters: Vec<_> = pages.into_iter().flat_map(|page| page.letters).collect();
    letters.sort_by_key(|letter| letter.since);
    letters.truncate(limit);
    let letters: Vec<_> = letters.iter().map(json::dead_letter).collect();
    Ok(Json(json!({ "dead_letters": letters, "queues": counts })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    queue: String,
    #[serde(default)]
    ids: Option<Vec<String>>,
}

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
    let answer = json!({
        "queue": queue.as_str(),
        "redriven": redriven.ids.len(),
        "ids": redriven.ids,
        "missing": redriven.missing,
        "more": redriven.more,
    });
    Ok(Json(answer).into_response())
}

fn queue(word: &str) -> Result<DeadLetterQueue, Problem> {
    DeadLetterQueue::from_word(word).ok_or_else(|| {
        let words = DeadLetterQueue::ALL.map(DeadLetterQueue::as_str).join(", ");
        bad_request(format!("queue must be one of {words}."))
    })
}
