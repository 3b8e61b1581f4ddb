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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::mpsc;

    use domain::error::PortError;

    use super::super::books::Books;
    use super::super::writer::Weight;
    use super::*;

    /// Says when it is answered.
    struct Noted(mpsc::Sender<()>);

    impl Step for Noted {
        fn weight(&self) -> Weight {
            Weight::Grow
        }

        fn run(&mut self, _: &mut Books) -> rusqlite::Result<()> {
            Ok(())
        }

        fn answer(self: Box<Self>, failure: Option<&PortError>) {
            assert!(failure.is_none());
            self.0.send(()).unwrap();
        }
    }

    /// What becomes of transactions that were handed over: how often the log was synced, how many calls were answered, and
    /// what the writer hears.
    fn served(log: File, changed: &[bool]) -> (u64, usize, Vec<Command>) {
        let wal = Wal::over(log);
        let syncs = wal.syncs();
        let (writer, heard) = mpsc::channel();
        let (hand_over, inbox) = mpsc::channel();
        let (note, answered) = mpsc::channel();
        for changed in changed {
            let step = Box::new(Noted(note.clone()));
            hand_over.send(Committed { steps: vec![step], changed: *changed }).unwrap();
        }
        drop((hand_over, note));
        Syncer::new(wal, writer).serve(&inbox);
        drop(inbox);
        (syncs.count(), answered.iter().count(), heard.iter().collect())
    }

    #[test]
    fn what_was_written_is_synced_and_then_answered() {
        let (syncs, answered, heard) = served(tempfile::tempfile().unwrap(), &[true, false, true]);
        assert_eq!((syncs, answered), (1, 3), "those that gathered share a sync");
        assert!(matches!(heard[..], [Command::Synced, Command::Failed]), "done, and at an end");
        let (syncs, answered, _) = served(tempfile::tempfile().unwrap(), &[false]);
        assert_eq!((syncs, answered), (0, 1), "what was only read needs none");
    }

    #[cfg(unix)]
    #[test]
    fn after_a_sync_that_failed_nobody_is_answered() {
        // A pipe cannot be synced.
        let (_reader, writer) = std::io::pipe().unwrap();
        let (syncs, answered, heard) = served(File::from(std::os::fd::OwnedFd::from(writer)), &[true, false]);
        assert_eq!((syncs, answered), (0, 0));
        assert!(matches!(heard[..], [Command::Failed]));
    }
}
