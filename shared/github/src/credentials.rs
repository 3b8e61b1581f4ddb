//! The credentials in use: a client for each token, also for one that is replaced while we run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::error::PortError;
use domain::ids::{CredentialId, Repository};
use domain::ports::{Clock, Secrets, TokenNow};
use jiff::{SignedDuration, Timestamp};
use octocrab::Octocrab;
use secrecy::SecretString;

use crate::client::{self, Pool, SetUpError};
use crate::tokens::{self, Source, Tokens};

/// How long a token that GitHub refused and that is still the one configured is taken for wrong without another look:
/// as long as its source is not asked again anyway.
const STILL_WRONG: SignedDuration = SignedDuration::from_secs(30);

/// Tokens, the clients that were made for them, and what is known of those that GitHub refused.
pub(crate) struct Credentials {
    base: String,
    pool: Pool,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    /// Few: a token is replaced once in months, and a process lives for hours.
    crabs: Mutex<HashMap<CredentialId, Octocrab>>,
    /// Refused, and found to be the configured one by a look that began then.
    wrong: tokio::sync::Mutex<HashMap<CredentialId, Timestamp>>,
}

impl Credentials {
    /// Over these tokens, at the API with that base.
    pub(crate) fn new(base: String, pool: Pool, tokens: Tokens, clock: Arc<dyn Clock>) -> Result<Self, SetUpError> {
        let mut crabs = HashMap::new();
        for token in tokens.fixed() {
            let id = tokens::credential(&base, token).ok_or(SetUpError::Token)?;
            crabs.insert(id, client::crab(&pool, token)?);
        }
        Ok(Self { base, pool, tokens, clock, crabs: Mutex::new(crabs), wrong: tokio::sync::Mutex::default() })
    }

    /// The client of a credential that was given out.
    pub(crate) fn crab(&self, credential: &CredentialId) -> Option<Octocrab> {
        self.crabs.lock().unwrap_or_else(PoisonError::into_inner).get(credential).cloned()
    }

    /// Which credential writes to that repository.
    pub(crate) async fn of(&self, repository: &Repository) -> Result<Option<CredentialId>, PortError> {
        match self.tokens.of(repository) {
            None => Ok(None),
            Some(Source::Fixed(token)) => Ok(tokens::credential(&self.base, token)),
            Some(Source::Kept(secrets)) => {
                let keys = secrets.current().await.map_err(|error| unreadable(&error))?;
                self.known(keys.current()).map(Some)
            }
        }
    }

    /// Whether a credential that GitHub has just refused is still the one for that repository.
    pub(crate) async fn now(&self, refused: &CredentialId, repository: &Repository) -> TokenNow {
        let secrets = match self.tokens.of(repository) {
            // Taken away or fixed: nothing will take its place while we run.
            None | Some(Source::Fixed(_)) => return TokenNow::Same,
            Some(Source::Kept(secrets)) => secrets,
        };
        let refused_at = self.clock.now();
        match self.look(secrets.as_ref(), refused, refused_at).await {
            Ok(now) => now,
            Err(error) => {
                tracing::warn!(%error, "GitHub refused the token, and whether there is another is not known");
                TokenNow::Unknown(after(self.clock.now()))
            }
        }
    }

    async fn look(
        &self,
        secrets: &dyn Secrets,
        refused: &CredentialId,
        refused_at: Timestamp,
    ) -> Result<TokenNow, PortError> {
        // One after the other, so that what the first finds out answers the others too.
        let mut wrong = self.wrong.lock().await;
        if self.known(secrets.current().await?.current())? != *refused {
            return Ok(TokenNow::Replaced);
        }
        let still = |at: &Timestamp| (SignedDuration::ZERO..STILL_WRONG).contains(&refused_at.duration_since(*at));
        if wrong.get(refused).is_some_and(|at| still(at) || *at > refused_at) {
            return Ok(TokenNow::Same);
        }
        let keys = secrets.refresh().await?;
        if self.known(keys.current())? != *refused {
            return Ok(TokenNow::Replaced);
        }
        match keys.as_of() {
            None => Ok(TokenNow::Same),
            // An older look could have come before the new token was put there.
            Some(at) if at >= refused_at => {
                wrong.insert(refused.clone(), at);
                Ok(TokenNow::Same)
            }
            Some(_) => Ok(TokenNow::Unknown(after(self.clock.now()))),
        }
    }

    /// The credential of a token; its client is made when it is new.
    fn known(&self, token: Option<&SecretString>) -> Result<CredentialId, PortError> {
        let token = token.ok_or_else(|| unreadable(&"there is none"))?;
        let id = tokens::credential(&self.base, token).ok_or_else(|| unreadable(&SetUpError::Token))?;
        let mut crabs = self.crabs.lock().unwrap_or_else(PoisonError::into_inner);
        if !crabs.contains_key(&id) {
            crabs.insert(id.clone(), client::crab(&self.pool, token).map_err(|error| unreadable(&error))?);
        }
        Ok(id)
    }
}

/// When the source may be asked again.
fn after(now: Timestamp) -> Timestamp {
    now.checked_add(STILL_WRONG).unwrap_or(now)
}

/// Whoever configures us can mend it, so what needs the token waits.
fn unreadable(why: &dyn std::fmt::Display) -> PortError {
    PortError::transient(format!("GitHub's token cannot be used: {why}"))
}
