//! What became of events, hour by hour: figures for an overview, not for a bill.
//!
//! Counted are runs, in the hour of their receipt: one that is redelivered or replayed counts again, and what came to
//! an end later than it arrived still stands beside the others of its hour. A process that dies between an event's
//! write and the count loses that count, and one that dies after it may count twice.

use jiff::Timestamp;

use crate::event::EventStatus;

/// What is counted of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// It arrived: counted with the first that it came to.
    Received,
    /// The server took it.
    Processed,
    /// Nobody will try again.
    Errored,
    /// Nothing was sent, by a rule.
    Ignored,
    /// There was no server to send it to.
    Unhandled,
}

impl Counted {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Received, Self::Processed, Self::Errored, Self::Ignored, Self::Unhandled];

    /// The word in the API and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Processed => "processed",
            Self::Errored => "errored",
            Self::Ignored => "ignored",
            Self::Unhandled => "unhandled",
        }
    }

    /// What the end of a run counts as; none before it has ended.
    pub fn end(state: EventStatus) -> Option<Self> {
        match state {
            EventStatus::Processed => Some(Self::Processed),
            EventStatus::Errored => Some(Self::Errored),
            EventStatus::Ignored => Some(Self::Ignored),
            EventStatus::Unhandled => Some(Self::Unhandled),
            EventStatus::Unprocessed | EventStatus::Processing | EventStatus::Reprocessing => None,
        }
    }
}

/// The counts of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// Its beginning, UTC.
    pub begins: Timestamp,
    counts: [u64; Counted::ALL.len()],
}

impl Hour {
    /// An hour in which nothing was counted.
    pub fn empty(begins: Timestamp) -> Self {
        Self { begins, counts: [0; Counted::ALL.len()] }
    }

    /// How many runs came to that.
    pub fn count(&self, what: Counted) -> u64 {
        self.counts[what as usize]
    }

    /// How many have arrived and not ended, as far as the counts tell.
    pub fn open(&self) -> u64 {
        let ended = Counted::ALL.into_iter().filter(|what| *what != Counted::Received).map(|what| self.count(what));
        self.count(Counted::Received).saturating_sub(ended.fold(0, u64::saturating_add))
    }

    /// Adds to it.
    pub fn add(&mut self, what: Counted, more: u64) {
        let count = &mut self.counts[what as usize];
        *count = count.saturating_add(more);
    }
}

/// The beginning of the hour of a moment, UTC.
pub fn hour_of(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(3600)).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_begin_on_the_hour_also_before_1970() {
        for (at, hour) in [
            ("2026-03-02T10:59:59.999999999Z", "2026-03-02T10:00:00Z"),
            ("2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z"),
            ("1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z"),
        ] {
            assert_eq!(hour_of(at.parse().unwrap()), hour.parse().unwrap(), "{at}");
        }
    }

    #[test]
    fn each_count_is_its_own() {
        let mut hour = Hour::empty(Timestamp::UNIX_EPOCH);
        for (n, what) in Counted::ALL.into_iter().enumerate() {
            hour.add(what, n as u64 + 1);
        }
        hour.add(Counted::Unhandled, u64::MAX);
        let counts = Counted::ALL.map(|what| hour.count(what));
        assert_eq!(counts, [1, 2, 3, 4, u64::MAX]);
        assert_eq!(hour.open(), 0, "more ended than arrived, as the counts have it");
        let mut hour = Hour::empty(Timestamp::UNIX_EPOCH);
        hour.add(Counted::Received, 9);
        hour.add(Counted::Processed, 4);
        hour.add(Counted::Ignored, 2);
        assert_eq!(hour.open(), 3);
    }
}
