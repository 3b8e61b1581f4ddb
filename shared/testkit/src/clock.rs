//! Time as a port that the test advances, and ids that a test can predict.

use std::sync::Mutex;

use async_trait::async_trait;
use domain::ports::{Clock, Ids};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

/// A clock that stands still until the test moves it.
pub struct ManualClock {
    now: watch::Sender<Timestamp>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at("2026-03-02T10:00:00Z")
    }
}

impl ManualClock {
    /// A clock that shows `instant` (RFC 3339).
    pub fn at(instant: &str) -> Self {
        Self { now: watch::Sender::new(instant.parse().unwrap()) }
    }

    /// Moves time on; everything that sleeps until then or earlier wakes.
    pub fn advance(&self, seconds: i64) {
        self.advance_by(SignedDuration::from_secs(seconds));
    }

    /// Moves time on by less than, or more than, whole seconds.
    pub fn advance_by(&self, by: SignedDuration) {
        self.now.send_modify(|now| *now = now.checked_add(by).unwrap());
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    async fn sleep_until(&self, until: Timestamp) {
        let mut now = self.now.subscribe();
        // The sender lives as long as `self`, so the channel cannot close while we wait.
        let _ = now.wait_for(|now| *now >= until).await;
    }
}

/// Ids that count up within the moment they are made for, and only grow, whatever the clock does.
#[derive(Default)]
pub struct CountingIds(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    count: u64,
    /// Milliseconds of the newest moment so far.
    latest: u64,
}

impl Ids for CountingIds {
    fn next(&self, now: Timestamp) -> Uuid {
        let mut counted = self.0.lock().unwrap();
        counted.count += 1;
        let millis = u64::try_from(now.as_millisecond()).unwrap().max(counted.latest);
        counted.latest = millis;
        let mut tail = [0u8; 10];
        tail[2..].copy_from_slice(&counted.count.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }
}
