//! The batch loop: the one place that decides what a port's failure means for a message.
//!
//! Messages without a group run side by side. A group runs in order: when one of its messages has to wait, the
//! later ones wait as long, because a queue that keeps order would hand none of them out before.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use domain::error::PortError;
use domain::ports::{Clock, Inbox, Message};
use domain::retry::jittered;
use futures_util::FutureExt;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tracing::Instrument;

use crate::telemetry::subject;

/// What is to become of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Finished: acknowledge it.
    Done,
    /// Not yet: hide it until then.
    Defer {
        /// When it may come back.
        until: Timestamp,
        /// What it waits for, for the log.
        why: String,
    },
    /// Nobody can do anything with it: set it aside.
    DeadLetter {
        /// Why, for the log and for whoever looks through the dead letters. Never the body.
        reason: String,
    },
}

/// Work on one message.
#[async_trait]
pub trait HandleMessage: Send + Sync {
    /// `later` are the messages of the same group that follow in this batch: the newest of them may make this one
    /// superfluous.
    ///
    /// Who answers [`Verdict::Done`] or [`Verdict::Defer`] has logged the outcome, once, inside the message's
    /// [`subject`]; what only came too early has none. Of everything else the loop logs it.
    async fn handle(&self, message: &Message, later: &[Message]) -> Result<Verdict, PortError>;

    /// A message that failed, or made the handler panic, was given back to be tried again: for counting.
    fn gave_back(&self) {}
}

/// Runs a batch and answers with the ids that must not be acknowledged, in the order of the batch.
pub async fn run(
    handler: &dyn HandleMessage,
    inbox: &dyn Inbox,
    clock: &dyn Clock,
    messages: Vec<Message>,
) -> Vec<String> {
    let order: Vec<String> = messages.iter().map(|message| message.id.clone()).collect();
    let batch = Batch { handler, inbox, clock };
    let lines = lines(messages);
    let kept: Vec<String> = join_all(lines.iter().map(|line| batch.line(line))).await.concat();
    order.into_iter().filter(|id| kept.contains(id)).collect()
}

/// The groups in the order of their first message; a message without a group is a line of its own.
fn lines(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut lines: Vec<Vec<Message>> = Vec::new();
    let mut of_group: HashMap<String, usize> = HashMap::new();
    for message in messages {
        let place = match &message.group {
            Some(group) => *of_group.entry(group.clone()).or_insert(lines.len()),
            None => lines.len(),
        };
        match lines.get_mut(place) {
            Some(line) => line.push(message),
            None => lines.push(vec![message]),
        }
    }
    lines
}

struct Batch<'a> {
    handler: &'a dyn HandleMessage,
    inbox: &'a dyn Inbox,
    clock: &'a dyn Clock,
}

impl Batch<'_> {
    /// Works through one line; answers with the ids that are not acknowledged.
    async fn line(&self, line: &[Message]) -> Vec<String> {
        for (place, message) in line.iter().enumerate() {
            let later = &line[place + 1..];
            let span = subject();
            let worked = async {
                let until = self.message(message, later).await.err()?;
                self.defer(message, until).await;
                Some(until)
            };
            let Some(until) = worked.instrument(span).await else { continue };
            for follower in later {
                tracing::debug!(message_id = follower.id, %until, "it waits for an earlier one of its group");
                self.defer(follower, until).await;
            }
            return line[place..].iter().map(|message| message.id.clone()).collect();
        }
        Vec::new()
    }

    /// Ok: acknowledge it. Err: it comes back then.
    async fn message(&self, message: &Message, later: &[Message]) -> Result<(), Timestamp> {
        let answer = AssertUnwindSafe(self.handler.handle(message, later)).catch_unwind().await;
        let reason = match answer {
            Ok(Ok(Verdict::Done)) => return Ok(()),
            Ok(Ok(Verdict::Defer { until, why })) => {
                tracing::debug!(message_id = message.id, %until, why, "deferred");
                return Err(until);
            }
            Ok(Err(PortError::Transient(why))) => return Err(self.retry(message, &why)),
            // The payload may hold anything, a body too: it is not looked at.
            Err(_payload) => return Err(self.retry(message, "the handler panicked")),
            Ok(Ok(Verdict::DeadLetter { reason }) | Err(PortError::Permanent(reason))) => reason,
        };
        match self.inbox.dead_letter(message, &reason).await {
            Ok(()) => {
                tracing::error!(
                    outcome = "dead_lettered",
                    message_id = message.id,
                    why = reason,
                    "a message was set aside"
                );
                Ok(())
            }
            // What could be neither finished nor set aside keeps its place.
            Err(error) => Err(self.retry(message, &format!("not set aside ({error}): {reason}"))),
        }
    }

    /// When a message that failed comes back.
    fn retry(&self, message: &Message, why: &str) -> Timestamp {
        let wait = wait(message);
        let until = self.clock.now().checked_add(wait).unwrap_or(Timestamp::MAX);
        let receives = message.receives;
        tracing::warn!(outcome = "given_back", message_id = message.id, %until, receives, why, "a message was given back");
        self.handler.gave_back();
        until
    }

    /// A failure leaves the message to its visibility time-out, which brings it back as well, only later.
    async fn defer(&self, message: &Message, until: Timestamp) {
        if let Err(error) = self.inbox.defer(message, until).await {
            tracing::warn!(message_id = message.id, %until, why = %error, "could not be deferred; its visibility time-out brings it back");
        }
    }
}

/// 1 s to 5 min, doubling with each receive, spread so that messages that failed together do not return together.
fn wait(message: &Message) -> SignedDuration {
    // The spread goes up to five quarters: four minutes become five.
    let doubled = (1_u64 << message.receives.saturating_sub(1).min(8)).min(240);
    let seed = message.id.bytes().fold(u64::from(message.receives), |seed, b| seed.rotate_left(5) ^ u64::from(b));
    let wait = jittered(Duration::from_secs(doubled), seed).max(Duration::from_secs(1));
    SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests;
