//! What the file suffers from at the moment: said once in a log line, and shown by `/health` as long as it lasts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::error::PortError;

use super::writer::Weight;

/// Kept by the thread, read by everybody.
#[derive(Default)]
pub(super) struct Trouble(Mutex<State>);

#[derive(Default)]
struct State {
    /// The heaviest that failed, and why the last one did: a full disk, say. It may pass.
    passing: Option<(Weight, String)>,
}

impl Trouble {
    /// A transaction failed, and with it all that weighed this much.
    pub(super) fn begins(&self, weight: Weight, why: &PortError) {
        let why = why.to_string();
        let mut state = self.state();
        let before = state.passing.take();
        // It is over when the heaviest that failed is possible again.
        let heaviest = before.as_ref().map_or(weight, |(heaviest, _)| weight.max(*heaviest));
        // Every call that fails after this one says the same to its caller; the log needs it once.
        let news = before.is_none_or(|(_, before)| before != why);
        state.passing = Some((heaviest, why.clone()));
        drop(state);
        if news {
            tracing::error!(why, "the queue's file fails; what comes in is refused, what is there waits");
        }
    }

    /// Something that weighed this much was written.
    pub(super) fn ends(&self, weight: Weight) {
        let over = self.state().passing.take_if(|(failed, _)| *failed <= weight);
        if let Some((_, why)) = over {
            tracing::warn!(was = why, "the queue's file can be written again");
        }
    }

    /// In a sentence; none when all is well.
    pub(super) fn now(&self) -> Option<String> {
        self.state().passing.as_ref().map(|(_, why)| why.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
