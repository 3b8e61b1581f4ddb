//! The record: events, runs, statuses and what goes with them, in one DynamoDB table.
//!
//! One implementation, used on AWS and on the engine of `embedded` alike: what they differ in is [`table::Table`], four
//! operations. [`Store`] is every port of `domain::ports` that keeps something; [`schema`] says what the table looks like.
//! Rows are written by hand, one module per kind ([`keys`] names them all), so that the domain's types owe nothing to
//! the table.
//!
//! Rows of events, runs, bodies and statuses expire. DynamoDB removes them late, so every read looks at
//! `expires_at` itself, and a row whose time is over gives way to a new one as if it were gone.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod attributes;
mod body;
mod cursor;
mod dynamodb;
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
pub mod table;
mod trouble;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
pub use body::INLINE_LIMIT;
use domain::ports::Clock;
use flate2::Compression;
use jiff::{SignedDuration, Timestamp};

use crate::dynamodb::DynamoDb;
use crate::table::Table;

/// How long rows are kept unless [`Store::keeping`] says otherwise: 90 days.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The table, behind the ports of `domain`. Clones share it.
#[derive(Clone)]
pub struct Store {
    table: Arc<dyn Table>,
    clock: Arc<dyn Clock>,
    retention: SignedDuration,
    packing: Compression,
    counting: Arc<hours::Counting>,
}

impl Store {
    /// The table of that name, which [`schema::create_table`] or the template has made. The clock decides what
    /// has expired.
    pub fn new(client: Client, table: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self::over(Arc::new(DynamoDb { client, name: table.into() }), clock)
    }

    /// The same over any other table.
    pub fn over(table: Arc<dyn Table>, clock: Arc<dyn Clock>) -> Self {
        Self { table, clock, retention: RETENTION, packing: Compression::best(), counting: Arc::default() }
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

    /// The same, packing bodies in a third of the time: for a table where nobody pays by the kilobyte.
    #[must_use]
    pub fn packing_fast(mut self) -> Self {
        self.packing = Compression::fast();
        self
    }

    /// The second at which something of that moment expires.
    fn expiry(&self, from: Timestamp) -> i64 {
        from.checked_add(self.retention).unwrap_or(Timestamp::MAX).as_second()
    }
}
