//! When the user's server is tried again, and when it rests.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// After this long a run gives up.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(8 * 3600);

/// The longest `Retry-After` that is honoured.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// This many failed attempts in a row, over all events, put a server to rest.
pub const FAILURES_BEFORE_REST: u32 = 5;

/// The first waits, in seconds; afterwards each is the last one. Summed with the jitter's mean (1.0) they make
/// about 20 attempts in eight hours: quick at first, because most failures are a restart, then every half hour.
const WAITS: [u64; 9] = [2, 8, 30, 60, 150, 300, 600, 1200, 1800];

/// When the next attempt is due, or none when it would be later than eight hours after `first_seen`.
///
/// `tries` counts the attempts so far (at least one). The jitter is 0.75 to 1.25 of the wait, taken from `seed`
/// and the try, so that events that failed together do not come back together. `Retry-After` is a lower bound
/// and is capped at an hour.
pub fn next_attempt(
    first_seen: Timestamp,
    now: Timestamp,
    tries: u32,
    retry_after: Option<Duration>,
    seed: u64,
) -> Option<Timestamp> {
    let step = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX).min(WAITS.len() - 1);
    let wait = jittered(Duration::from_secs(WAITS[step]), seed ^ u64::from(tries));
    let wait = wait.max(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER));
    let at = now.checked_add(signed(wait)).ok()?;
    let last = first_seen.checked_add(signed(GIVE_UP_AFTER)).ok()?;
    (at <= last).then_some(at)
}

/// Spreads a wait over 0.75 to 1.25 of itself.
pub fn jittered(wait: Duration, seed: u64) -> Duration {
    // splitmix64's finaliser: every bit of the seed moves every bit of the result.
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    let share = 750 + u32::try_from(z % 501).unwrap_or(0);
    wait * share / 1000
}

/// How a server does, over all its events. One row per server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerHealth {
    /// Attempts in a row that ended in a retryable failure; final answers and cut-offs do not count.
    pub failures: u32,
    /// While it rests: when the next probe may start.
    pub probe_at: Option<Timestamp>,
    /// How many probes failed since it went to rest: the rest between them grows.
    pub probes: u32,
    /// For conditional writes.
    pub version: u64,
}

/// Whether an event may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Call it.
    Go,
    /// It rests, and this call is the one probe: write the row first, and only who wins that write calls.
    Probe,
    /// It rests: come back then, without a call.
    Rest(Timestamp),
}

/// The rest between probes: 5 s, doubling, at most 5 min.
fn rest(probes: u32) -> Duration {
    Duration::from_secs(5 << probes.min(6)).min(Duration::from_secs(300))
}

impl ServerHealth {
    /// Whether its last attempts were all failures.
    pub fn is_resting(&self) -> bool {
        self.failures >= FAILURES_BEFORE_REST
    }

    /// Decides about one event; `seed` spreads those that have to wait.
    pub fn admit(&self, now: Timestamp, seed: u64) -> Admission {
        match self.probe_at {
            _ if !self.is_resting() => Admission::Go,
            Some(at) if at > now => {
                let spread = jittered(rest(self.probes) / 2, seed);
                Admission::Rest(at.checked_add(signed(spread)).unwrap_or(at))
            }
            _ => Admission::Probe,
        }
    }

    /// The row that says: a probe is under way; nobody else before its lease has run out.
    #[must_use]
    pub fn probing(&self, now: Timestamp) -> Self {
        let until = now.checked_add(signed(crate::run::LEASE)).unwrap_or(now);
        Self { probe_at: Some(until), ..self.clone() }
    }

    /// The row after an attempt, or none when nothing changes. `probe` is whether it was admitted as one: of the
    /// calls that were under way when the server went to rest, failures say nothing new.
    ///
    /// A success wakes it. A final answer does not count among the failures, but to a probe it is proof that
    /// somebody is there, so it wakes it as well.
    #[must_use]
    pub fn after(&self, outcome: crate::run::Outcome, probe: bool, now: Timestamp) -> Option<Self> {
        if outcome.tires() {
            if self.is_resting() && !probe {
                return None;
            }
            let failures = self.failures.saturating_add(1).min(FAILURES_BEFORE_REST);
            let was_resting = self.is_resting();
            let probes = if was_resting { self.probes.saturating_add(1) } else { 0 };
            let probe_at =
                (failures >= FAILURES_BEFORE_REST).then(|| now.checked_add(signed(rest(probes))).unwrap_or(now));
            let next = Self { failures, probe_at, probes, version: self.version };
            return (next != *self).then_some(next);
        }
        let taken = !outcome.is_retryable() && outcome.final_reason().is_none();
        let wakes = taken || (outcome.final_reason().is_some() && self.is_resting());
        (wakes && *self != Self { version: self.version, ..Self::default() })
            .then(|| Self { version: self.version, ..Self::default() })
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Outcome;

    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn about_twenty_attempts_in_eight_hours() {
        for seed in 0..200 {
            let (mut now, mut tries) = (t(0), 1);
            while let Some(at) = next_attempt(t(0), now, tries, None, seed) {
                assert!(at > now, "time goes on");
                now = at;
                tries += 1;
            }
            assert!((19..=30).contains(&tries), "{tries} attempts with seed {seed}");
            assert!(now <= t(8 * 3600));
        }
    }

    #[test]
    fn retry_after_is_a_lower_bound_up_to_an_hour() {
        let at = |after| next_attempt(t(0), t(0), 1, Some(Duration::from_secs(after)), 1).unwrap();
        assert_eq!(at(120), t(120));
        assert_eq!(at(999_999), t(3600));
        assert!(at(0) >= t(1), "never sooner than the schedule");
    }

    #[test]
    fn runs_that_fail_together_do_not_return_together() {
        let times: std::collections::BTreeSet<_> =
            (0..50).filter_map(|seed| next_attempt(t(0), t(0), 6, None, seed)).collect();
        assert!(times.len() > 30, "only {} different times", times.len());
    }

    #[test]
    fn five_failures_rest_one_probe_success_wakes() {
        let mut health = ServerHealth::default();
        for _ in 0..4 {
            health = health.after(Outcome::Error, false, t(0)).unwrap();
            assert_eq!(health.admit(t(0), 1), Admission::Go);
        }
        assert_eq!(health.after(Outcome::Denied, false, t(0)), None, "a final answer neither counts nor clears");
        assert_eq!(health.after(Outcome::CutOff, false, t(0)), None, "our own cut-off neither");
        health = health.after(Outcome::Timeout, false, t(0)).unwrap();
        assert!(matches!(health.admit(t(0), 1), Admission::Rest(at) if at > t(5)));
        assert_eq!(health.admit(t(5), 1), Admission::Probe);
        assert_eq!(health.after(Outcome::Timeout, false, t(3)), None, "a call from before says nothing new");
        let probing = health.probing(t(5));
        assert!(matches!(probing.admit(t(6), 1), Admission::Rest(_)), "one probe at a time");
        assert_eq!(probing.admit(t(35), 1), Admission::Probe, "a probe that died is replaced after its lease");
        let failed = probing.after(Outcome::Unreachable, true, t(6)).unwrap();
        assert!(matches!(failed.admit(t(15), 1), Admission::Rest(_)), "the rest grows");
        assert_eq!(failed.admit(t(16), 1), Admission::Probe);
        let awake = failed.after(Outcome::Taken, false, t(16)).unwrap();
        assert_eq!(awake, ServerHealth { version: failed.version, ..ServerHealth::default() });
        assert_eq!(failed.after(Outcome::Rejected, true, t(16)), Some(awake), "an answer to a probe is a sign of life");
    }
}
