//! A run: what became of one receipt. Its attempts, its lease, and what follows from an outcome.

use std::time::Duration;

use jiff::Timestamp;

use crate::event::{EventStatus, LastAnswer};
use crate::ids::{EventId, ReceiptId, Sha, StatusId};
use crate::reasons::FailureReason;
use crate::retry;

mod company;

pub use self::company::{Company, FEW};

/// How long an attempt belongs to the process that started it. After this a run whose attempt was cut off
/// is taken up again. Ten seconds of time-out, and room for the writes around it.
pub const LEASE: Duration = Duration::from_secs(30);

/// A run that was cut off this often (its process died with the attempt open) is dead-lettered: something in
/// this very message kills whoever works on it.
pub const MAX_CUT_OFFS: u32 = 5;

/// Who asked for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedBy {
    /// GitHub delivered or redelivered.
    Github,
    /// A replay, and who asked for it.
    Replay {
        /// The replay's id, shared by all the runs it started.
        replay: String,
        /// Key name, person or program.
        by: String,
    },
}

/// How an attempt ended. The words stand in the API; those that are reasons have their sentences in [`crate::reasons`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// 2xx, and its body could be used (or was empty).
    Taken,
    /// 2xx, but its JSON could not be used: the event counts as taken, its statuses are lost.
    AnswerUnreadable,
    /// No complete answer within the time-out.
    Timeout,
    /// No connection, or it closed before an answer.
    Unreachable,
    /// The TLS handshake failed.
    Tls,
    /// 5xx.
    Error,
    /// 408, 425 or 429.
    Busy,
    /// 401 or 403.
    Denied,
    /// Another 4xx.
    Rejected,
    /// 410.
    Gone,
    /// 3xx, never followed.
    Moved,
    /// We were stopped or died while it ran; says nothing about the server.
    CutOff,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 12] = [
        Self::Taken,
        Self::AnswerUnreadable,
        Self::Timeout,
        Self::Unreachable,
        Self::Tls,
        Self::Error,
        Self::Busy,
        Self::Denied,
        Self::Rejected,
        Self::Gone,
        Self::Moved,
        Self::CutOff,
    ];

    /// The word in the API and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::AnswerUnreadable => "server_answer_unreadable",
            Self::Timeout => "server_timeout",
            Self::Unreachable => "server_unreachable",
            Self::Tls => "server_tls",
            Self::Error => "server_error",
            Self::Busy => "server_busy",
            Self::Denied => "server_denied",
            Self::Rejected => "server_rejected",
            Self::Gone => "server_gone",
            Self::Moved => "server_moved",
            Self::CutOff => "cut_off",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == word)
    }

    /// What a server's HTTP status means. 1xx never reaches us and counts as an error.
    pub fn of_code(code: u16) -> Self {
        match code {
            200..=299 => Self::Taken,
            300..=399 => Self::Moved,
            401 | 403 => Self::Denied,
            408 | 425 | 429 => Self::Busy,
            410 => Self::Gone,
            400..=499 => Self::Rejected,
            _ => Self::Error,
        }
    }

    /// Whether the server is tried again after it.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Timeout | Self::Unreachable | Self::Tls | Self::Error | Self::Busy | Self::CutOff)
    }

    /// Whether it counts towards a server's rest: retryable, and the server's own doing.
    pub fn tires(self) -> bool {
        self.is_retryable() && self != Self::CutOff
    }

    /// The reason an event errors with when this outcome ends it.
    pub fn final_reason(self) -> Option<FailureReason> {
        match self {
            Self::Denied => Some(FailureReason::ServerDenied),
            Self::Rejected => Some(FailureReason::ServerRejected),
            Self::Gone => Some(FailureReason::ServerGone),
            Self::Moved => Some(FailureReason::ServerMoved),
            _ => None,
        }
    }
}

/// One call of the user's server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When the call began; statuses in its answer count as accepted then.
    pub started_at: Timestamp,
    /// When it ended; none while it is open.
    pub ended_at: Option<Timestamp>,
    /// How; none while it is open.
    pub outcome: Option<Outcome>,
    /// HTTP status, if there was one.
    pub code: Option<u16>,
    /// Duration in milliseconds, measured, not derived from the two times.
    pub ms: Option<u64>,
    /// What happened in words, from our own vocabulary: never the server's body.
    pub note: Option<String>,
    /// Ids of the statuses that its answer brought and that were accepted.
    pub statuses: Vec<StatusId>,
    /// The commit they are about, when the answer named another than the event's.
    pub sha: Option<Sha>,
}

impl Attempt {
    /// An attempt that begins now.
    pub fn open(started_at: Timestamp) -> Self {
        Self {
            started_at,
            ended_at: None,
            outcome: None,
            code: None,
            ms: None,
            note: None,
            statuses: Vec::new(),
            sha: None,
        }
    }
}

/// What one attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status, if there was one.
    pub code: Option<u16>,
    /// Duration in milliseconds.
    pub ms: u64,
    /// What happened in words.
    pub note: Option<String>,
    /// Statuses accepted from its answer.
    pub statuses: Vec<StatusId>,
    /// The commit they are about, when the answer named another than the event's.
    pub sha: Option<Sha>,
    /// The server's `Retry-After`, already read as a delay.
    pub retry_after: Option<Duration>,
}

/// One receipt and all that was done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The event.
    pub event: EventId,
    /// The receipt; also the `webhook-id` the server sees.
    pub receipt: ReceiptId,
    /// Where it stands.
    pub state: EventStatus,
    /// Who asked for it.
    pub asked_by: AskedBy,
    /// When fanout first had it; the eight hours count from here.
    pub started_at: Timestamp,
    /// Until when the open attempt belongs to its process.
    pub lease_until: Option<Timestamp>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it errored.
    pub failure: Option<FailureReason>,
    /// Why nothing was sent.
    pub reason: Option<String>,
    /// How often its process died with an attempt open, since it was last redriven.
    pub cut_offs: u32,
    /// The id of the message that was dead-lettered for it.
    pub set_aside: Option<String>,
    /// Calls of the server, oldest first.
    pub attempts: Vec<Attempt>,
    /// For conditional writes: grows with each.
    pub version: u64,
}

/// What a message for a run that already has a row should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeUp {
    /// Work on it.
    Go,
    /// It has ended: a copy out of the queue, drop it.
    Finished,
    /// Another process holds it, or its next attempt is not due: come back then.
    NotBefore(Timestamp),
    /// It was cut off too often: set it aside.
    TooManyCutOffs,
}

impl Run {
    /// A run that begins now.
    pub fn new(event: EventId, receipt: ReceiptId, asked_by: AskedBy, redelivery: bool, now: Timestamp) -> Self {
        Self {
            event,
            receipt,
            state: if redelivery { EventStatus::Reprocessing } else { EventStatus::Processing },
            asked_by,
            started_at: now,
            lease_until: None,
            next_attempt_at: None,
            ended_at: None,
            failure: None,
            reason: None,
            cut_offs: 0,
            set_aside: None,
            attempts: Vec::new(),
            version: 0,
        }
    }

    /// Calls made, those cut off included.
    pub fn tries(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX)
    }

    /// The newest answer, for the event's row.
    pub fn last_answer(&self) -> Option<LastAnswer> {
        let last = self.attempts.iter().rev().find(|a| a.ended_at.is_some() && a.outcome != Some(Outcome::CutOff))?;
        Some(LastAnswer { code: last.code, ms: last.ms.unwrap_or(0) })
    }

    /// Decides what the message of that id, which finds this row, should do; closes an attempt whose process is gone.
    ///
    /// A run that ended as `internal` was dead-lettered. A message of another id can only be there because somebody
    /// redrove it (a redrive sends it anew), so it starts over with a clean count; the same id is a copy that has to
    /// be set aside as well.
    pub fn take_up(&mut self, now: Timestamp, working: EventStatus, message: &str) -> TakeUp {
        if self.state.is_final() {
            if self.failure != Some(FailureReason::Internal) {
                return TakeUp::Finished;
            }
            if self.set_aside.as_deref() == Some(message) {
                return TakeUp::TooManyCutOffs;
            }
            self.state = working;
            self.failure = None;
            self.set_aside = None;
            self.ended_at = None;
            self.cut_offs = 0;
            self.started_at = now;
            return TakeUp::Go;
        }
        if let Some(until) = self.lease_until.filter(|until| *until > now) {
            return TakeUp::NotBefore(until);
        }
        if let Some(open) = self.attempts.last_mut().filter(|a| a.ended_at.is_none()) {
            open.ended_at = Some(now);
            open.outcome = Some(Outcome::CutOff);
            open.note = Some("Hookyard was stopped while it waited for the answer.".to_owned());
            self.lease_until = None;
            self.cut_offs += 1;
            if self.cut_offs >= MAX_CUT_OFFS {
                self.finish(EventStatus::Errored, Some(FailureReason::Internal), now);
                self.set_aside = Some(message.to_owned());
                return TakeUp::TooManyCutOffs;
            }
        }
        match self.next_attempt_at.filter(|at| *at > now) {
            Some(at) => TakeUp::NotBefore(at),
            None => TakeUp::Go,
        }
    }

    /// Whether an attempt is under way, or was when its process died.
    pub fn is_open(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| attempt.ended_at.is_none())
    }

    /// The state that a run shows while it is worked on. One that is worked on already keeps its own: whether a
    /// receipt counts as a redelivery may look different once an older one has been recorded.
    pub fn working(&self, redelivery: bool) -> EventStatus {
        match self.state {
            EventStatus::Processing if self.version > 0 => EventStatus::Processing,
            EventStatus::Reprocessing if self.version > 0 => EventStatus::Reprocessing,
            _ if redelivery => EventStatus::Reprocessing,
            _ => EventStatus::Processing,
        }
    }

    /// Opens the next attempt and takes the lease.
    pub fn start_attempt(&mut self, now: Timestamp, working: EventStatus) {
        self.state = working;
        self.next_attempt_at = None;
        self.lease_until = Some(now + jiff::SignedDuration::try_from(LEASE).unwrap_or_default());
        self.attempts.push(Attempt::open(now));
    }

    /// Closes the open attempt and decides what follows: done, again later, or given up.
    /// `seed` spreads retries of different runs; it only has to differ between them.
    pub fn end_attempt(&mut self, ending: Ending, now: Timestamp, seed: u64) {
        // Those before a redrive count no more: it has eight hours, and quick first tries, of its own.
        let since = self.attempts.iter().filter(|attempt| attempt.started_at >= self.started_at).count();
        let tries = u32::try_from(since).unwrap_or(u32::MAX);
        if let Some(open) = self.attempts.last_mut() {
            open.ended_at = Some(now);
            open.outcome = Some(ending.outcome);
            open.code = ending.code;
            open.ms = Some(ending.ms);
            open.note = ending.note;
            open.statuses = ending.statuses;
            open.sha = ending.sha;
        }
        self.lease_until = None;
        if !ending.outcome.is_retryable() {
            let failure = ending.outcome.final_reason();
            let state = if failure.is_some() { EventStatus::Errored } else { EventStatus::Processed };
            self.finish(state, failure, now);
            return;
        }
        match retry::next_attempt(self.started_at, now, tries, ending.retry_after, seed) {
            Some(at) => self.defer(at),
            None => self.finish(EventStatus::Errored, Some(FailureReason::GaveUp), now),
        }
    }

    /// Parks the run until `at` without an attempt (the server rests), or between two.
    pub fn defer(&mut self, at: Timestamp) {
        self.state = EventStatus::Unprocessed;
        self.lease_until = None;
        self.next_attempt_at = Some(at);
    }

    /// Ends the run.
    pub fn finish(&mut self, state: EventStatus, failure: Option<FailureReason>, now: Timestamp) {
        self.state = state;
        self.failure = failure;
        self.ended_at = Some(now);
        self.lease_until = None;
        self.next_attempt_at = None;
    }
}

#[cfg(test)]
mod tests;
