//! Sessions of the pages, kept nowhere: a cookie that says until when, signed by the gateway. It ends by itself, and
//! with the key that opened it.

use domain::secrets::Keyring;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use lambda::http::guard::is_here;
use lambda::http::problem::Problem;
use sha2::{Digest, Sha256};

use crate::{Api, unavailable};

/// How long a session lasts.
const LIFE: SignedDuration = SignedDuration::from_hours(12);

/// A cookie's name on https: the prefix makes browsers take it only with `Secure`, this host and the path `/`.
pub(crate) const SECURE: &str = "__Host-hookyard";
/// And on loopback, where there is no https.
const PLAIN: &str = "hookyard";

/// A session that holds.
pub(crate) struct Session(String);

/// The session of a request; none when there is no cookie, or one that does not hold (any more).
pub(crate) async fn of(api: &Api, headers: &HeaderMap) -> Result<Option<Session>, Problem> {
    let (Some(cookie), Some(source)) = (cookie(api, headers), &api.api_key) else { return Ok(None) };
    let Some((until, mac)) = cookie.split_once('.') else { return Ok(None) };
    let Some(mac) = hex::decode(mac).ok().filter(|_| cookie.len() <= 128) else { return Ok(None) };
    let holds = until.parse::<i64>().ok().and_then(|until| Timestamp::from_second(until).ok());
    if holds.is_none_or(|until| until <= api.clock.now()) {
        return Ok(None);
    }
    let signers = api.callback_secrets.current().await.map_err(|error| unavailable(&error))?;
    let keys = source.current().await.map_err(|error| unavailable(&error))?;
    let ours = signers.keys().any(|signer| {
        keys.keys().any(|key| mac_of(signer, &said(until, key)).is_some_and(|own| own.verify_slice(&mac).is_ok()))
    });
    Ok(ours.then(|| Session(cookie.to_owned())))
}

/// A cookie for whoever gave that key.
pub(crate) async fn begin(api: &Api, headers: &HeaderMap, key: &str) -> Result<Option<HeaderValue>, Problem> {
    let signers = api.callback_secrets.current().await.map_err(|error| unavailable(&error))?;
    let until = api.clock.now().checked_add(LIFE).unwrap_or(api.clock.now()).as_second().to_string();
    let signed = signers.keys().next().and_then(|signer| mac_of(signer, &said(&until, key.as_bytes())));
    let Some(signed) = signed else { return Ok(None) };
    let value = format!("{until}.{}", hex::encode(signed.finalize().into_bytes()));
    Ok(HeaderValue::from_str(&written(api, headers, &value, LIFE.as_secs())).ok())
}

/// A cookie that ends the session.
pub(crate) fn end(api: &Api, headers: &HeaderMap) -> Option<HeaderValue> {
    HeaderValue::from_str(&written(api, headers, "", 0)).ok()
}

/// What a form carries to show that it came from a page of this session.
pub(crate) async fn csrf(api: &Api, session: Option<&Session>) -> Result<String, Problem> {
    let signers = api.callback_secrets.current().await.map_err(|error| unavailable(&error))?;
    let signed = signers.keys().next().and_then(|signer| mac_of(signer, &form_of(session)));
    Ok(signed.map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default())
}

/// Whether a form's proof is right.
pub(crate) fn fits(signers: &Keyring, session: Option<&Session>, csrf: &str) -> bool {
    let Ok(given) = hex::decode(csrf) else { return false };
    let words = form_of(session);
    signers.keys().any(|signer| mac_of(signer, &words).is_some_and(|own| own.verify_slice(&given).is_ok()))
}

fn said(until: &str, key: &[u8]) -> Vec<u8> {
    let key = hex::encode(Sha256::digest(key));
    format!("hookyard session 1\n{until}\n{key}").into_bytes()
}

fn form_of(session: Option<&Session>) -> Vec<u8> {
    format!("hookyard form 1\n{}", session.map_or("", |session| session.0.as_str())).into_bytes()
}

/// HMAC takes keys of any length, so there is always one.
fn mac_of(key: &[u8], words: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(words);
    Some(mac)
}

/// Https everywhere but under a loopback name.
fn is_secure(api: &Api, headers: &HeaderMap) -> bool {
    api.site.https && !is_here(headers)
}

fn cookie<'a>(api: &Api, headers: &'a HeaderMap) -> Option<&'a str> {
    let name = if is_secure(api, headers) { SECURE } else { PLAIN };
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
}

fn written(api: &Api, headers: &HeaderMap, value: &str, seconds: i64) -> String {
    let (name, secure) = if is_secure(api, headers) { (SECURE, "; Secure") } else { (PLAIN, "") };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}
