//! Replaying many: the question, and a hundred at a time until there are no more. Nothing is kept about it but in the
//! address, and everything goes by the rules of `POST /v1/replays`.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use domain::event::EventStatus;
use domain::query::EventQuery;
use domain::replay::{Refusal, ReplayId};
use http::{HeaderMap, StatusCode};
use lambda::http::problem::Problem;
use pages::Shell;
use pages::events::address;
use pages::replay::{Plan, Progress, Question, Tally};

use super::events::{Asked, query, read};
use super::{form, page, trouble};
use crate::{Api, bad_request, events::cursor_or, not_text, replays};

/// The most pages of events that are counted before the question: a thousand events.
const COUNTED: usize = 10;

/// How many, and which?
pub(super) async fn ask(
    State(api): State<Arc<Api>>,
    RawQuery(raw): RawQuery,
    Extension(shell): Extension<Shell>,
) -> Response {
    let now = api.clock.now();
    let Asked { filter, further } = read(raw.unwrap_or_default().as_bytes());
    let force = is_forced(&further);
    let (query, mut problems) = query(&filter, now);
    problems.extend(not_errored(&query, force));
    let replay = replays::mint(&api, None);
    let plan = if problems.is_empty() { plan(&api, &replay, query, force).await } else { Ok(Plan::none()) };
    let code = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    match plan {
        Ok(plan) => (code, page(&Question::new(shell, filter, force, problems, &plan, &replay, now))).into_response(),
        Err(problem) => trouble(shell, &problem),
    }
}

async fn plan(api: &Api, replay: &ReplayId, query: EventQuery, force: bool) -> Result<Plan, Problem> {
    let mut query = replays::bounded(query, replay, force)?;
    let mut plan = Plan::none();
    for _ in 0..COUNTED {
        let page = api.reader.events(&query).await.map_err(|error| cursor_or(&error))?;
        plan.events.extend(page.events);
        query.cursor = page.next_cursor;
        plan.more = query.cursor.is_some();
        if !plan.more {
            break;
        }
    }
    plan.events.sort_by_key(|event| event.received_at);
    Ok(plan)
}

/// The next hundred.
pub(super) async fn go_on(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    Extension(shell): Extension<Shell>,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let done = async {
        let Form(pairs) = form.map_err(|_| form::unreadable())?;
        let Asked { filter, further } = Asked::of(pairs);
        form::is_ours(&api, &headers, named(&further, "csrf").unwrap_or_default()).await?;
        let Path(id) = path.map_err(|_| not_text())?;
        let replay = replays::given(&api, &id)?;
        let force = is_forced(&further);
        let (query, problems) = query(&filter, api.clock.now());
        if let Some(problem) = problems.into_iter().chain(not_errored(&query, force)).next() {
            return Err(bad_request(problem));
        }
        let cursor = named(&further, "cursor").map(str::to_owned);
        let query = replays::bounded(EventQuery { cursor, ..query }, &replay, force)?;
        let by = if shell.signed_in { "key, from the page" } else { "loopback, from the page" };
        let call = replays::run(&api, &replay, &query, force, by).await?;
        let mut tally = tally(&further);
        tally.replayed = tally.replayed.saturating_add((call.replayed + call.already) as u64);
        tally.left = tally.left.saturating_add(call.left as u64);
        let further = tally.pairs();
        let further = further.iter().map(|(name, value)| (*name, value.as_str()));
        let further = further.chain(force.then_some(("force", "true")));
        let further = further.chain(call.next_cursor.as_deref().map(|cursor| ("cursor", cursor)));
        Ok::<_, Problem>(address(&format!("/replays/{replay}"), filter.pairs().chain(further)))
    };
    match done.await {
        Ok(to) => Redirect::to(&to).into_response(),
        Err(problem) => trouble(shell, &problem),
    }
}

/// How far it has come.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(raw): RawQuery,
    Extension(shell): Extension<Shell>,
) -> Response {
    let Asked { filter, further } = read(raw.unwrap_or_default().as_bytes());
    let replay = path.map_err(|_| not_text()).and_then(|Path(id)| replays::given(&api, &id));
    match replay {
        Ok(replay) => {
            let cursor = named(&further, "cursor").map(str::to_owned);
            let progress = Progress::new(shell, &replay, filter, is_forced(&further), tally(&further), cursor);
            page(&progress)
        }
        Err(problem) => trouble(shell, &problem),
    }
}

/// Which filter does not go with what is asked.
fn not_errored(query: &EventQuery, force: bool) -> Option<String> {
    let others = query.status.is_some_and(|status| status != EventStatus::Errored);
    (others && !force).then(|| Refusal::NotErrored.words().replace("unless force is true", "unless you count all"))
}

fn is_forced(further: &[(String, String)]) -> bool {
    named(further, "force") == Some("true")
}

/// What an address claims; it changes nothing but the words of the page.
fn tally(further: &[(String, String)]) -> Tally {
    let number = |name| named(further, name).and_then(|text| text.parse().ok()).unwrap_or_default();
    let total = named(further, "total").filter(|text| text.len() <= 20).unwrap_or_default();
    Tally { replayed: number("replayed"), left: number("left"), total: total.to_owned() }
}

fn named<'a>(pairs: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}
