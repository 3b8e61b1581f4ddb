//! New receipts and call-back ids.

use std::sync::{Mutex, PoisonError};

use domain::ports::Ids;
use jiff::Timestamp;
use uuid::{ContextV7, Uuid};

/// UUIDs v7 that only grow within this process, even while the clock stands still or goes back.
pub struct UuidIds(Mutex<ContextV7>);

impl Default for UuidIds {
    fn default() -> Self {
        // With sub-millisecond digits, ids of several processes sort by time as finely as the clocks agree.
        Self(Mutex::new(ContextV7::new().with_additional_precision()))
    }
}

impl Ids for UuidIds {
    fn next(&self, now: Timestamp) -> Uuid {
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        // A poisoned lock only means that another thread died while it held it; the counter is still good.
        let context = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    #[test]
    fn they_grow_while_the_clock_stands_goes_back_and_goes_on() {
        let ids = UuidIds::default();
        let mut last = ids.next(t(0));
        assert_eq!(last.get_version_num(), 7);
        let times = std::iter::repeat_n(0, 10_000).chain([-1, -3_600_000, 0, 1, 1, 2, 1, 50]);
        for millis in times {
            let next = ids.next(t(millis));
            assert!(next > last, "{next} after {last} at {millis} ms");
            last = next;
        }
    }

    #[test]
    fn an_id_tells_its_time() {
        let (seconds, nanos) = UuidIds::default().next(t(123)).get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (1_800_000_000, 123));
    }

    #[test]
    fn two_sources_do_not_give_the_same() {
        assert_ne!(UuidIds::default().next(t(0)), UuidIds::default().next(t(0)));
    }
}
