//! Was this body signed with our secret? The one gate in front of everything that is parsed.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secrets::Keyring;

/// The only header that counts; the SHA-1 one is ignored.
pub const HEADER: &str = "x-hub-signature-256";

const PREFIX: &[u8] = b"sha256=";

/// A body whose signature fits one of our secrets. Only [`verify`] makes one, and only it can be parsed
/// ([`crate::delivery`]): what does not verify is never looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    body: Bytes,
}

impl Verified {
    /// The exact bytes that were signed.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }
}

/// Why a signature was not accepted. All of them are a 401; the difference helps whoever set the hook up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No header: the hook has no secret.
    #[error(
        "The request has no X-Hub-Signature-256 header. Set a secret on the webhook, the same one that Hookyard has."
    )]
    Missing,
    /// More than one, in one header or in several.
    #[error("The request has more than one X-Hub-Signature-256. Exactly one is accepted.")]
    Several,
    /// Not `sha256=` and 64 hexadecimal digits.
    #[error("X-Hub-Signature-256 must be sha256= followed by 64 hexadecimal digits.")]
    Form,
    /// It fits none of the secrets.
    #[error(
        "The signature does not fit. The webhook's secret and Hookyard's GITHUB_SECRET differ, or the body was changed on the way."
    )]
    Mismatch,
}

/// Checks the values of [`HEADER`] (all of them, as received) against the body, in constant time, before
/// anything of the body is read.
///
/// # Errors
/// A [`Rejection`]; it never says which secret, or what would have been right.
pub fn verify<'h>(
    keys: &Keyring,
    values: impl IntoIterator<Item = &'h [u8]>,
    body: Bytes,
) -> Result<Verified, (Rejection, Bytes)> {
    let claimed = match claimed(values) {
        Ok(claimed) => claimed,
        Err(rejection) => return Err((rejection, body)),
    };
    // No early exit: how long it takes does not tell which key came close.
    let mut fits = false;
    for key in keys.keys() {
        fits |= mac(key, &body).verify_slice(&claimed).is_ok();
    }
    if fits { Ok(Verified { body }) } else { Err((Rejection::Mismatch, body)) }
}

/// What the sender writes into [`HEADER`].
pub fn sign(key: &[u8], body: &[u8]) -> String {
    format!("sha256={}", hex::encode(mac(key, body).finalize().into_bytes()))
}

fn claimed<'h>(values: impl IntoIterator<Item = &'h [u8]>) -> Result<[u8; 32], Rejection> {
    let mut values = values.into_iter();
    let value = values.next().ok_or(Rejection::Missing)?;
    // API Gateway's payload 2.0 joins repeated headers with a comma.
    if values.next().is_some() || value.contains(&b',') {
        return Err(Rejection::Several);
    }
    let digits = value.strip_prefix(PREFIX).ok_or(Rejection::Form)?;
    let mut claimed = [0; 32];
    hex::decode_to_slice(digits, &mut claimed).map_err(|_| Rejection::Form)?;
    Ok(claimed)
}

fn mac(key: &[u8], body: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length, so this cannot fail")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // GitHub Docs, "Validating webhook deliveries": the published test vector.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &str = "Hello, World!";
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn ring(current: &str, previous: Option<&str>) -> Keyring {
        Keyring::new(current.into(), previous.map(Into::into))
    }

    fn check(keys: &Keyring, values: &[&str]) -> Result<(), Rejection> {
        verify(keys, values.iter().map(|v| v.as_bytes()), Bytes::from_static(BODY.as_bytes()))
            .map(drop)
            .map_err(|(rejection, _)| rejection)
    }

    #[test]
    fn githubs_own_vector() {
        assert_eq!(sign(SECRET.as_bytes(), BODY.as_bytes()), SIGNATURE);
        assert_eq!(check(&ring(SECRET, None), &[SIGNATURE]), Ok(()));
    }

    #[test]
    fn only_one_well_formed_signature_of_a_known_secret_is_taken() {
        let digits = SIGNATURE.strip_prefix("sha256=").unwrap();
        let table: &[(&[&str], Result<(), Rejection>)] = &[
            (&[], Err(Rejection::Missing)),
            (&[""], Err(Rejection::Form)),
            (&[digits], Err(Rejection::Form)),
            (&["sha256="], Err(Rejection::Form)),
            (&["sha1=757107ea0eb2509fc211221cce984b8a37570b6d"], Err(Rejection::Form)),
            (&["SHA256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"], Err(Rejection::Form)),
            (&[&SIGNATURE[..70]], Err(Rejection::Form)),
            (&["sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1700"], Err(Rejection::Form)),
            (&["sha256=zz7107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"], Err(Rejection::Form)),
            (&[" sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"], Err(Rejection::Form)),
            (&["sha256=057107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"], Err(Rejection::Mismatch)),
            (&[SIGNATURE, SIGNATURE], Err(Rejection::Several)),
            (&[&format!("{SIGNATURE},{SIGNATURE}")], Err(Rejection::Several)),
        ];
        for (values, expected) in table {
            assert_eq!(check(&ring(SECRET, None), values), *expected, "{values:?}");
        }
    }

    #[test]
    fn the_previous_secret_is_good_while_rotating_and_not_after() {
        assert_eq!(check(&ring("new", Some(SECRET)), &[SIGNATURE]), Ok(()));
        assert_eq!(check(&ring("new", None), &[SIGNATURE]), Err(Rejection::Mismatch));
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_nothing_else_does(
            secret in "\\PC{1,40}", body in prop::collection::vec(any::<u8>(), 0..300), flip in any::<prop::sample::Index>(),
        ) {
            let keys = ring(&secret, None);
            let signature = sign(secret.as_bytes(), &body);
            let verified = verify(&keys, [signature.as_bytes()], Bytes::from(body.clone())).unwrap();
            prop_assert_eq!(&verified.bytes()[..], &body[..]);
            let mut other = body.clone();
            other.push(0);
            let at = flip.index(other.len());
            other[at] ^= 1;
            prop_assert!(verify(&keys, [signature.as_bytes()], Bytes::from(other)).is_err());
        }
    }
}
