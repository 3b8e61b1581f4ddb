//! The story of one event.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use domain::delivery;
use domain::ports::EventStory;
use domain::replay::content_type;
use http::HeaderMap;
use lambda::http::problem::Problem;
use pages::Shell;
use pages::event::{Event, Payload};
use pages::payload::pretty;
use serde::Deserialize;

use super::{form, page, trouble};
use crate::events::{PAYLOAD_INLINE, body, statuses_of, story};
use crate::{Api, not_text, replays};

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    Extension(shell): Extension<Shell>,
) -> Response {
    let told = async {
        let Path(id) = path.map_err(|_| not_text())?;
        let story = story(&api, &id).await?;
        let statuses = statuses_of(&api, &story).await?;
        let payload = payload(&api, &story).await?;
        Ok::<_, Problem>((story, statuses, payload))
    };
    match told.await {
        Ok((story, statuses, payload)) => {
            let now = api.clock.now();
            page(&Event::new(shell, &story, &statuses, payload, &api.site.server, now))
        }
        Err(problem) => trouble(shell, &problem),
    }
}

#[derive(Deserialize)]
pub(super) struct Asked {
    csrf: String,
}

/// Runs it again, whatever it came to: somebody looked at it and pressed the button.
pub(super) async fn replay(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    Extension(shell): Extension<Shell>,
    headers: HeaderMap,
    asked: Result<Form<Asked>, FormRejection>,
) -> Response {
    let done = async {
        let Form(Asked { csrf }) = asked.map_err(|_| form::unreadable())?;
        form::is_ours(&api, &headers, &csrf).await?;
        let Path(id) = path.map_err(|_| not_text())?;
        let story = story(&api, &id).await?;
        let by = if shell.signed_in { "key, from the page" } else { "loopback, from the page" };
        replays::from_page(&api, &story, by).await?;
        Ok::<_, Problem>(format!("/events/{}", story.event.id))
    };
    match done.await {
        Ok(to) => Redirect::to(&to).into_response(),
        Err(problem) => trouble(shell, &problem),
    }
}

async fn payload(api: &Api, story: &EventStory) -> Result<Payload, Problem> {
    if story.event.body_bytes > PAYLOAD_INLINE as u64 {
        return Ok(Payload::Hidden("It is too large to be shown here."));
    }
    let Some(bytes) = body(api, story).await? else {
        return Ok(Payload::Hidden("It has expired."));
    };
    let json = delivery::json_of(&bytes, content_type(&story.headers)).ok();
    let text = json.and_then(|json| std::str::from_utf8(&json).map(pretty).ok());
    Ok(text.map_or(Payload::Hidden("It is no text."), Payload::Text))
}
