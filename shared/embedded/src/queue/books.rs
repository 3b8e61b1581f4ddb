//! The verbs of a queue, each inside the transaction of its batch.
//!
//! What a verb changes in the file is seen by the next verb of the same batch; what it changes in memory happens
//! after the commit ([`Effect`]), except that a message handed out is in flight at once. So a transaction that
//! fails has left nothing behind but messages to be given back.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::error::PortError;
use domain::ports::Clock;

use super::ledger::{Dead, Key, Ledger, New, Place, Stored};
use super::line::{Line, Standing};
use super::{Kind, QueueSpec, refusals};

/// How long a FIFO queue knows a de-duplication id, in milliseconds (Amazon SQS: "Exactly-once processing": five
/// minutes).
const DEDUP_WINDOW: i64 = 5 * 60 * 1000;

/// Longest visibility time-out, in milliseconds (Amazon SQS: "Visibility timeout": 12 hours).
const LONGEST_HIDE: i64 = 12 * 60 * 60 * 1000;

/// A step back of the clock that is taken for somebody setting it, in milliseconds; less is ordinary correction.
const CLOCK_SET_BACK: i64 = 1000;

type Sql<T> = rusqlite::Result<T>;

/// A receipt handle, as the file's owner reads it; none when it was given out by an earlier process.
pub(super) type Ticket = (i64, Option<u64>);

/// The file, and what is in flight.
pub(super) struct Books {
    ledger: Ledger,
    lines: Vec<Line>,
    clock: Arc<dyn Clock>,
    now: i64,
    nonce: u64,
    effects: Vec<Effect>,
    handed: Vec<(usize, i64)>,
    changes: u64,
}

/// What happens in memory once the transaction stands.
enum Effect {
    Added(usize, Option<Key>),
    Gone(usize, i64),
    Deferred(usize, i64, Option<Key>),
    Promoted(usize, Key),
    Released(usize, i64),
}

/// What a receive hands out.
pub(super) struct Received {
    pub(super) given: Vec<Given>,
    /// When nothing was handed out: the earliest time at which that may be different without anybody's doing.
    pub(super) next: Option<i64>,
}

/// One message on its way out.
pub(super) struct Given {
    pub(super) stored: Stored,
    pub(super) nonce: u64,
    pub(super) receives: u32,
}

/// How many messages stand where.
pub(super) struct Tally {
    pub(super) total: u64,
    pub(super) later: u64,
    pub(super) in_flight: u64,
    pub(super) dead: u64,
}

impl Books {
    pub(super) fn open(ledger: Ledger, clock: Arc<dyn Clock>, queues: &[QueueSpec]) -> Sql<Self> {
        let now = clock.now().as_millisecond();
        ledger.clear()?;
        let mut lines = Vec::with_capacity(queues.len() * 2);
        for spec in queues {
            let dead = format!("{}-dead", spec.name);
            for (name, dead) in [(spec.name.to_owned(), Some(lines.len() + 1)), (dead, None)] {
                ledger.pull_back(&name, now)?;
                let total = ledger.total(&name)?;
                lines.push(Line::new(name, spec.kind, dead, total));
            }
        }
        let changes = ledger.changes();
        Ok(Self { ledger, lines, clock, now, nonce: 0, effects: Vec::new(), handed: Vec::new(), changes })
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    #[cfg(test)]
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Begins a transaction; everything in it happens at one moment.
    pub(super) fn begin(&mut self) -> Sql<()> {
        let now = self.clock.now().as_millisecond();
        if now < self.now - CLOCK_SET_BACK {
            // Outside the transaction: a batch that fails must not undo it.
            for line in &self.lines {
                self.ledger.pull_back(&line.name, now)?;
            }
            for line in &mut self.lines {
                let name = line.name.clone();
                let due = |id| self.ledger.place(&name, id).map(|found| found.and_then(|place| place.due));
                line.set_back(self.now - now, due)?;
            }
        }
        self.now = now;
        for line in &mut self.lines {
            line.expire(now);
        }
        self.ledger.begin()
    }

    /// Whether a call that comes now may join the transaction that is open; time goes on with it, so that it finds what is due
    /// by now. Not when the clock was set back or a visibility time-out is over: that is seen to between transactions.
    pub(super) fn go_on(&mut self) -> bool {
        let now = self.clock.now().as_millisecond();
        if now < self.now || self.lines.iter().any(|line| line.is_anything_over(now)) {
            return false;
        }
        self.now = now;
        true
    }

    /// Commits. Answers whether there was anything to commit.
    pub(super) fn commit(&mut self) -> Sql<bool> {
        self.ledger.commit()?;
        self.handed.clear();
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Added(at, key) => self.lines[at].added(key),
                Effect::Gone(at, id) => self.lines[at].gone(id),
                Effect::Deferred(at, id, key) => self.lines[at].deferred(id, key),
                Effect::Promoted(at, key) => self.lines[at].promoted(key),
                Effect::Released(at, id) => self.lines[at].give_back(id),
            }
        }
        let before = std::mem::replace(&mut self.changes, self.ledger.changes());
        Ok(self.changes != before)
    }

    /// Undoes the transaction, in the file and in memory.
    pub(super) fn roll_back(&mut self) {
        self.ledger.roll_back();
        self.effects.clear();
        for (at, id) in std::mem::take(&mut self.handed) {
            self.lines[at].give_back(id);
        }
        for line in &mut self.lines {
            line.start_over();
        }
    }

    /// Tells those who wait for a queue. What they ask for then is answered after what was committed before. Answers whether there was news at all.
    pub(super) fn wake(&mut self) -> bool {
        self.lines.iter_mut().map(Line::wake).filter(|woken| *woken).count() > 0
    }

    /// Adds a message to each of these queues. Answers its id in the last of them.
    pub(super) fn send(&mut self, ats: &[usize], new: &New) -> Sql<i64> {
        let mut last = 0;
        for &at in ats {
            last = self.send_one(at, new)?;
        }
        Ok(last)
    }

    /// Hands out up to `max` messages and hides them for so many milliseconds.
    pub(super) fn receive(&mut self, at: usize, max: usize, hide: i64) -> Sql<Received> {
        let deadline = self.now + hide.clamp(0, LONGEST_HIDE);
        let mut given = Vec::new();
        while given.len() < max
            && let Some((place, key)) = self.candidate(at)?
        {
            let mut run = vec![(place.id, Some(key))];
            if let Some(group) = &place.group {
                let room = max - given.len() - 1;
                let behind = self.ledger.followers(&self.lines[at].name, group, place.id, room, self.now)?;
                run.extend(behind.into_iter().map(|id| (id, None)));
            }
            for (id, key) in run {
                self.nonce += 1;
                let nonce = self.nonce;
                let receives = self.lines[at].hand_out(id, key, place.group.clone(), nonce, deadline);
                self.handed.push((at, id));
                if let Some(stored) = self.ledger.load(id)? {
                    given.push(Given { stored, nonce, receives });
                }
            }
        }
        let next = if given.is_empty() { self.next_time(at)? } else { None };
        Ok(Received { given, next })
    }

    /// Whether a receive would hand out anything; if not, when that may change.
    pub(super) fn look(&mut self, at: usize) -> Sql<Result<(), Option<i64>>> {
        if self.is_due(at)? { Ok(Ok(())) } else { Ok(Err(self.next_time(at)?)) }
    }

    /// Whether none of these has a message due or in flight.
    pub(super) fn idle(&mut self, ats: &[usize]) -> Sql<bool> {
        for &at in ats {
            if self.lines[at].flying() > 0 || self.is_due(at)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes what was received with these handles.
    pub(super) fn ack(&mut self, at: usize, tickets: &[Ticket]) -> Sql<Vec<Result<(), PortError>>> {
        tickets
            .iter()
            .map(|&ticket| {
                Ok(match self.held(at, ticket)? {
                    Held::Yes => {
                        self.remove(at, ticket.0)?;
                        Ok(())
                    }
                    Held::NoMatter => Ok(()),
                    Held::No => refusals::refuse(STALE),
                })
            })
            .collect()
    }

    /// Hides a message until that time, at most 12 hours ahead.
    pub(super) fn defer(&mut self, at: usize, ticket: Ticket, until: i64) -> Sql<Result<(), PortError>> {
        match self.held(at, ticket)? {
            Held::Yes => {}
            Held::NoMatter => return Ok(Ok(())),
            Held::No => return Ok(refusals::refuse(STALE)),
        }
        let until = until.clamp(self.now, self.now + LONGEST_HIDE);
        if let Some(due) = self.ledger.defer(&self.lines[at].name, ticket.0, until)? {
            self.effects.push(Effect::Deferred(at, ticket.0, due.map(|due| (due, ticket.0))));
        }
        Ok(Ok(()))
    }

    /// Makes messages visible now. A handle that is not in flight changes nothing.
    pub(super) fn release(&mut self, at: usize, tickets: &[Ticket]) {
        for &(id, nonce) in tickets {
            if nonce.is_some_and(|nonce| self.lines[at].standing(id, nonce) == Standing::InFlight) {
                self.effects.push(Effect::Released(at, id));
            }
        }
    }

    /// Moves a message to the dead-letter queue.
    pub(super) fn dead_letter(&mut self, at: usize, ticket: Ticket, reason: &str) -> Sql<Result<(), PortError>> {
        let Some(dead) = self.lines[at].dead else {
            return Ok(refusals::refuse("a dead-letter queue has no dead-letter queue"));
        };
        match self.held(at, ticket)? {
            Held::Yes => {}
            Held::NoMatter => return Ok(Ok(())),
            Held::No => return Ok(refusals::refuse(STALE)),
        }
        let Some(place) = self.ledger.place(&self.lines[at].name, ticket.0)? else { return Ok(Ok(())) };
        let tries = self.lines[at].receives(ticket.0);
        self.move_to(&place, at, dead, Some((reason, tries)))?;
        Ok(Ok(()))
    }

    /// Dead letters of a queue after that id, oldest first.
    pub(super) fn dead_letters(&mut self, at: usize, after: i64, limit: usize) -> Sql<Vec<Dead>> {
        match self.lines[at].dead {
            Some(dead) => self.ledger.dead(&self.lines[dead].name, after, limit),
            None => Ok(Vec::new()),
        }
    }

    /// How many dead letters a queue has.
    pub(super) fn dead_count(&self, at: usize) -> u64 {
        self.lines[at].dead.map_or(0, |dead| self.lines[dead].total)
    }

    /// Sends up to `max` dead letters back, oldest first: any, or only those among `ids`. Answers which.
    pub(super) fn redrive(&mut self, at: usize, max: usize, ids: Option<&BTreeSet<i64>>) -> Sql<Vec<i64>> {
        let Some(dead) = self.lines[at].dead else { return Ok(Vec::new()) };
        let (mut moved, mut after) = (Vec::new(), 0);
        while moved.len() < max {
            // The next that may go: the smallest id that was asked for, or whatever comes next.
            let from = match ids {
                None => after,
                Some(ids) => match ids.range(after + 1..).next() {
                    Some(id) => id - 1,
                    None => break,
                },
            };
            let Some(place) = self.ledger.next_dead(&self.lines[dead].name, from)? else { break };
            after = place.id;
            let wanted = ids.is_none_or(|ids| ids.contains(&place.id));
            // Somebody reads the dead-letter queue as a queue: what they hold is theirs.
            if wanted && !self.lines[dead].holds(place.id, place.group.as_deref()) {
                self.move_to(&place, dead, at, None)?;
                moved.push(place.id);
            }
        }
        Ok(moved)
    }

    /// How many messages stand where.
    pub(super) fn tally(&self, at: usize) -> Sql<Tally> {
        let line = &self.lines[at];
        Ok(Tally {
            total: line.total,
            later: self.ledger.later(&line.name, self.now)?.saturating_sub(line.flying_early(self.now) as u64),
            in_flight: line.flying() as u64,
            dead: self.dead_count(at),
        })
    }

    /// Writes as much as the largest event needs, into no queue that anybody reads.
    pub(super) fn try_room(&mut self) -> Sql<()> {
        self.ledger.fill(refusals::TOPIC_LIMIT)
    }

    /// Removes what [`Books::try_room`] wrote.
    pub(super) fn clear_room(&mut self) -> Sql<()> {
        self.ledger.clear()
    }

    fn send_one(&mut self, at: usize, new: &New) -> Sql<i64> {
        let queue = &self.lines[at].name;
        if let Some((group, dedup)) = &new.fifo {
            self.ledger.forget(self.now - DEDUP_WINDOW)?;
            if let Some(id) = self.ledger.sent(queue, group, dedup)? {
                return Ok(id);
            }
        }
        let (id, due) = self.ledger.insert(queue, new, self.now)?;
        if let Some((group, dedup)) = &new.fifo {
            self.ledger.remember(queue, (group, dedup), id, self.now)?;
        }
        self.effects.push(Effect::Added(at, due.map(|due| (due, id))));
        Ok(id)
    }

    /// The first message that is due and that nothing blocks.
    fn candidate(&mut self, at: usize) -> Sql<Option<(Place, Key)>> {
        loop {
            let line = &mut self.lines[at];
            let (place, key) = match line.take_returned(self.now) {
                Some((_, id)) => {
                    // Deleted since, or deferred: then it stands behind the front again, or waits for its time.
                    let Some(place) = self.ledger.place(&line.name, id)? else { continue };
                    let Some(due) = place.due else { continue };
                    let key = (due, place.id);
                    if key > line.front() || due > self.now {
                        line.offer(key);
                        continue;
                    }
                    (place, key)
                }
                None => {
                    let found = self.ledger.next(&line.name, line.front())?;
                    let Some((place, due)) = found.and_then(|place| place.due.map(|due| (place, due))) else {
                        return Ok(None);
                    };
                    if due > self.now {
                        return Ok(None);
                    }
                    let key = (due, place.id);
                    line.advance(key);
                    (place, key)
                }
            };
            if !line.blocks(&place, key) {
                return Ok(Some((place, key)));
            }
        }
    }

    fn is_due(&mut self, at: usize) -> Sql<bool> {
        let found = self.candidate(at)?;
        if let Some((_, key)) = found {
            self.lines[at].offer(key);
        }
        Ok(found.is_some())
    }

    fn next_time(&self, at: usize) -> Sql<Option<i64>> {
        let line = &self.lines[at];
        let waiting = self.ledger.next(&line.name, line.front())?.and_then(|place| place.due);
        Ok(waiting.into_iter().chain(line.next_time()).min())
    }

    fn held(&self, at: usize, (id, nonce): Ticket) -> Sql<Held> {
        let line = &self.lines[at];
        let standing = nonce.map_or(Standing::Stale, |nonce| line.standing(id, nonce));
        Ok(match (line.kind, standing) {
            (_, Standing::InFlight) | (Kind::Standard, Standing::Newest) => Held::Yes,
            (Kind::Standard, Standing::Stale) => Held::NoMatter,
            (Kind::Fifo, _) if self.ledger.place(&line.name, id)?.is_none() => Held::NoMatter,
            (Kind::Fifo, _) => Held::No,
        })
    }

    fn move_to(&mut self, place: &Place, from: usize, to: usize, death: Option<(&str, u32)>) -> Sql<()> {
        let (id, due) = self.ledger.copy(place, &self.lines[to].name, death, self.now)?;
        self.effects.push(Effect::Added(to, due.map(|due| (due, id))));
        self.remove(from, place.id)
    }

    fn remove(&mut self, at: usize, id: i64) -> Sql<()> {
        let queue = &self.lines[at].name;
        let Some(group) = self.ledger.delete(queue, id)? else { return Ok(()) };
        self.effects.push(Effect::Gone(at, id));
        if let Some(group) = group
            && let Some(key) = self.ledger.promote(queue, &group, self.now)?
        {
            self.effects.push(Effect::Promoted(at, key));
        }
        Ok(())
    }
}

/// Whether whoever shows a handle may still decide about its message.
enum Held {
    Yes,
    /// No, and that is no error.
    NoMatter,
    No,
}

const STALE: &str = "the receipt handle has expired: the message is visible again or was handed out again";
