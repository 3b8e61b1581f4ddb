//! The SQL: what waits, and until when. Nothing here knows what is in flight.
//!
//! A standard message carries `due_at` from the start. In a FIFO group only the first message does, the others
//! have none and get theirs when the one before them goes: so a receive is a look-up in the index `due`, however
//! many messages stand behind a group that is deferred. `not_before` is what somebody deferred it to; `due_at` is
//! never before it.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::packed::Packed;

/// The version of the file, kept in `user_version`. The second packs bodies that end in base64 in a way of their own
/// ([`super::packed`]); what the first wrote is read as it was.
pub(super) const VERSION: i64 = 2;

/// Where a message stands in the order of receives: when it is due (epoch milliseconds), and its id.
pub(super) type Key = (i64, i64);

const TABLES: &str = "
    CREATE TABLE message (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        queue      TEXT NOT NULL,
        group_id   TEXT,
        dedup_id   TEXT,
        sent_at    INTEGER NOT NULL,
        not_before INTEGER NOT NULL,
        due_at     INTEGER,
        reason     TEXT,
        tries      INTEGER NOT NULL,
        attributes TEXT NOT NULL,
        raw_length INTEGER,
        body       BLOB NOT NULL
    );
    CREATE INDEX due ON message (queue, due_at) WHERE due_at IS NOT NULL;
    CREATE INDEX line ON message (queue, group_id) WHERE group_id IS NOT NULL;
    CREATE INDEX dead ON message (queue) WHERE reason IS NOT NULL;
    CREATE TABLE sent (
        queue    TEXT NOT NULL,
        group_id TEXT NOT NULL,
        dedup_id TEXT NOT NULL,
        sent_at  INTEGER NOT NULL,
        id       INTEGER NOT NULL,
        PRIMARY KEY (queue, group_id, dedup_id)
    ) WITHOUT ROWID;
    CREATE INDEX sent_then ON sent (sent_at);
    PRAGMA user_version = 2;
";

// Two look-ups, first among those that are due in the same millisecond: SQLite would compare the pair (due_at, id)
// by its first half only and read all of that millisecond.
pub(super) const NEXT_SAME: &str = "SELECT id, due_at, group_id FROM message
    WHERE queue = ?1 AND due_at = ?2 AND id > ?3 ORDER BY id LIMIT 1";
pub(super) const NEXT_LATER: &str = "SELECT id, due_at, group_id FROM message
    WHERE queue = ?1 AND due_at > ?2 ORDER BY due_at, id LIMIT 1";
pub(super) const FOLLOWERS: &str = "SELECT id, not_before FROM message
    WHERE queue = ?1 AND group_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
pub(super) const PLACE: &str = "SELECT id, due_at, group_id FROM message WHERE id = ?1 AND queue = ?2";
pub(super) const LOAD: &str = "SELECT id, group_id, raw_length, body FROM message WHERE id = ?1";
const GROUP_WAITS: &str = "SELECT 1 FROM message WHERE queue = ?1 AND group_id = ?2 LIMIT 1";
const INSERT: &str = "INSERT INTO message
    (queue, group_id, dedup_id, sent_at, not_before, due_at, tries, attributes, raw_length, body)
    VALUES (?1, ?2, ?3, ?4, 0, ?5, 0, ?6, ?7, ?8)";
const MOVE: &str = "INSERT INTO message
    (queue, group_id, dedup_id, sent_at, not_before, due_at, reason, tries, attributes, raw_length, body)
    SELECT ?2, group_id, dedup_id, ?3, 0, ?4, ?5, ?6, attributes, raw_length, body FROM message WHERE id = ?1";
const DELETE: &str = "DELETE FROM message WHERE id = ?1 AND queue = ?2 RETURNING group_id";
pub(super) const PROMOTE: &str = "UPDATE message SET due_at = max(?3, not_before)
    WHERE id = (SELECT min(id) FROM message WHERE queue = ?1 AND group_id = ?2) AND due_at IS NULL
    RETURNING due_at, id";
const DEFER: &str = "UPDATE message SET not_before = ?3, due_at = CASE WHEN due_at IS NULL THEN NULL ELSE ?3 END
    WHERE id = ?1 AND queue = ?2 RETURNING due_at";
const PULL_BACK: &str = "UPDATE message SET due_at = max(?2, not_before)
    WHERE queue = ?1 AND due_at IS NOT NULL AND due_at > ?2 AND due_at > not_before";
const SENT: &str = "SELECT id FROM sent WHERE queue = ?1 AND group_id = ?2 AND dedup_id = ?3";
const REMEMBER: &str = "INSERT INTO sent (queue, group_id, dedup_id, sent_at, id) VALUES (?1, ?2, ?3, ?4, ?5)";
const FORGET: &str = "DELETE FROM sent WHERE sent_at <= ?1";
const TOTAL: &str = "SELECT count(*) FROM message WHERE queue = ?1";
const LATER: &str = "SELECT count(*) FROM message WHERE queue = ?1 AND due_at IS NOT NULL AND due_at > ?2";
const DEAD: &str = "SELECT id, reason, tries, sent_at, group_id, raw_length, body FROM message
    WHERE queue = ?1 AND reason IS NOT NULL AND id > ?2 ORDER BY id LIMIT ?3";
const DEAD_IDS: &str = "SELECT id, group_id FROM message
    WHERE queue = ?1 AND reason IS NOT NULL AND id > ?2 ORDER BY id LIMIT 1";

const FILL: &str = "INSERT INTO message (queue, group_id, sent_at, not_before, tries, attributes, body)
    VALUES ('', '', 0, 0, 0, '{}', zeroblob(?1))";
const CLEAR: &str = "DELETE FROM message WHERE queue = '' AND group_id = ''";

/// What a receive reads besides bodies: a test counts the steps of exactly these.
#[cfg(test)]
pub(super) const RECEIVE: &[&str] = &[NEXT_SAME, NEXT_LATER, FOLLOWERS, PLACE, LOAD];

/// What a send runs.
#[cfg(test)]
pub(super) const SEND: &[&str] = &[FORGET, SENT, GROUP_WAITS, INSERT, REMEMBER];

/// A message that may be handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: i64,
    pub(super) due: Option<i64>,
    pub(super) group: Option<String>,
}

/// A message as it goes into the file.
#[derive(Debug, Clone)]
pub(super) struct New {
    pub(super) body: Packed,
    /// JSON.
    pub(super) attributes: String,
    /// Group and de-duplication id, on FIFO queues.
    pub(super) fifo: Option<(String, String)>,
}

/// A message as it comes out.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) group: Option<String>,
    pub(super) body: Packed,
}

/// A dead letter as it comes out.
#[derive(Debug)]
pub(super) struct Dead {
    pub(super) stored: Stored,
    pub(super) reason: String,
    pub(super) tries: u32,
    pub(super) since: i64,
}

/// How the connection has to behave: a log that is synced before anything of it is moved (on macOS down to the platter), and
/// otherwise by us ([`crate::wal`]); one owner, an error rather than a wait when there is another.
pub(super) fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(std::time::Duration::ZERO)?;
    conn.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA fullfsync = 1;
         PRAGMA checkpoint_fullfsync = 1;
         PRAGMA journal_size_limit = 67108864;",
    )
}

/// Makes the tables. The inner error is the version of a file that this code is too old for.
pub(super) fn migrate(conn: &Connection) -> rusqlite::Result<Result<(), i64>> {
    // An immediate transaction takes the lock, so that a second owner is refused here and not at its first send.
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        0 if conn.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'message'")?.exists([])? => {
            let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(corrupt, Some("it has tables and no version".to_owned())));
        }
        0 => conn.execute_batch(TABLES)?,
        1 => conn.pragma_update(None, "user_version", VERSION)?,
        _ => {}
    }
    conn.execute_batch("COMMIT")?;
    Ok(if version > VERSION { Err(version) } else { Ok(()) })
}

/// The file.
pub(super) struct Ledger {
    conn: Connection,
}

impl Ledger {
    pub(super) fn new(conn: Connection) -> Self {
        conn.set_prepared_statement_cache_capacity(64);
        Self { conn }
    }

    #[cfg(test)]
    pub(super) fn conn(&self) -> &Connection {
        &self.conn
    }

    pub(super) fn begin(&self) -> rusqlite::Result<()> {
        self.conn.prepare_cached("BEGIN")?.execute([]).map(drop)
    }

    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        self.conn.prepare_cached("COMMIT")?.execute([]).map(drop)
    }

    /// Some failures (a full disk is one) have rolled back already when they are reported.
    pub(super) fn roll_back(&self) {
        if !self.conn.is_autocommit()
            && let Err(error) = self.conn.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "the queue file refuses to roll back");
        }
    }

    /// Rows changed since the file was opened.
    pub(super) fn changes(&self) -> u64 {
        self.conn.total_changes()
    }

    /// The first message after `front`, due or not.
    pub(super) fn next(&self, queue: &str, front: Key) -> rusqlite::Result<Option<Place>> {
        let mut same = self.conn.prepare_cached(NEXT_SAME)?;
        match same.query_row(params![queue, front.0, front.1], place).optional()? {
            Some(place) => Ok(Some(place)),
            None => self.conn.prepare_cached(NEXT_LATER)?.query_row(params![queue, front.0], place).optional(),
        }
    }

    /// Where the message stands, if it stands in that queue.
    pub(super) fn place(&self, queue: &str, id: i64) -> rusqlite::Result<Option<Place>> {
        self.conn.prepare_cached(PLACE)?.query_row(params![id, queue], place).optional()
    }

    /// The messages that follow `id` in its group, up to the first that is deferred.
    pub(super) fn followers(
        &self,
        queue: &str,
        group: &str,
        id: i64,
        limit: usize,
        now: i64,
    ) -> rusqlite::Result<Vec<i64>> {
        let mut statement = self.conn.prepare_cached(FOLLOWERS)?;
        let mut rows = statement.query(params![queue, group, id, i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(1)? > now {
                break;
            }
            ids.push(row.get(0)?);
        }
        Ok(ids)
    }

    pub(super) fn load(&self, id: i64) -> rusqlite::Result<Option<Stored>> {
        let mut statement = self.conn.prepare_cached(LOAD)?;
        statement
            .query_row([id], |row| {
                Ok(Stored {
                    id: row.get(0)?,
                    group: row.get(1)?,
                    body: Packed { raw_length: row.get(2)?, bytes: row.get(3)? },
                })
            })
            .optional()
    }

    /// Adds a message; answers its id and, unless others of its group stand before it, when it is due.
    pub(super) fn insert(&self, queue: &str, new: &New, now: i64) -> rusqlite::Result<(i64, Option<i64>)> {
        let (group, dedup) = new.fifo.as_ref().map(|(g, d)| (g.as_str(), d.as_str())).unzip();
        let due = self.due_of_new(queue, group, now)?;
        let id = self.conn.prepare_cached(INSERT)?.insert(params![
            queue,
            group,
            dedup,
            now,
            due,
            new.attributes,
            new.body.raw_length,
            new.body.bytes
        ])?;
        Ok((id, due))
    }

    /// Copies a message to another queue, as a new message there.
    pub(super) fn copy(
        &self,
        from: &Place,
        to: &str,
        death: Option<(&str, u32)>,
        now: i64,
    ) -> rusqlite::Result<(i64, Option<i64>)> {
        let due = self.due_of_new(to, from.group.as_deref(), now)?;
        let (reason, tries) = death.unzip();
        let values = params![from.id, to, now, due, reason, tries.unwrap_or(0)];
        let id = self.conn.prepare_cached(MOVE)?.insert(values)?;
        Ok((id, due))
    }

    /// Deletes a message. Answers none when it was gone, else its group.
    pub(super) fn delete(&self, queue: &str, id: i64) -> rusqlite::Result<Option<Option<String>>> {
        self.conn.prepare_cached(DELETE)?.query_row(params![id, queue], |row| row.get(0)).optional()
    }

    /// Makes the first message of the group due, unless it is already.
    pub(super) fn promote(&self, queue: &str, group: &str, now: i64) -> rusqlite::Result<Option<Key>> {
        let mut statement = self.conn.prepare_cached(PROMOTE)?;
        statement.query_row(params![queue, group, now], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }

    /// Hides a message until then. Answers none when it is gone, else when it is due, if it is first in its line.
    pub(super) fn defer(&self, queue: &str, id: i64, until: i64) -> rusqlite::Result<Option<Option<i64>>> {
        self.conn.prepare_cached(DEFER)?.query_row(params![id, queue, until], |row| row.get(0)).optional()
    }

    /// After the clock was set back: what nobody deferred is due now and not when the clock has caught up.
    pub(super) fn pull_back(&self, queue: &str, now: i64) -> rusqlite::Result<()> {
        self.conn.prepare_cached(PULL_BACK)?.execute(params![queue, now]).map(drop)
    }

    /// The message that was sent with this de-duplication id.
    pub(super) fn sent(&self, queue: &str, group: &str, dedup: &str) -> rusqlite::Result<Option<i64>> {
        self.conn.prepare_cached(SENT)?.query_row([queue, group, dedup], |row| row.get(0)).optional()
    }

    pub(super) fn remember(
        &self,
        queue: &str,
        (group, dedup): (&str, &str),
        id: i64,
        now: i64,
    ) -> rusqlite::Result<()> {
        self.conn.prepare_cached(REMEMBER)?.execute(params![queue, group, dedup, now, id]).map(drop)
    }

    /// Forgets every de-duplication id sent at that time or before.
    pub(super) fn forget(&self, until: i64) -> rusqlite::Result<()> {
        self.conn.prepare_cached(FORGET)?.execute([until]).map(drop)
    }

    /// Takes so many bytes of room, in a queue without a name.
    pub(super) fn fill(&self, bytes: usize) -> rusqlite::Result<()> {
        self.conn.prepare_cached(FILL)?.execute([i64::try_from(bytes).unwrap_or(i64::MAX)]).map(drop)
    }

    /// Gives back what [`Ledger::fill`] took.
    pub(super) fn clear(&self) -> rusqlite::Result<()> {
        self.conn.prepare_cached(CLEAR)?.execute([]).map(drop)
    }

    pub(super) fn total(&self, queue: &str) -> rusqlite::Result<u64> {
        self.conn.prepare_cached(TOTAL)?.query_row([queue], |row| row.get(0))
    }

    /// Messages due after `now`.
    pub(super) fn later(&self, queue: &str, now: i64) -> rusqlite::Result<u64> {
        self.conn.prepare_cached(LATER)?.query_row(params![queue, now], |row| row.get(0))
    }

    /// Dead letters after that id, oldest first.
    pub(super) fn dead(&self, queue: &str, after: i64, limit: usize) -> rusqlite::Result<Vec<Dead>> {
        let mut statement = self.conn.prepare_cached(DEAD)?;
        let rows = statement.query_map(params![queue, after, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            let body = Packed { raw_length: row.get(5)?, bytes: row.get(6)? };
            let stored = Stored { id: row.get(0)?, group: row.get(4)?, body };
            Ok(Dead { stored, reason: row.get(1)?, tries: row.get(2)?, since: row.get(3)? })
        })?;
        rows.collect()
    }

    /// The first dead letter after that id.
    pub(super) fn next_dead(&self, queue: &str, after: i64) -> rusqlite::Result<Option<Place>> {
        let mut statement = self.conn.prepare_cached(DEAD_IDS)?;
        statement
            .query_row(params![queue, after], |row| Ok(Place { id: row.get(0)?, due: None, group: row.get(1)? }))
            .optional()
    }

    fn due_of_new(&self, queue: &str, group: Option<&str>, now: i64) -> rusqlite::Result<Option<i64>> {
        let Some(group) = group else { return Ok(Some(now)) };
        let behind = self.conn.prepare_cached(GROUP_WAITS)?.exists([queue, group])?;
        Ok((!behind).then_some(now))
    }
}

fn place(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place { id: row.get(0)?, due: row.get(1)?, group: row.get(2)? })
}
