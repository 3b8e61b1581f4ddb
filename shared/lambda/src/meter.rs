//! Counting what happens: handlers say it once ([`Fact`]), whoever runs them decides what becomes of it. On AWS it is
//! metrics ([`emf`]), on one machine the refused deliveries on `/health` ([`refusals`]).
//!
//! Every metric and every value of a dimension comes from the two enums here and from the outcomes of a status, so
//! that nothing that somebody sends can make a new one: CloudWatch charges for each.

pub mod emf;
pub mod refusals;

use domain::statuses::row::StatusOutcome;
use jiff::SignedDuration;

/// Somebody who counts. Never fails and never waits: a delivery must not depend on it.
pub trait Meter: Send + Sync {
    /// Something happened.
    fn count(&self, fact: Fact);

    /// An invocation or a batch is over: what is still held back goes out.
    fn flush(&self) {}
}

/// Nobody counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Meter for Silent {
    fn count(&self, _: Fact) {}
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// A delivery was accepted.
    Accepted,
    /// A request to `POST /github` was not.
    Refused(Refusal),
    /// The server took an event, so long after GitHub's request came in.
    Processed(Option<SignedDuration>),
    /// Nobody will try again.
    Errored,
    /// A rule says that it is sent to nobody.
    Ignored,
    /// There is no server to send it to.
    Unhandled,
    /// An event waits for another attempt, or its message was given back because Hookyard itself failed.
    Retried,
    /// A status has ended; a waiting one is not counted.
    Status(StatusOutcome),
    /// A status stands at GitHub, so long after GitHub's request came in.
    Written(SignedDuration),
}

/// Why a request to `POST /github` was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 413.
    TooLarge,
    /// 415.
    ContentType,
    /// 401: no signature, or none that fits.
    Signature,
    /// 400: the headers or the JSON are no delivery.
    Malformed,
    /// 400: the body did not come to its end.
    CutShort,
    /// 503: too many large ones at once.
    Busy,
    /// 503: the webhook secret could not be read.
    SecretUnavailable,
    /// 503: the bus or the body store did not take it.
    BusUnavailable,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::TooLarge,
        Self::ContentType,
        Self::Signature,
        Self::Malformed,
        Self::CutShort,
        Self::Busy,
        Self::SecretUnavailable,
        Self::BusUnavailable,
    ];

    /// The word in log lines, metrics and `/health`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::ContentType => "content_type",
            Self::Signature => "signature",
            Self::Malformed => "malformed",
            Self::CutShort => "cut_short",
            Self::Busy => "busy",
            Self::SecretUnavailable => "secret_unavailable",
            Self::BusUnavailable => "bus_unavailable",
        }
    }
}
