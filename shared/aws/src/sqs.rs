//! The `statuses` queue, and what a consumer does with a message besides finishing it.

use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use domain::error::PortError;
use domain::ports::{Clock, Inbox, Message, StatusQueue};
use domain::queue;
use domain::statuses::message::StatusMessage;
use jiff::Timestamp;

use crate::failure::{answered, failed};

/// Entries of one batch (Amazon SQS: "SendMessageBatch").
pub(crate) const BATCH: usize = 10;

/// The longest a message is hidden, in seconds. SQS allows 12 hours counted from the receive (Amazon SQS: "Visibility
/// timeout"), and up to 15 minutes may have gone by since, the longest a function runs.
const LONGEST_HIDING: i64 = 12 * 3600 - 15 * 60;

/// The longest reason that goes with a dead letter, in characters.
pub(crate) const REASON: usize = 300;

/// Needs `sqs:SendMessage` on the FIFO queue.
pub struct Statuses {
    client: Client,
    queue: String,
}

impl Statuses {
    /// The FIFO queue with this URL.
    pub fn new(config: &SdkConfig, queue: impl Into<String>) -> Self {
        Self { client: Client::new(config), queue: queue.into() }
    }

    /// Sends one batch and looks at every entry's own result: a batch succeeds with failures inside.
    async fn send_batch(&self, batch: &[Entry]) -> Result<(), PortError> {
        let entries = batch.iter().enumerate().map(|(place, entry)| entry.request(place)).collect::<Result<_, _>>()?;
        let request = self.client.send_message_batch().queue_url(&self.queue).set_entries(Some(entries));
        let output = request.send().await.map_err(|error| failed("sending statuses", &error))?;
        let refused = output.failed().iter().map(|entry| {
            let status = if entry.sender_fault() { 400 } else { 500 };
            answered("sending a status", status, entry.code())
        });
        if let Some(error) = worst(refused) {
            return Err(error);
        }
        if output.successful().len() < batch.len() {
            return Err(PortError::transient("sending statuses: the answer leaves some out"));
        }
        Ok(())
    }
}

#[async_trait]
impl StatusQueue for Statuses {
    async fn send(&self, messages: &[StatusMessage]) -> Result<(), PortError> {
        let entries = messages.iter().map(Entry::new).collect::<Result<Vec<_>, _>>()?;
        for batch in batches(&entries, |entry| entry.body.len()) {
            // The rest is not sent after a failure: it may follow in the same context.
            self.send_batch(batch).await?;
        }
        Ok(())
    }
}

/// One status as SQS takes it.
struct Entry {
    body: String,
    group: String,
    id: String,
}

impl Entry {
    fn new(message: &StatusMessage) -> Result<Self, PortError> {
        let entry = Self { body: message.encode(), group: message.key().group(), id: message.id.as_str().to_owned() };
        queue::check_message(&entry.body, [].into_iter(), queue::MESSAGE_LIMIT)?;
        queue::check_id("group id", &entry.group)?;
        queue::check_id("de-duplication id", &entry.id)?;
        Ok(entry)
    }

    fn request(&self, place: usize) -> Result<SendMessageBatchRequestEntry, PortError> {
        SendMessageBatchRequestEntry::builder()
            .id(place.to_string())
            .message_body(&self.body)
            .message_group_id(&self.group)
            .message_deduplication_id(&self.id)
            .build()
            .map_err(PortError::permanent)
    }
}

/// Cuts the entries, in order, into batches of at most ten and at most 1 MiB.
pub(crate) fn batches<T>(entries: &[T], size: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (place, entry) in entries.iter().enumerate() {
        bytes += size(entry);
        if place - start == BATCH || bytes > queue::MESSAGE_LIMIT {
            batches.push(&entries[start..place]);
            (start, bytes) = (place, size(entry));
        }
    }
    if start < entries.len() {
        batches.push(&entries[start..]);
    }
    batches
}

/// A transient failure outweighs a permanent one: once it has passed, only what is really refused is left.
pub(crate) fn worst(errors: impl Iterator<Item = PortError>) -> Option<PortError> {
    errors.reduce(|worst, error| if worst.is_transient() { worst } else { error })
}

/// Needs `sqs:ChangeMessageVisibility` on the queue and `sqs:SendMessage` on its dead-letter queue.
pub struct Consumer {
    client: Client,
    queue: String,
    dead_letters: String,
    clock: Arc<dyn Clock>,
}

impl Consumer {
    /// The queue and its dead-letter queue by their URLs.
    pub fn new(
        config: &SdkConfig,
        queue: impl Into<String>,
        dead_letters: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { client: Client::new(config), queue: queue.into(), dead_letters: dead_letters.into(), clock }
    }
}

#[async_trait]
impl Inbox for Consumer {
    async fn defer(&self, message: &Message, until: Timestamp) -> Result<(), PortError> {
        self.client
            .change_message_visibility()
            .queue_url(&self.queue)
            .receipt_handle(&message.handle)
            .visibility_timeout(hiding(self.clock.now(), until))
            .send()
            .await
            .map_err(|error| failed("deferring a message", &error))?;
        Ok(())
    }

    async fn dead_letter(&self, message: &Message, reason: &str) -> Result<(), PortError> {
        queue::check_message(&message.body, [].into_iter(), queue::MESSAGE_LIMIT)?;
        let mut request = self.client.send_message().queue_url(&self.dead_letters).message_body(&message.body);
        if let Some(group) = &message.group {
            queue::check_id("group id", group)?;
            queue::check_id("de-duplication id", &message.id)?;
            request = request.message_group_id(group).message_deduplication_id(&message.id);
        }
        let reason = reason_attribute(reason);
        let tries = message.receives.to_string();
        let attributes = [("reason", reason.as_str()), ("tries", tries.as_str())];
        // A body that leaves no room for them goes without: the log line has the reason too.
        if queue::check_message(&message.body, attributes.into_iter(), queue::MESSAGE_LIMIT).is_ok() {
            for (name, value) in attributes {
                let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
                request = request.message_attributes(name, value.map_err(PortError::permanent)?);
            }
        }
        request.send().await.map_err(|error| failed("setting a message aside", &error))?;
        Ok(())
    }
}

/// Whole seconds, never less than asked for.
fn hiding(now: Timestamp, until: Timestamp) -> i32 {
    let wait = until.duration_since(now);
    let seconds = wait.as_secs() + i64::from(wait.subsec_nanos() > 0);
    i32::try_from(seconds.clamp(0, LONGEST_HIDING)).unwrap_or(i32::MAX)
}

/// Cut, and without characters that SQS refuses; never empty, because an attribute must not be.
fn reason_attribute(reason: &str) -> String {
    let fit: String = reason.chars().filter(|c| queue::is_taken(*c)).take(REASON).collect();
    if fit.is_empty() { "none given".to_owned() } else { fit }
}

#[cfg(test)]
mod tests;
