//! The one thread that works on the database, and the one that makes it durable.
//!
//! The engine has one connection, so its operations run one after the other whoever calls them. Here they do so in one
//! thread, which hands what came of them to another: that takes all that has gathered while it was busy, syncs the database's
//! log once (the file beside it, `-wal`) and answers all. So nobody waits for the disk who could work. What is answered is on
//! disk, and so is what a read has found: what it saw was handed over before it, and syncs are made in that order.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::wal::{Syncs, Wal};

/// Operations that share a sync: enough that it no longer counts, few enough that nobody waits long.
const MOST: usize = 128;

/// Operations that have run and wait for their sync; when the disk is so slow, it is the disk that is waited for.
const AHEAD: usize = 256;

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

/// The way to the threads. Dropping it waits until everything is answered.
pub(crate) struct Operations<T> {
    calls: Option<Sender<Call<T>>>,
    syncs: Syncs,
    broken: Broken,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Call<T> {
    operation: Operation<T>,
    reply: oneshot::Sender<Result<T, Failed>>,
}

impl<T: Send + 'static> Operations<T> {
    /// Starts the threads.
    pub(crate) fn start(wal: Wal) -> io::Result<Self> {
        let (calls, inbox) = mpsc::channel();
        let (syncs, broken) = (wal.syncs(), Broken::default());
        let (ran, waiting) = mpsc::sync_channel(AHEAD);
        let worker = Worker { broken: Arc::clone(&broken), ran };
        let syncer = Syncer { wal, broken: Arc::clone(&broken) };
        let name = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let threads = vec![
            name("record-writer").spawn(move || worker.serve(&inbox))?,
            name("record-syncer").spawn(move || syncer.serve(&waiting))?,
        ];
        Ok(Self { calls: Some(calls), syncs, broken, threads: Mutex::new(threads) })
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
        self.syncs.count()
    }
}

impl<T> Drop for Operations<T> {
    fn drop(&mut self) {
        self.calls = None;
        // The first ends when nobody can call any more, the second when the first has ended.
        for thread in self.threads.get_mut().map(std::mem::take).unwrap_or_default() {
            if thread.join().is_err() {
                tracing::error!("a thread of the database had panicked");
            }
        }
    }
}

/// Why nothing is answered any more. After a sync that failed nothing is known of what was written; after a panic the engine's
/// lock is poisoned.
type Broken = Arc<OnceLock<String>>;

/// An operation that has run.
struct Ran<T> {
    writes: bool,
    /// None when it was not run, or not to its end.
    result: Option<T>,
    reply: oneshot::Sender<Result<T, Failed>>,
}

/// Where operations run.
struct Worker<T> {
    broken: Broken,
    ran: SyncSender<Ran<T>>,
}

impl<T> Worker<T> {
    fn serve(self, inbox: &Receiver<Call<T>>) {
        while let Ok(Call { operation, reply }) = inbox.recv() {
            let writes = operation.writes;
            let ran = Ran { writes, result: self.run(operation.run), reply };
            if self.ran.send(ran).is_err() {
                return;
            }
        }
    }

    fn run(&self, work: Box<dyn FnOnce() -> T + Send>) -> Option<T> {
        if self.broken.get().is_some() {
            return None;
        }
        let done = catch_unwind(AssertUnwindSafe(work));
        if done.is_err() {
            let why = "the record's engine failed inside; restart Hookyard, and report what it says above";
            breaks(&self.broken, why.to_owned());
        }
        done.ok()
    }
}

/// Where they become durable.
struct Syncer {
    wal: Wal,
    broken: Broken,
}

impl Syncer {
    fn serve<T>(self, waiting: &Receiver<Ran<T>>) {
        while let Ok(first) = waiting.recv() {
            let mut done = vec![first];
            while done.len() < MOST
                && let Ok(next) = waiting.try_recv()
            {
                done.push(next);
            }
            self.answer(done);
        }
    }

    fn answer<T>(&self, done: Vec<Ran<T>>) {
        if done.iter().any(|ran| ran.writes) {
            self.sync();
        }
        // Reads as well: what they have seen may have been written before a sync that failed since.
        let believed = self.broken.get().is_none();
        for Ran { result, reply, .. } in done {
            // Whoever asked may have gone away.
            let _ = reply.send(result.filter(|_| believed).ok_or_else(|| self.why()));
        }
    }

    fn sync(&self) {
        if let Err(error) = self.wal.sync() {
            let why = format!("the disk of the record failed ({error}); restart Hookyard once it is in order");
            breaks(&self.broken, why);
        }
    }

    fn why(&self) -> Failed {
        self.broken.get().map_or(Failed::Closed, |why| Failed::Broken(why.clone()))
    }
}

fn breaks(broken: &Broken, why: String) {
    tracing::error!(why, "the record takes nothing more");
    // The first reason is the one that counts.
    let _ = broken.set(why);
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn operation(writes: bool, run: impl FnOnce() -> u32 + Send + 'static) -> Operation<u32> {
        Operation { writes, run: Box::new(run) }
    }

    /// Somebody who waits for an answer, and what has run for him.
    fn ran(writes: bool) -> (Ran<u32>, oneshot::Receiver<Result<u32, Failed>>) {
        let (reply, answer) = oneshot::channel();
        (Ran { writes, result: Some(7), reply }, answer)
    }

    fn syncer(log: File) -> Syncer {
        Syncer { wal: Wal::over(log), broken: Broken::default() }
    }

    /// What cannot be synced: a pipe.
    #[cfg(unix)]
    fn pipe() -> (std::io::PipeReader, File) {
        let (reader, writer) = io::pipe().unwrap();
        (reader, File::from(std::os::fd::OwnedFd::from(writer)))
    }

    #[tokio::test]
    async fn a_write_is_synced_before_its_answer_and_reads_alone_need_no_sync() {
        let operations = Operations::start(Wal::over(tempfile::tempfile().unwrap())).unwrap();
        assert_eq!(operations.call(operation(false, || 1)).await.unwrap(), 1);
        assert_eq!(operations.syncs(), 0);
        assert_eq!(operations.call(operation(true, || 2)).await.unwrap(), 2);
        assert_eq!(operations.syncs(), 1);
    }

    #[test]
    fn those_that_gather_share_a_sync() {
        let syncer = syncer(tempfile::tempfile().unwrap());
        let syncs = syncer.wal.syncs();
        let (hand, waiting) = mpsc::sync_channel(AHEAD);
        let answers: Vec<_> = (0..AHEAD)
            .map(|n| {
                let (ran, answer) = ran(n % 4 != 0);
                hand.send(ran).unwrap();
                answer
            })
            .collect();
        drop(hand);
        syncer.serve(&waiting);
        assert_eq!(syncs.count(), (AHEAD / MOST) as u64);
        assert!(answers.into_iter().all(|mut answer| matches!(answer.try_recv(), Ok(Ok(7)))));
    }

    #[tokio::test]
    async fn the_next_runs_while_the_disk_is_waited_for() {
        // What has run and is not answered waits in the channel: nobody takes it out here.
        let (ran, waiting) = mpsc::sync_channel(AHEAD);
        let (calls, inbox) = mpsc::channel();
        let worker = Worker { broken: Broken::default(), ran };
        for _ in 0..3 {
            calls.send(Call { operation: operation(true, || 7), reply: oneshot::channel().0 }).unwrap();
        }
        drop(calls);
        worker.serve(&inbox);
        assert_eq!(waiting.iter().filter(|ran| ran.result == Some(7)).count(), 3);
    }

    #[tokio::test]
    async fn after_a_panic_inside_it_says_so_and_does_no_more() {
        let operations = Operations::start(Wal::of_memory()).unwrap();
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
        let (_reader, log) = pipe();
        let operations = Operations::start(Wal::over(log)).unwrap();
        assert_eq!(operations.call(operation(false, || 1)).await.unwrap(), 1);
        assert!(matches!(operations.call(operation(true, || 1)).await, Err(Failed::Broken(_))));
        let next = operations.call(operation(false, || 1)).await;
        assert!(next.unwrap_err().to_string().contains("restart Hookyard"));
        assert!(operations.trouble().unwrap().starts_with("the disk of the record failed"));
    }

    #[cfg(unix)]
    #[test]
    fn nor_what_was_read_before_the_sync_had_failed() {
        let (_reader, log) = pipe();
        let syncer = syncer(log);
        let ((write, mut written), (read, mut seen)) = (ran(true), ran(false));
        syncer.answer(vec![write]);
        syncer.answer(vec![read]);
        for answer in [&mut written, &mut seen] {
            assert!(matches!(answer.try_recv(), Ok(Err(Failed::Broken(_)))));
        }
    }
}
