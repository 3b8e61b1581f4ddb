//! One queue, as its senders and its consumer hold it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use domain::error::PortError;
use domain::ports::Message;
use jiff::Timestamp;

use super::books::{Given, Ticket};
use super::ledger::New;
use super::packed::Packed;
use super::writer::{Command, Weight, Writer, stopped, unattended};
use super::{Kind, refusals};

/// Why a message is a dead letter whose body is not what was sent.
const UNREADABLE: &str = "its body cannot be read: the queue's file is damaged there";

/// One queue. Cloning is cheap.
#[derive(Clone)]
pub struct Queue {
    writer: Arc<Writer>,
    at: usize,
}

/// A message to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outgoing<'a> {
    /// 1 byte to 1 MiB, together with the attributes.
    pub body: &'a str,
    /// At most ten names and values.
    pub attributes: &'a [(&'a str, &'a str)],
    /// The group and the de-duplication id: on FIFO queues, and only there.
    pub fifo: Option<(&'a str, &'a str)>,
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Neither hidden nor in flight. On a FIFO queue this includes what stands behind a deferred message.
    pub ready: u64,
    /// Deferred to a later time; on a FIFO queue, the first of a group only.
    pub delayed: u64,
    /// Handed out and neither acknowledged, deferred, given back nor timed out.
    pub in_flight: u64,
    /// In its dead-letter queue.
    pub dead: u64,
}

/// A message that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id in the dead-letter queue.
    pub id: String,
    /// The queue it came from, and goes back to.
    pub queue: String,
    /// Why it was set aside.
    pub reason: String,
    /// How often it had been received since the last start.
    pub tries: u32,
    /// When it was set aside.
    pub since: Timestamp,
    /// Its FIFO group.
    pub group: Option<String>,
    /// The bytes that were sent.
    pub body: String,
}

impl Queue {
    pub(super) fn new(writer: Arc<Writer>, at: usize) -> Self {
        Self { writer, at }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.writer.lines[self.at].name
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.writer.lines[self.at].kind
    }

    /// Sends one message and returns its id once it is durable. A FIFO queue that has taken the de-duplication id
    /// within five minutes answers the id of that message and sends nothing.
    ///
    /// # Errors
    /// Permanent when SQS would refuse it, transient when the file fails.
    pub async fn send(&self, message: Outgoing<'_>) -> Result<String, PortError> {
        let new = self.checked(message)?;
        let at = self.at;
        let id = self.writer.call(Weight::Grow, move |books| books.send(&[at], &new)).await?;
        Ok(id.to_string())
    }

    /// Sends several in one transaction, in their order. Each is taken or refused for itself; a failure of the
    /// file fails all.
    ///
    /// # Errors
    /// Transient when the file fails: then none was taken.
    pub async fn send_batch(&self, messages: &[Outgoing<'_>]) -> Result<Vec<Result<String, PortError>>, PortError> {
        let news: Vec<_> = messages.iter().map(|message| self.checked(*message)).collect();
        let at = self.at;
        self.writer
            .call(Weight::Grow, move |books| {
                news.iter()
                    .map(|new| match new {
                        Ok(new) => Ok(Ok(books.send(&[at], new)?.to_string())),
                        Err(refused) => Ok(Err(refused.clone())),
                    })
                    .collect()
            })
            .await
    }

    /// Hands out up to `max` messages that are due and hides each for `visibility` (at most 12 hours); none when
    /// there is none. A FIFO queue may hand out several of one group at once, in their order, and hands out no
    /// other of that group until all of them are acknowledged, deferred, given back or timed out.
    ///
    /// # Errors
    /// When the file fails.
    pub async fn receive(&self, max: usize, visibility: Duration) -> Result<Vec<Message>, PortError> {
        self.try_receive(max, visibility).await.map(|(messages, _)| messages)
    }

    /// The same, but returns only when there is something: it sleeps until the next message is due, or until
    /// somebody's commit changes the queue. Dropping the future takes nothing out of the queue.
    ///
    /// # Errors
    /// When the file fails.
    pub async fn receive_wait(&self, max: usize, visibility: Duration) -> Result<Vec<Message>, PortError> {
        let mut changed = self.writer.lines[self.at].changed.clone();
        loop {
            changed.borrow_and_update();
            let (messages, next) = self.try_receive(max.max(1), visibility).await?;
            if !messages.is_empty() {
                return Ok(messages);
            }
            self.pause(&mut changed, next).await?;
        }
    }

    /// Returns when a receive would hand out something.
    ///
    /// # Errors
    /// When the file fails.
    pub async fn wait(&self) -> Result<(), PortError> {
        let mut changed = self.writer.lines[self.at].changed.clone();
        let at = self.at;
        loop {
            changed.borrow_and_update();
            match self.writer.call(Weight::Read, move |books| books.look(at)).await? {
                Ok(()) => return Ok(()),
                Err(next) => self.pause(&mut changed, next).await?,
            }
        }
    }

    /// Deletes messages by the handles of their receives; one result for each. See [`super`] for stale handles.
    ///
    /// # Errors
    /// When the file fails: then none was deleted.
    pub async fn ack(&self, handles: &[&str]) -> Result<Vec<Result<(), PortError>>, PortError> {
        let tickets: Vec<_> = handles.iter().map(|handle| self.ticket(handle)).collect();
        let at = self.at;
        let known: Vec<Ticket> = tickets.iter().filter_map(|ticket| ticket.as_ref().ok().copied()).collect();
        let done = self.writer.call(Weight::Change, move |books| books.ack(at, &known)).await?;
        let mut done = done.into_iter();
        Ok(tickets.into_iter().map(|ticket| ticket.and_then(|_| done.next().unwrap_or(Ok(())))).collect())
    }

    /// Hides a message until then, durably; at most 12 hours ahead, longer waits are cut to that.
    ///
    /// # Errors
    /// Permanent for a stale handle of a FIFO queue or one that is none, transient when the file fails.
    pub async fn defer(&self, handle: &str, until: Timestamp) -> Result<(), PortError> {
        let (ticket, at) = (self.ticket(handle)?, self.at);
        // Rounded up, so that the message is never seen before its time.
        let until = i64::try_from((until.as_nanosecond() + 999_999).div_euclid(1_000_000)).unwrap_or(i64::MAX);
        self.writer.call(Weight::Change, move |books| books.defer(at, ticket, until)).await?
    }

    /// Makes messages visible again now. Handles that are stale, or none, change nothing.
    ///
    /// # Errors
    /// When the file fails.
    pub async fn release(&self, handles: &[&str]) -> Result<(), PortError> {
        let tickets: Vec<_> = handles.iter().filter_map(|handle| self.ticket(handle).ok()).collect();
        let at = self.at;
        self.writer
            .call(Weight::Read, move |books| {
                books.release(at, &tickets);
                Ok(())
            })
            .await
    }

    /// Moves a message to the dead-letter queue. Acknowledging it afterwards is no error.
    ///
    /// # Errors
    /// As [`Queue::defer`]; permanent on a dead-letter queue.
    pub async fn dead_letter(&self, handle: &str, reason: &str) -> Result<(), PortError> {
        let (ticket, at, reason) = (self.ticket(handle)?, self.at, reason.to_owned());
        self.writer.call(Weight::Change, move |books| books.dead_letter(at, ticket, &reason)).await?
    }

    /// One page of its dead letters, oldest first, and the cursor of the next page.
    ///
    /// # Errors
    /// Permanent for a cursor that this did not give out, transient when the file fails.
    pub async fn dead_letters(
        &self,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<(Vec<DeadLetter>, Option<String>), PortError> {
        let after = match cursor.map(str::parse::<i64>) {
            None => 0,
            Some(Ok(after)) => after,
            Some(Err(_)) => return refusals::refuse("the cursor of the dead letters is none of ours"),
        };
        let at = self.at;
        let look = limit.saturating_add(1);
        let mut found = self.writer.call(Weight::Read, move |books| books.dead_letters(at, after, look)).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let cursor = found.last().filter(|_| more).map(|dead| dead.stored.id.to_string());
        let letters = found.into_iter().map(|dead| DeadLetter {
            id: dead.stored.id.to_string(),
            queue: self.name().to_owned(),
            reason: dead.reason,
            tries: dead.tries,
            since: Timestamp::from_millisecond(dead.since).unwrap_or_default(),
            group: dead.stored.group,
            body: dead.stored.body.body().unwrap_or_default(),
        });
        Ok((letters.collect(), cursor))
    }

    /// Sends up to `max` dead letters back, oldest first, each as a new message at the end of its group and past
    /// the de-duplication. Answers how many went. All go in one transaction: ask for some hundreds at a time.
    ///
    /// # Errors
    /// When the file fails: then none went.
    pub async fn redrive(&self, max: usize) -> Result<usize, PortError> {
        let at = self.at;
        Ok(self.writer.call(Weight::Change, move |books| books.redrive(at, max, None)).await?.len())
    }

    /// The same for those among `ids` only, or for any. Answers the ids they had as dead letters.
    pub(super) async fn redrive_some(&self, max: usize, ids: Option<BTreeSet<i64>>) -> Result<Vec<i64>, PortError> {
        let at = self.at;
        self.writer.call(Weight::Change, move |books| books.redrive(at, max, ids.as_ref())).await
    }

    /// How many dead letters it has.
    pub(super) async fn dead_count(&self) -> Result<u64, PortError> {
        let at = self.at;
        self.writer.call(Weight::Read, move |books| Ok(books.dead_count(at))).await
    }

    /// How many messages stand where. Costs a look at each delayed one, so ask seldom.
    ///
    /// # Errors
    /// When the file fails.
    pub async fn counts(&self) -> Result<Counts, PortError> {
        let at = self.at;
        let tally = self.writer.call(Weight::Read, move |books| books.tally(at)).await?;
        Ok(Counts {
            ready: tally.total.saturating_sub(tally.later + tally.in_flight),
            delayed: tally.later,
            in_flight: tally.in_flight,
            dead: tally.dead,
        })
    }

    async fn try_receive(&self, max: usize, visibility: Duration) -> Result<(Vec<Message>, Option<i64>), PortError> {
        let hide = i64::try_from(visibility.as_millis()).unwrap_or(i64::MAX);
        let (at, commands) = (self.at, self.writer.commands());
        let (handout, next) = self
            .writer
            .call(Weight::Read, move |books| {
                let received = books.receive(at, max, hide)?;
                Ok((Handout { at, given: received.given, commands: commands.clone() }, received.next))
            })
            .await?;
        let (messages, unreadable) = handout.into_messages(self.writer.boot);
        if !unreadable.is_empty() {
            self.set_aside(unreadable);
        }
        Ok((messages, next))
    }

    /// Messages whose bodies are not what was sent: they go to the dead letters, so that those behind them come.
    fn set_aside(&self, tickets: Vec<Ticket>) {
        self.writer.damaged();
        let at = self.at;
        // When the thread has stopped, so has everything.
        let _ = self.writer.commands().send(unattended(Weight::Change, move |books| {
            for &ticket in &tickets {
                // Refused where they stand in the dead letters already.
                let _ = books.dead_letter(at, ticket, UNREADABLE)?;
            }
            Ok(())
        }));
    }

    async fn pause(&self, changed: &mut tokio::sync::watch::Receiver<u64>, next: Option<i64>) -> Result<(), PortError> {
        let changed = changed.changed();
        let Some(next) = next.and_then(|next| Timestamp::from_millisecond(next).ok()) else {
            return changed.await.map_err(|_| stopped());
        };
        tokio::select! {
            told = changed => told.map_err(|_| stopped()),
            () = self.writer.clock.sleep_until(next) => Ok(()),
        }
    }

    fn checked(&self, message: Outgoing<'_>) -> Result<New, PortError> {
        let attributes = message.attributes;
        refusals::check_message(message.body, attributes.iter().copied(), refusals::MESSAGE_LIMIT)?;
        match (self.kind(), message.fifo) {
            (Kind::Standard, None) => {}
            (Kind::Fifo, Some((group, dedup))) => {
                refusals::check_id("group id", group)?;
                refusals::check_id("de-duplication id", dedup)?;
            }
            (Kind::Standard, Some(_)) => return refusals::refuse("a standard queue takes no group"),
            (Kind::Fifo, None) => {
                return refusals::refuse("a FIFO queue takes no message without a group and a de-duplication id");
            }
        }
        Ok(New {
            body: Packed::of(message.body),
            attributes: json(attributes.iter().copied()),
            fifo: message.fifo.map(|(group, dedup)| (group.to_owned(), dedup.to_owned())),
        })
    }

    fn ticket(&self, handle: &str) -> Result<Ticket, PortError> {
        let read = || {
            let (boot, rest) = handle.split_once('.')?;
            let (id, nonce) = rest.split_once('.')?;
            let ours = u64::from_str_radix(boot, 16).ok()? == self.writer.boot;
            let nonce: u64 = nonce.parse().ok()?;
            Some((id.parse().ok()?, ours.then_some(nonce)))
        };
        read().ok_or_else(|| PortError::permanent("the receipt handle is none of ours"))
    }
}

/// The attributes as they stand in the file.
pub(super) fn json<'a>(attributes: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let object: serde_json::Map<_, _> =
        attributes.map(|(name, value)| (name.to_owned(), serde_json::Value::from(value))).collect();
    serde_json::Value::Object(object).to_string()
}

/// Messages between the thread and their consumer. If that has gone away, they are given back.
struct Handout {
    at: usize,
    given: Vec<Given>,
    commands: Sender<Command>,
}

impl Handout {
    /// The messages, and those that cannot be read.
    fn into_messages(mut self, boot: u64) -> (Vec<Message>, Vec<Ticket>) {
        let (mut messages, mut unreadable) = (Vec::new(), Vec::new());
        for given in std::mem::take(&mut self.given) {
            let ticket = (given.stored.id, Some(given.nonce));
            match message(given, boot) {
                Some(message) => messages.push(message),
                None => unreadable.push(ticket),
            }
        }
        (messages, unreadable)
    }
}

impl Drop for Handout {
    fn drop(&mut self) {
        if self.given.is_empty() {
            return;
        }
        let tickets: Vec<Ticket> = self.given.iter().map(|given| (given.stored.id, Some(given.nonce))).collect();
        let at = self.at;
        // When the thread has stopped, so has everything in flight.
        let _ = self.commands.send(unattended(Weight::Read, move |books| {
            books.release(at, &tickets);
            Ok(())
        }));
    }
}

/// None when the file is damaged at this body.
fn message(given: Given, boot: u64) -> Option<Message> {
    let Given { stored, nonce, receives } = given;
    let id = stored.id;
    let body = stored.body.body()?;
    Some(Message {
        id: id.to_string(),
        handle: format!("{boot:016x}.{id}.{nonce}"),
        body,
        group: stored.group,
        receives,
    })
}
