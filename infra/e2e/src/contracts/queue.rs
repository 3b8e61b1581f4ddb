//! The queues, on the emulated SQS. What the functions do to a message goes through their own adapter; what only the
//! platform does (sending to fanout's queue, receiving, redriving) is the SDK's, behind the checks of the domain.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws::sqs::Consumer;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use domain::error::PortError;
use domain::ports::{Clock, Inbox, Message};
use domain::queue;
use jiff::SignedDuration;
use lambda::clock::SystemClock;
use testkit::contract::queue::{Dead, QueueUnderTest, Sending};

use crate::stack::{Clockwork, Stack};

/// A queue of the emulated SQS with its dead-letter queue.
pub struct Emulated {
    client: Client,
    consumer: Consumer,
    queue: String,
    dead_letters: String,
    fifo: bool,
    clock: Clockwork,
}

/// A new, empty standard queue.
pub async fn standard(stack: &Stack) -> Emulated {
    fresh(stack, false).await
}

/// A new, empty FIFO queue, with the attributes that `template.yaml` gives it.
pub async fn fifo(stack: &Stack) -> Emulated {
    fresh(stack, true).await
}

async fn fresh(stack: &Stack, fifo: bool) -> Emulated {
    let client = Client::new(&stack.config);
    let (queue, dead_letters) = (create(stack, "queue", fifo).await, create(stack, "dead", fifo).await);
    let clock = stack.clockwork();
    // It only turns times into spans, so the clock of this machine will do.
    let consumer = Consumer::new(&stack.config, queue.clone(), dead_letters.clone(), Arc::new(SystemClock));
    Emulated { client, consumer, queue, dead_letters, fifo, clock }
}

/// A new queue with a name of its own; its URL.
pub(super) async fn create(stack: &Stack, name: &str, fifo: bool) -> String {
    let name = stack.unique(name);
    let request = Client::new(&stack.config).create_queue();
    if !fifo {
        return request.queue_name(name).send().await.unwrap().queue_url.unwrap();
    }
    let request = request.queue_name(format!("{name}.fifo"));
    let request = [
        (QueueAttributeName::FifoQueue, "true"),
        (QueueAttributeName::ContentBasedDeduplication, "false"),
        (QueueAttributeName::DeduplicationScope, "messageGroup"),
        (QueueAttributeName::FifoThroughputLimit, "perMessageGroupId"),
    ]
    .into_iter()
    .fold(request, |request, (attribute, value)| request.attributes(attribute, value));
    request.send().await.unwrap().queue_url.unwrap()
}

impl Emulated {
    /// What the emulator does not refuse and SQS does, our senders refuse.
    fn check(&self, message: &Sending<'_>) -> Result<(), PortError> {
        queue::check_message(message.body, message.attributes.iter().copied(), queue::MESSAGE_LIMIT)?;
        match (self.fifo, message.fifo) {
            (true, Some((group, id))) => {
                queue::check_id("group id", group)?;
                queue::check_id("de-duplication id", id)
            }
            (false, None) => Ok(()),
            (true, None) => Err(PortError::permanent("a FIFO queue needs a group")),
            (false, Some(_)) => Err(PortError::permanent("a standard queue takes no de-duplication id")),
        }
    }

    async fn all_dead(&self) -> Vec<aws_sdk_sqs::types::Message> {
        let mut all = Vec::new();
        loop {
            let request = self.client.receive_message().queue_url(&self.dead_letters).max_number_of_messages(10);
            let request = request.visibility_timeout(600).message_attribute_names("All");
            let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
            let came = request.send().await.unwrap().messages.unwrap_or_default();
            if came.is_empty() {
                return all;
            }
            all.extend(came);
        }
    }

    async fn show_again(&self, messages: &[aws_sdk_sqs::types::Message]) {
        for message in messages {
            let request = self.client.change_message_visibility().queue_url(&self.dead_letters).visibility_timeout(0);
            request.receipt_handle(message.receipt_handle.as_deref().unwrap()).send().await.unwrap();
        }
    }
}

#[async_trait]
impl QueueUnderTest for Emulated {
    async fn send_batch(&self, messages: &[Sending<'_>]) -> Result<Vec<Result<(), PortError>>, PortError> {
        let mut results = Vec::new();
        for message in messages {
            if let Err(error) = self.check(message) {
                results.push(Err(error));
                continue;
            }
            let mut entry = SendMessageBatchRequestEntry::builder().id("0").message_body(message.body);
            for (name, value) in message.attributes {
                let value = MessageAttributeValue::builder().data_type("String").string_value(*value).build().unwrap();
                entry = entry.message_attributes(*name, value);
            }
            if let Some((group, id)) = message.fifo {
                entry = entry.message_group_id(group).message_deduplication_id(id);
            }
            let request = self.client.send_message_batch().queue_url(&self.queue).entries(entry.build().unwrap());
            let failed = request.send().await.unwrap().failed;
            results.push(failed.first().map_or(Ok(()), |entry| Err(PortError::permanent(entry.code()))));
        }
        Ok(results)
    }

    async fn receive(&self, max: usize, visibility: Duration) -> Result<Vec<Message>, PortError> {
        let request = self.client.receive_message().queue_url(&self.queue);
        let request = request.max_number_of_messages(max.try_into().unwrap());
        let request = request.visibility_timeout(visibility.as_secs().try_into().unwrap());
        let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
        let came = request.send().await.unwrap().messages.unwrap_or_default();
        Ok(came.into_iter().map(read).collect())
    }

    async fn ack(&self, message: &Message) -> Result<(), PortError> {
        let request = self.client.delete_message().queue_url(&self.queue).receipt_handle(&message.handle);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(PortError::permanent(error.code().unwrap_or("unnamed"))),
        }
    }

    async fn defer(&self, message: &Message, by: Duration) -> Result<(), PortError> {
        self.consumer.defer(message, SystemClock.now() + SignedDuration::try_from(by).unwrap()).await
    }

    async fn dead_letter(&self, message: &Message, reason: &str) -> Result<(), PortError> {
        self.consumer.dead_letter(message, reason).await
    }

    async fn dead_letters(&self) -> Result<Vec<Dead>, PortError> {
        let all = self.all_dead().await;
        self.show_again(&all).await;
        let reason = |one: &aws_sdk_sqs::types::Message| {
            let attributes = one.message_attributes.as_ref()?;
            attributes.get("reason")?.string_value.clone()
        };
        Ok(all
            .into_iter()
            .map(|one| Dead { reason: reason(&one).unwrap_or_default(), body: one.body.unwrap() })
            .collect())
    }

    async fn redrive(&self) -> Result<(), PortError> {
        for one in self.all_dead().await {
            let mut request = self.client.send_message().queue_url(&self.queue).message_body(one.body.unwrap());
            let attributes = one.attributes.unwrap_or_default();
            if let Some(group) = attributes.get(&MessageSystemAttributeName::MessageGroupId) {
                // The id of the first sending would be taken for a repeat of it.
                request = request.message_group_id(group).message_deduplication_id(one.message_id.unwrap());
            }
            request.send().await.unwrap();
            let handle = one.receipt_handle.unwrap();
            self.client.delete_message().queue_url(&self.dead_letters).receipt_handle(handle).send().await.unwrap();
        }
        Ok(())
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

pub(super) fn read(message: aws_sdk_sqs::types::Message) -> Message {
    let attributes = message.attributes.unwrap_or_default();
    Message {
        id: message.message_id.unwrap(),
        handle: message.receipt_handle.unwrap(),
        body: message.body.unwrap_or_default(),
        group: attributes.get(&MessageSystemAttributeName::MessageGroupId).cloned(),
        receives: attributes[&MessageSystemAttributeName::ApproximateReceiveCount].parse().unwrap(),
    }
}
