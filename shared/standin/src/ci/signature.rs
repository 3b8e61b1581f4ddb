//! Checks what Hookyard signs, as a receiver would: Standard Webhooks, symmetric signatures.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Call;

/// Whether one of the signatures in `webhook-signature` is that of `secret` (`whsec_` and base64) over
/// `webhook-id`, `webhook-timestamp` and the body. The age of the timestamp is not looked at: a stand-in does not
/// know which clock its caller lives by.
pub fn is_signed(call: &Call, secret: &str) -> bool {
    let (Some(id), Some(timestamp), Some(signatures)) =
        (call.header("webhook-id"), call.header("webhook-timestamp"), call.header("webhook-signature"))
    else {
        return false;
    };
    let Some(mac) = secret
        .strip_prefix("whsec_")
        .and_then(|text| BASE64_STANDARD.decode(text).ok())
        .and_then(|key| Hmac::<Sha256>::new_from_slice(&key).ok())
    else {
        return false;
    };
    let mac = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &call.body]
        .iter()
        .fold(mac, |mac, part| mac.chain_update(part));
    signatures
        .split(' ')
        .filter_map(|entry| entry.strip_prefix("v1,"))
        .filter_map(|text| BASE64_STANDARD.decode(text).ok())
        .any(|signature| mac.clone().verify_slice(&signature).is_ok())
}
