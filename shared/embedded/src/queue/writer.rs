//! The one thread that owns the file, and the one that makes durable what it commits.
//!
//! The first runs calls in a transaction as they come; it commits when no more come and the other is free to sync. The other
//! (`syncer.rs`) syncs the file's log once for a transaction and answers each caller. So the next calls are worked on while the
//! disk is waited for, and the more callers there are, the fewer syncs each costs. What a call has seen was handed over before
//! it, so whoever is answered has seen nothing that could be lost.
//!
//! When a transaction fails, a full disk above all, nothing of it stands. The calls that asked for the most room
//! are answered with the failure and the others are tried again without them: sends first, then everything else
//! that writes, so that what is finished can still be acknowledged while nothing new can be taken.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use domain::error::PortError;
use domain::ports::Clock;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{oneshot, watch};

use super::books::Books;
use super::ledger::Ledger;
use super::syncer::{Committed, Syncer};
use super::trouble::{DAMAGED, Trouble};
use super::{Kind, QueueSpec, salvage};
use crate::folder::OpenError;
use crate::wal::{Syncs, Wal};

/// What stands for a path where there is no file.
pub(super) const MEMORY: &str = ":memory:";

/// Calls in one transaction while the disk is waited for: enough that the sync no longer counts, few enough that nobody
/// waits long.
const MOST_CALLS: usize = 1024;

/// What a call does to the file; when room is short, the later ones here give way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Changes nothing in it.
    Read,
    /// Changes or deletes what is there.
    Change,
    /// Adds to it.
    Grow,
}

/// What a queue's handle has to know without asking the thread.
pub(super) struct LineInfo {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) changed: watch::Receiver<u64>,
}

/// The way to the thread. Dropping it lets the thread finish what it has begun and closes the file.
pub(super) struct Writer {
    pub(super) lines: Vec<LineInfo>,
    pub(super) any_change: watch::Receiver<u64>,
    pub(super) clock: Arc<dyn Clock>,
    /// Marks the handles of this process: a number drawn at the start.
    pub(super) boot: u64,
    commands: Sender<Command>,
    syncs: Syncs,
    trouble: Arc<Trouble>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What is sent to the thread.
pub(super) enum Command {
    Run(Box<dyn Step>),
    /// What was handed over is on disk and answered.
    Synced,
    /// It could not be synced, and nothing is known of it any more.
    Failed,
    Stop,
}

/// A call on its way through a transaction, perhaps through several.
pub(super) trait Step: Send {
    fn weight(&self) -> Weight;
    fn run(&mut self, books: &mut Books) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, failure: Option<&PortError>);
}

impl Writer {
    pub(super) fn start(
        conn: Connection,
        clock: Arc<dyn Clock>,
        queues: &[QueueSpec],
        path: &Path,
    ) -> Result<Self, OpenError> {
        let books = Books::open(Ledger::new(conn), Arc::clone(&clock), queues)
            .map_err(|source| OpenError::database(path, source))?;
        let lines = books
            .lines()
            .iter()
            .map(|line| LineInfo { name: line.name.clone(), kind: line.kind, changed: line.changed.subscribe() })
            .collect();
        let mut boot = [0; 8];
        getrandom::fill(&mut boot).map_err(|error| OpenError::io("draw a random number for", path, error.into()))?;
        let any = watch::Sender::new(0);
        let any_change = any.subscribe();
        let in_memory = path == Path::new(MEMORY);
        let wal = if in_memory { Ok(Wal::of_memory()) } else { Wal::of(path) };
        let wal = wal.map_err(|source| OpenError::io("sync the log of", path, source))?;
        let syncs = wal.syncs();
        let (commands, inbox) = mpsc::channel();
        let mark = (!in_memory).then(|| salvage::mark(path));
        let trouble = Arc::new(Trouble::new(mark));
        let (hand_over, committed) = mpsc::channel();
        let started = |source| OpenError::io("start the writer of", path, source);
        let name = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let syncer = Syncer::new(wal, commands.clone());
        let syncer = name("queue-syncer").spawn(move || syncer.serve(&committed)).map_err(started)?;
        let room = Room { books, any, trouble: Arc::clone(&trouble), hand_over, syncing: false, open: true };
        let thread = name("queue-writer").spawn(move || room.serve(&inbox, syncer)).map_err(started)?;
        let (boot, thread) = (u64::from_be_bytes(boot), Mutex::new(Some(thread)));
        Ok(Self { lines, any_change, clock, boot, commands, syncs, trouble, thread })
    }

    /// Runs `work` in the next transaction and returns when that is committed. When the transaction fails, `work`
    /// may be run again. Dropping the future does not take the call back.
    pub(super) async fn call<T, W>(&self, weight: Weight, work: W) -> Result<T, PortError>
    where
        T: Send + 'static,
        W: FnMut(&mut Books) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let step = Box::new(Call { weight, work, outcome: None, reply });
        self.commands.send(Command::Run(step)).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// A second way to the thread, for what has to be done when a value is dropped.
    pub(super) fn commands(&self) -> Sender<Command> {
        self.commands.clone()
    }

    pub(super) fn syncs(&self) -> u64 {
        self.syncs.count()
    }

    /// Why not everything can be written now; none when all is well.
    ///
    /// While something is wrong, this tries whether it still is: with as much as the largest event needs, which
    /// is removed again at once. Nobody else would find out that there is room again while the senders wait for that.
    pub(super) async fn trouble(&self) -> Option<String> {
        if !self.is_dead() && self.trouble.may_pass() {
            // What comes of it is noted like what comes of any other call.
            let _ = self.call(Weight::Grow, |books| books.try_room()).await;
            let _ = self.call(Weight::Change, |books| books.clear_room()).await;
        }
        if self.is_dead() { Some(stopped().to_string()) } else { self.trouble.now() }
    }

    /// Notes that something in the file is not what was written there.
    pub(super) fn damaged(&self) {
        self.trouble.damaged();
    }

    /// The thread's end of the channel lives as long as the thread does its work.
    fn is_dead(&self) -> bool {
        self.any_change.has_changed().is_err()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop);
        let thread = self.thread.get_mut().map_or(None, Option::take);
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the queue's writer thread had panicked");
        }
    }
}

/// A command that nobody waits for.
pub(super) fn unattended(
    weight: Weight,
    work: impl FnMut(&mut Books) -> rusqlite::Result<()> + Send + 'static,
) -> Command {
    Command::Run(Box::new(Call { weight, work, outcome: None, reply: oneshot::channel().0 }))
}

/// What everybody hears once the thread is gone.
pub(super) fn stopped() -> PortError {
    PortError::transient("the queue's writer has stopped; restart Hookyard, what was accepted is in its file")
}

/// What a failure of SQLite means for the caller.
pub(super) fn port_error(error: &rusqlite::Error) -> PortError {
    if salvage::is_damage(error) {
        return PortError::transient(DAMAGED);
    }
    let passing = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => return PortError::transient("the disk of the queue file is full"),
        // A limit to a file's size, or a quota, comes as this as well.
        Some(ErrorCode::SystemIoFailure) => {
            let why = format!("the queue file cannot be read or written, its disk may be full or failing: {error}");
            return PortError::Transient(why);
        }
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory
            | ErrorCode::ReadOnly
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted
            | ErrorCode::PermissionDenied
            | ErrorCode::CannotOpen
            | ErrorCode::FileLockingProtocolFailed,
        ) => true,
        _ => false,
    };
    let text = format!("the queue file failed: {error}");
    if passing { PortError::Transient(text) } else { PortError::Permanent(text) }
}

struct Call<T, W> {
    weight: Weight,
    work: W,
    outcome: Option<T>,
    reply: oneshot::Sender<Result<T, PortError>>,
}

impl<T, W> Step for Call<T, W>
where
    T: Send,
    W: FnMut(&mut Books) -> rusqlite::Result<T> + Send,
{
    fn weight(&self) -> Weight {
        self.weight
    }

    fn run(&mut self, books: &mut Books) -> rusqlite::Result<()> {
        self.outcome = None;
        self.outcome = Some((self.work)(books)?);
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<&PortError>) {
        let answer = match (failure, self.outcome) {
            (None, Some(outcome)) => Ok(outcome),
            (failure, _) => Err(failure.cloned().unwrap_or_else(stopped)),
        };
        // Whoever asked may have gone away.
        let _ = self.reply.send(answer);
    }
}

/// Where the thread works.
struct Room {
    books: Books,
    any: watch::Sender<u64>,
    trouble: Arc<Trouble>,
    hand_over: Sender<Committed>,
    /// Something was handed over that is not on disk yet.
    syncing: bool,
    /// Nobody has said yet that it is to stop.
    open: bool,
}

impl Room {
    fn serve(mut self, inbox: &Receiver<Command>, syncer: JoinHandle<()>) {
        while self.open
            && let Ok(first) = inbox.recv()
        {
            let mut first = self.step(first);
            while let Some(step) = first {
                first = self.gather(step, inbox);
            }
        }
        drop(self);
        if syncer.join().is_err() {
            tracing::error!("the thread that syncs the queue's file had panicked");
        }
    }

    /// The call in a command, if it is one.
    fn step(&mut self, command: Command) -> Option<Box<dyn Step>> {
        match command {
            Command::Run(step) => return Some(step),
            Command::Synced => self.syncing = false,
            // Whoever calls from now on hears that the writer has stopped.
            Command::Failed | Command::Stop => self.open = false,
        }
        None
    }

    /// Runs that call and those that come after it in one transaction, as long as there are some or the disk is busy. Answers
    /// the call that another one has to begin with.
    fn gather(&mut self, first: Box<dyn Step>, inbox: &Receiver<Command>) -> Option<Box<dyn Step>> {
        let (mut steps, mut next) = (Vec::new(), Some(first));
        let mut failure = self.books.begin().err();
        while let Some(mut step) = next.take() {
            if failure.is_none() {
                failure = step.run(&mut self.books).err();
            }
            steps.push(step);
            while failure.is_none() && next.is_none() && self.open && steps.len() < MOST_CALLS {
                // The other thread says when it is done, or that it cannot go on: nobody waits here for ever.
                let command = if self.syncing { inbox.recv().ok() } else { inbox.try_recv().ok() };
                let Some(command) = command else { break };
                next = self.step(command);
            }
            if next.is_some() && !self.books.go_on() {
                break;
            }
        }
        let committed = match failure {
            None => self.books.commit(),
            Some(error) => Err(error),
        };
        self.conclude(steps, committed);
        if self.books.wake() {
            self.any.send_modify(|n| *n = n.wrapping_add(1));
        }
        next
    }

    /// Hands over what was committed; after a failure, tries the rest without those that weigh most.
    fn conclude(&mut self, mut steps: Vec<Box<dyn Step>>, mut committed: rusqlite::Result<bool>) {
        while let Some(heaviest) = steps.iter().map(|step| step.weight()).max() {
            match committed {
                Ok(changed) => {
                    if changed {
                        self.trouble.ends(heaviest);
                    }
                    // Once the other thread is gone they are dropped, and their callers hear that the writer has stopped.
                    self.syncing |= self.hand_over.send(Committed { steps, changed }).is_ok();
                    return;
                }
                Err(error) => {
                    tracing::debug!(%error, calls = steps.len(), "a transaction of the queue file failed");
                    self.books.roll_back();
                    let failure = port_error(&error);
                    if salvage::is_damage(&error) {
                        self.trouble.damaged();
                    } else {
                        self.trouble.begins(heaviest, &failure);
                    }
                    let (failed, rest): (Vec<_>, Vec<_>) =
                        steps.into_iter().partition(|step| step.weight() == heaviest);
                    for step in failed {
                        step.answer(Some(&failure));
                    }
                    steps = rest;
                    committed = self.transact(&mut steps);
                }
            }
        }
    }

    fn transact(&mut self, steps: &mut [Box<dyn Step>]) -> rusqlite::Result<bool> {
        self.books.begin()?;
        for step in steps {
            step.run(&mut self.books)?;
        }
        self.books.commit()
    }
}
