//! Dead-letter queues: looked through by receiving, sent back by sending first and deleting afterwards.
//!
//! Amazon has a task of its own for sending back (`StartMessageMoveTask`). It takes all of a queue or nothing, cannot
//! be told which messages, reports only in sums, and knows no way back for what a topic set aside. So the three plain
//! verbs do it here, ten messages at a time, and each message can be chosen.
//!
//! A receive hides what it hands out. Whatever stays is made visible again at the end of the call; should that fail,
//! or the process die, it appears by itself after [`HIDDEN`] seconds.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry,
};
use domain::dead_letters::{About, DeadLetter, DeadLetterPage, DeadLetterQueue, LIMIT, Redriven, Which, as_sent};
use domain::error::PortError;
use domain::ports::DeadLetters;
use domain::queue;
use jiff::Timestamp;

use crate::failure::{answered, failed};
use crate::sqs::{BATCH, REASON, batches, worst};

/// How long a message is hidden by a call, in seconds: longer than any call lasts.
const HIDDEN: i32 = 30;

/// How long a receive waits for a message, in seconds. Without waiting SQS asks only some of its servers, and may
/// find nothing where something is (Amazon SQS: "Short and long polling").
const WAIT: i32 = 1;

/// The most messages that one call looks at in its search for those that were asked for.
const SEARCHED: usize = 500;

/// The numbers whose sum is everything in a queue.
const COUNTS: [QueueAttributeName; 3] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    QueueAttributeName::ApproximateNumberOfMessagesDelayed,
];

/// The queues by their URLs.
#[derive(Debug, Clone)]
pub struct Urls {
    /// What the topic could not hand over to fanout's queue.
    pub events: String,
    /// Fanout's dead-letter queue.
    pub fanout: String,
    /// The dead-letter queue of the statuses, FIFO.
    pub statuses: String,
    /// Fanout's queue: events and receipts go back to it.
    pub fanout_queue: String,
    /// The FIFO queue of the statuses.
    pub statuses_queue: String,
}

/// Needs `sqs:GetQueueAttributes`, `ReceiveMessage`, `ChangeMessageVisibility` and `DeleteMessage` on the dead-letter
/// queues, and `sqs:SendMessage` on the other two.
pub struct DeadLetterQueues {
    client: Client,
    urls: Urls,
}

impl DeadLetterQueues {
    /// The queues with these URLs.
    pub fn new(config: &SdkConfig, urls: Urls) -> Self {
        Self { client: Client::new(config), urls }
    }

    /// The dead-letter queue, and where its messages go back to.
    fn way(&self, queue: DeadLetterQueue) -> (&str, &str) {
        match queue {
            DeadLetterQueue::Events => (&self.urls.events, &self.urls.fanout_queue),
            DeadLetterQueue::Fanout => (&self.urls.fanout, &self.urls.fanout_queue),
            DeadLetterQueue::Statuses => (&self.urls.statuses, &self.urls.statuses_queue),
        }
    }

    async fn number_in(&self, url: &str) -> Result<u64, PortError> {
        let request = self.client.get_queue_attributes().queue_url(url).set_attribute_names(Some(COUNTS.to_vec()));
        let answer = request.send().await.map_err(|error| failed("counting dead letters", &error))?;
        let number = |name| answer.attributes()?.get(name)?.parse::<u64>().ok();
        Ok(COUNTS.iter().filter_map(number).sum())
    }

    async fn receive(&self, url: &str, most: usize) -> Result<Vec<Held>, PortError> {
        let request = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(most.min(BATCH)).unwrap_or(1))
            .wait_time_seconds(WAIT)
            .visibility_timeout(HIDDEN)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_attribute_names("reason")
            .message_attribute_names("tries")
            .message_attribute_names("ErrorMessage");
        let answer = request.send().await.map_err(|error| failed("reading dead letters", &error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(Held::of).collect())
    }

    /// Makes messages visible again. Should it fail, their time-out does the same a little later.
    async fn put_back(&self, url: &str, held: &[Held]) {
        for ten in held.chunks(BATCH) {
            let entries = ten.iter().enumerate().filter_map(|(place, held)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(place.to_string());
                entry.receipt_handle(&held.handle).visibility_timeout(0).build().ok()
            });
            let request = self.client.change_message_visibility_batch().queue_url(url);
            if let Err(error) = request.set_entries(Some(entries.collect())).send().await {
                let error = failed("putting dead letters back", &error);
                tracing::warn!(%error, seconds = HIDDEN, "dead letters stay hidden for some seconds");
            }
        }
    }

    /// Sends messages back, in order. Answers how many from the start went, and why not all.
    async fn send_back(&self, url: &str, fifo: bool, held: &[Held]) -> (usize, Option<PortError>) {
        let mut sent = 0;
        for batch in batches(held, |held| held.body.len()) {
            let entries = match batch.iter().enumerate().map(|(place, held)| held.entry(place, fifo)).collect() {
                Ok(entries) => entries,
                Err(error) => return (sent, Some(error)),
            };
            let request = self.client.send_message_batch().queue_url(url).set_entries(Some(entries));
            let answer = match request.send().await {
                Ok(answer) => answer,
                Err(error) => return (sent, Some(failed("sending dead letters back", &error))),
            };
            // What follows a failure in the same batch may have gone as well: it will go twice, which is harmless.
            let went = |place: usize| answer.successful().iter().any(|entry| entry.id() == place.to_string());
            let going = (0..batch.len()).take_while(|place| went(*place)).count();
            sent += going;
            if going < batch.len() {
                let refused = answer.failed().iter().map(|entry| {
                    let status = if entry.sender_fault() { 400 } else { 500 };
                    answered("sending a dead letter back", status, entry.code())
                });
                let silent = || PortError::transient("sending dead letters back: the answer leaves some out");
                return (sent, Some(worst(refused).unwrap_or_else(silent)));
            }
        }
        (sent, None)
    }

    async fn delete(&self, url: &str, held: &[Held]) -> Result<(), PortError> {
        if held.is_empty() {
            return Ok(());
        }
        let entries = held.iter().enumerate().map(|(place, held)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string());
            entry.receipt_handle(&held.handle).build().map_err(PortError::permanent)
        });
        let entries = entries.collect::<Result<_, _>>()?;
        let request = self.client.delete_message_batch().queue_url(url).set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| failed("deleting dead letters", &error))?;
        let refused = answer.failed().iter().map(|entry| {
            answered("deleting a dead letter", if entry.sender_fault() { 400 } else { 500 }, entry.code())
        });
        worst(refused).map_or(Ok(()), Err)
    }

    /// Sends these back and deletes them; answers the ids of those that are through with it.
    async fn go_back(&self, queue: DeadLetterQueue, held: &[Held]) -> (Vec<String>, Option<PortError>) {
        let (dead, source) = self.way(queue);
        let (sent, why_not_all) = self.send_back(source, queue == DeadLetterQueue::Statuses, held).await;
        match self.delete(dead, &held[..sent]).await {
            Ok(()) => (held[..sent].iter().map(|held| held.id.clone()).collect(), why_not_all),
            Err(error) => (Vec::new(), Some(error)),
        }
    }
}

#[async_trait]
impl DeadLetters for DeadLetterQueues {
    async fn count(&self, queue: DeadLetterQueue) -> Result<u64, PortError> {
        self.number_in(self.way(queue).0).await
    }

    async fn list(&self, queue: DeadLetterQueue, limit: usize) -> Result<DeadLetterPage, PortError> {
        let (url, limit) = (self.way(queue).0, limit.clamp(1, LIMIT));
        let count = self.number_in(url).await?;
        let (mut held, mut failure) = (Vec::new(), None);
        // The count may lag behind, so the first look does not depend on it; it only spares the last, empty one.
        while held.is_empty() || (held.len() < limit && (held.len() as u64) < count) {
            match self.receive(url, limit - held.len()).await {
                Ok(more) if more.is_empty() => break,
                Ok(more) => held.extend(more),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        self.put_back(url, &held).await;
        if let Some(error) = failure {
            return Err(error);
        }
        // A look that lasts longer than the time-out meets the same message again.
        let mut seen = BTreeSet::new();
        let mut letters: Vec<_> =
            held.into_iter().filter(|held| seen.insert(held.id.clone())).map(|held| held.letter(queue)).collect();
        letters.sort_by_key(|letter| letter.since);
        Ok(DeadLetterPage { count: count.max(letters.len() as u64), letters })
    }

    async fn redrive(&self, queue: DeadLetterQueue, which: &Which) -> Result<Redriven, PortError> {
        let url = self.way(queue).0;
        let most = match which {
            Which::Any(max) => (*max).min(LIMIT),
            Which::These(ids) => ids.iter().collect::<BTreeSet<_>>().len(),
        };
        let chosen = |held: &Held| match which {
            Which::Any(_) => true,
            Which::These(ids) => ids.contains(&held.id),
        };
        let (mut redriven, mut stay, mut looked) = (Redriven { more: true, ..Redriven::default() }, Vec::new(), 0);
        let mut failure = None;
        while redriven.ids.len() < most && looked < SEARCHED && failure.is_none() {
            // Of a search every message is looked at; without one, no more are taken than may go.
            let want = if matches!(which, Which::Any(_)) { most - redriven.ids.len() } else { BATCH };
            match self.receive(url, want).await {
                Err(error) => failure = Some(error),
                Ok(came) if came.is_empty() => {
                    redriven.more = false;
                    break;
                }
                Ok(came) => {
                    looked += came.len();
                    let (go, others): (Vec<_>, Vec<_>) = came.into_iter().partition(&chosen);
                    stay.extend(others);
                    let (ids, error) = self.go_back(queue, &go).await;
                    stay.extend(go.into_iter().filter(|held| !ids.contains(&held.id)));
                    redriven.ids.extend(ids);
                    failure = error;
                }
            }
        }
        self.put_back(url, &stay).await;
        if let Some(error) = failure {
            // What went is gone, and has to be told; what failed fails again when the rest is asked for.
            if redriven.ids.is_empty() {
                return Err(error);
            }
            tracing::warn!(%error, redriven = redriven.ids.len(), "not all dead letters could be sent back");
        }
        if let Which::These(ids) = which {
            redriven.missing = ids.iter().filter(|id| !redriven.ids.contains(id)).cloned().collect();
            redriven.more = false;
        }
        Ok(redriven)
    }
}

/// A dead letter in our hands.
struct Held {
    id: String,
    handle: String,
    body: String,
    group: Option<String>,
    reason: Option<String>,
    tries: Option<u32>,
    since: Timestamp,
}

impl Held {
    fn of(message: aws_sdk_sqs::types::Message) -> Option<Self> {
        let system = |name| message.attributes()?.get(&name).cloned();
        let own = |name| message.message_attributes()?.get(name)?.string_value().map(str::to_owned);
        let sent = system(MessageSystemAttributeName::SentTimestamp).and_then(|text| text.parse().ok());
        let error = || own("ErrorMessage").map(|words| format!("the topic could not deliver it: {words}"));
        let reason = own("reason").or_else(error);
        Some(Self {
            group: system(MessageSystemAttributeName::MessageGroupId),
            reason: reason.map(|reason| reason.chars().take(REASON).collect()),
            tries: own("tries").and_then(|text| text.parse().ok()),
            since: sent.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default(),
            id: message.message_id?,
            handle: message.receipt_handle?,
            body: message.body.unwrap_or_default(),
        })
    }

    fn letter(self, queue: DeadLetterQueue) -> DeadLetter {
        DeadLetter {
            about: About::of(queue, &self.body),
            id: self.id,
            queue,
            reason: self.reason,
            tries: self.tries,
            since: self.since,
        }
    }

    /// The message as its source takes it. Its id as a dead letter is the de-duplication id: another one than it had
    /// there before, so it passes at any time; and the same when it is sent back twice, so that it arrives once.
    fn entry(&self, place: usize, fifo: bool) -> Result<SendMessageBatchRequestEntry, PortError> {
        let body = as_sent(&self.body);
        queue::check_message(&body, [].into_iter(), queue::MESSAGE_LIMIT)?;
        let mut entry = SendMessageBatchRequestEntry::builder().id(place.to_string()).message_body(body);
        if fifo {
            let group = self.group.as_deref().unwrap_or_default();
            queue::check_id("group id", group)?;
            queue::check_id("de-duplication id", &self.id)?;
            entry = entry.message_group_id(group).message_deduplication_id(&self.id);
        }
        entry.build().map_err(PortError::permanent)
    }
}

#[cfg(test)]
mod tests;
