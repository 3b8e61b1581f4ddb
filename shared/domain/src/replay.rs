//! Replays: what GitHub delivered runs again, because somebody asked for it.
//!
//! A replay has an id of its own, minted once. Everything else follows from it: which receipt each event gets, and
//! that repeating a call gives the same receipts, which have run then. So nothing has to be kept about a replay.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::delivery::ContentType;
use crate::envelope::{Body, Envelope};
use crate::event::{EventStatus, GithubEvent};
use crate::ids::{BadId, EventId, ReceiptId};
use crate::ports::{EventStory, KeptBody};
use crate::run::AskedBy;

/// The most events that one call replays.
pub const LIMIT: usize = 100;

/// How far ahead of our clock a replay may have been minted: processes do not agree about the time to the second.
pub const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Bits of a receipt that hold when the event was received, in milliseconds: enough until the year 2109.
const RECEIVED_BITS: u32 = 42;

/// A replay: `r-` and a UUID v7, which says when it was minted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplayId(Uuid);

impl ReplayId {
    /// Of a UUID v7, made for [`moment`].
    pub fn of(id: Uuid) -> Self {
        Self(id)
    }

    /// Reads it again.
    ///
    /// # Errors
    /// [`BadId`] unless it is `r-` and a UUID v7.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let id = text.strip_prefix("r-").and_then(|id| Uuid::try_parse(id).ok());
        let id = id.filter(|id| id.get_version_num() == 7 && id.as_hyphenated().to_string() == text[2..]);
        id.map(Self).ok_or(BadId { what: "the replay", must: "r- and a UUID v7 in lower case" })
    }

    /// When it was minted, to the millisecond.
    pub fn minted_at(&self) -> Timestamp {
        millisecond(milliseconds(self.0))
    }

    /// The receipt of an event in this replay: always the same. It is newer than every receipt from before the replay
    /// was minted, and those of one replay are ordered as their events were received.
    pub fn receipt(&self, event: &EventId, received_at: Timestamp) -> ReceiptId {
        let received = u64::try_from(received_at.as_millisecond()).unwrap_or_default() & ((1 << RECEIVED_BITS) - 1);
        let digest = Sha256::digest(format!("{self}\n{event}"));
        // A UUID v7 leaves 12 bits, then 62: the version and the variant stand between them.
        let [.., a, b] = (received >> 30).to_be_bytes();
        let [.., c, d, e, f] = (received & ((1 << 30) - 1)).to_be_bytes();
        let tail = [a, b, c, d, e, f, digest[0], digest[1], digest[2], digest[3]];
        ReceiptId(uuid::Builder::from_unix_timestamp_millis(milliseconds(self.0), &tail).into_uuid())
    }
}

impl fmt::Display for ReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r-{}", self.0.as_hyphenated())
    }
}

/// The moment that a replay is minted for: the next millisecond after everything that has happened, `newest` among it.
pub fn moment(now: Timestamp, newest: Option<ReceiptId>) -> Timestamp {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    millisecond(now.max(newest.map_or(0, |newest| milliseconds(newest.0))) + 1)
}

/// Why an event is not replayed. The words stand in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A run of it is not finished.
    UnderWay,
    /// It has not failed, and nobody insisted.
    NotErrored,
    /// It has run since the replay was minted.
    RunSince,
    /// Its body is not kept any more.
    BodyExpired,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 4] = [Self::UnderWay, Self::NotErrored, Self::RunSince, Self::BodyExpired];

    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnderWay => "under_way",
            Self::NotErrored => "not_errored",
            Self::RunSince => "run_since",
            Self::BodyExpired => "body_expired",
        }
    }

    /// What it means and what to do, for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::UnderWay => "A run of it is under way or waits for its next attempt. Wait until it has ended.",
            Self::NotErrored => "It has not failed. Only errored events are replayed, unless force is true.",
            Self::RunSince => "It has run again since this replay was begun. Begin another one.",
            Self::BodyExpired => "Its body is not kept any more, so there is nothing to send.",
        }
    }
}

/// What a replay does with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Publish it under this receipt.
    Run(ReceiptId),
    /// It has been published by an earlier call.
    Already(ReceiptId),
    /// Leave it.
    Leave(Refusal),
}

/// Decides about one event.
pub fn decide(replay: &ReplayId, story: &EventStory, force: bool) -> Decision {
    let GithubEvent { id, received_at, receipts, status, .. } = &story.event;
    let receipt = replay.receipt(id, *received_at);
    if receipts.contains(&receipt) {
        return Decision::Already(receipt);
    }
    if receipts.iter().any(|other| *other > receipt) {
        return Decision::Leave(Refusal::RunSince);
    }
    match status {
        EventStatus::Processing | EventStatus::Reprocessing | EventStatus::Unprocessed => {
            Decision::Leave(Refusal::UnderWay)
        }
        EventStatus::Processed | EventStatus::Ignored | EventStatus::Unhandled if !force => {
            Decision::Leave(Refusal::NotErrored)
        }
        _ if story.body.is_none() => Decision::Leave(Refusal::BodyExpired),
        _ => Decision::Run(receipt),
    }
}

/// The event as it was delivered, under another receipt. A body in the body store stays where it is. None without a
/// body.
pub fn envelope(story: &EventStory, receipt: ReceiptId, replay: &ReplayId, by: &str) -> Option<Envelope> {
    let event = &story.event;
    let body = match story.body.as_ref()? {
        KeptBody::Inline(bytes) => Body::Inline(bytes.clone()),
        KeptBody::Stored(key) => {
            Body::Stored { key: key.clone(), sha256: event.body_sha256.clone(), bytes: event.body_bytes }
        }
    };
    Some(Envelope {
        event: event.id.clone(),
        event_type: event.event_type.clone(),
        receipt,
        source: event.source,
        received_at: event.received_at,
        content_type: content_type(&story.headers),
        headers: story.headers.clone(),
        body,
        asked_by: AskedBy::Replay { replay: replay.to_string(), by: by.to_owned() },
    })
}

/// How the body holds the JSON, by the headers that came with it.
pub fn content_type(headers: &[(String, String)]) -> ContentType {
    let value = headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
    value.and_then(ContentType::from_header).unwrap_or(ContentType::Json)
}

/// The 48 bits of time at the front of a UUID v7.
fn milliseconds(id: Uuid) -> u64 {
    id.as_u64_pair().0 >> 16
}

fn millisecond(at: u64) -> Timestamp {
    i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
