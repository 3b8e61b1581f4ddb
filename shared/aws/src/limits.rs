//! What SNS and SQS refuse, checked before anything is sent: an emulator lets it pass, and one bad message would
//! take its whole batch along.

use domain::error::PortError;

/// The most a topic takes, body and attributes, in bytes (Amazon SNS: "Large message payloads").
pub(crate) const TOPIC_LIMIT: usize = 256 * 1024;

/// The most a queue takes in one message, and in one batch, body and attributes, in bytes (Amazon SQS: "Message
/// quotas").
pub(crate) const QUEUE_LIMIT: usize = 1024 * 1024;

/// The longest group id and de-duplication id, in characters (Amazon SQS: "SendMessage").
const ID_LIMIT: usize = 128;

/// Refuses a body that is empty or holds a character outside the set.
pub(crate) fn body(text: &str) -> Result<(), PortError> {
    if text.is_empty() {
        return Err(PortError::permanent("an empty message"));
    }
    characters("a message", text)
}

/// Refuses more than `limit` bytes.
pub(crate) fn size(bytes: usize, limit: usize) -> Result<(), PortError> {
    if bytes <= limit {
        return Ok(());
    }
    Err(PortError::permanent(format!("a message of {bytes} bytes with its attributes, {limit} are the limit")))
}

/// Refuses what is no attribute: an empty value, or a name outside 1 to 256 of `A-Za-z0-9_-.`.
pub(crate) fn attribute(name: &str, value: &str) -> Result<(), PortError> {
    let fit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if name.is_empty() || name.len() > 256 || !name.bytes().all(fit) {
        return Err(PortError::permanent("a message attribute with a name that is not taken"));
    }
    if value.is_empty() {
        return Err(PortError::permanent(format!("an empty message attribute {name}")));
    }
    characters(&format!("the message attribute {name}"), value)
}

/// Refuses a group or de-duplication id that is empty, too long, or beyond letters, digits and punctuation.
pub(crate) fn id(what: &str, id: &str) -> Result<(), PortError> {
    if !id.is_empty() && id.len() <= ID_LIMIT && id.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(PortError::permanent(format!("{what} is not 1 to {ID_LIMIT} letters, digits and punctuation")))
}

/// Whether a message may hold the character (Amazon SQS: "SendMessage", the W3C's set).
pub(crate) fn is_taken(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn characters(what: &str, text: &str) -> Result<(), PortError> {
    match text.chars().find(|c| !is_taken(*c)) {
        None => Ok(()),
        Some(c) => Err(PortError::permanent(format!("{what} holds U+{:04X}, which is not taken", u32::from(c)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_as_the_services_take_them() {
        for (text, taken) in [
            ("{\"a\":1}\t\r\n", true),
            ("\u{7f}é\u{d7ff}\u{e000}\u{fffd}😀", true),
            ("", false),
            ("a\0", false),
            ("\u{1b}[2J", false),
            ("\u{fffe}", false),
            ("\u{ffff}", false),
        ] {
            assert_eq!(body(text).is_ok(), taken, "{text:?}");
        }
    }

    #[test]
    fn ids_sizes_and_attributes_at_their_limits() {
        assert!(id("it", &"x".repeat(128)).is_ok());
        assert!(id("it", "octo/repo!~").is_ok());
        for bad in ["", "a b", "é", &"x".repeat(129)] {
            assert!(!id("it", bad).unwrap_err().is_transient(), "{bad}");
        }
        assert!(size(10, 10).is_ok() && size(11, 10).is_err());
        assert!(attribute("event", "push").is_ok());
        for (name, value) in [("", "x"), ("a b", "x"), ("event", ""), ("event", "\0")] {
            assert!(attribute(name, value).is_err(), "{name:?} {value:?}");
        }
    }
}
