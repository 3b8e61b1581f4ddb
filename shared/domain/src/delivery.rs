//! A delivery: the headers that name it, the two content types, and the JSON inside a verified body.

use std::borrow::Cow;

use crate::event::Source;
use crate::facts::{self, NotJson, Routing};
use crate::ids::{BadId, DeliveryGuid, EventId, EventType, HookId};
use crate::signature::Verified;

/// The largest body: what GitHub sends at most is 25 MB (GitHub Docs, "Webhook events and payloads").
pub const BODY_LIMIT: usize = 26_214_400;

/// The content types that GitHub offers for a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`: the body is the JSON.
    Json,
    /// `application/x-www-form-urlencoded`: the JSON is in the field `payload`. The default when a hook is made by API.
    Form,
}

impl ContentType {
    /// Reads the header; parameters such as a charset are ignored.
    pub fn from_header(value: &str) -> Option<Self> {
        match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            _ => None,
        }
    }

    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// What the headers say. They are not signed: only the body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The event's id.
    pub event: EventId,
    /// Its type.
    pub event_type: EventType,
    /// Which kind of hook.
    pub source: Source,
}

/// Why a verified request is not a delivery. All of them are a 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDelivery {
    /// A header is missing or given twice.
    #[error("The request needs exactly one {0} header.")]
    Header(&'static str),
    /// A header's value is malformed.
    #[error("{header}: {bad}.")]
    Value {
        /// Which header.
        header: &'static str,
        /// What it must be.
        bad: BadId,
    },
    /// The form has no `payload`, or several.
    #[error("A form delivery needs exactly one field \"payload\".")]
    Payload,
    /// The JSON is none.
    #[error(transparent)]
    Json(#[from] NotJson),
}

/// Reads the headers that name a delivery. `header` returns all values of a name (lower-case).
///
/// # Errors
/// [`BadDelivery::Header`] and [`BadDelivery::Value`].
pub fn name<'h, I>(header: impl Fn(&'static str) -> I) -> Result<Named, BadDelivery>
where
    I: IntoIterator<Item = &'h [u8]>,
{
    let one = |name: &'static str| -> Result<Option<&'h str>, BadDelivery> {
        let mut values = header(name).into_iter();
        let first = values.next();
        if values.next().is_some() {
            return Err(BadDelivery::Header(name));
        }
        // Text that is not UTF-8 becomes one that fits no id.
        Ok(first.map(|value| std::str::from_utf8(value).unwrap_or("\u{fffd}")))
    };
    let value = |header: &'static str| move |bad| BadDelivery::Value { header, bad };
    let event_type = one("x-github-event")?.ok_or(BadDelivery::Header("x-github-event"))?;
    let delivery = one("x-github-delivery")?.ok_or(BadDelivery::Header("x-github-delivery"))?;
    let hook = one("x-github-hook-id")?.unwrap_or("0");
    Ok(Named {
        event_type: EventType::parse(event_type).map_err(value("x-github-event"))?,
        event: EventId::new(
            HookId::parse(hook).map_err(value("x-github-hook-id"))?,
            DeliveryGuid::parse(delivery).map_err(value("x-github-delivery"))?,
        ),
        source: Source::from_header(one("x-github-hook-installation-target-type")?),
    })
}

/// The JSON inside a verified body, not yet parsed.
///
/// # Errors
/// [`BadDelivery::Payload`].
pub fn json(verified: &Verified, content_type: ContentType) -> Result<Cow<'_, [u8]>, BadDelivery> {
    json_of(verified.bytes(), content_type)
}

/// The same for bytes that were verified before they were put into an envelope.
///
/// # Errors
/// [`BadDelivery::Payload`].
pub fn json_of(body: &[u8], content_type: ContentType) -> Result<Cow<'_, [u8]>, BadDelivery> {
    match content_type {
        ContentType::Json => Ok(Cow::Borrowed(body)),
        ContentType::Form => {
            let mut payloads = url::form_urlencoded::parse(body).filter(|(name, _)| name == "payload");
            match (payloads.next(), payloads.next()) {
                (Some((_, json)), None) => Ok(Cow::Owned(json.into_owned().into_bytes())),
                _ => Err(BadDelivery::Payload),
            }
        }
    }
}

/// What routing needs of a verified body.
///
/// # Errors
/// [`BadDelivery::Payload`] and [`BadDelivery::Json`].
pub fn routing(verified: &Verified, content_type: ContentType) -> Result<Routing, BadDelivery> {
    Ok(facts::routing(&json(verified, content_type)?)?)
}

/// Whether a header of GitHub's request is passed on to the user's server, by its lower-case name.
pub fn is_forwarded(name: &str) -> bool {
    matches!(name, "content-type" | "user-agent" | "accept")
        || name.starts_with("x-github-")
        || name.starts_with("x-hub-signature")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn named(headers: &[(&'static str, &'static str)]) -> Result<Named, String> {
        let mut map: HashMap<&str, Vec<&[u8]>> = HashMap::new();
        for (name, value) in headers {
            map.entry(name).or_default().push(value.as_bytes());
        }
        name(|n| map.get(n).cloned().unwrap_or_default()).map_err(|e| e.to_string())
    }

    #[test]
    fn headers_name_the_delivery() {
        let named = named(&[
            ("x-github-event", "pull_request"),
            ("x-github-delivery", "0b989ba4-242f-11e5-81e1-c7b6966d2516"),
            ("x-github-hook-id", "48211900"),
            ("x-github-hook-installation-target-type", "integration"),
        ])
        .unwrap();
        assert_eq!(named.event.to_string(), "48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516");
        assert_eq!(named.source, Source::App);
    }

    #[test]
    fn headers_that_are_missing_double_or_malformed() {
        let ok = [("x-github-event", "push"), ("x-github-delivery", "a-1")];
        assert_eq!(named(&ok).unwrap().event.to_string(), "0-a-1", "an absent hook id is 0");
        for (bad, word) in [
            (vec![ok[0]], "x-github-delivery"),
            (vec![ok[1]], "x-github-event"),
            (vec![ok[0], ok[0], ok[1]], "exactly one x-github-event"),
            (vec![("x-github-event", "Push"), ok[1]], "the event type must be"),
            (vec![("x-github-event", ""), ok[1]], "the event type must be"),
            (vec![ok[0], ("x-github-delivery", "a b")], "the delivery id must be"),
            (vec![ok[0], ok[1], ("x-github-hook-id", "-1")], "the hook id must be"),
            (vec![ok[0], ok[1], ("x-github-hook-id", "1"), ("x-github-hook-id", "2")], "x-github-hook-id"),
        ] {
            let said = named(&bad).unwrap_err();
            assert!(said.contains(word), "{bad:?}: {said}");
        }
    }

    #[test]
    fn a_form_holds_one_payload() {
        let of = |body: &'static [u8]| json_of(body, ContentType::Form).map(Cow::into_owned);
        assert_eq!(of(b"payload=%7B%22a%22%3A%22b+c%22%7D"), Ok(br#"{"a":"b c"}"#.to_vec()));
        assert_eq!(of(b"x=1&payload=1&y=2"), Ok(b"1".to_vec()));
        assert_eq!(of(b"x=1"), Err(BadDelivery::Payload));
        assert_eq!(of(b"payload=1&payload=2"), Err(BadDelivery::Payload));
    }

    #[test]
    fn content_types() {
        for (value, expected) in [
            ("application/json", Some(ContentType::Json)),
            ("Application/JSON; charset=utf-8", Some(ContentType::Json)),
            ("application/x-www-form-urlencoded", Some(ContentType::Form)),
            ("application/jsonx", None),
            ("text/plain", None),
            ("", None),
        ] {
            assert_eq!(ContentType::from_header(value), expected, "{value}");
        }
    }
}
