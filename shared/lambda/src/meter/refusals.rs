//! Refused deliveries by reason, with the last time: a wrong secret is the first thing that goes wrong, and a delivery
//! that is refused has no row where somebody could find it.

use std::sync::{Arc, Mutex, PoisonError};

use domain::ports::Clock;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Fact, Meter, Refusal};

/// Counts since this process began, one number and one moment for each reason.
pub struct Refusals {
    clock: Arc<dyn Clock>,
    since: Timestamp,
    seen: Mutex<[Seen; Refusal::ALL.len()]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    count: u64,
    last_at: Option<Timestamp>,
}

impl Refusals {
    /// Nothing has been refused yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { since: clock.now(), clock, seen: Mutex::default() }
    }

    /// Since when it counts.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Each reason that was seen, how often, and when last.
    pub fn by_reason(&self) -> Vec<(Refusal, u64, Timestamp)> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let all = Refusal::ALL.into_iter().zip(seen);
        all.filter_map(|(reason, seen)| Some((reason, seen.count, seen.last_at?))).collect()
    }

    /// What `/health` shows: `{"since", "by_reason": {"signature": {"count", "last_at"}}}`.
    pub fn to_json(&self) -> Value {
        let entry = |(reason, count, at): (Refusal, u64, Timestamp)| {
            (reason.as_str().to_owned(), json!({ "count": count, "last_at": at }))
        };
        json!({ "since": self.since, "by_reason": self.by_reason().into_iter().map(entry).collect::<Map<_, _>>() })
    }
}

impl Meter for Refusals {
    fn count(&self, fact: Fact) {
        let Fact::Refused(reason) = fact else { return };
        let now = self.clock.now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, seen) in Refusal::ALL.into_iter().zip(seen.iter_mut()) {
            if at == reason {
                *seen = Seen { count: seen.count.saturating_add(1), last_at: Some(now) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use testkit::clock::ManualClock;

    #[test]
    fn each_reason_is_counted_by_itself_with_its_last_time() {
        let clock = Arc::new(ManualClock::default());
        let refusals = Refusals::new(clock.clone());
        assert_eq!(refusals.to_json(), json!({ "since": "2026-03-02T10:00:00Z", "by_reason": {} }));
        for reason in Refusal::ALL {
            refusals.count(Fact::Refused(reason));
        }
        clock.advance(60);
        refusals.count(Fact::Refused(Refusal::Signature));
        refusals.count(Fact::Accepted);
        let (first, last) = ("2026-03-02T10:00:00Z".parse().unwrap(), "2026-03-02T10:01:00Z".parse().unwrap());
        for (reason, count, at) in refusals.by_reason() {
            let expected = if reason == Refusal::Signature { (2, last) } else { (1, first) };
            assert_eq!((count, at), expected, "{reason:?}");
        }
        assert_eq!(refusals.by_reason().len(), Refusal::ALL.len());
        assert_eq!(
            refusals.to_json()["by_reason"]["signature"],
            json!({ "count": 2, "last_at": "2026-03-02T10:01:00Z" })
        );
    }
}
