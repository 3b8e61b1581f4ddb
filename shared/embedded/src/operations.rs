//! The one thread that works on the database.
//!
//! The engine has one connection, so its operations run one after the other whoever calls them. Here they do so in one
//! thread: it takes every operation that has gathered while it was busy, runs them, syncs the database's log once (the file
//! beside it, `-wal`) and answers all. What is answered is on disk, and so is what a read has found. SQLite writes the log
//! and syncs it only before it moves something into the database (SQLite: "PRAGMA synchronous", NORMAL in WAL mode).

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::folder::sync_folder;

/// Operations that share a sync: enough that it no longer counts, few enough that nobody waits long.
const MOST: usize = 128;

/// Something to be done on the database, and whether it may write.
pub(crate) struct Operation<T> {
    pub(crate) writes: bool,
    pub(crate) run: Box<dyn FnOnce() -> T + Send>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// From now on always.
    #[error("{0}")]
    Broken(String),
    #[error("the database is closed")]
    Closed,
}

/// The way to the thread. Dropping it waits until everything is answered.
pub(crate) struct Operations<T> {
    calls: Option<Sender<Call<T>>>,
    syncs: Arc<AtomicU64>,
    broken: Arc<OnceLock<String>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Call<T> {
    operation: Operation<T>,
    reply: oneshot::Sender<Result<T, Failed>>,
}

impl<T: Send + 'static> Operations<T> {
    /// Starts the thread. Without a log nothing is synced: the database is in memory.
    pub(crate) fn start(log: Option<File>) -> io::Result<Self> {
        let (calls, inbox) = mpsc::channel();
        let (syncs, broken) = (Arc::new(AtomicU64::new(0)), Arc::new(OnceLock::new()));
        let room = Room { log, broken: Arc::clone(&broken), syncs: Arc::clone(&syncs) };
        let thread = std::thread::Builder::new().name("record-writer".to_owned()).spawn(move || room.serve(&inbox))?;
        Ok(Self { calls: Some(calls), syncs, broken, thread: Mutex::new(Some(thread)) })
    }

    /// Runs that operation and returns when what it did is on disk. Dropping the future does not take it back.
    pub(crate) async fn call(&self, operation: Operation<T>) -> Result<T, Failed> {
        let (reply, answer) = oneshot::channel();
        let calls = self.calls.as_ref().ok_or(Failed::Closed)?;
        calls.send(Call { operation, reply }).map_err(|_| Failed::Closed)?;
        answer.await.map_err(|_| Failed::Closed)?
    }

    /// Why nothing is answered any more, and what to do; none while all is well.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.broken.get().map(String::as_str)
    }

    /// How often the log was synced.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

impl<T> Drop for Operations<T> {
    fn drop(&mut self) {
        self.calls = None;
        let thread = self.thread.get_mut().map_or(None, Option::take);
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the database had panicked");
        }
    }
}

/// The log of an open database in WAL mode. Its name is on disk when this returns, and so is what a process that was killed
/// has left in it: nobody would sync that before it is read.
pub(crate) fn log_of(database: &Path) -> io::Result<File> {
    // SQLite puts the log beside the file itself, not beside a link to it.
    let database = database.canonicalize()?;
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    let log = File::options().read(true).write(true).open(&name)?;
    log.sync_all()?;
    sync_folder(database.parent().unwrap_or(&database))?;
    Ok(log)
}

/// Where the thread works.
struct Room {
    log: Option<File>,
    /// After a sync that failed nothing is answered any more: the system may have dropped what it could not write and call the
    /// next sync a success (LWN: "PostgreSQL's fsync() surprise"). Nor after a panic: the engine's lock is poisoned then.
    broken: Arc<OnceLock<String>>,
    syncs: Arc<AtomicU64>,
}

impl Room {
    fn serve<T>(self, inbox: &Receiver<Call<T>>) {
        while let Ok(first) = inbox.recv() {
            let mut done = Vec::new();
            let mut wrote = false;
            let mut next = Some(first);
            while let Some(Call { operation, reply }) = next {
                wrote |= operation.writes;
                done.push((reply, self.run(operation.run)));
                next = if done.len() < MOST { inbox.try_recv().ok() } else { None };
            }
            let synced = !wrote || self.sync();
            for (reply, result) in done {
                // Whoever asked may have gone away.
                let _ = reply.send(result.filter(|_| synced).ok_or_else(|| self.why()));
            }
        }
    }

    /// None when it was not run, or not to its end.
    fn run<T>(&self, work: Box<dyn FnOnce() -> T + Send>) -> Option<T> {
        if self.broken.get().is_some() {
            return None;
        }
        let done = catch_unwind(AssertUnwindSafe(work));
        if done.is_err() {
            self.breaks(
                "the record's engine failed inside; restart Hookyard, and report what it says above".to_owned(),
            );
        }
        done.ok()
    }

    /// Whether what was written is on disk.
    fn sync(&self) -> bool {
        let Some(log) = &self.log else { return true };
        match log.sync_data() {
            Ok(()) => _ = self.syncs.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                self.breaks(format!("the disk of the record failed ({error}); restart Hookyard once it is in order"))
            }
        }
        self.broken.get().is_none()
    }

    fn breaks(&self, why: String) {
        tracing::error!(why, "the record takes nothing more");
        // The first reason is the one that counts.
        let _ = self.broken.set(why);
    }

    fn why(&self) -> Failed {
        self.broken.get().map_or(Failed::Closed, |why| Failed::Broken(why.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(writes: bool, run: impl FnOnce() -> u32 + Send + 'static) -> Operation<u32> {
        Operation { writes, run: Box::new(run) }
    }

    #[tokio::test]
    async fn those_that_gather_share_a_sync_and_reads_alone_need_none() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x.db", "x.db-wal"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let operations = Operations::start(Some(log_of(&folder.path().join("x.db")).unwrap())).unwrap();
        assert_eq!(operations.call(operation(false, || 1)).await.unwrap(), 1);
        assert_eq!(operations.syncs(), 0);
        // The first holds the thread until the others have been asked for.
        let (begin, begun) = mpsc::channel();
        let first = operations.call(operation(true, move || begun.recv().unwrap()));
        let others = answered(&operations, 50);
        let release = async { begin.send(7).unwrap() };
        let (first, others, ()) = tokio::join!(first, others, release);
        assert_eq!((first.unwrap(), others), (7, 50));
        assert!(operations.syncs() <= 2, "{} syncs", operations.syncs());
    }

    async fn answered(operations: &Operations<u32>, count: usize) -> usize {
        let mut answers = Vec::new();
        for _ in 0..count {
            let (reply, answer) = oneshot::channel();
            operations.calls.as_ref().unwrap().send(Call { operation: operation(true, || 0), reply }).unwrap();
            answers.push(answer);
        }
        let mut done = 0;
        for answer in answers {
            done += usize::from(answer.await.unwrap().is_ok());
        }
        done
    }

    #[tokio::test]
    async fn after_a_panic_inside_it_says_so_and_does_no_more() {
        let operations = Operations::start(None).unwrap();
        assert_eq!(operations.trouble(), None);
        let panicked = operations.call(operation(true, || panic!("on purpose"))).await.unwrap_err();
        assert!(panicked.to_string().contains("restart Hookyard"));
        let ran = Arc::new(AtomicU64::new(0));
        let noting = ran.clone();
        let next = operations.call(operation(false, move || noting.fetch_add(1, Ordering::Relaxed) as u32)).await;
        assert!(matches!(next, Err(Failed::Broken(_))));
        assert_eq!((ran.load(Ordering::Relaxed), operations.trouble().is_some()), (0, true));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn after_a_sync_that_failed_none_is_believed() {
        // A pipe cannot be synced.
        let (_reader, writer) = io::pipe().unwrap();
        let operations = Operations::start(Some(File::from(std::os::fd::OwnedFd::from(writer)))).unwrap();
        assert_eq!(operations.call(operation(false, || 1)).await.unwrap(), 1);
        assert!(matches!(operations.call(operation(true, || 1)).await, Err(Failed::Broken(_))));
        let next = operations.call(operation(false, || 1)).await;
        assert!(next.unwrap_err().to_string().contains("restart Hookyard"));
        assert!(operations.trouble().unwrap().starts_with("the disk of the record failed"));
    }

    #[test]
    fn the_log_of_a_database_behind_a_link_is_beside_the_file_itself() {
        let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["x.db", "x.db-wal"] {
            std::fs::write(there.path().join(name), "").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(there.path().join("x.db"), here.path().join("y.db")).unwrap();
        #[cfg(unix)]
        log_of(&here.path().join("y.db")).unwrap();
        assert!(log_of(&here.path().join("z.db")).is_err());
    }
}
