//! Keeping GitHub's pace: at most eight requests at once per credential, and its pauses, shared by all writers.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use domain::error::PortError;
use domain::ids::{CredentialId, StatusId};
use domain::ports::{Clock, Pause, PauseLog};
use domain::statuses::Intent;
use jiff::{SignedDuration, Timestamp};
use lambda::clock::within;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests at once per credential and process. GitHub allows 100 over all processes (GitHub Docs, "Rate limits
/// for the REST API") and advises to keep far below.
const AT_ONCE: usize = 8;

/// Statuses that may wait for a place in any case. More may as long as they get one within about a second: as many as got
/// an answer in the second before. The others are sent back to the queue for a moment, so that one slow credential never
/// fills a process with its waiters while another's statuses are due.
const WAITING: usize = 8;

/// What "in the second before" means.
const PIECE: SignedDuration = SignedDuration::from_secs(1);

/// The longest wait for a place. Whoever began to wait while GitHub was fast does not stay when it no longer is.
const PATIENCE: SignedDuration = SignedDuration::from_secs(2);

/// How long a pause that was read is believed.
const BELIEVED: SignedDuration = SignedDuration::from_secs(1);

/// A pause that ended longer ago than this says nothing about the next one.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(1);

pub(crate) struct Pace {
    log: Arc<dyn PauseLog>,
    clock: Arc<dyn Clock>,
    places: Mutex<HashMap<CredentialId, Places>>,
    read: Mutex<HashMap<CredentialId, (Timestamp, Option<Pause>)>>,
    never_sent: Mutex<HashSet<(StatusId, Timestamp)>>,
}

#[derive(Clone)]
struct Places {
    requests: Arc<Semaphore>,
    inside: Arc<Mutex<Inside>>,
}

/// Who has a place or waits for one, and how fast it goes.
#[derive(Default)]
struct Inside {
    count: usize,
    /// When the second began that is being counted, and the requests that ended in it.
    now: Option<(Timestamp, usize)>,
    /// The requests that ended in the second before it.
    before: usize,
}

/// A place among the credential's requests; given back when dropped.
pub(crate) struct Permit {
    _request: OwnedSemaphorePermit,
    _entry: Entry,
}

/// Counts among those inside until it is dropped.
struct Entry {
    inside: Arc<Mutex<Inside>>,
    clock: Arc<dyn Clock>,
    /// It had a place, so its end says how fast it goes.
    served: bool,
}

impl Entry {
    /// None when too many are inside already.
    fn take(inside: &Arc<Mutex<Inside>>, clock: &Arc<dyn Clock>) -> Option<Self> {
        let mut state = lock(inside);
        state.turn(clock.now());
        let ended = state.before.max(state.now.map_or(0, |(_, ended)| ended));
        if state.count >= AT_ONCE + WAITING.max(ended) {
            return None;
        }
        state.count += 1;
        Some(Self { inside: inside.clone(), clock: clock.clone(), served: false })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let now = self.clock.now();
        let mut state = lock(&self.inside);
        state.count -= 1;
        state.turn(now);
        if let Some((_, ended)) = &mut state.now {
            *ended += usize::from(self.served);
        }
    }
}

impl Inside {
    /// Begins a new second when the one that is counted is over. A clock that was set back begins one as well.
    fn turn(&mut self, at: Timestamp) {
        let Some((began, ended)) = self.now else {
            self.now = Some((at, 0));
            return;
        };
        let passed = at.duration_since(began);
        if passed >= PIECE || passed.is_negative() {
            // After a pause, what was counted before it says nothing any more.
            self.before = if passed < PIECE * 2 { ended } else { 0 };
            self.now = Some((at, 0));
        }
    }
}

impl Pace {
    pub(crate) fn new(log: Arc<dyn PauseLog>, clock: Arc<dyn Clock>) -> Self {
        Self { log, clock, places: Mutex::default(), read: Mutex::default(), never_sent: Mutex::default() }
    }

    /// A place among the credential's requests, perhaps after a wait; none when too many wait already.
    pub(crate) async fn permit(&self, credential: &CredentialId) -> Option<Permit> {
        let places = lock(&self.places)
            .entry(credential.clone())
            .or_insert_with(|| Places { requests: Arc::new(Semaphore::new(AT_ONCE)), inside: Arc::default() })
            .clone();
        let mut entry = Entry::take(&places.inside, &self.clock)?;
        // Nobody closes it.
        let request = within(self.clock.as_ref(), PATIENCE, places.requests.acquire_owned()).await?.ok()?;
        entry.served = true;
        Some(Permit { _request: request, _entry: entry })
    }

    /// The credential's pause, if it lasts now.
    pub(crate) async fn paused(&self, credential: &CredentialId) -> Result<Option<Pause>, PortError> {
        let now = self.clock.now();
        Ok(self.look(credential, now).await?.filter(|pause| pause.until > now))
    }

    /// The credential's newest pause, over or not, as long as it is recent.
    pub(crate) async fn last_pause(&self, credential: &CredentialId) -> Result<Option<Pause>, PortError> {
        let now = self.clock.now();
        let recent = |pause: &Pause| pause.until.checked_add(FORGOTTEN).is_ok_and(|end| end > now);
        Ok(self.look(credential, now).await?.filter(recent))
    }

    /// Pauses the credential for every writer.
    pub(crate) async fn pause(&self, credential: &CredentialId, pause: Pause) -> Result<(), PortError> {
        // Believed here at once, even if the row cannot be written.
        self.remember(credential, pause);
        tracing::warn!(credential = %credential, until = %pause.until, "GitHub asked for a pause");
        self.log.save_pause(credential, pause).await
    }

    /// Only ever a longer one, as in the row.
    fn remember(&self, credential: &CredentialId, pause: Pause) {
        let mut read = lock(&self.read);
        let known = read.get(credential).and_then(|(_, known)| *known).filter(|known| known.until > pause.until);
        read.insert(credential.clone(), (self.clock.now(), Some(known.unwrap_or(pause))));
    }

    /// This process knows that the POST of that intent did not happen: it needs no look at GitHub. A later intent of
    /// the same status has another `started_at`, and is not meant.
    pub(crate) fn never_sent(&self, intent: &Intent) {
        lock(&self.never_sent).insert(mark(intent));
    }

    pub(crate) fn was_never_sent(&self, intent: &Intent) -> bool {
        lock(&self.never_sent).contains(&mark(intent))
    }

    /// The intent is gone.
    pub(crate) fn settled(&self, intent: &Intent) {
        lock(&self.never_sent).remove(&mark(intent));
    }

    async fn look(&self, credential: &CredentialId, now: Timestamp) -> Result<Option<Pause>, PortError> {
        let known = lock(&self.read).get(credential).copied();
        if let Some((read_at, pause)) = known {
            let lasting = pause.is_some_and(|pause| pause.until > now);
            if lasting || now.duration_since(read_at) < BELIEVED {
                return Ok(pause);
            }
        }
        let pause = self.log.pause(credential).await?;
        lock(&self.read).insert(credential.clone(), (now, pause));
        Ok(pause)
    }
}

fn mark(intent: &Intent) -> (StatusId, Timestamp) {
    (intent.status.id.clone(), intent.started_at)
}

/// A poisoned lock only means that a test's panic passed by; the maps are never left half-changed.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use testkit::clock::ManualClock;

    use super::*;

    struct NoPauses;

    #[async_trait::async_trait]
    impl PauseLog for NoPauses {
        async fn pause(&self, _: &CredentialId) -> Result<Option<Pause>, PortError> {
            Ok(None)
        }

        async fn save_pause(&self, _: &CredentialId, _: Pause) -> Result<(), PortError> {
            Ok(())
        }
    }

    type Asked<'a> = Pin<Box<dyn Future<Output = Option<Permit>> + 'a>>;

    /// What becomes of that many who ask at once: who has a place, who waits, and how many were sent back.
    fn ask<'a>(pace: &'a Pace, credential: &'a CredentialId, times: usize) -> (Vec<Permit>, Vec<Asked<'a>>, usize) {
        let (mut placed, mut waiting, mut back) = (Vec::new(), Vec::new(), 0);
        for _ in 0..times {
            let mut asked: Asked<'a> = Box::pin(pace.permit(credential));
            match asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(permit)) => placed.push(permit),
                Poll::Ready(None) => back += 1,
                Poll::Pending => waiting.push(asked),
            }
        }
        (placed, waiting, back)
    }

    #[test]
    fn as_many_wait_as_will_get_a_place_within_a_second() {
        let clock = Arc::new(ManualClock::default());
        let pace = Pace::new(Arc::new(NoPauses), clock.clone());
        let one = CredentialId::parse("one").unwrap();
        let counts =
            |(placed, waiting, back): &(Vec<Permit>, Vec<Asked<'_>>, usize)| (placed.len(), waiting.len(), *back);
        let asked = ask(&pace, &one, 60);
        assert_eq!(counts(&asked), (AT_ONCE, WAITING, 60 - AT_ONCE - WAITING), "nobody knows yet how fast it goes");
        let other = CredentialId::parse("other").unwrap();
        assert_eq!(counts(&ask(&pace, &other, 1)), (1, 0, 0));
        drop(asked);

        for _ in 0..30 {
            drop(ask(&pace, &one, 1));
        }
        let ended = AT_ONCE + 30;
        clock.advance(1);
        assert_eq!(counts(&ask(&pace, &one, 60)), (AT_ONCE, ended, 60 - AT_ONCE - ended));
        clock.advance(2);
        assert_eq!(counts(&ask(&pace, &one, 60)).1, WAITING, "that was before a pause");
    }

    #[tokio::test]
    async fn nobody_waits_for_long_when_it_goes_slowly_all_of_a_sudden() {
        let clock = Arc::new(ManualClock::default());
        let pace = Pace::new(Arc::new(NoPauses), clock.clone());
        let one = CredentialId::parse("one").unwrap();
        let (placed, waiting, _) = ask(&pace, &one, 9);
        clock.advance(2);
        for asked in waiting {
            assert!(asked.await.is_none(), "back to the queue");
        }
        let (_, waiting, _) = ask(&pace, &one, 1);
        drop(placed);
        for asked in waiting {
            assert!(asked.await.is_some());
        }
    }

    #[test]
    fn whoever_only_waited_says_nothing_about_how_fast_it_goes() {
        let pace = Pace::new(Arc::new(NoPauses), Arc::new(ManualClock::default()));
        let one = CredentialId::parse("one").unwrap();
        let (placed, waiting, _) = ask(&pace, &one, 16);
        drop(waiting);
        for _ in 0..20 {
            drop(ask(&pace, &one, 8).1);
        }
        assert_eq!(ask(&pace, &one, 60).1.len(), WAITING);
        drop(placed);
    }
}
