//! Dead letters, in queues of the emulated SQS: looked through and sent back by the adapter that `api` uses.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws::dead_letters::{DeadLetterQueues, Urls};
use aws::sqs::Consumer;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageSystemAttributeName;
use domain::dead_letters::DeadLetterQueue;
use domain::ports::{DeadLetters, Inbox, Message};
use lambda::clock::SystemClock;
use testkit::contract::queue::dead::DeadLettersUnderTest;

use super::queue::{create, read};
use crate::stack::Stack;

/// How long a message is hidden that somebody works on.
const HIDDEN: Duration = Duration::from_secs(30);

/// Hookyard's queues with their dead-letter queues, apart from those of the stack.
pub struct Emulated {
    client: Client,
    port: DeadLetterQueues,
    fanout: Consumer,
    statuses: Consumer,
    urls: Urls,
}

/// New, empty ones.
pub async fn fresh(stack: &Stack) -> Emulated {
    let urls = Urls {
        events: create(stack, "events-dead", false).await,
        fanout: create(stack, "fanout-dead", false).await,
        statuses: create(stack, "statuses-dead", true).await,
        fanout_queue: create(stack, "fanout", false).await,
        statuses_queue: create(stack, "statuses", true).await,
    };
    // They only turn times into spans, so the clock of this machine will do.
    let consumer = |queue: &String, dead: &String| {
        Consumer::new(&stack.config, queue.clone(), dead.clone(), Arc::new(SystemClock))
    };
    Emulated {
        client: Client::new(&stack.config),
        port: DeadLetterQueues::new(&stack.config, urls.clone()),
        fanout: consumer(&urls.fanout_queue, &urls.fanout),
        statuses: consumer(&urls.statuses_queue, &urls.statuses),
        urls,
    }
}

impl Emulated {
    async fn receive(&self, queue: &str) -> Vec<Message> {
        let request = self.client.receive_message().queue_url(queue).max_number_of_messages(10);
        let request = request.visibility_timeout(HIDDEN.as_secs().try_into().unwrap());
        let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
        request.send().await.unwrap().messages.unwrap_or_default().into_iter().map(read).collect()
    }
}

#[async_trait]
impl DeadLettersUnderTest for Emulated {
    fn port(&self) -> &dyn DeadLetters {
        &self.port
    }

    async fn set_aside(&self, body: &str, group: Option<&str>, reason: &str) {
        let (url, consumer) = match group {
            None => (&self.urls.fanout_queue, &self.fanout),
            Some(_) => (&self.urls.statuses_queue, &self.statuses),
        };
        let request = self.client.send_message().queue_url(url).message_body(body);
        let request = request.set_message_group_id(group.map(str::to_owned));
        let request = request.set_message_deduplication_id(group.map(|_| body.replace(' ', "-")));
        request.send().await.unwrap();
        let came = self.receive(url).await;
        assert_eq!(came.len(), 1);
        consumer.dead_letter(&came[0], reason).await.unwrap();
        // The poller's part: what a function does not hand back is done.
        self.client.delete_message().queue_url(url).receipt_handle(&came[0].handle).send().await.unwrap();
    }

    async fn take(&self, queue: DeadLetterQueue) -> Vec<String> {
        let statuses = queue == DeadLetterQueue::Statuses;
        let url = if statuses { &self.urls.statuses_queue } else { &self.urls.fanout_queue };
        let mut bodies = Vec::new();
        loop {
            let came = self.receive(url).await;
            if came.is_empty() {
                return bodies;
            }
            for message in came {
                self.client.delete_message().queue_url(url).receipt_handle(&message.handle).send().await.unwrap();
                bodies.push(message.body);
            }
        }
    }
}
