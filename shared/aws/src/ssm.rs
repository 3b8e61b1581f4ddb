//! Secrets from the parameter store, kept in memory and renewed.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use domain::error::PortError;
use domain::ports::{Clock, Secrets};
use domain::secrets::Keyring;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::failure::failed;

/// What was read is good for this long: a rotated secret is in use everywhere soon after.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(5);

/// The store is asked at most once in this time: a forged signature fits no secret either, and must not make us
/// use up the calls that all functions of the account share (AWS Systems Manager: "Service quotas").
const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// One parameter's secrets. Needs `ssm:GetParameter` on it, and `kms:Decrypt` if its key is not the account's own.
///
/// The parameter holds either the secret itself or, while rotating, a JSON list, the current one first:
/// `[{"secret": "new"}, {"secret": "old", "until": "2026-03-02T10:00:00Z"}]`. A value that begins with `[` is taken
/// for a list.
pub struct Parameter {
    source: Box<dyn Source>,
    clock: Arc<dyn Clock>,
    known: RwLock<Option<Known>>,
    /// When the store was last asked; held while it is, so that those who want the same wait for one answer.
    asked: Mutex<Option<Timestamp>>,
}

impl Parameter {
    /// The parameter with this name. Asks nobody yet.
    pub fn new(config: &SdkConfig, name: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self::over(Box::new(Store { client: Client::new(config), name: name.into() }), clock)
    }

    /// The same, and asks at once, so that the first request finds the secrets there. A failure is only logged: the
    /// next call asks again.
    pub async fn fetched(config: &SdkConfig, name: impl Into<String>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let parameter = Self::new(config, name, clock);
        if let Err(error) = parameter.current().await {
            tracing::error!(%error, "secrets could not be fetched at the start");
        }
        Arc::new(parameter)
    }

    /// The current secret as text, for what is sent as it is, such as a token.
    ///
    /// # Errors
    /// As [`Secrets::current`], and permanent when it is no text.
    pub async fn text(&self) -> Result<SecretString, PortError> {
        let keyring = self.current().await?;
        let text = keyring.keys().next().and_then(|key| std::str::from_utf8(key).ok());
        text.map(SecretString::from).ok_or_else(|| PortError::permanent("the parameter holds no text"))
    }

    fn over(source: Box<dyn Source>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, known: RwLock::new(None), asked: Mutex::new(None) }
    }

    fn known(&self) -> Option<Known> {
        // Poisoned only if a thread died while it copied; the value is whole.
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the store unless it was asked a moment ago. What is known stays if the store fails.
    async fn ask(&self) -> Result<Keyring, PortError> {
        let mut asked = self.asked.lock().await;
        let known = self.known();
        if let Some(known) = &known
            && asked.is_some_and(|at| within(at, self.clock.now(), ASK_AGAIN_AFTER))
        {
            return known.valid(self.clock.now());
        }
        let answer = self.source.value().await.and_then(|value| read(&value));
        let now = self.clock.now();
        *asked = Some(now);
        match (answer, known) {
            (Ok(secrets), _) => {
                let fresh = Known { secrets: secrets.into(), read_at: now };
                let valid = fresh.valid(now);
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
                valid
            }
            (Err(error), Some(known)) => {
                tracing::warn!(%error, "secrets could not be renewed; the known ones stay in use");
                known.valid(now)
            }
            (Err(error), None) => Err(error),
        }
    }
}

#[async_trait]
impl Secrets for Parameter {
    async fn current(&self) -> Result<Keyring, PortError> {
        let now = self.clock.now();
        match self.known() {
            Some(known) if within(known.read_at, now, GOOD_FOR) => known.valid(now),
            _ => self.ask().await,
        }
    }

    async fn refresh(&self) -> Result<Keyring, PortError> {
        self.ask().await
    }
}

/// Whether less than `span` has gone by since `then`. A clock that was set back proves nothing: no.
fn within(then: Timestamp, now: Timestamp, span: SignedDuration) -> bool {
    (SignedDuration::ZERO..span).contains(&now.duration_since(then))
}

#[derive(Clone)]
struct Known {
    secrets: Arc<[Entry]>,
    read_at: Timestamp,
}

impl Known {
    fn valid(&self, now: Timestamp) -> Result<Keyring, PortError> {
        let valid = self.secrets.iter().filter(|entry| entry.until.is_none_or(|until| now < until));
        Keyring::of(valid.map(|entry| entry.secret.clone()).collect())
            .ok_or_else(|| PortError::permanent("every secret of the parameter has run out"))
    }
}

struct Entry {
    secret: SecretString,
    until: Option<Timestamp>,
}

/// Reads a parameter's value. No error quotes it.
fn read(value: &SecretString) -> Result<Vec<Entry>, PortError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Listed {
        secret: String,
        until: Option<Timestamp>,
    }
    let value = value.expose_secret();
    let entries = if value.trim_start().starts_with('[') {
        let listed: Vec<Listed> = serde_json::from_str(value).map_err(|_| {
            PortError::permanent("the parameter begins with [ and is no list of {\"secret\", \"until\"} objects")
        })?;
        let entry = |listed: Listed| Entry { secret: listed.secret.into(), until: listed.until };
        listed.into_iter().map(entry).collect()
    } else {
        // A value that came from a file often ends with a line break, which is in nobody's signature.
        vec![Entry { secret: value.trim_end_matches(['\r', '\n']).into(), until: None }]
    };
    if entries.is_empty() || entries.iter().any(|entry| entry.secret.expose_secret().is_empty()) {
        return Err(PortError::permanent("the parameter holds no secret, or an empty one"));
    }
    Ok(entries)
}

/// Where the value comes from.
#[async_trait]
trait Source: Send + Sync {
    async fn value(&self) -> Result<SecretString, PortError>;
}

struct Store {
    client: Client,
    name: String,
}

#[async_trait]
impl Source for Store {
    async fn value(&self) -> Result<SecretString, PortError> {
        let doing = format!("reading the parameter {}", self.name);
        let request = self.client.get_parameter().name(&self.name).with_decryption(true);
        let output = request.send().await.map_err(|error| failed(&doing, &error))?;
        let value = output.parameter.and_then(|parameter| parameter.value);
        value.map(SecretString::from).ok_or_else(|| PortError::transient(format!("{doing}: an answer without a value")))
    }
}

#[cfg(test)]
mod tests;
