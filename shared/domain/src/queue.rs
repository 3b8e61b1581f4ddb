//! What SNS and SQS refuse, checked by every adapter before anything is sent: a laptop refuses what AWS would, an
//! emulator lets nothing pass that AWS would not, and one bad message never takes its batch along.

use crate::error::PortError;

/// Largest message with the names, types and values of its attributes, in bytes (Amazon SQS: "Message quotas").
pub const MESSAGE_LIMIT: usize = 1_048_576;

/// Largest message that the topic takes, in bytes (Amazon SNS: "Message quotas", the default).
pub const TOPIC_LIMIT: usize = 262_144;

/// Attributes of one message (Amazon SQS: "Message metadata").
const ATTRIBUTES_LIMIT: usize = 10;

/// Characters of an attribute's name (Amazon SQS: "Message metadata").
const ATTRIBUTE_NAME_LIMIT: usize = 256;

/// Characters of a group or de-duplication id (Amazon SQS: "`SendMessage`").
const ID_LIMIT: usize = 128;

/// What an attribute's data type, `String`, adds to the size of a message.
const TYPE_LENGTH: usize = "String".len();

/// Checks body and attributes against a limit in bytes.
///
/// # Errors
/// Permanent, naming the limit.
pub fn check_message<'a>(
    body: &str,
    attributes: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    limit: usize,
) -> Result<(), PortError> {
    if body.is_empty() {
        return refuse("an empty message is refused");
    }
    if attributes.len() > ATTRIBUTES_LIMIT {
        return refuse(format!("a message takes {ATTRIBUTES_LIMIT} attributes, not {}", attributes.len()));
    }
    let mut size = body.len();
    for (name, value) in attributes {
        check_name(name)?;
        if value.is_empty() {
            return refuse(format!("the attribute {name} is empty"));
        }
        check_characters(value, "an attribute")?;
        size += name.len() + TYPE_LENGTH + value.len();
    }
    if size > limit {
        return refuse(format!("the message has {size} bytes with its attributes; at most {limit} are taken"));
    }
    check_characters(body, "the message")
}

/// Checks a group id or a de-duplication id; `what` names it.
///
/// # Errors
/// Permanent, naming the limit.
pub fn check_id(what: &str, id: &str) -> Result<(), PortError> {
    if id.is_empty() || id.len() > ID_LIMIT || !id.bytes().all(|b| b.is_ascii_graphic()) {
        return refuse(format!("the {what} must be 1 to {ID_LIMIT} letters, digits or punctuation marks of ASCII"));
    }
    Ok(())
}

fn refuse<T>(why: impl std::fmt::Display) -> Result<T, PortError> {
    Err(PortError::permanent(why))
}

fn check_name(name: &str) -> Result<(), PortError> {
    let lower = name.to_ascii_lowercase();
    let fit = !name.is_empty()
        && name.len() <= ATTRIBUTE_NAME_LIMIT
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.");
    if fit { Ok(()) } else { refuse("an attribute's name is 1 to 256 of A-Z, a-z, 0-9, _, - and inner dots") }
}

/// Whether a message may hold the character: those that XML 1.0 has (Amazon SQS: "`SendMessage`").
pub fn is_taken(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn check_characters(text: &str, what: &str) -> Result<(), PortError> {
    // An envelope is 30 KB of printable ASCII: looked at in pieces without an early end, which the compiler turns into
    // a handful of instructions each.
    let printable = |piece: &[u8]| piece.iter().fold(true, |all, byte| all & (0x20..0x7f).contains(byte));
    if text.as_bytes().chunks(64).all(printable) {
        return Ok(());
    }
    match text.chars().find(|c| !is_taken(*c)) {
        Some(c) => refuse(format!("{what} holds U+{:04X}, which is refused", u32::from(c))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str, attributes: &[(&str, &str)]) -> Result<(), PortError> {
        check_message(body, attributes.iter().copied(), MESSAGE_LIMIT)
    }

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
            assert_eq!(message(text, &[]).is_ok(), taken, "{text:?}");
        }
    }

    #[test]
    fn ids_sizes_and_attributes_at_their_limits() {
        assert!(check_id("id", &"x".repeat(128)).is_ok());
        assert!(check_id("id", "octo/repo!~").is_ok());
        for bad in ["", "a b", "é", &"x".repeat(129)] {
            assert!(!check_id("id", bad).unwrap_err().is_transient(), "{bad}");
        }
        let rest = "event".len() + "String".len() + "push".len();
        assert!(message(&"x".repeat(MESSAGE_LIMIT - rest), &[("event", "push")]).is_ok());
        assert!(message(&"x".repeat(MESSAGE_LIMIT - rest + 1), &[("event", "push")]).is_err());
        for (name, value) in [("", "x"), ("a b", "x"), (".a", "x"), ("aws.a", "x"), ("event", ""), ("event", "\0")] {
            assert!(message("x", &[(name, value)]).is_err(), "{name:?} {value:?}");
        }
        assert!(message("x", &[("n", "v"); 10]).is_ok() && message("x", &[("n", "v"); 11]).is_err());
    }
}
