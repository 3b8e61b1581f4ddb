//! The start of a function: what is done before the first request.

use domain::ports::Clock;
use jiff::SignedDuration;

use crate::clock::within;

/// The most that a start waits for what only spares the first request a wait. Lambda itself gives up after ten seconds
/// (AWS Lambda: "Lambda runtime environment lifecycle") and begins again, which would help nobody.
const PATIENCE: SignedDuration = SignedDuration::from_secs(3);

/// Reads secrets and opens connections: `steps` are best joined, so that they wait for each other's answers. What is not
/// done in time is done when it is needed.
pub async fn prepare<T>(clock: &dyn Clock, steps: impl Future<Output = T>) {
    if within(clock, PATIENCE, steps).await.is_none() {
        tracing::warn!("the start took too long; the first request does the rest");
    }
}

#[cfg(test)]
mod tests {
    use testkit::clock::ManualClock;

    use super::*;

    #[tokio::test]
    async fn a_start_does_its_steps_and_waits_for_none_for_ever() {
        let clock = ManualClock::default();
        let mut done = false;
        prepare(&clock, async { done = true }).await;
        assert!(done);
        let late = async { clock.advance(3) };
        tokio::join!(prepare(&clock, std::future::pending::<()>()), late);
    }
}
