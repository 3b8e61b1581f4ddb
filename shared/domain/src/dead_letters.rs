//! Dead letters: messages that were set aside, by our own functions or by a queue, and what they are about.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use crate::envelope::Envelope;
use crate::ids::{EventId, EventType, ReceiptId, Repository, Sha, StatusId};
use crate::statuses::message::StatusMessage;

/// The most dead letters that one call lists or sends back.
pub const LIMIT: usize = 100;

/// A dead-letter queue, by the queue that its messages were meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterQueue {
    /// Events that the topic could not hand over to fanout's queue. On one machine there are none: there, publishing
    /// and handing over is one transaction.
    Events,
    /// Receipts that fanout could not work on.
    Fanout,
    /// Statuses that could not be worked on.
    Statuses,
}

impl DeadLetterQueue {
    /// Every queue, in the order of an event's way.
    pub const ALL: [Self; 3] = [Self::Events, Self::Fanout, Self::Statuses];

    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Fanout => "fanout",
            Self::Statuses => "statuses",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == word)
    }
}

/// A message that was set aside, without its bytes: they are nobody's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id in the dead-letter queue: the same at every look, another one should it be set aside again.
    pub id: String,
    /// Where it is.
    pub queue: DeadLetterQueue,
    /// What it is about.
    pub about: About,
    /// Why it was set aside, where that is known: a queue that gave up by itself does not say.
    pub reason: Option<String>,
    /// How often it had been received before; none where nobody counted.
    pub tries: Option<u32>,
    /// When it was set aside. One that SQS itself moved from a standard queue says when it was first sent.
    pub since: Timestamp,
}

/// What a message is about, as far as it can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The event.
    pub event: Option<EventId>,
    /// Its type.
    pub event_type: Option<EventType>,
    /// The receipt, and so the run.
    pub receipt: Option<ReceiptId>,
    /// The status.
    pub status: Option<StatusId>,
    /// The status's context.
    pub context: Option<String>,
    /// The status's repository.
    pub repository: Option<Repository>,
    /// The status's commit.
    pub sha: Option<Sha>,
}

impl About {
    /// Reads a message of that queue. One that cannot be read is about nothing: that may be why it is there.
    pub fn of(queue: DeadLetterQueue, body: &str) -> Self {
        match queue {
            DeadLetterQueue::Events | DeadLetterQueue::Fanout => Envelope::decode(&as_sent(body)).map_or_else(
                |_| Self::default(),
                |envelope| Self {
                    event: Some(envelope.event),
                    event_type: Some(envelope.event_type),
                    receipt: Some(envelope.receipt),
                    ..Self::default()
                },
            ),
            DeadLetterQueue::Statuses => StatusMessage::decode(body).map_or_else(
                |_| Self::default(),
                |message| Self {
                    event: message.event,
                    receipt: message.run,
                    status: Some(message.id),
                    context: Some(message.content.context),
                    repository: Some(message.repository),
                    sha: Some(message.sha),
                    ..Self::default()
                },
            ),
        }
    }
}

/// The text that was published. What the topic itself sets aside may come wrapped in its own notification.
pub fn as_sent(body: &str) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Notification {
        #[serde(rename = "Type")]
        kind: String,
        #[serde(rename = "Message")]
        message: String,
    }
    match serde_json::from_str::<Notification>(body) {
        Ok(wrapped) if wrapped.kind == "Notification" => Cow::Owned(wrapped.message),
        _ => Cow::Borrowed(body),
    }
}

/// What lies in one dead-letter queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterPage {
    /// Oldest first, as far as the queue keeps an order.
    pub letters: Vec<DeadLetter>,
    /// How many there are, listed or not; approximate on SQS, where it may also lag behind.
    pub count: u64,
}

/// Which dead letters to send back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Whatever is there, at most so many.
    Any(usize),
    /// Exactly these, by their ids; at most [`LIMIT`].
    These(Vec<String>),
}

/// What was sent back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redriven {
    /// The ids they had as dead letters.
    pub ids: Vec<String>,
    /// Ids that were asked for and not found: sent back before, or held by somebody else at this moment.
    pub missing: Vec<String>,
    /// Whether there may be more to send back by the same call.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVELOPE: &str = r#"{"v":"1","event":"48211900-0b989ba4","type":"push","receipt":"019320aa-0000-7000-8000-000000000001","source":"repository","received_at":"2026-03-02T10:00:00Z","content_type":"application/json","headers":[],"body":"e30="}"#;
    const STATUS: &str = r#"{"v":"1","id":"s-1","repository":"O/r","sha":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","content":{"context":"ci","state":"success","description":null,"target_url":null},"accepted":{"at":"2026-03-02T10:00:00Z","index":0},"reopen":false,"via":"key","run":null,"event":"1-a"}"#;

    #[test]
    fn a_letter_says_what_it_is_about() {
        let wrapped = serde_json::json!({ "Type": "Notification", "MessageId": "m", "Message": ENVELOPE }).to_string();
        for (queue, body) in [
            (DeadLetterQueue::Fanout, ENVELOPE),
            (DeadLetterQueue::Events, ENVELOPE),
            (DeadLetterQueue::Events, &wrapped),
        ] {
            let about = About::of(queue, body);
            assert_eq!(about.event, EventId::parse("48211900-0b989ba4").ok());
            assert_eq!(about.event_type, EventType::parse("push").ok());
            assert_eq!(about.receipt, ReceiptId::parse("019320aa-0000-7000-8000-000000000001").ok());
        }
        let about = About::of(DeadLetterQueue::Statuses, STATUS);
        assert_eq!(about.status, StatusId::parse("s-1").ok());
        assert_eq!((about.context.as_deref(), about.event), (Some("ci"), EventId::parse("1-a").ok()));
        assert_eq!((about.repository, about.sha), (Repository::parse("O/r").ok(), Sha::of(&"a".repeat(40)).ok()));
    }

    #[test]
    fn what_cannot_be_read_is_about_nothing() {
        for body in ["", "null", "{}", ENVELOPE, r#"{"Type":"Notification","Message":"{}"}"#] {
            assert_eq!(About::of(DeadLetterQueue::Statuses, body), About::default());
        }
        assert_eq!(About::of(DeadLetterQueue::Fanout, STATUS), About::default());
    }

    #[test]
    fn only_a_notification_is_unwrapped() {
        for (body, sent) in [
            (ENVELOPE, ENVELOPE),
            (r#"{"Type":"Notification","Message":"x"}"#, "x"),
            (r#"{"Type":"Other","Message":"x"}"#, r#"{"Type":"Other","Message":"x"}"#),
            (r#"{"type":"Notification","Message":"x"}"#, r#"{"type":"Notification","Message":"x"}"#),
        ] {
            assert_eq!(as_sent(body), sent);
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for queue in DeadLetterQueue::ALL {
            assert_eq!(DeadLetterQueue::from_word(queue.as_str()), Some(queue));
        }
        assert_eq!(DeadLetterQueue::from_word("Fanout"), None);
    }
}
