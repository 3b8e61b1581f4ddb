//! What the handlers need from the world, one verb at a time, in the domain's own words.
//!
//! Each function gets only the ports that its row in the design names; its IAM policy holds exactly their
//! actions. Time and new ids are ports too, so that a test advances the one and predicts the other.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

use crate::dead_letters::{DeadLetterPage, DeadLetterQueue, Redriven, Which};
use crate::envelope::Attributes;
use crate::error::PortError;
use crate::event::GithubEvent;
use crate::hours::{Counted, Hour};
use crate::ids::{BodyKey, CredentialId, EventId, ReceiptId, Repository, Sha, StatusId};
use crate::query::{EventPage, EventQuery, ReleasePage, ReleaseQuery, StatusPage};
use crate::release::ReleaseEvent;
use crate::retry::ServerHealth;
use crate::run::Run;
use crate::secrets::Keyring;
use crate::statuses::message::StatusMessage;
use crate::statuses::row::StatusRow;
use crate::statuses::{Content, ContextKey, Head};
use crate::trouble::{RefusedStatus, Trouble};

/// Time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
    /// Returns once `now()` is at or after `until`. Dropping the future cancels the wait.
    async fn sleep_until(&self, until: Timestamp);
}

/// New receipts and call-back ids.
pub trait Ids: Send + Sync {
    /// A UUID v7 for `now`, greater than every one given before by this source.
    fn next(&self, now: Timestamp) -> Uuid;
}

/// The secrets of one purpose. Only sources that can change while we run do anything on `refresh`.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// What is valid now.
    async fn current(&self) -> Result<Keyring, PortError>;
    /// Looks again because a signature fitted none; at most once in 30 s, otherwise answers as `current`. The answer
    /// says by [`Keyring::as_of`] which look it comes from.
    async fn refresh(&self) -> Result<Keyring, PortError>;
}

/// One entry of the place where secrets are kept (`ssm:GetParameter`). [`Secrets`] stands in front of it, so that it
/// is asked seldom.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// Its name, for messages.
    fn name(&self) -> &str;
    /// What it holds now, as text: see [`crate::secrets::SecretList`].
    async fn read(&self) -> Result<SecretString, PortError>;
}

/// The topic that every event is published to (`sns:Publish`; locally the queue's file).
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Returns only when the message is durable. `body` is printable ASCII of at most 240 KiB with its attributes.
    async fn publish(&self, body: &str, attributes: &Attributes) -> Result<(), PortError>;
}

/// Where bodies go that are too large for the bus (`s3:PutObject`; locally a file).
#[async_trait]
pub trait BodyWriter: Send + Sync {
    /// Returns only when the bytes are durable.
    async fn put(&self, key: &BodyKey, body: Bytes) -> Result<(), PortError>;
}

/// Reads them again (`s3:GetObject`).
#[async_trait]
pub trait BodyReader: Send + Sync {
    /// None when there is no such body.
    async fn get(&self, key: &BodyKey) -> Result<Option<Bytes>, PortError>;

    /// Whether there is one, without reading it where the store can tell.
    async fn holds(&self, key: &BodyKey) -> Result<bool, PortError> {
        Ok(self.get(key).await?.is_some())
    }

    /// An address that gives the bytes to whoever has it, for some minutes, as `content_type`; none where the store has
    /// no addresses. For bodies that are too large for an answer of ours.
    async fn link(&self, _key: &BodyKey, _content_type: &str) -> Result<Option<String>, PortError> {
        Ok(None)
    }
}

/// One message as a queue handed it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The queue's id of the message, for `batchItemFailures`.
    pub id: String,
    /// The receipt handle of this very receive.
    pub handle: String,
    /// The bytes that were sent.
    pub body: String,
    /// The FIFO group, on FIFO queues.
    pub group: Option<String>,
    /// How often it has been received, this time included. Never used to count attempts.
    pub receives: u32,
}

/// What a consumer may do with a message besides finishing it (`sqs:ChangeMessageVisibility`, `sqs:SendMessage`
/// on the dead-letter queue).
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Hides the message until then; at most 12 hours ahead (Amazon SQS: "Visibility timeout"), longer waits
    /// are cut to that and deferred again.
    async fn defer(&self, message: &Message, until: Timestamp) -> Result<(), PortError>;
    /// Puts a copy into the dead-letter queue; the caller then lets the original be acknowledged.
    async fn dead_letter(&self, message: &Message, reason: &str) -> Result<(), PortError>;
}

/// What was set aside (`sqs:GetQueueAttributes`, `ReceiveMessage`, `ChangeMessageVisibility` and `DeleteMessage` on the
/// dead-letter queues, `sqs:SendMessage` on the queues that the messages go back to).
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// How many of one queue's there are, as far as the queue knows: on SQS an approximation, which costs no look.
    async fn count(&self, queue: DeadLetterQueue) -> Result<u64, PortError>;

    /// Up to `limit` of one queue's, at most [`crate::dead_letters::LIMIT`]. A look takes nothing away; on SQS it
    /// hides what it looks at from everybody else until it is over, which takes a moment.
    async fn list(&self, queue: DeadLetterQueue, limit: usize) -> Result<DeadLetterPage, PortError>;

    /// Sends dead letters back to the queue that they were meant for. Each is sent first and deleted afterwards: who
    /// dies in between leaves a copy, which is harmless, because what has ended is not done again. Messages of one
    /// FIFO group keep their order. An error means that none was sent back.
    async fn redrive(&self, queue: DeadLetterQueue, which: &Which) -> Result<Redriven, PortError>;
}

/// The `statuses` queue (`sqs:SendMessage` on the FIFO queue).
#[async_trait]
pub trait StatusQueue: Send + Sync {
    /// Sends all, in order within each context. An error means that some may have been taken: sending again is
    /// safe, because the status id is the de-duplication id.
    async fn send(&self, messages: &[StatusMessage]) -> Result<(), PortError>;
}

/// The body of an event as it is kept beside its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptBody {
    /// The exact bytes.
    Inline(Bytes),
    /// In the body store.
    Stored(BodyKey),
}

/// What fanout learns when it records an arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The run's row, when this receipt has been here before.
    pub run: Option<Run>,
    /// Whether the event has receipts older than this one: then this is a redelivery or a replay.
    pub redelivery: bool,
}

/// Events and runs (`dynamodb:PutItem`, `UpdateItem`, `GetItem` on the table).
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Looks up what is known of this receipt and its event, strongly consistent; writes nothing.
    async fn look_up(&self, event: &EventId, receipt: ReceiptId) -> Result<Recorded, PortError>;

    /// Records the arrival: the event's row if it is new (or the receipt added to it), the run, and for a new
    /// event its body, its headers and the claim on the body's hash. Answers false when somebody else has
    /// written this run meanwhile (`run.version` must be 0 for a new run).
    async fn begin(
        &self,
        event: &GithubEvent,
        run: &Run,
        headers: &[(String, String)],
        body: &KeptBody,
    ) -> Result<bool, PortError>;

    /// Writes the run, conditional on its version (which the row then exceeds by one), and shows its state on
    /// the event unless a newer run does. Answers false when the version has moved on.
    async fn save(&self, run: &Run) -> Result<bool, PortError>;
}

/// Releases (`dynamodb:GetItem`, `PutItem`).
#[async_trait]
pub trait ReleaseLog: Send + Sync {
    /// Records what an event says of a release, unless a receipt as new or newer has been recorded: then nothing
    /// changes. Safe to repeat.
    async fn record_release(
        &self,
        repository: &Repository,
        event: &ReleaseEvent,
        receipt: ReceiptId,
        received_at: Timestamp,
    ) -> Result<(), PortError>;
}

/// What became of events, hour by hour (`dynamodb:UpdateItem`).
#[async_trait]
pub trait HourLog: Send + Sync {
    /// Counts one of each, in the hour of that moment. Figures only: a count may be lost or doubled, so its failure
    /// touches no event.
    async fn count(&self, at: Timestamp, what: &[Counted]) -> Result<(), PortError>;
}

/// How the user's server does (`dynamodb:GetItem`, `PutItem`).
#[async_trait]
pub trait ServerLog: Send + Sync {
    /// The row of the server with that key (a hash of its URL); a fresh one when there is none.
    async fn health(&self, server: &str) -> Result<ServerHealth, PortError>;
    /// Writes it, conditional on its version. Answers false when somebody else was faster.
    async fn save_health(&self, server: &str, health: &ServerHealth) -> Result<bool, PortError>;
}

/// What is sent to the user's server.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerRequest {
    /// Names in lower case; values as received, one character per byte (ISO 8859-1).
    pub headers: Vec<(String, String)>,
    /// GitHub's body, byte for byte.
    pub body: Bytes,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerReply {
    /// A complete answer.
    Answered {
        /// HTTP status.
        code: u16,
        /// `Retry-After` as received.
        retry_after: Option<String>,
        /// The host that a redirect names, for the note.
        moved_to: Option<String>,
        /// The body, unless it is larger than 1 MiB.
        body: Option<Bytes>,
    },
    /// None within the time-out.
    TimedOut,
    /// No connection, or it broke; why, in our words.
    Unreachable(String),
    /// The TLS handshake failed; why, in our words.
    Tls(String),
}

/// The user's server.
#[async_trait]
pub trait YourServer: Send + Sync {
    /// A stable key for the row of [`ServerLog`]: a hash of the URL.
    fn key(&self) -> &str;
    /// `host:port`, for notes.
    fn host(&self) -> &str;
    /// One POST: no retry, no redirect, 10 s for everything.
    async fn call(&self, request: ServerRequest) -> ServerReply;
}

/// Heads of contexts, read only: fanout recognises the echo of our own status by it.
#[async_trait]
pub trait HeadReader: Send + Sync {
    /// The head, strongly consistent; the default when there is no row.
    async fn head(&self, key: &ContextKey) -> Result<Head, PortError>;
}

/// Heads and status rows (`dynamodb:GetItem`, `PutItem`).
#[async_trait]
pub trait StatusLog: HeadReader {
    /// Writes the head, conditional on its version. Answers false when it has moved on.
    async fn save_head(&self, key: &ContextKey, head: &Head) -> Result<bool, PortError>;
    /// The row of one status, strongly consistent.
    async fn status(&self, repository: &Repository, sha: &Sha, id: &StatusId) -> Result<Option<StatusRow>, PortError>;
    /// Writes the row; a row that has ended is never overwritten by a waiting one.
    async fn save_status(&self, row: &StatusRow) -> Result<(), PortError>;
}

/// A credential's pause, shared by every writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Nothing is written before.
    pub until: Timestamp,
    /// How many limits in a row came without a time of their own: the wait grows with it.
    pub strikes: u32,
}

/// Pauses of credentials (`dynamodb:GetItem`, `UpdateItem`).
#[async_trait]
pub trait PauseLog: Send + Sync {
    /// The pause, if one was ever written.
    async fn pause(&self, credential: &CredentialId) -> Result<Option<Pause>, PortError>;
    /// Writes it unless a longer one stands: `until` only grows.
    async fn save_pause(&self, credential: &CredentialId, pause: Pause) -> Result<(), PortError>;
}

/// What GitHub (or the way there) said to a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostReply {
    /// 201, with GitHub's id.
    Created(u64),
    /// Any other answer.
    Answered(GithubAnswer),
    /// No connection: certainly not applied.
    NotSent(String),
    /// Time-out, reset, an answer cut short: nobody knows.
    Unknown(String),
}

/// An answer of GitHub that is no success.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GithubAnswer {
    /// HTTP status.
    pub code: u16,
    /// GitHub's `message` and `errors`, cut to 300 characters.
    pub words: String,
    /// `retry-after` as received.
    pub retry_after: Option<String>,
    /// `x-ratelimit-remaining` as received.
    pub remaining: Option<String>,
    /// `x-ratelimit-reset` as received, epoch seconds.
    pub reset: Option<String>,
}

/// One status as GitHub lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedStatus {
    /// GitHub's id: larger is newer.
    pub id: u64,
    /// What it says.
    pub content: Content,
}

/// What GitHub said to a GET of a commit's statuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListReply {
    /// One page, newest first, and whether there is another.
    Listed(Vec<ListedStatus>, bool),
    /// Another answer.
    Answered(GithubAnswer),
    /// No answer; why.
    Failed(String),
}

/// What is configured now in place of a token that GitHub has just refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenNow {
    /// Another one.
    Replaced,
    /// The same: a look that began after the refusal found no other.
    Same,
    /// Nobody knows before then, because the source was asked a moment ago or does not answer.
    Unknown(Timestamp),
}

/// GitHub's statuses API. Never repeats a request by itself.
#[async_trait]
pub trait GithubStatuses: Send + Sync {
    /// Which credential writes to that repository; none when nothing is configured. An error means that something is
    /// configured and cannot be read: then nothing may be decided.
    async fn credential(&self, repository: &Repository) -> Result<Option<CredentialId>, PortError>;
    /// GitHub has just answered 401 to that credential: whether another one writes to the repository by now.
    async fn token_now(&self, credential: &CredentialId, repository: &Repository) -> TokenNow;
    /// One POST; 10 s.
    async fn post(&self, credential: &CredentialId, repository: &Repository, sha: &Sha, content: &Content)
    -> PostReply;
    /// One page (from 1) of a commit's statuses, 100 a page, newest first; 10 s.
    async fn list(&self, credential: &CredentialId, repository: &Repository, sha: &Sha, page: u32) -> ListReply;
}

/// One event with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventStory {
    /// The event.
    pub event: GithubEvent,
    /// Its runs, oldest first.
    pub runs: Vec<Run>,
    /// The body; none when it has expired.
    pub body: Option<KeptBody>,
    /// The forwarded headers.
    pub headers: Vec<(String, String)>,
}

/// The table as the query API reads it (`dynamodb:Query`, `GetItem`).
#[async_trait]
pub trait EventReader: HourReader {
    /// One page of events, newest first.
    async fn events(&self, query: &EventQuery) -> Result<EventPage, PortError>;
    /// One event.
    async fn event(&self, id: &EventId) -> Result<Option<EventStory>, PortError>;
    /// One page of a commit's statuses, newest accepted first.
    async fn statuses(
        &self,
        repository: &Repository,
        sha: &Sha,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<StatusPage, PortError>;
    /// Errored events that were received since then, oldest first, and after them what [`Self::refused_statuses`] gives;
    /// at most `limit` together, at most 100.
    async fn needs_you(&self, since: Timestamp, limit: usize) -> Result<Vec<Trouble>, PortError>;

    /// Contexts whose newest word GitHub refused, oldest first; at most `limit`, at most 100.
    async fn refused_statuses(&self, limit: usize) -> Result<Vec<RefusedStatus>, PortError>;

    /// Whether the table answers at all, for `/health`.
    async fn ping(&self) -> Result<(), PortError>;
}

/// Releases as the query API reads them (`dynamodb:Query` on the indexes).
#[async_trait]
pub trait ReleaseReader: Send + Sync {
    /// One page of releases, newest first.
    async fn releases(&self, query: &ReleaseQuery) -> Result<ReleasePage, PortError>;
}

/// The counts as the pages read them (`dynamodb:Query`).
#[async_trait]
pub trait HourReader: Send + Sync {
    /// The newest hours in which anything was counted, up to that moment's own, oldest first; at most `hours` of them,
    /// at most 1,000. However old they are: none at all means that nothing has been counted in 90 days.
    async fn hours(&self, until: Timestamp, hours: usize) -> Result<Vec<Hour>, PortError>;
}
