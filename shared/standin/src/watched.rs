//! State that several tasks change and that others wait for, without polling by the clock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// A value behind a lock, and a signal after every change of it.
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    version: watch::Sender<u64>,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), version: watch::Sender::new(0) }
    }

    pub(crate) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Changes the value and wakes whoever waits.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.version.send_modify(|version| *version = version.wrapping_add(1));
        result
    }

    /// Returns what `look` finds, at once or after the change that makes it so. `look` may take what it found.
    pub(crate) async fn wait<R>(&self, mut look: impl FnMut(&mut T) -> Option<R>) -> R {
        let mut version = self.version.subscribe();
        loop {
            if let Some(found) = look(&mut self.lock()) {
                return found;
            }
            // The sender lives as long as `self`, so this only ever ends by a change.
            let _ = version.changed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        // A panic elsewhere leaves plain records behind, never a half-done change worth refusing.
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
