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
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

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
    #[error("the database's disk failed: {0}; once it is in order, restart Hookyard")]
    Disk(String),
    #[error("the database's engine failed inside; what it was asked to do may not have been done")]
    Panicked,
    #[error("the database is closed")]
    Closed,
}

/// The way to the thread. Dropping it waits until everything is answered.
pub(crate) struct Operations<T> {
    calls: Option<Sender<Call<T>>>,
    syncs: Arc<AtomicU64>,
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
        let syncs = Arc::new(AtomicU64::new(0));
        let mut room = Room { log, failed: None, syncs: Arc::clone(&syncs) };
        let thread = std::thread::Builder::new().name("record-writer".to_owned()).spawn(move || room.serve(&inbox))?;
        Ok(Self { calls: Some(calls), syncs, thread: Mutex::new(Some(thread)) })
    }

    /// Runs that operation and returns when what it did is on disk. Dropping the future does not take it back.
    pub(crate) async fn call(&self, operation: Operation<T>) -> Result<T, Failed> {
        let (reply, answer) = oneshot::channel();
        let calls = self.calls.as_ref().ok_or(Failed::Closed)?;
        calls.send(Call { operation, reply }).map_err(|_| Failed::Closed)?;
        answer.await.map_err(|_| Failed::Closed)?
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

/// The log of an open database in WAL mode. Its name is on disk when this returns.
pub(crate) fn log_of(database: &Path) -> io::Result<File> {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    let log = File::options().read(true).write(true).open(&name)?;
    match Path::new(&name).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all()?,
        None => File::open(".")?.sync_all()?,
    }
    Ok(log)
}

/// Where the thread works.
struct Room {
    log: Option<File>,
    /// Why a sync failed. The system may have dropped what it could not write and call the next sync a success, so none is
    /// believed any more (LWN: "PostgreSQL's fsync() surprise").
    failed: Option<String>,
    syncs: Arc<AtomicU64>,
}

impl Room {
    fn serve<T>(&mut self, inbox: &Receiver<Call<T>>) {
        while let Ok(first) = inbox.recv() {
            let mut done = Vec::new();
            let mut wrote = false;
            let mut next = Some(first);
            while let Some(Call { operation, reply }) = next {
                wrote |= operation.writes;
                let result = match &self.failed {
                    Some(why) => Err(Failed::Disk(why.clone())),
                    None => catch_unwind(AssertUnwindSafe(operation.run)).map_err(|_| Failed::Panicked),
                };
                done.push((reply, result));
                next = if done.len() < MOST { inbox.try_recv().ok() } else { None };
            }
            if wrote {
                self.sync();
            }
            for (reply, result) in done {
                let result = match &self.failed {
                    Some(why) => Err(Failed::Disk(why.clone())),
                    None => result,
                };
                // Whoever asked may have gone away.
                let _ = reply.send(result);
            }
        }
    }

    fn sync(&mut self) {
        let Some(log) = &self.log else { return };
        match log.sync_data() {
            Ok(()) => _ = self.syncs.fetch_add(1, Ordering::Relaxed),
            Err(error) => self.failed = Some(error.to_string()),
        }
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
        std::fs::write(folder.path().join("x.db-wal"), "").unwrap();
        let operations = Operations::start(Some(log_of(&folder.path().join("x.db")).unwrap())).unwrap();
        assert_eq!(operations.call(operation(false, || 1)).await.unwrap(), 1);
        assert_eq!(operations.syncs(), 0);
        // The first holds the thread until the others have been asked for.
        let (begin, begun) = mpsc::channel();
        let first = operations.call(operation(true, move || begun.recv().unwrap()));
        let others = futures(&operations, 50);
        let release = async { begin.send(7).unwrap() };
        let (first, others, ()) = tokio::join!(first, others, release);
        assert_eq!((first.unwrap(), others), (7, 50));
        assert!(operations.syncs() <= 2, "{} syncs", operations.syncs());
    }

    async fn futures(operations: &Operations<u32>, count: usize) -> usize {
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
    async fn one_that_panics_takes_nobody_along() {
        let operations = Operations::start(None).unwrap();
        assert!(matches!(operations.call(operation(true, || panic!("on purpose"))).await, Err(Failed::Panicked)));
        assert_eq!(operations.call(operation(true, || 2)).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn after_a_sync_that_failed_none_is_believed() {
        // A pipe cannot be synced.
        let (_reader, writer) = io::pipe().unwrap();
        let operations = Operations::start(Some(File::from(std::os::fd::OwnedFd::from(writer)))).unwrap();
        assert_eq!(operations.call(operation(false, || 1)).await.unwrap(), 1);
        assert!(matches!(operations.call(operation(true, || 1)).await, Err(Failed::Disk(_))));
        let ran = Arc::new(AtomicU64::new(0));
        let noting = ran.clone();
        let next = operations.call(operation(false, move || noting.fetch_add(1, Ordering::Relaxed) as u32)).await;
        assert!(next.unwrap_err().to_string().contains("restart"));
        assert_eq!(ran.load(Ordering::Relaxed), 0);
    }
}
