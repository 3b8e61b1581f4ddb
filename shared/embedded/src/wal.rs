//! The log of an open SQLite database in WAL mode, and its syncs, which are ours.
//!
//! At `synchronous=NORMAL` SQLite writes the log with every commit and syncs it only before it moves something into the
//! database (SQLite: "PRAGMA synchronous"). Whoever has to know that a commit is on disk syncs the log itself, when it suits,
//! and in another thread than the one that writes.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::folder::sync_folder;

/// The log; none of a database in memory, of which every sync is done at once.
pub(crate) struct Wal {
    file: Option<File>,
    syncs: Syncs,
}

/// How often a log was synced. Clones look at the same.
#[derive(Clone, Default)]
pub(crate) struct Syncs(Arc<AtomicU64>);

impl Syncs {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wal {
    pub(crate) fn of_memory() -> Self {
        Self { file: None, syncs: Syncs::default() }
    }

    /// The log of a database that has been opened. Its name is on disk when this returns, and so is what a process that was
    /// killed has left in it: nobody would sync that before it is read.
    pub(crate) fn of(database: &Path) -> io::Result<Self> {
        // SQLite puts the log beside the file itself, not beside a link to it.
        let database = database.canonicalize()?;
        let mut name = database.as_os_str().to_owned();
        name.push("-wal");
        let log = File::options().read(true).write(true).open(&name)?;
        log.sync_all()?;
        sync_folder(database.parent().unwrap_or(&database))?;
        Ok(Self { file: Some(log), syncs: Syncs::default() })
    }

    #[cfg(test)]
    pub(crate) fn over(file: File) -> Self {
        Self { file: Some(file), syncs: Syncs::default() }
    }

    pub(crate) fn syncs(&self) -> Syncs {
        self.syncs.clone()
    }

    /// Returns when all that was committed before is on disk. After an error nothing is known of it any more: the system may
    /// have dropped what it could not write and call the next sync a success (LWN: "PostgreSQL's fsync() surprise").
    pub(crate) fn sync(&self) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.sync_data()?;
        }
        self.syncs.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_a_database_behind_a_link_is_beside_the_file_itself() {
        let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["x.db", "x.db-wal"] {
            std::fs::write(there.path().join(name), "").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(there.path().join("x.db"), here.path().join("y.db")).unwrap();
        #[cfg(unix)]
        Wal::of(&here.path().join("y.db")).unwrap();
        assert!(Wal::of(&here.path().join("z.db")).is_err());
    }

    #[test]
    fn syncs_are_counted_when_they_are_done() {
        let wal = Wal::over(tempfile::tempfile().unwrap());
        let syncs = wal.syncs();
        wal.sync().unwrap();
        assert_eq!(syncs.count(), 1);
        // A pipe cannot be synced.
        #[cfg(unix)]
        {
            let (_reader, writer) = io::pipe().unwrap();
            let wal = Wal::over(File::from(std::os::fd::OwnedFd::from(writer)));
            assert!(wal.sync().is_err() && wal.syncs().count() == 0);
        }
    }
}
