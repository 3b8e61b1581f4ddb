//! What the file suffers from at the moment: said once in a log line, and shown by `/health` as long as it lasts.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::error::PortError;

use super::writer::Weight;

/// What is said of a file whose bytes are wrong.
pub(super) const DAMAGED: &str =
    "the queue's file is damaged; restart Hookyard, what can be read of it is then saved into a new file";

/// Kept by the thread, read by everybody.
pub(super) struct Trouble {
    state: Mutex<State>,
    /// Tells the next start that the file is damaged; none for queues in memory.
    mark: Option<PathBuf>,
}

#[derive(Default)]
struct State {
    /// The heaviest that failed, and why the last one did: a full disk, say. It may pass.
    passing: Option<(Weight, String)>,
    /// Bytes of the file turned out to be wrong. That does not pass.
    damaged: bool,
}

impl Trouble {
    pub(super) fn new(mark: Option<PathBuf>) -> Self {
        Self { state: Mutex::default(), mark }
    }

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

    /// The file cannot be what was written. Only the next start can do something about that: it is told by a mark beside the
    /// file, because what is wrong now need not show when the file is opened.
    pub(super) fn damaged(&self) {
        if std::mem::replace(&mut self.state().damaged, true) {
            return;
        }
        tracing::error!("{DAMAGED}");
        if let Some(mark) = &self.mark
            && let Err(error) = fs::write(mark, "")
        {
            tracing::error!(%error, "the damage could not be noted for the next start");
        }
    }

    /// In a sentence; none when all is well.
    pub(super) fn now(&self) -> Option<String> {
        let state = self.state();
        if state.damaged { Some(DAMAGED.to_owned()) } else { state.passing.as_ref().map(|(_, why)| why.clone()) }
    }

    /// Whether it may be over by itself.
    pub(super) fn may_pass(&self) -> bool {
        let state = self.state();
        state.passing.is_some() && !state.damaged
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
