//! The first page: is all well?

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::dead_letters::DeadLetterQueue;
use domain::error::PortError;
use domain::event::EventStatus;
use domain::query::{EventQuery, ReleaseQuery};
use futures_util::future::try_join_all;
use lambda::http::problem::Problem;
use lambda::meter::Refusal;
use pages::Shell;
use pages::overview::{COUNTED, HOURS, Overview, RELEASES, Refused, Seen, since};

use super::{page, trouble};
use crate::params::Params;
use crate::{Api, bad_request, unavailable};

/// How far back to look unless the address says otherwise.
const DAY: u64 = 24;

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    RawQuery(raw): RawQuery,
    Extension(shell): Extension<Shell>,
) -> Response {
    match hours(raw.as_deref()) {
        Err(problem) => trouble(shell, &problem),
        Ok(hours) => match overview(&api, &shell, hours).await {
            Ok(overview) => page(&overview),
            Err(error) => trouble(shell, &unavailable(&error)),
        },
    }
}

fn hours(raw: Option<&str>) -> Result<u64, Problem> {
    let params = Params::read(raw, &["hours"])?;
    let Some(text) = params.text("hours") else { return Ok(DAY) };
    let hours = text.parse().ok().filter(|hours| (1..=HOURS).contains(hours));
    hours.ok_or_else(|| bad_request(format!("hours must be 1 to {HOURS}.")))
}

/// Four queries of the record at once, none of them longer when there is more, and a count of each dead-letter queue.
async fn overview(api: &Api, shell: &Shell, hours: u64) -> Result<Overview, PortError> {
    let now = api.clock.now();
    let waiting = EventQuery { status: Some(EventStatus::Unprocessed), limit: COUNTED, now, ..EventQuery::default() };
    let newest = ReleaseQuery { limit: RELEASES, ..ReleaseQuery::default() };
    let letters = DeadLetterQueue::ALL.map(|queue| async move { Ok((queue, api.dead_letters.count(queue).await?)) });
    let (counts, waiting, troubles, releases, dead_letters) = futures_util::try_join!(
        api.reader.hours(now, usize::try_from(hours).unwrap_or(usize::MAX)),
        api.reader.events(&waiting),
        api.reader.needs_you(since(hours, now), COUNTED + 1),
        api.releases.releases(&newest),
        try_join_all(letters),
    )?;
    let refused = match &api.refused {
        Some(refused) => {
            let reasons = refused.by_reason().into_iter().map(|(why, n, last)| (why.as_str(), meaning(why), n, last));
            Refused::Here { since: refused.since(), reasons: reasons.collect() }
        }
        None => Refused::Elsewhere(api.site.dashboard.clone()),
    };
    let seen = Seen {
        hours,
        counts: &counts,
        waiting: &waiting,
        troubles: &troubles,
        dead_letters: &dead_letters,
        releases: &releases.releases,
        refused,
        webhook_url: super::webhook_url(api, shell),
    };
    Ok(Overview::new(shell.clone(), seen, now))
}

/// What a refusal says to the person who looks for the cause.
fn meaning(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Signature => "The webhook secret at GitHub is not the one here, or it was not GitHub who sent it.",
        Refusal::ContentType => "Neither application/json nor a form: choose one of them in the webhook's settings.",
        Refusal::TooLarge => "The body was larger than GitHub sends them.",
        Refusal::Malformed => "The headers or the body were those of no delivery.",
        Refusal::CutShort => "The body broke off before its end.",
        Refusal::Busy => "Too many large ones at once; GitHub shows it as failed, redeliver it there.",
        Refusal::SecretUnavailable => "The webhook secret could not be read; redeliver it at GitHub.",
        Refusal::BusUnavailable => "It could not be kept; redeliver it at GitHub.",
    }
}
