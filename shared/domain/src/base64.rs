//! Base64 with the standard alphabet and padding, for what is as large as a delivery.
//!
//! Every delivery is encoded once and decoded once or twice, so this takes the processor's wide instructions where there are
//! any, found out at the first call.

use std::sync::LazyLock;

use base64::engine::general_purpose::PAD;
use base64::engine::{self, Engine as _};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static ENGINE: LazyLock<engine::Simd> = LazyLock::new(|| engine::Simd::standard(PAD));

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static ENGINE: LazyLock<engine::GeneralPurpose> =
    LazyLock::new(|| engine::GeneralPurpose::new(&base64::alphabet::STANDARD, PAD));

/// Puts the base64 of `bytes` behind `text`.
pub fn encode_to(text: &mut String, bytes: &[u8]) {
    ENGINE.encode_string(bytes, text);
}

/// Puts the bytes behind that base64 behind `bytes`; none when it is no base64, or another spelling of the same bytes
/// (without padding, or with spare bits that are not nought). What `bytes` then ends in is undefined.
pub fn decode_to(bytes: &mut Vec<u8>, text: &str) -> Option<()> {
    ENGINE.decode_vec(text, bytes).ok()
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_same_as_without_wide_instructions(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut text = "before ".to_owned();
            encode_to(&mut text, &bytes);
            prop_assert_eq!(&text, &format!("before {}", BASE64_STANDARD.encode(&bytes)));
            let mut back = vec![7];
            prop_assert_eq!(decode_to(&mut back, &text[7..]), Some(()));
            prop_assert_eq!(&back[1..], &bytes[..]);
        }

        #[test]
        fn it_refuses_what_the_other_refuses(text in "[A-Za-z0-9+/=_-]{0,200}", at in 0usize..200, odd in any::<char>()) {
            let mut odd_one = text.clone();
            odd_one.insert(at.min(text.len()), odd);
            for text in [text, odd_one] {
                let mut bytes = Vec::new();
                let taken = decode_to(&mut bytes, &text).map(|()| bytes);
                prop_assert_eq!(taken, BASE64_STANDARD.decode(&text).ok());
            }
        }
    }

    #[test]
    fn another_spelling_is_refused() {
        let long = "QUFB".repeat(100);
        for tail in ["QQ==", "QUE="] {
            assert!(decode_to(&mut Vec::new(), &format!("{long}{tail}")).is_some());
        }
        for tail in ["QQ", "QR==", "QQ=", "Q Q=", "QQ==\n", "QUF="] {
            assert!(decode_to(&mut Vec::new(), &format!("{long}{tail}")).is_none(), "{tail}");
        }
    }
}
