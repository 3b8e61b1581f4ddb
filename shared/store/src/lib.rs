//! The record: events, runs, statuses and what goes with them, in one DynamoDB table.
//!
//! One implementation, used on AWS and on the engine of `embedded` alike. [`Store`] is every port of
//! `domain::ports` that keeps something; [`schema`] says what the table looks like. Rows are written by hand, one
//! module per kind ([`keys`] names them all), so that the domain's types owe nothing to the table.
//!
//! Rows of events, runs, bodies and statuses expire. DynamoDB removes them late, so every read looks at
//! `expires_at` itself, and a row whose time is over gives way to a new one as if it were gone.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod attributes;
mod body;
mod cursor;
mod error;
mod event;
mod head;
mod hours;
pub mod keys;
mod list;
mod packing;
mod pause;
mod read;
mod release;
mod run;
pub mod schema;
mod server;
mod status;
mod table;
mod trouble;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
pub use body::INLINE_LIMIT;
use domain::ports::Clock;
use jiff::{SignedDuration, Timestamp};

/// How long rows are kept unless [`Store::keeping`] says otherwise: 90 days.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The table, behind the ports of `domain`. Clones share the client.
#[derive(Clone)]
pub struct Store {
    client: Client,
    table: String,
    clock: Arc<dyn Clock>,
    retention: SignedDuration,
    counting: Arc<hours::Counting>,
}

impl Store {
    /// The table of that name, which [`schema::create_table`] or the template has made. The clock decides what
    /// has expired.
    pub fn new(client: Client, table: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self { client, table: table.into(), clock, retention: RETENTION, counting: Arc::default() }
    }

    /// Opens the connection, so that the first message finds it there: looks for a row that nobody writes.
    pub async fn warm(&self) {
        if let Err(error) = self.look().await {
            tracing::warn!(%error, "the table could not be read at the start");
        }
    }

    /// The same, keeping rows for another time. Rows that are there keep the end they were given.
    #[must_use]
    pub fn keeping(mut self, retention: SignedDuration) -> Self {
        self.retention = retention;
        self
    }

    /// The second at which something of that moment expires.
    fn expiry(&self, from: Timestamp) -> i64 {
        from.checked_add(self.retention).unwrap_or(Timestamp::MAX).as_second()
    }
}
