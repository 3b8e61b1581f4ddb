//! What SQS' poller does on AWS: takes messages out of a queue, runs the function's handler, acknowledges.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::Clock;
use embedded::queue::Queue;
use lambda::batch::{self, HandleMessage};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// One queue and its handler.
pub(crate) struct Consumer {
    pub(crate) queue: Queue,
    pub(crate) handler: Arc<dyn HandleMessage>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Messages of one receive; on a FIFO queue a group stays within one batch.
    pub(crate) batch: usize,
    /// Batches at once.
    pub(crate) at_once: usize,
    /// How long a message stays hidden while it is worked on. Nothing takes nearly as long.
    pub(crate) visibility: Duration,
}

/// The wait after the queue itself failed (a full disk, say), before it is asked again.
const BREATHER: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

impl Consumer {
    /// Works until `stop` says so; then takes no more and returns when what was begun is finished.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let consumer = Arc::new(self);
        let places = Arc::new(Semaphore::new(consumer.at_once));
        let mut tasks = JoinSet::new();
        loop {
            let next = async {
                let place = places.clone().acquire_owned().await;
                (place, consumer.queue.receive_wait(consumer.batch, consumer.visibility).await)
            };
            let (place, received) = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                next = next => next,
            };
            // Tasks that have ended are forgotten, so that the set does not grow.
            while tasks.try_join_next().is_some() {}
            match received {
                Ok(messages) => {
                    let consumer = consumer.clone();
                    tasks.spawn(async move {
                        consumer.work(messages).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::error!(queue = consumer.queue.name(), %error, "the queue cannot be read");
                    let now = consumer.clock.now();
                    let until = now.checked_add(BREATHER).unwrap_or(now);
                    tokio::select! {
                        _ = stop.wait_for(|stop| *stop) => break,
                        () = consumer.clock.sleep_until(until) => {}
                    }
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn work(&self, messages: Vec<domain::ports::Message>) {
        let handles: Vec<_> = messages.iter().map(|m| (m.id.clone(), m.handle.clone())).collect();
        let failed = batch::run(self.handler.as_ref(), &self.queue, self.clock.as_ref(), messages).await;
        let done: Vec<_> =
            handles.iter().filter(|(id, _)| !failed.contains(id)).map(|(_, handle)| handle.as_str()).collect();
        if done.is_empty() {
            return;
        }
        if let Err(error) = self.queue.ack(&done).await {
            // They come again after their time-out, and their rows say that they are finished.
            tracing::error!(queue = self.queue.name(), %error, "finished messages could not be acknowledged");
        }
    }
}
