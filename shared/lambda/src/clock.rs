//! The system's clock behind the port of time, and waits that end.

use std::time::Duration;

use async_trait::async_trait;
use domain::ports::Clock;
use jiff::{SignedDuration, Timestamp};

/// The longest wait without a look at the wall clock. A clock that is set forward, or a laptop that wakes up, is
/// noticed this soon; the timer below runs on a clock that stands still meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The wall clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        while let Some(wait) = remaining(self.now(), until) {
            tokio::time::sleep(wait).await;
        }
    }
}

/// What the future gives, or none when it takes more than `longest` by that clock; the future is dropped then.
pub async fn within<T>(clock: &dyn Clock, longest: SignedDuration, future: impl Future<Output = T>) -> Option<T> {
    let now = clock.now();
    until(clock, now.checked_add(longest).unwrap_or(now), future).await
}

/// What the future gives, or none when it is not done at `end`; the future is dropped then.
pub async fn until<T>(clock: &dyn Clock, end: Timestamp, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        // What is done in the last moment is done.
        biased;
        result = future => Some(result),
        () = clock.sleep_until(end) => None,
    }
}

/// How long to sleep before the next look at the clock; none when the time has come.
fn remaining(now: Timestamp, until: Timestamp) -> Option<Duration> {
    let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
    (left > Duration::ZERO).then(|| left.min(LOOK_AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    #[test]
    fn long_waits_are_cut_so_that_a_jump_is_noticed() {
        for (now, until, wait) in [
            (0, 250, Some(250)),
            (0, 5_000, Some(5_000)),
            (0, 3_600_000, Some(5_000)),
            (0, 0, None),
            (1, 0, None),
            (3_600_000, 0, None),
        ] {
            assert_eq!(remaining(t(now), t(until)), wait.map(Duration::from_millis), "{now} until {until}");
        }
    }

    #[tokio::test]
    async fn a_moment_is_never_over_too_soon() {
        let clock = SystemClock;
        let until = clock.now().checked_add(jiff::SignedDuration::from_millis(3)).unwrap();
        clock.sleep_until(until).await;
        assert!(clock.now() >= until);
    }
}
