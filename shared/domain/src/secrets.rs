//! The secrets of one purpose: the current one, and those still accepted while rotating.

use secrecy::{ExposeSecret, SecretString};

/// One or more secrets, the current one first. Signing uses all of them where the scheme allows it (Standard
/// Webhooks) and the first one elsewhere; verifying accepts any.
#[derive(Clone, Debug)]
pub struct Keyring(Vec<SecretString>);

impl Keyring {
    /// A current secret and perhaps a previous one.
    pub fn new(current: SecretString, previous: Option<SecretString>) -> Self {
        Self(std::iter::once(current).chain(previous).collect())
    }

    /// A list, the current one first; none when it is empty.
    pub fn of(secrets: Vec<SecretString>) -> Option<Self> {
        (!secrets.is_empty()).then_some(Self(secrets))
    }

    /// The bytes of each, the current one first.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|secret| secret.expose_secret().as_bytes())
    }
}

/// A keyring that never changes, as configured on one machine.
#[derive(Clone, Debug)]
pub struct FixedSecrets(pub Keyring);

#[async_trait::async_trait]
impl crate::ports::Secrets for FixedSecrets {
    async fn current(&self) -> Result<Keyring, crate::error::PortError> {
        Ok(self.0.clone())
    }

    async fn refresh(&self) -> Result<Keyring, crate::error::PortError> {
        Ok(self.0.clone())
    }
}
