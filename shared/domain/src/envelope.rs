//! The envelope: one event on its way from ingest to fanout, as printable ASCII.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base64;
use crate::delivery::ContentType;
use crate::event::Source;
use crate::facts::Routing;
use crate::ids::{BodyKey, EventId, EventType, ReceiptId};
use crate::run::AskedBy;

/// The most that goes over the bus, attributes included: SNS and SQS take 256 KiB by default (Amazon SNS:
/// "Large message payloads"), less a margin for what raw delivery and redrives add.
pub const BUS_LIMIT: usize = 240 * 1024;

/// The version of the wire format, also an attribute.
pub const VERSION: &str = "1";

/// Message attributes on the topic, so that other teams can subscribe with a filter. At most six: event, action,
/// repository, source, installation, version (raw delivery to SQS allows ten).
pub type Attributes = BTreeMap<&'static str, String>;

/// Where the body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// In the envelope.
    Inline(Bytes),
    /// In the body store.
    Stored {
        /// Under this key.
        key: BodyKey,
        /// Hexadecimal SHA-256 of the bytes.
        sha256: String,
        /// Their number.
        bytes: u64,
    },
}

/// One event on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The event.
    pub event: EventId,
    /// Its type.
    pub event_type: EventType,
    /// This receipt.
    pub receipt: ReceiptId,
    /// Which kind of hook.
    pub source: Source,
    /// When the request was accepted.
    pub received_at: Timestamp,
    /// How the body holds the JSON.
    pub content_type: ContentType,
    /// The headers that are passed on: lower-case names, values as one character per byte (ISO 8859-1).
    pub headers: Vec<(String, String)>,
    /// The exact bytes received.
    pub body: Body,
    /// Who asked for this run.
    pub asked_by: AskedBy,
}

/// A text that is no envelope of a version that this code knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an envelope of version 1: {0}")]
pub struct BadEnvelope(String);

impl Envelope {
    /// The bytes for the bus.
    pub fn encode(&self) -> String {
        let (inline, stored) = match &self.body {
            Body::Inline(bytes) => (Some(bytes), None),
            Body::Stored { key, sha256, bytes } => {
                (None, Some(WireStored { key: key.clone(), sha256: sha256.clone(), bytes: *bytes }))
            }
        };
        let mut json = crate::ascii::to_json(&Wire {
            v: VERSION.into(),
            event: self.event.clone(),
            event_type: self.event_type.clone(),
            receipt: self.receipt,
            source: self.source.as_str().into(),
            received_at: self.received_at,
            content_type: self.content_type.as_str().into(),
            headers: self.headers.clone(),
            asked_by: match &self.asked_by {
                AskedBy::Github => None,
                AskedBy::Replay { replay, by } => Some(WireReplay { replay: replay.clone(), by: by.clone() }),
            },
            stored,
            body: None,
        });
        if let Some(bytes) = inline {
            // The body goes in last and by hand: base64 needs no escaping, and it is nearly all of the text.
            json.pop();
            json.reserve(bytes.len() / 3 * 4 + 16);
            json.push_str(",\"body\":\"");
            base64::encode_to(&mut json, bytes);
            json.push_str("\"}");
        }
        json
    }

    /// Reads it again.
    ///
    /// # Errors
    /// [`BadEnvelope`] says what is wrong, never what is in the body.
    pub fn decode(text: &str) -> Result<Self, BadEnvelope> {
        let wire: Wire =
            serde_json::from_str(text).map_err(|e| BadEnvelope(format!("line {}, column {}", e.line(), e.column())))?;
        if wire.v != VERSION {
            return Err(BadEnvelope("another version".to_owned()));
        }
        let body = match (wire.body, wire.stored) {
            (Some(text), None) => {
                let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
                base64::decode_to(&mut bytes, &text).ok_or_else(|| BadEnvelope("its body is not base64".to_owned()))?;
                Body::Inline(bytes.into())
            }
            (None, Some(WireStored { key, sha256, bytes })) => Body::Stored { key, sha256, bytes },
            _ => return Err(BadEnvelope("it needs exactly one of body and stored".to_owned())),
        };
        Ok(Self {
            event: wire.event,
            event_type: wire.event_type,
            receipt: wire.receipt,
            source: Source::from_word(&wire.source),
            received_at: wire.received_at,
            content_type: ContentType::from_header(&wire.content_type)
                .ok_or_else(|| BadEnvelope("unknown content type".to_owned()))?,
            headers: wire.headers,
            body,
            asked_by: match wire.asked_by {
                None => AskedBy::Github,
                Some(WireReplay { replay, by }) => AskedBy::Replay { replay, by },
            },
        })
    }

    /// Moves an inline body out, for an envelope that is too large with it. Returns what to put into the body
    /// store first; none when the body is there already.
    pub fn move_body_out(&mut self) -> Option<(BodyKey, Bytes)> {
        let Body::Inline(bytes) = &self.body else { return None };
        let bytes = bytes.clone();
        #[expect(clippy::expect_used, reason = "a UUID consists of a-f, 0-9 and -, all allowed")]
        let key = BodyKey::parse(&format!("bodies/{}", self.receipt)).expect("fit characters only");
        self.body = Body::Stored {
            key: key.clone(),
            sha256: sha256(&bytes),
            bytes: bytes.len().try_into().unwrap_or(u64::MAX),
        };
        Some((key, bytes))
    }

    /// The attributes that travel beside it. A value that SNS might refuse (empty, not printable ASCII, over
    /// 256 characters) is left out: subscribers filter on what they know.
    pub fn attributes(&self, routing: &Routing) -> Attributes {
        let all = [
            ("event", Some(self.event_type.to_string())),
            ("action", routing.action.clone()),
            ("repository", routing.repository.as_ref().map(ToString::to_string)),
            ("source", Some(self.source.as_str().to_owned())),
            ("installation", routing.installation_id.map(|id| id.to_string())),
            ("version", Some(VERSION.to_owned())),
        ];
        let fit =
            |value: &String| (1..=256).contains(&value.len()) && value.bytes().all(|b| (b' '..=b'~').contains(&b));
        all.into_iter().filter_map(|(name, value)| Some((name, value.filter(fit)?))).collect()
    }
}

/// What a message weighs on the bus: SNS and SQS count names, types (`String`) and values of attributes too.
pub fn weight(encoded: &str, attributes: &Attributes) -> usize {
    encoded.len() + attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len()).sum::<usize>()
}

/// Hexadecimal SHA-256 of a body.
pub fn sha256(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: String,
    event: EventId,
    #[serde(rename = "type")]
    event_type: EventType,
    receipt: ReceiptId,
    source: String,
    received_at: Timestamp,
    content_type: String,
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_by: Option<WireReplay>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored: Option<WireStored>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireStored {
    key: BodyKey,
    sha256: String,
    bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct WireReplay {
    replay: String,
    by: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secrets::Keyring;
    use crate::signature;

    fn envelope(body: Vec<u8>, headers: Vec<(String, String)>, content_type: ContentType) -> Envelope {
        Envelope {
            event: EventId::parse("48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516").unwrap(),
            event_type: EventType::parse("pull_request").unwrap(),
            receipt: ReceiptId::parse("019320aa-0000-7000-8000-000000000001").unwrap(),
            source: Source::Repository,
            received_at: "2026-03-02T10:00:00Z".parse().unwrap(),
            content_type,
            headers,
            body: Body::Inline(body.into()),
            asked_by: AskedBy::Github,
        }
    }

    #[test]
    fn the_wire_format_is_pinned() {
        let mut sample = envelope(
            b"{\"a\":\"\xc3\xbc\"}".to_vec(),
            vec![("x-github-event".into(), "pull_request".into()), ("user-agent".into(), "caf\u{e9}".into())],
            ContentType::Json,
        );
        insta::assert_snapshot!("inline", sample.encode());
        sample.asked_by = AskedBy::Replay { replay: "r-7f3a".into(), by: "ana".into() };
        sample.move_body_out().unwrap();
        insta::assert_snapshot!("stored", sample.encode());
    }

    #[test]
    fn other_texts_are_refused_without_repeating_them() {
        let good = envelope(b"{}".to_vec(), vec![], ContentType::Json).encode();
        for bad in [
            String::new(),
            "null".into(),
            good.replace("\"v\":\"1\"", "\"v\":\"2\""),
            good.replace("\"body\"", "\"bodi\""),
            good.replace("e30=", "***s3cret***"),
            good.replace("48211900-", ""),
        ] {
            let said = Envelope::decode(&bad).unwrap_err().to_string();
            assert!(!said.contains("s3cret"), "{said}");
        }
    }

    #[test]
    fn an_envelope_that_still_names_a_trace_can_be_read() {
        let now = envelope(b"{}".to_vec(), vec![], ContentType::Json);
        let before = now.encode().replace("\"body\"", "\"traceparent\":\"00-ab-cd-01\",\"body\"");
        assert!(before.contains("traceparent"));
        assert_eq!(Envelope::decode(&before).unwrap(), now);
    }

    #[test]
    fn attributes_leave_out_what_sns_refuses() {
        let sample = envelope(vec![], vec![], ContentType::Json);
        let mut routing = Routing { action: Some("bürger".into()), ..Routing::default() };
        let names: Vec<_> = sample.attributes(&routing).into_keys().collect();
        assert_eq!(names, ["event", "source", "version"]);
        routing.action = Some("opened".into());
        assert_eq!(sample.attributes(&routing)["action"], "opened");
    }

    proptest! {
        #[test]
        fn any_bytes_that_verify_arrive_unchanged(
            body in prop::collection::vec(any::<u8>(), 0..2000),
            headers in prop::collection::vec(("[a-z-]{1,20}", prop::collection::vec(any::<u8>(), 0..40)), 0..6),
            form in any::<bool>(),
        ) {
            let keys = Keyring::new("secret".into(), None);
            let signature = signature::sign(b"secret", &body);
            let verified = signature::verify(&keys, [signature.as_bytes()], body.clone().into()).unwrap();
            let headers: Vec<_> =
                headers.into_iter().map(|(n, v)| (n, v.into_iter().map(char::from).collect::<String>())).collect();
            let content_type = if form { ContentType::Form } else { ContentType::Json };
            let sent = envelope(verified.bytes().to_vec(), headers, content_type);
            let wire = sent.encode();
            prop_assert!(wire.bytes().all(|b| (b' '..=b'~').contains(&b)), "printable ASCII only");
            prop_assert_eq!(Envelope::decode(&wire).unwrap(), sent);
        }
    }
}
