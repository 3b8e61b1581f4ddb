//! The thread that waits for the disk.

use std::sync::mpsc::{Receiver, Sender};

use super::writer::{Command, Step};
use crate::wal::Wal;

/// Calls whose transaction is committed, but perhaps not on disk.
pub(super) struct Committed {
    pub(super) steps: Vec<Box<dyn Step>>,
    /// Something was written. What was only read needs no sync of its own: what it saw was handed over before.
    pub(super) changed: bool,
}

pub(super) struct Syncer {
    wal: Wal,
    writer: Sender<Command>,
}

impl Syncer {
    pub(super) fn new(wal: Wal, writer: Sender<Command>) -> Self {
        Self { wal, writer }
    }

    /// Ends when the writer is gone, or with the first sync that fails: nothing can be believed then, and what was committed
    /// after it least of all.
    pub(super) fn serve(self, inbox: &Receiver<Committed>) {
        while let Ok(first) = inbox.recv() {
            // More than one only when the writer could not wait.
            let all: Vec<_> = std::iter::once(first).chain(inbox.try_iter()).collect();
            if all.iter().any(|committed| committed.changed)
                && let Err(error) = self.wal.sync()
            {
                tracing::error!(%error, "the disk of the queue's file failed; restart Hookyard once it is in order");
                // The callers hear that the writer has stopped.
                return;
            }
            for step in all.into_iter().flat_map(|committed| committed.steps) {
                step.answer(None);
            }
            let _ = self.writer.send(Command::Synced);
        }
    }
}

impl Drop for Syncer {
    /// However it ended: the writer may be waiting.
    fn drop(&mut self) {
        let _ = self.writer.send(Command::Failed);
    }
}
