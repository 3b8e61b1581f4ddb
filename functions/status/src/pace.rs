//! Keeping GitHub's pace: at most eight requests at once per credential, and its pauses, shared by all writers.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use domain::error::PortError;
use domain::ids::{CredentialId, StatusId};
use domain::ports::{Clock, Pause, PauseLog};
use domain::statuses::Intent;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests at once per credential and process. GitHub allows 100 over all processes (GitHub Docs, "Rate limits
/// for the REST API") and advises to keep far below.
const AT_ONCE: usize = 8;

/// Statuses that may wait for a place. More are sent back to the queue for a moment, so that one slow credential
/// never fills a process with its waiters while another's statuses are due.
const WAITING: usize = 8;

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
    /// Requests and waiters together.
    inside: Arc<Semaphore>,
}

/// A place among the credential's requests; given back when dropped.
pub(crate) struct Permit {
    _request: OwnedSemaphorePermit,
    _inside: OwnedSemaphorePermit,
}

impl Pace {
    pub(crate) fn new(log: Arc<dyn PauseLog>, clock: Arc<dyn Clock>) -> Self {
        Self { log, clock, places: Mutex::default(), read: Mutex::default(), never_sent: Mutex::default() }
    }

    /// A place among the credential's requests, perhaps after a wait; none when too many wait already.
    pub(crate) async fn permit(&self, credential: &CredentialId) -> Option<Permit> {
        let places = lock(&self.places)
            .entry(credential.clone())
            .or_insert_with(|| Places {
                requests: Arc::new(Semaphore::new(AT_ONCE)),
                inside: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
            })
            .clone();
        let inside = places.inside.try_acquire_owned().ok()?;
        // Nobody closes it.
        let request = places.requests.acquire_owned().await.ok()?;
        Some(Permit { _request: request, _inside: inside })
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
