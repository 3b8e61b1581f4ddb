//! Who may: the API key, a call-back token, or anybody on this machine where no key is set.

use std::net::IpAddr;

use domain::secrets::Keyring;
use domain::token::{self, Grant};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, header};
use lambda::http::problem::Problem;
use subtle::ConstantTimeEq;

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
    if let Some(source) = &api.api_key {
        let fits =
            |keys: &Keyring| keys.keys().fold(false, |fits, key| fits | bool::from(key.ct_eq(bearer.as_bytes())));
        if fits(&source.current().await.map_err(|error| unavailable(&error))?)
            || fits(&source.refresh().await.map_err(|error| unavailable(&error))?)
        {
            return Ok(Caller::Reader(Reader::Key));
        }
    }
    Err(unauthorized("The bearer is neither the API key nor a call-back token of this gateway."))
}

/// Only the key reads the record and the pages.
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

/// Whether the request was addressed to this machine by a loopback name. One that came under the public URL's host
/// came through something that others can reach as well, so it is never open.
fn is_here(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    host.is_some_and(|authority| {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
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
