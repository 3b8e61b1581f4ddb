//! One field for everything that has an id: to the one match, or to the list of them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::error::PortError;
use domain::ids::{EventId, Repository, Sha};
use domain::query::{EventQuery, LIMIT, ReleaseQuery};
use http::StatusCode;
use lambda::http::problem::Problem;
use pages::Shell;
use pages::events::address;

use super::trouble;
use crate::{Api, unavailable};

pub(super) async fn find(
    State(api): State<Arc<Api>>,
    RawQuery(raw): RawQuery,
    Extension(shell): Extension<Shell>,
) -> Response {
    let asked = url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "q")
        .map(|(_, text)| text.trim().to_owned())
        .unwrap_or_default();
    match place(&api, &asked).await {
        Ok(Some(to)) => Redirect::to(&to).into_response(),
        Ok(None) => {
            let detail = "Nothing here goes by that. A delivery's GUID or its first 8 characters, a commit's sha or its \
                          first 7, owner/repo, owner/repo#7, owner/repo@sha and the tag of one of the newest releases \
                          are understood.";
            trouble(shell, &Problem::new(StatusCode::NOT_FOUND, "not-found", "No match", detail))
        }
        Err(error) => trouble(shell, &unavailable(&error)),
    }
}

async fn place(api: &Api, asked: &str) -> Result<Option<String>, PortError> {
    let (head, tail) = asked.split_once(['@', '#']).map_or((asked, None), |(head, tail)| (head, Some(tail)));
    if let Ok(repository) = Repository::parse(head) {
        return Ok(match tail {
            None => Some(address("/events", [("repository", head)])),
            Some(sha) if asked.contains('@') => Sha::of(sha).ok().map(|sha| format!("/commits/{repository}/{sha}")),
            Some(number) => match number.parse() {
                Ok(pull_request) => {
                    let query =
                        EventQuery { repository: Some(repository), pull_request: Some(pull_request), ..all(api) };
                    one(api, query, &[("repository", head), ("pull_request", number)]).await?
                }
                Err(_) => None,
            },
        });
    }
    if let Ok(id) = EventId::parse(asked)
        && api.reader.event(&id).await?.is_some()
    {
        return Ok(Some(format!("/events/{id}")));
    }
    let guid = (8..=64).contains(&asked.len()) && asked.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if guid {
        let query = EventQuery { delivery: Some(asked.to_owned()), ..all(api) };
        if let Some(found) = one(api, query, &[("delivery", asked)]).await? {
            return Ok(Some(found));
        }
    }
    let sha = asked.to_ascii_lowercase();
    if (7..=64).contains(&sha.len()) && sha.bytes().all(|b| b.is_ascii_hexdigit()) {
        let page = api.reader.events(&EventQuery { sha: Some(sha), ..all(api) }).await?;
        let commit = page.events.first().and_then(|event| event.repository.as_ref().zip(event.sha.as_ref()));
        if let Some((repository, sha)) = commit {
            return Ok(Some(format!("/commits/{repository}/{sha}")));
        }
    }
    tag(api, asked).await
}

/// A tag of one of the newest hundred releases: to the list of its repository; to that of all when several have it.
async fn tag(api: &Api, asked: &str) -> Result<Option<String>, PortError> {
    if asked.is_empty() {
        return Ok(None);
    }
    let newest = api.releases.releases(&ReleaseQuery { limit: LIMIT, ..ReleaseQuery::default() }).await?;
    let mut found = newest.releases.iter().filter(|release| release.facts.tag.as_deref() == Some(asked));
    Ok(found.next().map(|first| {
        if found.all(|other| other.repository.same_as(&first.repository)) {
            address("/releases", [("repository", first.repository.as_str())])
        } else {
            "/releases".to_owned()
        }
    }))
}

/// To the one event, or to the list of them; none when there is none among the newest thousand.
async fn one(api: &Api, query: EventQuery, filter: &[(&'static str, &str)]) -> Result<Option<String>, PortError> {
    let page = api.reader.events(&query).await?;
    Ok(match page.events.as_slice() {
        [] => None,
        [event] => Some(format!("/events/{}", event.id)),
        _ => Some(address("/events", filter.iter().copied())),
    })
}

fn all(api: &Api) -> EventQuery {
    EventQuery { limit: 2, now: api.clock.now(), ..EventQuery::default() }
}
