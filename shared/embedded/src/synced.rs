//! One sync for all that was written meanwhile.
//!
//! The engine writes each transaction into SQLite's log (the file beside the database, `-wal`) and could sync it there, one
//! after the other, behind the lock that all operations share. Here it does not: whoever has written or read waits for a sync
//! of the log that began later, and one sync serves everybody who waits. What is answered is on disk, as before. SQLite itself
//! syncs the log before it moves anything into the database (SQLite: "PRAGMA synchronous", NORMAL in WAL mode).

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The log of a database, and how far it is on disk.
pub(crate) struct Log {
    file: File,
    /// Operations that may have written.
    written: AtomicU64,
    /// Held during the sync: whoever waits for it finds his own already there.
    synced: Mutex<Synced>,
}

#[derive(Default)]
struct Synced {
    /// How many of the notes in [`Log::written`] are on disk.
    up_to: u64,
    /// How often the log was synced.
    times: u64,
    /// A sync failed. The system may have dropped what it could not write and call the next sync a success, so none is
    /// believed any more (LWN: "PostgreSQL's fsync() surprise").
    failed: bool,
}

impl Log {
    /// The log of an open database in WAL mode.
    pub(crate) fn of(database: &Path) -> io::Result<Self> {
        let mut name = database.as_os_str().to_owned();
        name.push("-wal");
        let file = File::options().read(true).write(true).open(&name)?;
        // Its name has to last as well.
        if let Some(folder) = Path::new(&name).parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { file, written: AtomicU64::new(0), synced: Mutex::default() })
    }

    /// Runs what may write. Noted before, for whoever reads what it wrote while it is not back yet, and after, because
    /// what was synced in between may have been too little.
    pub(crate) fn writing<T>(&self, work: impl FnOnce() -> T) -> T {
        self.written.fetch_add(1, Ordering::AcqRel);
        let done = work();
        self.written.fetch_add(1, Ordering::AcqRel);
        done
    }

    /// Returns when all that has been written so far is on disk. It blocks the thread.
    ///
    /// # Errors
    /// When the disk fails, and from then on always.
    pub(crate) fn settle(&self) -> io::Result<()> {
        let mine = self.written.load(Ordering::Acquire);
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if synced.failed {
            return Err(io::Error::other(
                "the disk of the database failed before; restart Hookyard once it is in order",
            ));
        }
        if synced.up_to >= mine {
            return Ok(());
        }
        let all = self.written.load(Ordering::Acquire);
        if let Err(error) = self.file.sync_data() {
            synced.failed = true;
            return Err(error);
        }
        synced.up_to = all;
        synced.times += 1;
        Ok(())
    }

    /// How often it was synced.
    pub(crate) fn syncs(&self) -> u64 {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner).times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (tempfile::TempDir, Log) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.db-wal"), "").unwrap();
        let log = Log::of(&folder.path().join("x.db")).unwrap();
        (folder, log)
    }

    #[test]
    fn one_sync_serves_all_that_was_written_before_it_and_nothing_that_came_later() {
        let (_folder, log) = log();
        log.settle().unwrap();
        assert_eq!(log.syncs(), 0, "nothing was written");
        for _ in 0..5 {
            log.writing(|| ());
        }
        log.settle().unwrap();
        log.settle().unwrap();
        assert_eq!(log.syncs(), 1);
        log.writing(|| ());
        log.settle().unwrap();
        assert_eq!(log.syncs(), 2);
    }

    #[test]
    fn what_is_written_during_somebody_elses_sync_has_one_of_its_own() {
        let (_folder, log) = log();
        // A reader has seen what is not noted as done yet, and has it synced.
        log.writing(|| log.settle().unwrap());
        assert_eq!(log.syncs(), 1);
        // The writer does not take that sync for its own.
        log.settle().unwrap();
        assert_eq!(log.syncs(), 2);
    }

    #[test]
    fn after_a_sync_that_failed_none_is_believed() {
        let (_folder, mut log) = log();
        // A pipe cannot be synced.
        let (_reader, writer) = io::pipe().unwrap();
        let file = std::mem::replace(&mut log.file, File::from(std::os::fd::OwnedFd::from(writer)));
        log.writing(|| ());
        assert!(log.settle().is_err());
        log.file = file;
        assert!(log.settle().unwrap_err().to_string().contains("restart"));
        assert_eq!(log.syncs(), 0);
    }
}
