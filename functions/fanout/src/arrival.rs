//! Opening a message: from the envelope's text to everything that is recorded of the event.

use bytes::Bytes;
use domain::delivery;
use domain::envelope::{Body, Envelope, sha256};
use domain::error::PortError;
use domain::event::{EventStatus, GithubEvent};
use domain::facts::{self, Facts};
use domain::ids::ReceiptId;
use domain::ports::{BodyReader, KeptBody, Message};
use domain::release::ReleaseEvent;
use domain::run::{AskedBy, Run};
use domain::trace::TraceId;
use jiff::Timestamp;
use lambda::telemetry::about;

/// A receipt, opened.
pub(crate) struct Arrival {
    /// The event as far as this receipt tells.
    pub event: GithubEvent,
    /// This receipt.
    pub receipt: ReceiptId,
    /// Who asked for it.
    pub asked_by: AskedBy,
    /// GitHub's headers that are passed on.
    pub headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Bytes,
    /// Where they are kept.
    pub kept: KeptBody,
    /// The JSON of a `status` event, read; none for all others.
    pub status: Option<facts::StatusEvent>,
    /// The JSON of a `release` event, read; none for all others, and when it names no release.
    pub release: Option<ReleaseEvent>,
}

impl Arrival {
    pub(crate) fn new_run(&self, redelivery: bool, now: Timestamp) -> Run {
        Run::new(self.event.id.clone(), self.receipt, self.asked_by.clone(), redelivery, now)
    }
}

/// Reads what a message is about. The error is a message that can never be worked on, in words.
pub(crate) fn read(message: &Message) -> Result<Envelope, String> {
    let envelope = Envelope::decode(&message.body).map_err(|bad| bad.to_string())?;
    about(Some(&envelope.event), Some(envelope.receipt), None, Some(&TraceId::of(envelope.receipt)));
    Ok(envelope)
}

/// Opens an envelope. The inner error is one that can never be worked on, in words.
pub(crate) async fn open(envelope: Envelope, bodies: &dyn BodyReader) -> Result<Result<Arrival, String>, PortError> {
    let (body, hash, kept) = match &envelope.body {
        Body::Inline(bytes) => (bytes.clone(), sha256(bytes), KeptBody::Inline(bytes.clone())),
        Body::Stored { key, sha256: expected, .. } => {
            let Some(bytes) = bodies.get(key).await? else {
                return Ok(Err(format!("its body {key} is not in the body store any more")));
            };
            let hash = sha256(&bytes);
            if hash != *expected {
                return Ok(Err(format!("its body {key} is not the one that was received")));
            }
            (bytes, hash, KeptBody::Stored(key.clone()))
        }
    };
    // It was JSON when ingest took it. Were it none now, everything about it would still be worth recording.
    let json = delivery::json_of(&body, envelope.content_type).unwrap_or_default();
    let facts = facts::facts(&envelope.event_type, &json).unwrap_or_default();
    let (status, release) = match envelope.event_type.as_str() {
        "status" => (facts::status_event(&json), None),
        "release" => (None, facts::release_event(&json)),
        _ => (None, None),
    };
    let event = event(&envelope, facts, hash, body.len());
    about(None, None, event.repository.as_ref(), None);
    Ok(Ok(Arrival {
        event,
        receipt: envelope.receipt,
        asked_by: envelope.asked_by,
        headers: envelope.headers,
        body,
        kept,
        status,
        release,
    }))
}

fn event(envelope: &Envelope, facts: Facts, body_sha256: String, bytes: usize) -> GithubEvent {
    GithubEvent {
        id: envelope.event.clone(),
        event_type: envelope.event_type.clone(),
        action: facts.routing.action,
        source: envelope.source,
        installation_id: facts.routing.installation_id,
        repository: facts.routing.repository,
        sender: facts.sender,
        sha: facts.sha,
        pull_request: facts.pull_request,
        about: facts.about,
        body_sha256,
        body_bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        same_body_as: None,
        receipts: vec![envelope.receipt],
        received_at: envelope.received_at,
        status: EventStatus::Processing,
        reason: None,
        failure_reason: None,
        processed_at: None,
        tries: 0,
        last_answer: None,
        next_attempt_at: None,
    }
}
