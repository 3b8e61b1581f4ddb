//! What is stuck inside, and sending it back.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use domain::dead_letters::{DeadLetterQueue, LIMIT, Which};
use domain::error::PortError;
use futures_util::future::try_join_all;
use http::HeaderMap;
use pages::Shell;
use pages::dead_letters::DeadLetters;
use pages::events::address;
use pages::words::counted;
use serde::Deserialize;

use super::{form, page, trouble};
use crate::{Api, bad_request, unavailable};

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    RawQuery(raw): RawQuery,
    Extension(shell): Extension<Shell>,
) -> Response {
    let asked = |wanted: &str| {
        let pairs = url::form_urlencoded::parse(raw.as_deref().unwrap_or_default().as_bytes());
        pairs.into_iter().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let only = asked("queue").and_then(|word| DeadLetterQueue::from_word(&word));
    let done = asked("sent").and_then(|sent| sent.parse().ok());
    let done = done.map(|sent: u64| format!("{} sent back.", counted(sent, "message was", "messages were")));
    let dead = &api.dead_letters;
    let looks =
        DeadLetterQueue::ALL.map(|queue| async move { Ok::<_, PortError>((queue, dead.list(queue, LIMIT).await?)) });
    match try_join_all(looks).await {
        Ok(pages) => page(&DeadLetters::new(shell, &pages, only, done, api.clock.now())),
        Err(error) => trouble(shell, &unavailable(&error)),
    }
}

#[derive(Deserialize)]
pub(super) struct Asked {
    csrf: String,
    queue: String,
    id: Option<String>,
}

pub(super) async fn redrive(
    State(api): State<Arc<Api>>,
    Extension(shell): Extension<Shell>,
    headers: HeaderMap,
    asked: Result<Form<Asked>, FormRejection>,
) -> Response {
    let sent = async {
        let Form(Asked { csrf, queue, id }) = asked.map_err(|_| form::unreadable())?;
        form::is_ours(&api, &headers, &csrf).await?;
        let queue = DeadLetterQueue::from_word(&queue).ok_or_else(|| bad_request("There is no such queue."))?;
        let which = id.map_or(Which::Any(LIMIT), |id| Which::These(vec![id]));
        api.dead_letters.redrive(queue, &which).await.map_err(|error| unavailable(&error))
    };
    match sent.await {
        Ok(redriven) => {
            let sent = redriven.ids.len().to_string();
            Redirect::to(&address("/dead-letters", [("sent", sent.as_str())])).into_response()
        }
        Err(problem) => trouble(shell, &problem),
    }
}
