//! In with the key, and out again.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use pages::notice::SignIn;
use serde::Deserialize;

use super::{form, page, session, stranger, trouble};
use crate::{Api, access};

pub(super) async fn ask(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let next = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "next")
        .map(|(_, next)| next.into_owned());
    page(&SignIn { shell: stranger(&api, &headers), title: "Sign in", next: ours(next), wrong: false })
}

#[derive(Deserialize)]
pub(super) struct Given {
    key: String,
    next: Option<String>,
}

pub(super) async fn sign_in(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    given: Result<Form<Given>, FormRejection>,
) -> Response {
    let shell = stranger(&api, &headers);
    let Ok(Form(Given { key, next })) = given else { return trouble(shell, &form::unreadable()) };
    let next = ours(next);
    match access::is_key(&api, key.as_bytes()).await {
        Err(problem) => return trouble(shell, &problem),
        Ok(false) => {
            let wrong = SignIn { shell, title: "Sign in", next, wrong: true };
            return (StatusCode::FORBIDDEN, page(&wrong)).into_response();
        }
        Ok(true) => {}
    }
    match session::begin(&api, &headers, &key).await {
        Err(problem) => trouble(shell, &problem),
        Ok(None) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Ok(Some(cookie)) => ([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response(),
    }
}

#[derive(Deserialize)]
pub(super) struct Out {
    csrf: String,
}

pub(super) async fn sign_out(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    given: Result<Form<Out>, FormRejection>,
) -> Response {
    let shell = stranger(&api, &headers);
    let ours = async {
        let Form(Out { csrf }) = given.map_err(|_| form::unreadable())?;
        form::is_ours(&api, &headers, &csrf).await
    };
    if let Err(problem) = ours.await {
        return trouble(shell, &problem);
    }
    let Some(cookie) = session::end(&api, &headers) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    ([(header::SET_COOKIE, cookie)], Redirect::to("/sign-in")).into_response()
}

/// A path of ours, or the first page: what stands in an address must not lead anywhere else.
fn ours(next: Option<String>) -> String {
    let fits = |next: &String| {
        next.starts_with('/')
            && !next.starts_with("//")
            && next.len() <= 2048
            && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    };
    next.filter(fits).unwrap_or_else(|| "/".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for own in ["/", "/events?status=errored", "/commits/o/r/abc"] {
            assert_eq!(ours(Some(own.to_owned())), own);
        }
        for foreign in ["//evil.example", "/\\evil.example", "https://evil.example", "", "events", "/a\r\nb", "/ä"] {
            assert_eq!(ours(Some(foreign.to_owned())), "/", "{foreign}");
        }
        assert_eq!(ours(Some(format!("/{}", "a".repeat(2048)))), "/");
        assert_eq!(ours(None), "/");
    }
}
