//! What Amazon SQS would not take, so that a laptop refuses it before AWS does.

use domain::error::PortError;

/// Largest message with the names, types and values of its attributes, in bytes (Amazon SQS: "Message quotas").
pub(super) const MESSAGE_LIMIT: usize = 1_048_576;

/// Largest message that the topic takes, in bytes (Amazon SNS: "Message quotas", the default).
pub(super) const TOPIC_LIMIT: usize = 262_144;

/// Attributes of one message (Amazon SQS: "Message metadata").
const ATTRIBUTES_LIMIT: usize = 10;

/// Characters of an attribute's name (Amazon SQS: "Message metadata").
const ATTRIBUTE_NAME_LIMIT: usize = 256;

/// Characters of a group or de-duplication id (Amazon SQS: "`SendMessage`").
const ID_LIMIT: usize = 128;

/// What an attribute's data type, `String`, adds to the size of a message.
const TYPE_LENGTH: usize = "String".len();

/// Checks body and attributes against a limit in bytes.
pub(super) fn check_message<'a>(
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
pub(super) fn check_id(what: &str, id: &str) -> Result<(), PortError> {
    if id.is_empty() || id.len() > ID_LIMIT || !id.bytes().all(|b| b.is_ascii_graphic()) {
        return refuse(format!("the {what} must be 1 to {ID_LIMIT} letters, digits or punctuation marks of ASCII"));
    }
    Ok(())
}

/// A failure that stays: the same call would be refused again.
pub(super) fn refuse<T>(why: impl std::fmt::Display) -> Result<T, PortError> {
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

/// The characters that XML 1.0 has, as SQS does (Amazon SQS: "`SendMessage`").
fn check_characters(text: &str, what: &str) -> Result<(), PortError> {
    let refused = text.chars().find(|c| {
        !matches!(c,
            '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
    });
    match refused {
        Some(c) => refuse(format!("{what} holds U+{:04X}, which is refused", u32::from(c))),
        None => Ok(()),
    }
}
