//! The embedded queues pass the suite of dead letters.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::dead_letters::DeadLetterQueue;
use domain::ports;
use embedded::queue::{DeadLetters, FANOUT, Outgoing, Queues, STATUSES};
use testkit::clock::ManualClock;
use testkit::contract::queue::dead::DeadLettersUnderTest;

const HIDDEN: Duration = Duration::from_secs(30);

struct Embedded {
    queues: Queues,
    port: DeadLetters,
}

#[async_trait]
impl DeadLettersUnderTest for Embedded {
    fn port(&self) -> &dyn ports::DeadLetters {
        &self.port
    }

    async fn set_aside(&self, body: &str, group: Option<&str>, reason: &str) {
        let queue = self.queues.queue(if group.is_some() { STATUSES } else { FANOUT }).unwrap();
        let id = body.replace(' ', "-");
        queue.send(Outgoing { body, fifo: group.zip(Some(id.as_str())), ..Outgoing::default() }).await.unwrap();
        let came = queue.receive(1, HIDDEN).await.unwrap();
        queue.dead_letter(&came[0].handle, reason).await.unwrap();
    }

    async fn take(&self, queue: DeadLetterQueue) -> Vec<String> {
        let queue = self.queues.queue(if queue == DeadLetterQueue::Statuses { STATUSES } else { FANOUT }).unwrap();
        let mut bodies = Vec::new();
        loop {
            let came = queue.receive(10, HIDDEN).await.unwrap();
            if came.is_empty() {
                return bodies;
            }
            let handles: Vec<_> = came.iter().map(|message| message.handle.as_str()).collect();
            queue.ack(&handles).await.unwrap();
            bodies.extend(came.into_iter().map(|message| message.body));
        }
    }
}

async fn fresh() -> Embedded {
    let queues = Queues::memory(Arc::new(ManualClock::default())).unwrap();
    Embedded { port: DeadLetters::new(&queues).unwrap(), queues }
}

testkit::dead_letters_contract!(fresh());
