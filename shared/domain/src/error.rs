//! What a port may answer when it fails: one word that says whether trying again can help.

/// The failure of a port. Adapters translate their SDK's errors into it; only the batch loop
/// decides what follows (a transient failure goes back to the queue, a permanent one is set aside).
///
/// The text says what happened and to what; it never holds a body, a token or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The same call may succeed later: throttling, time-outs, a lost connection, a full disk.
    #[error("{0}")]
    Transient(String),
    /// The same call fails for ever: refused input, a missing table, a denied permission.
    #[error("{0}")]
    Permanent(String),
}

impl PortError {
    /// A failure that may pass.
    pub fn transient(what: impl std::fmt::Display) -> Self {
        Self::Transient(what.to_string())
    }

    /// A failure that stays.
    pub fn permanent(what: impl std::fmt::Display) -> Self {
        Self::Permanent(what.to_string())
    }

    /// Whether trying the same call again can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient(_))
    }
}
