//! `POST /v1/events/{id}/replay` and `POST /v1/replays`: run again what GitHub delivered.
//!
//! A replay goes over the bus like any delivery, under a receipt that follows from the replay and the event
//! ([`domain::replay`]). Whoever is cut off in the middle repeats the call with the same `replay`: what has gone is
//! recognised, here or by fanout.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{self, Path, State};
use axum::response::{IntoResponse, Response};
use domain::error::PortError;
use domain::event::{EventStatus, GithubEvent};
use domain::facts::Routing;
use domain::ids::ReceiptId;
use domain::ports::{EventStory, KeptBody};
use domain::replay::{self, Decision, LIMIT, Refusal, ReplayId};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use lambda::http::problem::Problem;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::{self, Reader};
use crate::params::Params;
use crate::{Api, bad_request, body, events, not_text, retry_later, unavailable};

/// Events of one call that are worked on at once.
const AT_ONCE: usize = 8;

/// The longest name that a caller may give for who asked, in characters.
const NAME_LIMIT: usize = 100;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct One {
    force: bool,
    replay: Option<String>,
    by: Option<String>,
}

/// Replays one event.
pub(crate) async fn one(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    request: extract::Request,
) -> Result<Response, Problem> {
    body::json_only(request.headers())?;
    let reader = access::reader(&api, request.headers()).await?;
    let Path(id) = path.map_err(|_| not_text())?;
    let One { force, replay, by } = body::read(request).await?;
    let by = asked_by(reader, by)?;
    let story = events::story(&api, &id).await?;
    let replay = match replay {
        Some(text) => given(&api, &text)?,
        None => mint(&api, story.event.receipts.iter().max().copied()),
    };
    let receipt = match once(&api, &replay, &story, force, &by).await {
        Ok(Decision::Run(receipt) | Decision::Already(receipt)) => receipt,
        Ok(Decision::Leave(refusal)) => return Err(refused(refusal)),
        Err(error) => return Ok(retry_later(unavailable(&error).with("replay", replay.to_string()))),
    };
    let answer = json!({ "event": story.event.id, "receipt": receipt, "replay": replay.to_string() });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Replays one event for somebody who reads its page.
pub(crate) async fn from_page(api: &Api, story: &EventStory, by: &str) -> Result<(), Problem> {
    let replay = mint(api, story.event.receipts.iter().max().copied());
    match once(api, &replay, story, true, by).await {
        Ok(Decision::Run(_) | Decision::Already(_)) => Ok(()),
        Ok(Decision::Leave(refusal)) => Err(refused(refusal)),
        Err(error) => Err(unavailable(&error)),
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Filter {
    repository: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    action: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Many {
    filter: Filter,
    since: Option<String>,
    until: Option<String>,
    force: bool,
    dry_run: bool,
    cursor: Option<String>,
    replay: Option<String>,
    by: Option<String>,
}

/// Replays one page of events.
pub(crate) async fn many(State(api): State<Arc<Api>>, request: extract::Request) -> Result<Response, Problem> {
    body::json_only(request.headers())?;
    let reader = access::reader(&api, request.headers()).await?;
    let Many { filter, since, until, force, dry_run, cursor, replay, by } = body::read(request).await?;
    let by = asked_by(reader, by)?;
    let replay = match replay {
        Some(text) => given(&api, &text)?,
        None if cursor.is_some() => return Err(bad_request("A cursor goes with the replay of the call before.")),
        None => mint(&api, None),
    };
    let Filter { repository, event_type, action, status } = filter;
    let params = [
        ("repository", repository),
        ("type", event_type),
        ("action", action),
        ("status", status),
        ("since", since),
        ("until", until),
        ("cursor", cursor),
    ];
    let mut query = events::query(&Params::given(params)?, api.clock.now())?;
    query.limit = LIMIT;
    // What arrives while a replay goes on is none of its business.
    query.until = Some(query.until.unwrap_or(replay.minted_at()).min(replay.minted_at()));
    events::in_order(&query)?;
    match query.status {
        None if !force => query.status = Some(EventStatus::Errored),
        Some(status) if !force && status != EventStatus::Errored => {
            return Err(bad_request(Refusal::NotErrored.words()));
        }
        _ => {}
    }
    let page = api.reader.events(&query).await.map_err(|error| events::cursor_or(&error))?;
    let mut tally = Tally::new(page.events.len());
    // Oldest first, as they once came.
    let events = page.events.into_iter().rev();
    if dry_run {
        tally.results.extend(events.map(|event| result(&event, "matched", None, None)));
    } else {
        let replays = events.map(|event| replay_listed(&api, &replay, event, force, &by));
        let mut done = stream::iter(replays).buffered(AT_ONCE);
        while let Some(outcome) = done.next().await {
            match outcome {
                Ok((event, decision)) => tally.count(&event, decision),
                Err(error) => return Ok(retry_later(unavailable(&error).with("replay", replay.to_string()))),
            }
        }
        tracing::info!(%replay, matched = tally.matched, replayed = tally.replayed, "events are replayed");
    }
    Ok(Json(tally.answer(&replay, page.next_cursor)).into_response())
}

/// What one call came to.
struct Tally {
    matched: usize,
    replayed: usize,
    already: usize,
    left: usize,
    results: Vec<Value>,
}

impl Tally {
    fn new(matched: usize) -> Self {
        Self { matched, replayed: 0, already: 0, left: 0, results: Vec::with_capacity(matched) }
    }

    fn count(&mut self, event: &GithubEvent, decision: Decision) {
        let (count, word, receipt, refusal) = match decision {
            Decision::Run(receipt) => (&mut self.replayed, "replayed", Some(receipt), None),
            Decision::Already(receipt) => (&mut self.already, "already", Some(receipt), None),
            Decision::Leave(refusal) => (&mut self.left, "left", None, Some(refusal)),
        };
        *count += 1;
        self.results.push(result(event, word, receipt, refusal));
    }

    fn answer(self, replay: &ReplayId, next_cursor: Option<String>) -> Value {
        json!({
            "replay": replay.to_string(),
            "matched": self.matched,
            "replayed": self.replayed,
            "already": self.already,
            "left": self.left,
            "results": self.results,
            "next_cursor": next_cursor,
        })
    }
}

fn result(event: &GithubEvent, word: &str, receipt: Option<ReceiptId>, refusal: Option<Refusal>) -> Value {
    json!({
        "event": event.id,
        "type": event.event_type,
        "repository": event.repository,
        "received_at": event.received_at,
        "result": word,
        "receipt": receipt,
        "reason": refusal.map(Refusal::as_str),
    })
}

/// One event of a list. The list may be behind, so the event itself is looked at.
async fn replay_listed(
    api: &Api,
    replay: &ReplayId,
    event: GithubEvent,
    force: bool,
    by: &str,
) -> Result<(GithubEvent, Decision), PortError> {
    let decision = match api.reader.event(&event.id).await? {
        Some(story) => once(api, replay, &story, force, by).await?,
        // It has expired between the list and now.
        None => Decision::Leave(Refusal::BodyExpired),
    };
    Ok((event, decision))
}

/// Decides about one event, and publishes it if it is to run.
async fn once(api: &Api, replay: &ReplayId, story: &EventStory, force: bool, by: &str) -> Result<Decision, PortError> {
    let decision = replay::decide(replay, story, force);
    let Decision::Run(receipt) = decision else { return Ok(decision) };
    if let Some(KeptBody::Stored(key)) = &story.body
        && !api.bodies.holds(key).await?
    {
        return Ok(Decision::Leave(Refusal::BodyExpired));
    }
    let Some(envelope) = replay::envelope(story, receipt, replay, by) else {
        return Ok(Decision::Leave(Refusal::BodyExpired));
    };
    let event = &story.event;
    let routing = Routing {
        action: event.action.clone(),
        repository: event.repository.clone(),
        installation_id: event.installation_id,
    };
    api.bus.publish(&envelope.encode(), &envelope.attributes(&routing)).await?;
    tracing::info!(event = %event.id, %receipt, %replay, "an event is replayed");
    Ok(decision)
}

fn mint(api: &Api, newest: Option<ReceiptId>) -> ReplayId {
    ReplayId::of(api.ids.next(replay::moment(api.clock.now(), newest)))
}

/// A replay that the caller names: from an earlier answer, or minted over there, so that even the first call can be
/// repeated. One from the future would outrank deliveries that are still to come.
fn given(api: &Api, text: &str) -> Result<ReplayId, Problem> {
    let replay = ReplayId::parse(text).map_err(|bad| bad_request(format!("{bad}.")))?;
    if replay.minted_at().duration_since(api.clock.now()) > replay::SKEW {
        return Err(bad_request("The replay says that it was begun in the future."));
    }
    Ok(replay)
}

/// Who asked, for the run: how they were let in, and the name that they gave.
fn asked_by(reader: Reader, name: Option<String>) -> Result<String, Problem> {
    let way = reader.as_str();
    let Some(name) = name else { return Ok(way.to_owned()) };
    let fit = (1..=NAME_LIMIT).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fit {
        Ok(format!("{way}: {name}"))
    } else {
        Err(bad_request(format!("by must be 1 to {NAME_LIMIT} characters without control characters.")))
    }
}

fn refused(refusal: Refusal) -> Problem {
    let (status, title) = match refusal {
        Refusal::BodyExpired => (StatusCode::GONE, "The body has expired"),
        Refusal::UnderWay | Refusal::NotErrored | Refusal::RunSince => (StatusCode::CONFLICT, "Not to be replayed now"),
    };
    let slug = if refusal == Refusal::BodyExpired { "body-expired" } else { "not-replayed" };
    Problem::new(status, slug, title, refusal.words()).with("reason", refusal.as_str())
}
