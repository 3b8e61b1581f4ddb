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
use domain::query::EventQuery;
use domain::replay::{self, Decision, LIMIT, Refusal, ReplayId};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use lambda::http::problem::Problem;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{self, Reader};
use crate::answers::{Fate, ReplayPage, ReplayResult, Replayed};
use crate::openapi::requests::OneEvent;
use crate::openapi::{BodyExpired, Changing, NoSuchEvent, NotReplayed, names};
use crate::params::Params;
use crate::{Api, bad_request, body, events, not_text, retry_later, unavailable};

/// Events of one call that are worked on at once.
const AT_ONCE: usize = 8;

/// The longest name that a caller may give for who asked, in characters.
const NAME_LIMIT: usize = 100;

/// How to replay an event.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplayOneRequest, examples(json!({ "by": "ana, command line" })))]
pub(crate) struct One {
    /// Also when it has not failed.
    #[serde(default)]
    force: bool,
    /// A replay of an earlier answer, to repeat that call, or one that the caller has minted.
    #[schema(value_type = Option<names::ReplayId>)]
    replay: Option<String>,
    /// Who asks, for the run's `asked_by`.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    by: Option<String>,
}

/// Replay one event
///
/// It runs again, as GitHub delivered it and under another receipt. A repeat with the same `replay` runs nothing twice.
#[utoipa::path(post, path = "/v1/events/{id}/replay", tag = "replays", operation_id = "replayEvent",
    params(OneEvent), request_body = One,
    responses(
        (status = 202, description = "It runs.", body = Replayed),
        (status = 404, response = NoSuchEvent),
        (status = 409, response = NotReplayed),
        (status = 410, response = BodyExpired),
        Changing,
    ))]
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
    let answer = Replayed { event: story.event.id, receipt, replay: replay.to_string() };
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

/// Which events to replay, by what they are.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplayFilter)]
struct Filter {
    #[schema(value_type = Option<names::Repository>)]
    repository: Option<String>,
    #[serde(rename = "type")]
    #[schema(value_type = Option<names::EventType>)]
    event_type: Option<String>,
    #[schema(min_length = 1)]
    action: Option<String>,
    /// `errored` where none is given; others only with `force`.
    #[schema(value_type = Option<names::EventStatus>)]
    status: Option<String>,
}

/// Which events to replay, and how.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplayRequest, examples(json!({
    "filter": { "repository": "octo-org/hello" }, "since": "2026-03-02T10:00:00Z", "dry_run": true,
})))]
pub(crate) struct Many {
    #[serde(default)]
    filter: Filter,
    /// Only received at or after this instant.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<String>,
    /// Only received before it; in any case before the replay was minted.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<String>,
    /// Also events that have not failed.
    #[serde(default)]
    force: bool,
    /// Count and list, and replay nothing.
    #[serde(default)]
    dry_run: bool,
    /// The `next_cursor` of the call before, together with its `replay`.
    cursor: Option<String>,
    /// A replay of an earlier answer, to go on with it or to repeat that call, or one that the caller has minted.
    #[schema(value_type = Option<names::ReplayId>)]
    replay: Option<String>,
    /// Who asks, for the runs' `asked_by`.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    by: Option<String>,
}

/// Replay events
///
/// Up to a hundred a call. The first mints `replay`, which stands on the runs; `next_cursor` leads on, and repeating a
/// call runs nothing twice.
#[utoipa::path(post, path = "/v1/replays", tag = "replays", operation_id = "replayEvents", request_body = Many,
    responses((status = 200, description = "What became of each.", body = ReplayPage), Changing))]
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
    let query = events::query(&Params::given(params)?, api.clock.now())?;
    let query = bounded(query, &replay, force)?;
    if dry_run {
        return Ok(Json(dry(&api, &replay, &query).await?).into_response());
    }
    match run(&api, &replay, &query, force, &by).await {
        Ok(page) => Ok(Json(page).into_response()),
        Err(problem) if problem.status == StatusCode::SERVICE_UNAVAILABLE => Ok(retry_later(problem)),
        Err(problem) => Err(problem),
    }
}

/// What one call of a replay looks at: a hundred events at most, none that arrived after it was minted, and only
/// errored ones unless somebody insists.
pub(crate) fn bounded(mut query: EventQuery, replay: &ReplayId, force: bool) -> Result<EventQuery, Problem> {
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
    Ok(query)
}

/// What a call would replay. Oldest first, as they once came.
async fn dry(api: &Api, replay: &ReplayId, query: &EventQuery) -> Result<ReplayPage, Problem> {
    let page = api.reader.events(query).await.map_err(|error| events::cursor_or(&error))?;
    let mut tally = Tally::new(page.events.len());
    tally.results.extend(page.events.iter().rev().map(|event| ReplayResult::new(event, Fate::Matched, None, None)));
    Ok(tally.answer(replay, page.next_cursor))
}

/// One call of a replay, on a [`bounded`] query.
pub(crate) async fn run(
    api: &Api,
    replay: &ReplayId,
    query: &EventQuery,
    force: bool,
    by: &str,
) -> Result<ReplayPage, Problem> {
    let page = api.reader.events(query).await.map_err(|error| events::cursor_or(&error))?;
    let mut tally = Tally::new(page.events.len());
    // Oldest first, as they once came.
    let replays = page.events.into_iter().rev().map(|event| replay_listed(api, replay, event, force, by));
    let mut done = stream::iter(replays).buffered(AT_ONCE);
    while let Some(outcome) = done.next().await {
        match outcome {
            Ok((event, decision)) => tally.count(&event, decision),
            Err(error) => return Err(unavailable(&error).with("replay", replay.to_string())),
        }
    }
    drop(done);
    tracing::info!(%replay, matched = tally.matched, replayed = tally.replayed, "events are replayed");
    Ok(tally.answer(replay, page.next_cursor))
}

/// What one call came to.
struct Tally {
    matched: usize,
    replayed: usize,
    already: usize,
    left: usize,
    results: Vec<ReplayResult>,
}

impl Tally {
    fn new(matched: usize) -> Self {
        Self { matched, replayed: 0, already: 0, left: 0, results: Vec::with_capacity(matched) }
    }

    fn count(&mut self, event: &GithubEvent, decision: Decision) {
        let (count, word, receipt, refusal) = match decision {
            Decision::Run(receipt) => (&mut self.replayed, Fate::Replayed, Some(receipt), None),
            Decision::Already(receipt) => (&mut self.already, Fate::Already, Some(receipt), None),
            Decision::Leave(refusal) => (&mut self.left, Fate::Left, None, Some(refusal)),
        };
        *count += 1;
        self.results.push(ReplayResult::new(event, word, receipt, refusal));
    }

    fn answer(self, replay: &ReplayId, next_cursor: Option<String>) -> ReplayPage {
        let Self { matched, replayed, already, left, results } = self;
        ReplayPage { replay: replay.to_string(), matched, replayed, already, left, results, next_cursor }
    }
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

/// A replay that begins now; with the newest receipt that it has to be newer than, where there is only one event.
pub(crate) fn mint(api: &Api, newest: Option<ReceiptId>) -> ReplayId {
    ReplayId::of(api.ids.next(replay::moment(api.clock.now(), newest)))
}

/// A replay that the caller names: from an earlier answer, or minted over there, so that even the first call can be
/// repeated. One from the future would outrank deliveries that are still to come.
pub(crate) fn given(api: &Api, text: &str) -> Result<ReplayId, Problem> {
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
