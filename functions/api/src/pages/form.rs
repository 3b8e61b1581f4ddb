//! Forms that change something: only those of our own pages count.

use http::HeaderMap;
use lambda::http::problem::Problem;

use super::session;
use crate::{Api, bad_request, unavailable};

/// Whether a form came from a page of this session.
///
/// # Errors
/// 400 with words for who left a page open for too long.
pub(super) async fn is_ours(api: &Api, headers: &HeaderMap, csrf: &str) -> Result<(), Problem> {
    let session = session::of(api, headers).await?;
    let signers = api.callback_secrets.current().await.map_err(|error| unavailable(&error))?;
    if session::fits(&signers, session.as_ref(), csrf) {
        return Ok(());
    }
    Err(bad_request("The page was too old. Go back, reload it and try again."))
}

/// A form that lacks something.
pub(super) fn unreadable() -> Problem {
    bad_request("The form was sent incomplete. Go back, reload the page and try again.")
}
