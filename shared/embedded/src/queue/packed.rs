//! Bodies as they stand in the file: an lz4 block, or the bytes themselves where that is no shorter.
//!
//! What is published ends in the delivery in base64, and base64 hides from lz4 what repeats: so a body with such an
//! end is packed with the bytes that stand behind it, and gets its base64 back when it is read.
//!
//! Packing and unpacking are the caller's work, never the writer thread's: with a body of 22 KB the thread would
//! otherwise be the slowest part (measured: 20,100 against 11,700 acknowledgements a second unpacked).

use domain::base64;
use lz4_flex::block;

/// Bodies shorter than this are stored as they are: a block of lz4 would be no shorter.
const WORTH_PACKING: usize = 64;

/// No message is larger unpacked: 1 MiB, and what packing puts before it.
const LARGEST: usize = (1 << 20) + 4;

/// What follows the base64 at the end of a body.
const END: &str = "\"}";

/// A body ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    /// What goes into the file.
    pub(super) bytes: Vec<u8>,
    /// Length before packing, in bytes; none when the bytes are the body itself. Below nought when the body's end was
    /// base64: then what was packed is the length of the rest (four bytes, the lowest first), the rest, and the bytes
    /// behind the base64.
    pub(super) raw_length: Option<i64>,
}

impl Packed {
    pub(super) fn of(body: &str) -> Self {
        let raw = body.as_bytes();
        if raw.len() >= WORTH_PACKING {
            let (plain, sign) = match without_base64(body) {
                Some(plain) => (plain, -1),
                None => (raw.to_vec(), 1),
            };
            let packed = block::compress(&plain);
            if packed.len() < raw.len()
                && let Ok(length) = i64::try_from(plain.len())
            {
                return Self { bytes: packed, raw_length: Some(sign * length) };
            }
        }
        Self { bytes: raw.to_vec(), raw_length: None }
    }

    /// The body; none when the file has been damaged here.
    pub(super) fn body(self) -> Option<String> {
        let Some(length) = self.raw_length else { return String::from_utf8(self.bytes).ok() };
        // A damaged length is no reason to set memory aside.
        let room = usize::try_from(length.unsigned_abs()).ok().filter(|room| *room <= LARGEST)?;
        let plain = block::decompress(&self.bytes, room).ok()?;
        if length < 0 { with_base64(&plain) } else { String::from_utf8(plain).ok() }
    }
}

/// None where the body does not end in base64 that would come back the same.
fn without_base64(body: &str) -> Option<Vec<u8>> {
    let text = body.strip_suffix(END)?;
    let (rest, encoded) = text.split_at(text.rfind('"')? + 1);
    if encoded.len() < WORTH_PACKING {
        return None;
    }
    let mut plain = Vec::with_capacity(4 + rest.len() + encoded.len() / 4 * 3);
    plain.extend_from_slice(&u32::try_from(rest.len()).ok()?.to_le_bytes());
    plain.extend_from_slice(rest.as_bytes());
    // No other spelling of the same bytes is taken, so what is encoded again is the same.
    base64::decode_to(&mut plain, encoded)?;
    Some(plain)
}

fn with_base64(plain: &[u8]) -> Option<String> {
    let (length, plain) = plain.split_first_chunk()?;
    let (rest, decoded) = plain.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let mut body = String::with_capacity(rest.len() + decoded.len().div_ceil(3) * 4 + END.len());
    body.push_str(std::str::from_utf8(rest).ok()?);
    base64::encode_to(&mut body, decoded);
    body.push_str(END);
    Some(body)
}

#[cfg(test)]
mod tests {
    use ::base64::prelude::{BASE64_STANDARD, Engine as _};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_body_comes_back_and_long_ones_take_less_room() {
        for body in ["x".to_owned(), "é\u{1f980}".to_owned(), "{\"a\":1}".repeat(40), "ab".repeat(500_000)] {
            let packed = Packed::of(&body);
            assert_eq!(packed.raw_length.is_some(), body.len() > WORTH_PACKING);
            assert!(packed.bytes.len() <= body.len());
            assert_eq!(packed.body().as_deref(), Some(body.as_str()));
        }
    }

    #[test]
    fn what_does_not_get_shorter_is_stored_as_it_is() {
        let body: String = (0..200).map(|i: u32| char::from(b'!' + (i * i % 89) as u8)).collect();
        let packed = Packed { bytes: body.clone().into_bytes(), raw_length: None };
        assert_eq!(packed.body(), Some(body));
    }

    #[test]
    fn base64_at_the_end_is_packed_as_the_bytes_behind_it() {
        let json = r#"{"id":12345,"node_id":"abc","url":"https://api.github.com/repos/octo-org/hello"},"#.repeat(300);
        let body = format!("{{\"v\":\"1\",\"body\":\"{}\"}}", BASE64_STANDARD.encode(&json));
        let packed = Packed::of(&body);
        assert!(packed.raw_length.is_some_and(|length| length < 0));
        assert!(packed.bytes.len() * 20 < body.len(), "{} of {}", packed.bytes.len(), body.len());
        assert_eq!(packed.body(), Some(body));
    }

    #[test]
    fn what_only_looks_like_base64_is_left_alone() {
        let long = "A".repeat(99);
        // No padding, spare bits that are not nought, padding too much, a sign of another alphabet.
        for end in ["A".repeat(99), format!("{long}AB=B"), format!("{long}=="), format!("{long}-"), "AB==".repeat(30)] {
            let body = format!("{{\"body\":\"{end}\"}}");
            let packed = Packed::of(&body);
            assert!(packed.raw_length.is_none_or(|length| length > 0), "{end}");
            assert_eq!(packed.body(), Some(body));
        }
        let spare_bits = format!("{{\"body\":\"{}AB==\"}}", "A".repeat(96));
        assert_eq!(Packed::of(&spare_bits).body(), Some(spare_bits));
    }

    #[test]
    fn a_damaged_block_is_no_body() {
        for body in ["hello ".repeat(100), format!("{{\"body\":\"{}\"}}", BASE64_STANDARD.encode("hello ".repeat(100)))]
        {
            let packed = Packed::of(&body);
            let cut = Packed { bytes: packed.bytes[..3].to_vec(), ..packed.clone() };
            assert_eq!(cut.body(), None);
            let other = Packed { raw_length: packed.raw_length.map(|length| -length), ..packed };
            assert_ne!(other.body(), Some(body));
        }
        let beyond = Packed { bytes: block::compress(&[255; 8]), raw_length: Some(-8) };
        assert_eq!(beyond.body(), None);
        let huge = Packed { raw_length: Some(i64::MAX), ..Packed::of(&"hello ".repeat(100)) };
        assert_eq!(huge.body(), None);
        let short = Packed { bytes: block::compress(&[1; 3]), raw_length: Some(-3) };
        assert_eq!(short.body(), None);
    }

    proptest! {
        #[test]
        fn any_body_comes_back(head in "\\PC{0,80}", end in "([A-Za-z0-9+/]{4}){15,40}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", tail in "(\"\\})?") {
            let body = format!("{head}\"{end}{tail}");
            prop_assert_eq!(Packed::of(&body).body(), Some(body));
        }
    }
}
