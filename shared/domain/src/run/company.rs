//! Who may be worked on beside a run.
//!
//! When a process dies, every run that it had under way looks the same: cut off. One of them may have killed it. So whoever
//! was cut off is worked on with ever less company, until it is alone: then it finishes, and is cleared, or the process dies
//! again, and nobody else is counted for it.

use super::{Outcome, Run};

/// With whom a run may share its process while an attempt is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// With everybody: nothing is held against it.
    Many,
    /// With [`FEW`] that are suspected like it, and with those that are not: it was under way when a process died.
    Few,
    /// With nobody: it was under way at two deaths, or more.
    Nobody,
}

/// Runs of [`Company::Few`] at once in a process. If one of them kills it, so many are counted a second time at most, and
/// each of those then takes the whole process for one attempt.
pub const FEW: usize = 8;

impl Run {
    /// The company that its next attempt may have. Only cut-offs in a row with the last attempt count: a run that has
    /// lived to see an answer since is no more suspicious than any other.
    pub fn company(&self) -> Company {
        let cut_off = self.attempts.last().is_some_and(|attempt| attempt.outcome == Some(Outcome::CutOff));
        match self.cut_offs {
            1 if cut_off => Company::Few,
            2.. if cut_off => Company::Nobody,
            _ => Company::Many,
        }
    }
}
