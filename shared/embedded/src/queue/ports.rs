//! The domain's ports over the queues.

use std::sync::Arc;

use async_trait::async_trait;
use domain::envelope::Attributes;
use domain::error::PortError;
use domain::ports::{EventBus, Inbox, Message, StatusQueue};
use domain::statuses::message::StatusMessage;
use jiff::Timestamp;

use super::brake::Brake;
use super::handle::{Outgoing, Queue, json};
use super::ledger::New;
use super::packed::Packed;
use super::refusals;
use super::writer::{Weight, Writer};

/// A topic: what is published goes to every queue that is subscribed, in one transaction.
#[derive(Clone)]
pub struct Topic {
    writer: Arc<Writer>,
    subscribers: Vec<usize>,
    brake: Brake,
}

impl Topic {
    pub(super) fn new(writer: Arc<Writer>, subscribers: Vec<usize>, brake: Brake) -> Self {
        Self { writer, subscribers, brake }
    }
}

#[async_trait]
impl EventBus for Topic {
    async fn publish(&self, body: &str, attributes: &Attributes) -> Result<(), PortError> {
        let pairs = || attributes.iter().map(|(name, value)| (*name, value.as_str()));
        refusals::check_message(body, pairs(), refusals::TOPIC_LIMIT)?;
        let new = New { body: Packed::of(body), attributes: json(pairs()), fifo: None };
        let ats = self.subscribers.clone();
        let sent = self.writer.call(Weight::Grow, move |books| books.send(&ats, &new)).await;
        self.brake.published();
        sent.map(drop)
    }
}

#[async_trait]
impl StatusQueue for Queue {
    async fn send(&self, messages: &[StatusMessage]) -> Result<(), PortError> {
        let texts: Vec<_> = messages.iter().map(|message| (message.encode(), message.key().group())).collect();
        let batch: Vec<_> = texts
            .iter()
            .zip(messages)
            .map(|((body, group), message)| Outgoing {
                body,
                attributes: &[],
                fifo: Some((group, message.id.as_str())),
            })
            .collect();
        self.send_batch(&batch).await?.into_iter().try_for_each(|sent| sent.map(drop))
    }
}

#[async_trait]
impl Inbox for Queue {
    async fn defer(&self, message: &Message, until: Timestamp) -> Result<(), PortError> {
        self.defer(&message.handle, until).await
    }

    async fn dead_letter(&self, message: &Message, reason: &str) -> Result<(), PortError> {
        self.dead_letter(&message.handle, reason).await
    }
}
