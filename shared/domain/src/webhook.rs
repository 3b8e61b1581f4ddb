//! Standard Webhooks: how the user's server knows that a call is ours.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use crate::ids::BadId;
use crate::secrets::Keyring;

/// What every secret of this kind begins with.
pub const PREFIX: &str = "whsec_";

/// Checks the form of a secret: `whsec_` and the base64 of 24 to 64 bytes (Standard Webhooks, "Signature scheme").
///
/// # Errors
/// [`BadId`], which never repeats it.
pub fn check_secret(secret: &str) -> Result<(), BadId> {
    let bad = BadId { what: "the secret", must: "whsec_ followed by the base64 of 24 to 64 bytes" };
    let key = key(secret.as_bytes()).ok_or_else(|| bad.clone())?;
    if (24..=64).contains(&key.len()) { Ok(()) } else { Err(bad) }
}

/// The three headers of one call: `webhook-id`, `webhook-timestamp`, `webhook-signature` with one entry per valid
/// secret, separated by blanks. A secret that is malformed signs nothing; none when that leaves no signature.
pub fn headers(keys: &Keyring, id: &str, at: Timestamp, body: &[u8]) -> Option<[(&'static str, String); 3]> {
    let timestamp = at.as_second().to_string();
    let signatures: Vec<_> =
        keys.keys().filter_map(key).map(|key| format!("v1,{}", signature(&key, id, &timestamp, body))).collect();
    if signatures.is_empty() {
        return None;
    }
    Some([("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp), ("webhook-signature", signatures.join(" "))])
}

fn key(secret: &[u8]) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(secret.strip_prefix(PREFIX.as_bytes())?).ok()
}

fn signature(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length, so this cannot fail")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example() {
        // standard-webhooks/standard-webhooks, specification: the test vector shared by its libraries.
        let keys = Keyring::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(), None);
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let [id, timestamp, signature] =
            headers(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#).unwrap();
        assert_eq!(id.1, "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert_eq!(timestamp.1, "1614265330");
        assert_eq!(signature.1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn one_signature_per_valid_secret() {
        let old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let new = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let keys = Keyring::new(new.into(), Some(old.into()));
        let [.., (_, signatures)] = headers(&keys, "id", Timestamp::UNIX_EPOCH, b"").unwrap();
        assert_eq!(signatures.split(' ').count(), 2);
    }

    #[test]
    fn secrets_that_are_none() {
        for bad in ["", "whsec_", "whsec_!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ="] {
            assert!(check_secret(bad).is_err(), "{bad}");
        }
        assert!(check_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok());
    }
}
