//! One trace id for everything that follows from a receipt, in the words of W3C Trace Context (level 1).
//!
//! The id is the receipt itself, without its hyphens: nothing has to carry it, and a receipt that somebody reads in
//! an answer finds the trace. GitHub sends none, and what a stranger sends beside a webhook is not believed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{BadId, ReceiptId};

/// A trace id: 32 lower-case hexadecimal digits, not all of them zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceId(String);

impl TraceId {
    /// The trace of a receipt.
    pub fn of(receipt: ReceiptId) -> Self {
        Self(receipt.0.simple().to_string())
    }

    /// Takes the digits.
    ///
    /// # Errors
    /// [`BadId`] when they are no trace id.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        if is_id(text, 32) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadId { what: "the trace id", must: "32 lower-case hexadecimal digits, not all 0" })
        }
    }

    /// Reads the id out of a `traceparent` header; none when it is not one. A version that is newer than 00 may say
    /// more behind the four parts that are known.
    pub fn from_traceparent(value: &str) -> Option<Self> {
        let mut parts = value.splitn(5, '-');
        let mut part = |length| parts.next().filter(|text| is_hex(text, length));
        let version = part(2).filter(|version| *version != "ff")?;
        let trace = part(32)?;
        let span = part(16)?;
        part(2)?;
        if (version == "00" && parts.next().is_some()) || !is_id(span, 16) {
            return None;
        }
        Self::parse(trace).ok()
    }

    /// The header of a call that is one span of this trace. 0 is no span, and becomes 1. It says "sampled", because
    /// every delivery is recorded here.
    pub fn traceparent(&self, span: u64) -> String {
        format!("00-{}-{:016x}-01", self.0, span.max(1))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TraceId {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        Self::parse(&text)
    }
}

impl From<TraceId> for String {
    fn from(id: TraceId) -> Self {
        id.0
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|b| b != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_its_own_trace() {
        let receipt = ReceiptId::parse("019320aa-0000-7000-8000-000000000001").unwrap();
        let trace = TraceId::of(receipt);
        assert_eq!(trace.as_str(), "019320aa000070008000000000000001");
        assert_eq!(trace.traceparent(7), "00-019320aa000070008000000000000001-0000000000000007-01");
        assert_eq!(TraceId::from_traceparent(&trace.traceparent(0)), Some(trace));
    }

    #[test]
    fn what_is_a_traceparent_and_what_is_not() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let (no_trace, no_span) = ("0".repeat(32), "0".repeat(16));
        for (value, fits) in [
            (format!("00-{trace}-{span}-01"), true),
            (format!("00-{trace}-{span}-00"), true),
            (format!("cc-{trace}-{span}-01"), true),
            (format!("cc-{trace}-{span}-01-what-the-future-brings"), true),
            (format!("00-{trace}-{span}-01-more"), false),
            (format!("00-{trace}-{span}-01-"), false),
            (format!("ff-{trace}-{span}-01"), false),
            (format!("00-{no_trace}-{span}-01"), false),
            (format!("00-{trace}-{no_span}-01"), false),
            (format!("00-{}-{span}-01", trace.to_uppercase()), false),
            (format!("00-{trace}-{span}-1"), false),
            (format!("00-{trace}-{span}"), false),
            (format!("0-{trace}-{span}-01"), false),
            (format!("00-{trace}-{span}-0g"), false),
            (format!(" 00-{trace}-{span}-01"), false),
            (format!("cc-{trace}-{span}-01x"), false),
            (String::new(), false),
        ] {
            let read = TraceId::from_traceparent(&value);
            assert_eq!(read.as_ref().map(TraceId::as_str), fits.then_some(trace), "{value}");
        }
    }
}
