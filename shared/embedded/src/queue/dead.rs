//! The port of dead letters over the two queues. What SQS needs a receive for is a look into the file here: nothing
//! is hidden from anybody, and sending back is one transaction.

use async_trait::async_trait;
use domain::dead_letters::{About, DeadLetter, DeadLetterPage, DeadLetterQueue, LIMIT, Redriven, Which};
use domain::error::PortError;
use domain::ports;

use super::{FANOUT, Queue, Queues, STATUSES, refusals};

/// The dead letters of Hookyard's own queues.
#[derive(Clone)]
pub struct DeadLetters {
    fanout: Queue,
    statuses: Queue,
}

impl DeadLetters {
    /// Those of these queues.
    ///
    /// # Errors
    /// Permanent, when they were opened without Hookyard's own.
    pub fn new(queues: &Queues) -> Result<Self, PortError> {
        match (queues.queue(FANOUT), queues.queue(STATUSES)) {
            (Some(fanout), Some(statuses)) => Ok(Self { fanout, statuses }),
            _ => refusals::refuse("the queues of fanout and of the statuses are not open"),
        }
    }

    /// None for the topic: here publishing is one transaction with the sending, so nothing can get stuck between.
    fn queue(&self, queue: DeadLetterQueue) -> Option<&Queue> {
        match queue {
            DeadLetterQueue::Events => None,
            DeadLetterQueue::Fanout => Some(&self.fanout),
            DeadLetterQueue::Statuses => Some(&self.statuses),
        }
    }
}

#[async_trait]
impl ports::DeadLetters for DeadLetters {
    async fn count(&self, queue: DeadLetterQueue) -> Result<u64, PortError> {
        match self.queue(queue) {
            Some(source) => source.dead_count().await,
            None => Ok(0),
        }
    }

    async fn list(&self, queue: DeadLetterQueue, limit: usize) -> Result<DeadLetterPage, PortError> {
        let Some(source) = self.queue(queue) else { return Ok(DeadLetterPage::default()) };
        let (letters, _) = source.dead_letters(limit.min(LIMIT), None).await?;
        let letters = letters.into_iter().map(|letter| DeadLetter {
            about: About::of(queue, &letter.body),
            id: letter.id,
            queue,
            reason: Some(letter.reason),
            tries: Some(letter.tries),
            since: letter.since,
        });
        Ok(DeadLetterPage { letters: letters.collect(), count: source.dead_count().await? })
    }

    async fn redrive(&self, queue: DeadLetterQueue, which: &Which) -> Result<Redriven, PortError> {
        let Some(source) = self.queue(queue) else {
            let missing = if let Which::These(ids) = which { ids.clone() } else { Vec::new() };
            return Ok(Redriven { missing, ..Redriven::default() });
        };
        let (max, chosen) = match which {
            Which::Any(max) => (*max, None),
            Which::These(ids) => (ids.len(), Some(ids.iter().filter_map(|id| id.parse().ok()).collect())),
        };
        let moved = source.redrive_some(max.min(LIMIT), chosen).await?;
        let ids: Vec<String> = moved.iter().map(i64::to_string).collect();
        Ok(match which {
            Which::Any(_) => {
                let more = !ids.is_empty() && source.dead_count().await? > 0;
                Redriven { ids, missing: Vec::new(), more }
            }
            Which::These(asked) => {
                let missing = asked.iter().filter(|id| !ids.contains(id)).cloned().collect();
                Redriven { ids, missing, more: false }
            }
        })
    }
}
