//! Durable queues with the behaviour of Amazon SQS, standard and FIFO, in one SQLite file.
//!
//! A call returns when what it did is committed and synced. One thread owns the file: it runs every call that comes while
//! the disk is busy in one transaction and commits once; another syncs, and answers each. What is *waiting*, and until
//! when, stands in the file; what is *in flight* stands in memory only, so that after a restart everything that
//! was in flight is visible at once.
//!
//! ```text
//! mod.rs       what callers see: Queues, and the names of its queues
//! handle.rs    one queue: send, receive, ack, defer, dead letters     ports.rs   the domain's ports over it
//! dead.rs      the port of dead letters           brake.rs     publications go before the record
//! refusals.rs  what SQS would not take, this does not take either     packed.rs  bodies as they are stored
//! salvage.rs   a damaged file: what can be read of it goes into a fresh one
//! writer.rs    the thread, its transactions, and what a failure means      trouble.rs   the failure that lasts
//! syncer.rs    the thread that waits for the disk, and answers
//! books.rs     the verbs, inside a transaction      line.rs   what is in flight      ledger.rs   the SQL
//! ```
//!
//! Where SQS has latitude, this is the choice:
//! - A *stale* handle (its message was handed out again since) acknowledges and defers nothing: on a standard
//!   queue that is no error, on a FIFO queue it is one, and there it is so as soon as the visibility time-out
//!   is over. A handle of a message that is gone is no error on either.
//! - De-duplication counts within a group, as on a high-throughput FIFO queue.
//! - A dead letter is moved, not copied, and a redriven message is a new one at the end of its group.

mod books;
mod brake;
mod dead;
mod handle;
mod ledger;
mod line;
mod packed;
mod ports;
mod refusals;
mod salvage;
mod syncer;
#[cfg(test)]
mod tests;
mod trouble;
mod writer;

use std::path::Path;
use std::sync::Arc;

use domain::error::PortError;
use domain::ports::Clock;
use rusqlite::Connection;

pub use self::brake::Brake;
pub use self::dead::DeadLetters;
pub use self::handle::{Counts, DeadLetter, Outgoing, Queue};
pub use self::ports::Topic;
pub use self::salvage::Salvage;
use self::writer::{Weight, Writer};
use crate::folder::OpenError;

/// The queue between the topic and `fanout`.
pub const FANOUT: &str = "fanout";

/// The FIFO queue between everybody who sets a status and `status`.
pub const STATUSES: &str = "statuses";

/// What a queue promises about order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// At least once, in no promised order.
    Standard,
    /// In order within a group, one batch of a group at a time, sent once per de-duplication id.
    Fifo,
}

/// A queue to be opened. Its dead-letter queue, of the same kind, comes with it as `<name>-dead`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSpec {
    /// Its name in the file: never change one that has been used.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
}

/// The queues of Hookyard.
pub const QUEUES: &[QueueSpec] =
    &[QueueSpec { name: FANOUT, kind: Kind::Standard }, QueueSpec { name: STATUSES, kind: Kind::Fifo }];

/// All queues of one file. Cloning is cheap; the file is closed when the last clone and the last [`Queue`] go.
#[derive(Clone)]
pub struct Queues {
    writer: Arc<Writer>,
    salvaged: Option<Arc<Salvage>>,
    brake: Brake,
}

impl Queues {
    /// Opens the file, or makes it. Only one process, and only one `Queues` in it, can have a file open.
    ///
    /// A damaged file is replaced by a fresh one with all that can be read of it ([`Queues::salvaged`]), and kept beside it.
    ///
    /// # Errors
    /// [`OpenError`] when somebody else has it open, when a newer version wrote it, or when the system refuses.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_with(path, clock, QUEUES)
    }

    /// The same with other queues than Hookyard's own.
    ///
    /// # Errors
    /// As [`Queues::open`].
    pub fn open_with(path: &Path, clock: Arc<dyn Clock>, queues: &[QueueSpec]) -> Result<Self, OpenError> {
        let mut salvaged = None;
        if salvage::mark(path).exists() {
            salvaged = Some(salvage::run(path, clock.now())?);
        }
        let opened = match Self::open_file(path, Arc::clone(&clock), queues) {
            Err(error) if salvaged.is_none() && salvage::is_damage_at_open(&error) => {
                salvaged = Some(salvage::run(path, clock.now())?);
                Self::open_file(path, clock, queues)
            }
            opened => opened,
        };
        opened.map(|opened| Self { salvaged: salvaged.map(Arc::new), ..opened })
    }

    fn open_file(path: &Path, clock: Arc<dyn Clock>, queues: &[QueueSpec]) -> Result<Self, OpenError> {
        let failed = |source| OpenError::database(path, source);
        let conn = Connection::open(path).map_err(failed)?;
        ledger::prepare(&conn).map_err(failed)?;
        match ledger::migrate(&conn).map_err(failed)? {
            Ok(()) => {}
            Err(found) => {
                return Err(OpenError::Newer { path: path.to_owned(), found, known: ledger::VERSION });
            }
        }
        Self::start(conn, clock, queues, path)
    }

    /// Queues that are gone when they are dropped.
    ///
    /// # Errors
    /// [`OpenError`] when there is no memory for it, or no thread.
    pub fn memory(clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::memory_with(clock, QUEUES)
    }

    /// The same with other queues than Hookyard's own.
    ///
    /// # Errors
    /// As [`Queues::memory`].
    pub fn memory_with(clock: Arc<dyn Clock>, queues: &[QueueSpec]) -> Result<Self, OpenError> {
        let path = Path::new(writer::MEMORY);
        let failed = |source| OpenError::database(path, source);
        let conn = Connection::open_in_memory().map_err(failed)?;
        // A fresh database has no version that could be too new.
        let _ = ledger::migrate(&conn).map_err(failed)?;
        Self::start(conn, clock, queues, path)
    }

    /// What opening the file came to, when it was damaged.
    pub fn salvaged(&self) -> Option<&Salvage> {
        self.salvaged.as_deref()
    }

    /// The queue of that name, dead-letter queues included; none when this file was opened without it.
    pub fn queue(&self, name: &str) -> Option<Queue> {
        let at = self.writer.lines.iter().position(|line| line.name == name)?;
        Some(Queue::new(Arc::clone(&self.writer), at))
    }

    /// The topic that every event is published to: one message for each queue named here.
    ///
    /// # Errors
    /// Permanent, when one of them was not opened or is a FIFO queue.
    pub fn topic(&self, subscribers: &[&str]) -> Result<Topic, PortError> {
        let queues = subscribers
            .iter()
            .map(|name| match self.queue(name) {
                Some(queue) if queue.kind() == Kind::Standard => Ok(queue),
                _ => Err(PortError::permanent(format!("there is no standard queue {name} to subscribe"))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Topic::new(Arc::clone(&self.writer), queues.iter().map(Queue::at).collect(), self.brake.clone()))
    }

    /// Returns as soon as none of these queues has a message in flight and none has one that is due now. What is
    /// deferred to a later time does not count. All queues are looked at in the same moment, between two
    /// transactions: a message that was acknowledged after its follow-up had been sent cannot slip through.
    ///
    /// # Errors
    /// Permanent for a name that was not opened; transient when the file fails.
    pub async fn idle(&self, names: &[&str]) -> Result<(), PortError> {
        let ats = names
            .iter()
            .map(|name| self.queue(name).map(|queue| queue.at()))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| PortError::permanent("a queue was named that is not open"))?;
        let mut changed = self.writer.any_change.clone();
        loop {
            changed.borrow_and_update();
            let asked = ats.clone();
            if self.writer.call(Weight::Read, move |books| books.idle(&asked)).await? {
                return Ok(());
            }
            changed.changed().await.map_err(|_| writer::stopped())?;
        }
    }

    /// What lets publications to these topics go first.
    pub fn brake(&self) -> &Brake {
        &self.brake
    }

    /// How often what had been committed was synced since the file was opened: nothing is answered before.
    pub fn syncs(&self) -> u64 {
        self.writer.syncs()
    }

    /// What the file suffers from at the moment, in a sentence: a disk that is full, a file that cannot be read, a
    /// writer that has died. None when all is well. Costs nothing then; else it tries whether there is room again.
    pub async fn trouble(&self) -> Option<String> {
        self.writer.trouble().await
    }

    fn start(conn: Connection, clock: Arc<dyn Clock>, queues: &[QueueSpec], path: &Path) -> Result<Self, OpenError> {
        let writer = Writer::start(conn, clock, queues, path)?;
        Ok(Self { writer: Arc::new(writer), salvaged: None, brake: Brake::default() })
    }
}
