//! What is written down about a receipt: its run, the release that it tells of, and the count of the hour.

use domain::error::PortError;
use domain::event::EventStatus;
use domain::hours::Counted;
use domain::reasons::FailureReason;
use domain::run::{AskedBy, Run};
use lambda::batch::Verdict;
use lambda::meter::Fact;

use crate::Fanout;
use crate::arrival::Arrival;

impl Fanout {
    /// Writes the run; the first time with all that belongs to the arrival. Somebody else's version means that
    /// the receipt is in two hands: it goes back to the queue, and the next look sees what the other did.
    pub(crate) async fn save(&self, arrival: &Arrival, run: &mut Run) -> Result<(), PortError> {
        let won = if run.version == 0 {
            self.ports.log.begin(&arrival.event, run, &arrival.headers, &arrival.kept).await?
        } else {
            self.ports.log.save(run).await?
        };
        if !won {
            return Err(PortError::transient("another process has taken up this receipt meanwhile"));
        }
        run.version += 1;
        Ok(())
    }

    /// An attempt was made, and how it ended cannot be written as it is, ever. What can be said in fewer words is
    /// written instead, so that the event does not stay `processing` for ever; the message is set aside with its
    /// reason, and a redrive of it runs again.
    pub(crate) async fn set_aside(
        &self,
        arrival: &Arrival,
        mut run: Run,
        new: bool,
        message: &str,
        why: String,
    ) -> Result<Verdict, PortError> {
        let now = self.ports.clock.now();
        if let Some(attempt) = run.attempts.last_mut() {
            attempt.statuses = Vec::new();
            attempt.note = Some("How it ended could not be recorded in full.".to_owned());
        }
        run.finish(EventStatus::Errored, Some(FailureReason::Internal), now);
        run.set_aside = Some(message.to_owned());
        match self.save(arrival, &mut run).await {
            Ok(()) => {
                self.count(&run, new).await;
                self.meter.count(Fact::Errored);
                Ok(Verdict::DeadLetter { reason: why })
            }
            Err(error) => {
                tracing::error!(%error, "nor can it be recorded that this failed");
                Err(PortError::Permanent(why))
            }
        }
    }

    /// Before the server is called, and whatever it will answer. A replay tells nothing new.
    pub(crate) async fn record_release(&self, arrival: &Arrival) -> Result<(), PortError> {
        let event = &arrival.event;
        let (Some(release), Some(repository), AskedBy::Github) =
            (&arrival.release, &event.repository, &arrival.asked_by)
        else {
            return Ok(());
        };
        let releases = &self.ports.releases;
        match releases.record_release(repository, release, arrival.receipt, event.received_at).await {
            // The event is worth more than its release: it goes on.
            Err(PortError::Permanent(why)) => {
                tracing::error!(why, "a release could not be recorded");
                Ok(())
            }
            other => other,
        }
    }

    /// Counts a run that is new, and what it came to, in one. Only figures: nothing fails by them.
    pub(crate) async fn count(&self, run: &Run, new: bool) {
        let what: Vec<_> = new.then_some(Counted::Received).into_iter().chain(Counted::end(run.state)).collect();
        if what.is_empty() {
            return;
        }
        let at = run.receipt.made_at().unwrap_or(run.started_at);
        if let Err(error) = self.ports.hours.count(at, &what).await {
            tracing::warn!(%error, "an event was not counted");
        }
    }
}
