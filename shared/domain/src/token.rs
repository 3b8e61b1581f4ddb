//! The call-back token: what lets the user's server report on one commit, and on nothing else.
//!
//! `hy1.<base64url JSON>.<base64url HMAC-SHA256 over everything before the second dot>`; stateless, minted for
//! each attempt.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::ids::{EventId, ReceiptId, Repository, Sha};
use crate::secrets::Keyring;

const PREFIX: &str = "hy1.";

/// No token that we mint comes near it; a longer one is not even looked at.
const LONGEST: usize = 2048;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The event that the server was called with.
    pub event: EventId,
    /// The run: statuses that come by this token belong to it.
    pub receipt: ReceiptId,
    /// The only repository it holds for.
    pub repository: Repository,
    /// The only commit it holds for.
    pub sha: Sha,
    /// Good until then, in seconds since 1970.
    pub exp: i64,
}

/// Why a token does not open anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It was ours, and its time is over.
    #[error("The call-back token has expired. A redelivery of the event brings a new one.")]
    Expired,
    /// It is not ours.
    #[error("The call-back token is not valid here.")]
    Invalid,
}

/// Makes a token, signed with the current secret.
pub fn mint(keys: &Keyring, grant: &Grant) -> Option<String> {
    let json = serde_json::to_vec(grant).ok()?;
    let claim = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(json));
    let tag = BASE64_URL_SAFE_NO_PAD.encode(mac(keys.keys().next()?, &claim).finalize().into_bytes());
    Some(format!("{claim}.{tag}"))
}

/// Whether a bearer is of this kind at all; everything else may be an API key.
pub fn looks_like_one(bearer: &str) -> bool {
    bearer.starts_with(PREFIX)
}

/// Reads a token; any of the secrets will do.
///
/// # Errors
/// [`BadToken`].
pub fn verify(keys: &Keyring, token: &str, now: Timestamp) -> Result<Grant, BadToken> {
    if token.len() > LONGEST || !token.starts_with(PREFIX) {
        return Err(BadToken::Invalid);
    }
    let (claim, tag) = token.rsplit_once('.').ok_or(BadToken::Invalid)?;
    let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).map_err(|_| BadToken::Invalid)?;
    let mut fits = false;
    for key in keys.keys() {
        fits |= mac(key, claim).verify_slice(&tag).is_ok();
    }
    if !fits {
        return Err(BadToken::Invalid);
    }
    let json = claim.strip_prefix(PREFIX).ok_or(BadToken::Invalid)?;
    let json = BASE64_URL_SAFE_NO_PAD.decode(json).map_err(|_| BadToken::Invalid)?;
    let grant: Grant = serde_json::from_slice(&json).map_err(|_| BadToken::Invalid)?;
    if grant.exp <= now.as_second() { Err(BadToken::Expired) } else { Ok(grant) }
}

fn mac(key: &[u8], claim: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length, so this cannot fail")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(claim.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grant() -> Grant {
        Grant {
            event: EventId::parse("1-a").unwrap(),
            receipt: ReceiptId::parse("019320aa-0000-7000-8000-000000000001").unwrap(),
            repository: Repository::parse("octo/hello").unwrap(),
            sha: Sha::parse(&"a".repeat(40)).unwrap(),
            exp: 1000,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn good_until_it_expires_and_while_its_secret_is_kept() {
        let old = Keyring::new("old".into(), None);
        let token = mint(&old, &grant()).unwrap();
        assert_eq!(verify(&old, &token, at(999)), Ok(grant()));
        assert_eq!(verify(&old, &token, at(1000)), Err(BadToken::Expired));
        let rotated = Keyring::new("new".into(), Some("old".into()));
        assert_eq!(verify(&rotated, &token, at(1)), Ok(grant()));
        let forgotten = Keyring::new("new".into(), None);
        assert_eq!(verify(&forgotten, &token, at(2000)), Err(BadToken::Invalid), "not ours beats expired");
    }

    #[test]
    fn other_texts() {
        let keys = Keyring::new("k".into(), None);
        let token = mint(&keys, &grant()).unwrap();
        let (claim, tag) = token.rsplit_once('.').unwrap();
        for bad in [
            "",
            "hy1.",
            "hy1..",
            "hy1.e30.",
            claim,
            &format!("{claim}."),
            &format!("{claim}.{tag}x"),
            &format!("{claim}.{tag}="),
            &token.replace("hy1.", "hy2."),
            &"hy1.a".repeat(1000),
        ] {
            assert_eq!(verify(&keys, bad, at(1)), Err(BadToken::Invalid), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_character_can_be_changed(at_index in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.-]") {
            let keys = Keyring::new("k".into(), None);
            let token = mint(&keys, &grant()).unwrap();
            let index = at_index.index(token.len());
            let mut changed = token.clone();
            changed.replace_range(index..=index, &with);
            prop_assume!(changed != token);
            prop_assert_eq!(verify(&keys, &changed, at(1)), Err(BadToken::Invalid));
        }
    }
}
