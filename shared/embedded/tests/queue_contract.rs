//! The embedded queues pass the suite that every queue passes, in memory and in a file.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::error::PortError;
use domain::ports::{Clock, Inbox, Message};
use embedded::queue::{FANOUT, Outgoing, Queue, Queues, STATUSES};
use jiff::SignedDuration;
use tempfile::TempDir;
use testkit::clock::ManualClock;
use testkit::contract::queue::{Dead, QueueUnderTest, Sending};

struct Embedded {
    queue: Queue,
    clock: Arc<ManualClock>,
    _folder: Option<TempDir>,
}

#[async_trait]
impl QueueUnderTest for Embedded {
    async fn send_batch(&self, messages: &[Sending<'_>]) -> Result<Vec<Result<(), PortError>>, PortError> {
        let batch: Vec<_> = messages
            .iter()
            .map(|message| Outgoing { body: message.body, attributes: message.attributes, fifo: message.fifo })
            .collect();
        let results = self.queue.send_batch(&batch).await?;
        Ok(results.into_iter().map(|result| result.map(drop)).collect())
    }

    async fn receive(&self, max: usize, visibility: Duration) -> Result<Vec<Message>, PortError> {
        self.queue.receive(max, visibility).await
    }

    async fn ack(&self, message: &Message) -> Result<(), PortError> {
        self.queue.ack(&[&message.handle]).await?.remove(0)
    }

    async fn defer(&self, message: &Message, by: Duration) -> Result<(), PortError> {
        let until = self.clock.now() + SignedDuration::try_from(by).unwrap();
        Inbox::defer(&self.queue, message, until).await
    }

    async fn dead_letter(&self, message: &Message, reason: &str) -> Result<(), PortError> {
        Inbox::dead_letter(&self.queue, message, reason).await
    }

    async fn dead_letters(&self) -> Result<Vec<Dead>, PortError> {
        let (letters, _) = self.queue.dead_letters(100, None).await?;
        Ok(letters.into_iter().map(|letter| Dead { body: letter.body, reason: letter.reason }).collect())
    }

    async fn redrive(&self) -> Result<(), PortError> {
        self.queue.redrive(100).await.map(drop)
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance_by(SignedDuration::try_from(time).unwrap());
    }
}

mod memory {
    use super::*;

    async fn fresh(name: &str) -> Embedded {
        let clock = Arc::new(ManualClock::default());
        let queue = Queues::memory(clock.clone()).unwrap().queue(name).unwrap();
        Embedded { queue, clock, _folder: None }
    }

    testkit::queue_contract!(fresh(FANOUT), fresh(STATUSES));
}

mod file {
    use super::*;

    async fn fresh(name: &str) -> Embedded {
        let (clock, folder) = (Arc::new(ManualClock::default()), TempDir::new().unwrap());
        let queue = Queues::open(&folder.path().join("queues.sqlite"), clock.clone()).unwrap().queue(name).unwrap();
        Embedded { queue, clock, _folder: Some(folder) }
    }

    testkit::queue_contract!(fresh(FANOUT), fresh(STATUSES));
}
