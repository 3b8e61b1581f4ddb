//! What one queue has in flight, in memory only.
//!
//! A receive never searches among what is in flight. Everything up to `front`, in the order of [`Key`], has been
//! looked at: it is in flight, or blocked by its group (then the group remembers it), or it came back (then it
//! stands in `returned`). Everything behind `front` is found by the index. So a receive touches what it hands
//! out, whether ten or a hundred thousand messages wait, are deferred, or are in flight.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::watch;

use super::Kind;
use super::ledger::{Key, Place};

/// Before every message.
const START: Key = (i64::MIN, i64::MIN);

/// How a handle stands to its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The message is in flight, and this handle was given with it.
    InFlight,
    /// The message is not in flight, and nobody was given a newer handle: its time was up, or it was given back.
    Newest,
    /// Somebody else has been given a handle since, or nobody knows this one.
    Stale,
}

/// One queue.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Where its dead-letter queue is; none for those themselves.
    pub(super) dead: Option<usize>,
    /// Messages that stand in the file.
    pub(super) total: u64,
    /// Told after each commit that changed something here.
    pub(super) changed: watch::Sender<u64>,
    woken: bool,
    front: Key,
    returned: BTreeSet<Key>,
    in_flight: HashMap<i64, Flight>,
    deadlines: BTreeSet<(i64, i64)>,
    groups: HashMap<String, Group>,
    seen: HashMap<i64, Seen>,
}

struct Flight {
    nonce: u64,
    deadline: i64,
    /// None while others of its group stand before it.
    key: Option<Key>,
    group: Option<String>,
}

#[derive(Default)]
struct Group {
    in_flight: usize,
    /// Its first message, if it was met while the group was blocked.
    parked: Option<Key>,
}

/// What is remembered of a message that was handed out, until it is deleted.
struct Seen {
    nonce: u64,
    receives: u32,
}

impl Line {
    pub(super) fn new(name: String, kind: Kind, dead: Option<usize>, total: u64) -> Self {
        Self {
            name,
            kind,
            dead,
            total,
            changed: watch::Sender::new(0),
            woken: false,
            front: START,
            returned: BTreeSet::new(),
            in_flight: HashMap::new(),
            deadlines: BTreeSet::new(),
            groups: HashMap::new(),
            seen: HashMap::new(),
        }
    }

    pub(super) fn front(&self) -> Key {
        self.front
    }

    /// Everything up to `key` has been looked at.
    pub(super) fn advance(&mut self, key: Key) {
        self.front = key;
    }

    /// The message at `key` can be handed out once it is due. Wakes nobody.
    pub(super) fn offer(&mut self, key: Key) {
        if key <= self.front {
            self.returned.insert(key);
        }
    }

    /// The first of those that came back and are due.
    pub(super) fn take_returned(&mut self, now: i64) -> Option<Key> {
        let key = *self.returned.first()?;
        if key.0 > now {
            return None;
        }
        self.returned.pop_first()
    }

    /// Whether the message has to stay because it, or its group, is in flight. A group remembers whom it blocked.
    pub(super) fn blocks(&mut self, place: &Place, key: Key) -> bool {
        match place.group.as_ref().and_then(|group| self.groups.get_mut(group)) {
            Some(group) => {
                group.parked = Some(key);
                true
            }
            None => self.in_flight.contains_key(&place.id),
        }
    }

    /// Hands a message out. Answers how often that has happened now.
    pub(super) fn hand_out(
        &mut self,
        id: i64,
        key: Option<Key>,
        group: Option<String>,
        nonce: u64,
        deadline: i64,
    ) -> u32 {
        if let Some(group) = &group {
            self.groups.entry(group.clone()).or_default().in_flight += 1;
        }
        self.in_flight.insert(id, Flight { nonce, deadline, key, group });
        self.deadlines.insert((deadline, id));
        let seen = self.seen.entry(id).or_insert(Seen { nonce, receives: 0 });
        seen.nonce = nonce;
        seen.receives += 1;
        seen.receives
    }

    pub(super) fn standing(&self, id: i64, nonce: u64) -> Standing {
        match (self.in_flight.get(&id), self.seen.get(&id)) {
            (Some(flight), _) if flight.nonce == nonce => Standing::InFlight,
            (None, Some(seen)) if seen.nonce == nonce => Standing::Newest,
            _ => Standing::Stale,
        }
    }

    /// How often the message has been handed out since the file was opened.
    pub(super) fn receives(&self, id: i64) -> u32 {
        self.seen.get(&id).map_or(0, |seen| seen.receives)
    }

    /// Whether a message, or one of its group, is in flight.
    pub(super) fn holds(&self, id: i64, group: Option<&str>) -> bool {
        self.in_flight.contains_key(&id) || group.is_some_and(|group| self.groups.contains_key(group))
    }

    pub(super) fn flying(&self) -> usize {
        self.in_flight.len()
    }

    /// How many of these are deferred to after `now`: only a clock that was set back makes that possible.
    pub(super) fn flying_early(&self, now: i64) -> usize {
        self.in_flight.values().filter(|flight| flight.key.is_some_and(|key| key.0 > now)).count()
    }

    /// The message is visible again.
    pub(super) fn give_back(&mut self, id: i64) {
        if let Some(key) = self.land(id) {
            self.offer(key);
        }
        self.woken = true;
    }

    /// Whether the visibility time-out of anything is over.
    pub(super) fn is_anything_over(&self, now: i64) -> bool {
        self.deadlines.first().is_some_and(|(deadline, _)| *deadline <= now)
    }

    /// Everything whose visibility time-out is over is visible again.
    pub(super) fn expire(&mut self, now: i64) {
        while let Some(&(deadline, id)) = self.deadlines.first()
            && deadline <= now
        {
            self.give_back(id);
        }
    }

    /// A message was added; `key` if it is first in its line.
    pub(super) fn added(&mut self, key: Option<Key>) {
        self.total += 1;
        self.woken = true;
        if let Some(key) = key {
            self.offer(key);
        }
    }

    /// A message is gone.
    pub(super) fn gone(&mut self, id: i64) {
        self.land(id);
        self.seen.remove(&id);
        self.total = self.total.saturating_sub(1);
        self.woken = true;
    }

    /// A message is hidden until `key`, or until the one before it goes.
    pub(super) fn deferred(&mut self, id: i64, key: Option<Key>) {
        self.land(id);
        if let Some(key) = key {
            self.offer(key);
        }
        self.woken = true;
    }

    /// A message became first in its group.
    pub(super) fn promoted(&mut self, key: Key) {
        match self.in_flight.get_mut(&key.1) {
            Some(flight) => flight.key = Some(key),
            None => self.offer(key),
        }
        self.woken = true;
    }

    /// When something may be due next, as far as memory knows.
    pub(super) fn next_time(&self) -> Option<i64> {
        let returned = self.returned.first().map(|key| key.0);
        let deadline = self.deadlines.first().map(|entry| entry.0);
        returned.into_iter().chain(deadline).min()
    }

    /// Looks at everything from the start again: what is known of positions may be wrong after a roll-back, or
    /// when the clock was set back.
    pub(super) fn start_over(&mut self) {
        self.front = START;
        self.returned.clear();
        for group in self.groups.values_mut() {
            group.parked = None;
        }
        self.woken = true;
    }

    /// The clock was set back by that many milliseconds: what is in flight does not stay there the longer. `due`
    /// looks up when a message is due now.
    pub(super) fn set_back<E>(&mut self, by: i64, due: impl Fn(i64) -> Result<Option<i64>, E>) -> Result<(), E> {
        for (id, flight) in &mut self.in_flight {
            flight.key = due(*id)?.map(|due| (due, *id));
        }
        self.deadlines.clear();
        for (id, flight) in &mut self.in_flight {
            flight.deadline -= by;
            self.deadlines.insert((flight.deadline, *id));
        }
        self.start_over();
        Ok(())
    }

    /// Entries kept in memory, of whatever kind.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.returned.len() + self.in_flight.len() + self.deadlines.len() + self.groups.len() + self.seen.len()
    }

    /// Tells those who wait, if there is something to tell.
    pub(super) fn wake(&mut self) -> bool {
        if self.woken {
            self.changed.send_modify(|n| *n = n.wrapping_add(1));
        }
        std::mem::take(&mut self.woken)
    }

    /// Takes a message out of flight; answers its position. The last of a group frees the group.
    fn land(&mut self, id: i64) -> Option<Key> {
        let flight = self.in_flight.remove(&id)?;
        self.deadlines.remove(&(flight.deadline, id));
        if let Some(name) = flight.group
            && let Some(group) = self.groups.get_mut(&name)
        {
            group.in_flight -= 1;
            if group.in_flight == 0
                && let Some(parked) = self.groups.remove(&name).and_then(|group| group.parked)
            {
                self.offer(parked);
            }
        }
        flight.key
    }
}
