//! Secrets that may change while we run: kept in memory, looked up again seldom.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use domain::error::PortError;
use domain::ids::BadId;
use domain::ports::{Clock, SecretStore, Secrets};
use domain::secrets::{Keyring, SecretList};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use crate::clock::within;

/// What was read is good for this long: a rotated secret is in use everywhere soon after.
pub const GOOD_FOR: SignedDuration = SignedDuration::from_mins(5);

/// The store is asked at most once in this time: a forged signature fits no secret either, and must not make us
/// use up the calls that all functions of the account share (AWS Systems Manager: "Service quotas").
pub const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// How long a request waits for a store that is slow, when there are secrets to go on with.
const PATIENCE: SignedDuration = SignedDuration::from_secs(2);

/// Against what a secret is checked before it is used.
pub type Check = fn(&str) -> Result<(), BadId>;

/// The secrets of one entry of a store.
///
/// They are read when they are first needed, again after [`GOOD_FOR`], and when a signature fits none, but never more
/// often than once in [`ASK_AGAIN_AFTER`]. What is known stays in use while the store fails or holds something that
/// is no secret. Without anything known each failure is told, and the store gets a rest that grows from one second to
/// [`ASK_AGAIN_AFTER`].
pub struct Kept {
    store: Arc<dyn SecretStore>,
    check: Check,
    clock: Arc<dyn Clock>,
    known: RwLock<Option<Known>>,
    /// Held while the store is asked, so that those who want the same wait for one answer.
    asked: Mutex<Asked>,
}

/// How the store was asked last.
#[derive(Default)]
struct Asked {
    at: Option<Timestamp>,
    /// Failures in a row without anything known, and the last of them.
    failed: Option<(u32, PortError)>,
}

#[derive(Clone)]
struct Known {
    secrets: Arc<SecretList>,
    as_of: Timestamp,
}

impl Kept {
    /// The secrets of that entry. Asks nobody yet.
    pub fn new(store: Arc<dyn SecretStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, check: |_| Ok(()), clock, known: RwLock::default(), asked: Mutex::default() }
    }

    /// Takes only secrets that pass.
    #[must_use]
    pub fn checked(self, check: Check) -> Self {
        Self { check, ..self }
    }

    /// Asks at once, so that the first request finds the secrets there. A failure is only logged: whoever needs them
    /// next asks again.
    pub async fn fetch(&self) {
        if let Err(error) = self.current().await {
            tracing::error!(%error, "secrets could not be read at the start");
        }
    }

    fn known(&self) -> Option<Known> {
        // Poisoned only if a thread died while it copied; the value is whole.
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self) -> Result<Keyring, PortError> {
        let mut asked = self.asked.lock().await;
        let known = self.known();
        let now = self.clock.now();
        if let Some(at) = asked.at
            && recent(at, now, asked.rest())
        {
            match (&known, &asked.failed) {
                (Some(known), _) => return self.valid(known),
                (None, Some((_, error))) => return Err(error.clone()),
                (None, None) => {}
            }
        }
        let answer = match &known {
            None => self.read().await,
            Some(_) => {
                // Noted before, because whoever waits for this may go away.
                asked.at = Some(now);
                let answer = within(self.clock.as_ref(), PATIENCE, self.read()).await;
                answer.unwrap_or_else(|| Err(self.error("no answer in time")))
            }
        };
        // A store that took long to fail has its rest from now on.
        asked.at = Some(self.clock.now());
        match (answer, known) {
            (Ok(secrets), _) => {
                asked.failed = None;
                let fresh = Known { secrets: Arc::new(secrets), as_of: now };
                let valid = self.valid(&fresh);
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
                valid
            }
            (Err(error), Some(known)) => {
                tracing::warn!(%error, "secrets could not be renewed; the known ones stay in use");
                self.valid(&known)
            }
            (Err(error), None) => {
                let before = asked.failed.as_ref().map_or(0, |(count, _)| *count);
                asked.failed = Some((before.saturating_add(1), error.clone()));
                Err(error)
            }
        }
    }

    async fn read(&self) -> Result<SecretList, PortError> {
        let text = self.store.read().await?;
        let list =
            SecretList::read(&text).map_err(|bad| PortError::permanent(format!("{} {bad}", self.store.name())))?;
        for secret in list.secrets() {
            (self.check)(secret.expose_secret()).map_err(|bad| {
                PortError::permanent(format!("{} holds a secret that is not {}", self.store.name(), bad.must))
            })?;
        }
        Ok(list)
    }

    fn valid(&self, known: &Known) -> Result<Keyring, PortError> {
        let keys = known.secrets.valid(self.clock.now());
        let keys = keys.ok_or_else(|| self.error("every secret in it has run out"))?;
        Ok(keys.seen(known.as_of))
    }

    fn error(&self, what: &str) -> PortError {
        PortError::transient(format!("{}: {what}", self.store.name()))
    }
}

impl Asked {
    fn rest(&self) -> SignedDuration {
        match &self.failed {
            None => ASK_AGAIN_AFTER,
            Some((count, _)) => SignedDuration::from_secs(1 << (count - 1).min(5)).min(ASK_AGAIN_AFTER),
        }
    }
}

#[async_trait]
impl Secrets for Kept {
    async fn current(&self) -> Result<Keyring, PortError> {
        match self.known() {
            Some(known) if recent(known.as_of, self.clock.now(), GOOD_FOR) => self.valid(&known),
            _ => self.ask().await,
        }
    }

    async fn refresh(&self) -> Result<Keyring, PortError> {
        self.ask().await
    }
}

/// Whether less than `span` has gone by since `then`. A clock that was set back proves nothing: no.
fn recent(then: Timestamp, now: Timestamp, span: SignedDuration) -> bool {
    (SignedDuration::ZERO..span).contains(&now.duration_since(then))
}

#[cfg(test)]
mod tests;
