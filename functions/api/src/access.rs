//! Who may: the API key, a call-back token, or anybody on this machine where no key is set.

use domain::secrets::Keyring;
use domain::token::{self, Grant};
use http::{HeaderMap, StatusCode, header};
use lambda::http::guard::is_here;
use lambda::http::problem::Problem;
use subtle::ConstantTimeEq;

use crate::pages::session;
use crate::{Api, unavailable};

/// Who asks.
pub(crate) enum Caller {
    /// Whoever may do everything.
    Reader(Reader),
    /// The user's server, about one commit.
    Token(Grant),
}

/// How somebody who may do everything was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// With the key.
    Key,
    /// From this machine, where no key is set.
    Loopback,
}

impl Reader {
    /// The word that stands on a run that they asked for.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Loopback => "loopback",
        }
    }
}

/// Tells who asks, by the `Authorization` header alone.
pub(crate) async fn caller(api: &Api, headers: &HeaderMap) -> Result<Caller, Problem> {
    let Some(bearer) = bearer(headers)? else {
        if api.open && is_here(headers) {
            return Ok(Caller::Reader(Reader::Loopback));
        }
        return Err(unauthorized("This needs the API key (HOOKYARD_API_KEY) or a call-back token, as a bearer."));
    };
    if token::looks_like_one(bearer) {
        let keys = api.callback_secrets.current().await.map_err(|error| unavailable(&error))?;
        return verify(&keys, bearer, api).await.map(Caller::Token);
    }
    if is_key(api, bearer.as_bytes()).await? {
        return Ok(Caller::Reader(Reader::Key));
    }
    Err(unauthorized("The bearer is neither the API key nor a call-back token of this gateway."))
}

/// Whether that is the API key; never where none is set.
pub(crate) async fn is_key(api: &Api, given: &[u8]) -> Result<bool, Problem> {
    let Some(source) = &api.api_key else { return Ok(false) };
    let fits = |keys: &Keyring| keys.keys().fold(false, |fits, key| fits | bool::from(key.ct_eq(given)));
    Ok(fits(&source.current().await.map_err(|error| unavailable(&error))?)
        || fits(&source.refresh().await.map_err(|error| unavailable(&error))?))
}

/// Who may read the record: with the key, openly on this machine, or with the session of the pages, whose links lead
/// here. A session changes nothing: only what reads asks here. A bearer counts before a session, also a wrong one.
pub(crate) async fn reading(api: &Api, headers: &HeaderMap) -> Result<(), Problem> {
    if !headers.contains_key(header::AUTHORIZATION) && session::of(api, headers).await?.is_some() {
        return Ok(());
    }
    reader(api, headers).await.map(|_| ())
}

/// Only the key changes something, and opens the pages.
pub(crate) async fn reader(api: &Api, headers: &HeaderMap) -> Result<Reader, Problem> {
    match caller(api, headers).await? {
        Caller::Reader(reader) => Ok(reader),
        Caller::Token(_) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Not with a call-back token",
            "A call-back token may only report statuses. Reading needs the API key.",
        )),
    }
}

async fn verify(keys: &Keyring, bearer: &str, api: &Api) -> Result<Grant, Problem> {
    let now = api.clock.now();
    let first = token::verify(keys, bearer, now);
    let checked = match first {
        // The secret may have been rotated since we looked.
        Err(token::BadToken::Invalid) => {
            let keys = api.callback_secrets.refresh().await.map_err(|error| unavailable(&error))?;
            token::verify(&keys, bearer, now)
        }
        other => other,
    };
    checked.map_err(|bad| unauthorized(&bad.to_string()))
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bad = || unauthorized("Authorization must be given once, as \"Bearer\" and the key or token.");
    if values.next().is_some() {
        return Err(bad());
    }
    let (scheme, bearer) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(bad)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(bearer.trim())) } else { Err(bad()) }
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "Not authorized", detail)
}
