//! What SQS' poller does on AWS: takes messages out of a queue, runs the function's handler, acknowledges.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::{Clock, Message};
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
    /// How long a message stays hidden while it is worked on. Nothing takes nearly as long, held back by the brake or not.
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
        let mut said = None;
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
                    said = None;
                    // Each group by itself, so that none waits for another's acknowledgement.
                    let place = Arc::new(place);
                    for line in lines(messages) {
                        let (consumer, place) = (consumer.clone(), place.clone());
                        tasks.spawn(async move {
                            consumer.work(line).await;
                            drop(place);
                        });
                    }
                }
                Err(error) => {
                    // It is asked every second; what stays the same is said once.
                    if said.as_ref() != Some(&error) {
                        tracing::error!(queue = consumer.queue.name(), %error, "the queue cannot be read");
                    }
                    said = Some(error);
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

    /// Runs the messages of one group, and acknowledges those that are done with.
    async fn work(&self, messages: Vec<Message>) {
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

/// The messages of each group together, in order; a message without a group by itself.
fn lines(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut lines: Vec<Vec<Message>> = Vec::new();
    for message in messages {
        let line = lines.iter_mut().find(|line| message.group.is_some() && line[0].group == message.group);
        match line {
            Some(line) => line.push(message),
            None => lines.push(vec![message]),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receive_is_worked_on_group_by_group() {
        let message = |id: &str, group: Option<&str>| Message {
            id: id.to_owned(),
            handle: id.to_owned(),
            body: String::new(),
            group: group.map(str::to_owned),
            receives: 1,
        };
        let received = [("1", Some("a")), ("2", Some("b")), ("3", None), ("4", Some("a")), ("5", None)]
            .map(|(id, g)| message(id, g));
        let lines: Vec<Vec<String>> =
            lines(received.into()).into_iter().map(|line| line.into_iter().map(|m| m.id).collect()).collect();
        assert_eq!(lines, [vec!["1", "4"], vec!["2"], vec!["3"], vec!["5"]]);
    }
}
