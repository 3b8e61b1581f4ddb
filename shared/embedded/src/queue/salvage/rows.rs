//! The rows of a damaged file, one by one.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use crate::queue::packed::Packed;

/// What lists messages, forwards and backwards: where one way ends in a damaged page, the other comes from behind. The
/// first two list all of them together, without touching the table.
const LISTS: &[&str] = &[
    "SELECT id, queue FROM message INDEXED BY due WHERE due_at IS NOT NULL ORDER BY queue, due_at",
    "SELECT id, queue FROM message INDEXED BY line WHERE group_id IS NOT NULL ORDER BY queue, group_id",
    "SELECT id, queue FROM message INDEXED BY due WHERE due_at IS NOT NULL ORDER BY queue DESC, due_at DESC",
    "SELECT id, queue FROM message INDEXED BY line WHERE group_id IS NOT NULL ORDER BY queue DESC, group_id DESC",
    "SELECT id, queue FROM message NOT INDEXED ORDER BY id",
    "SELECT id, queue FROM message NOT INDEXED ORDER BY id DESC",
];

/// How many of them have to be read to their ends before nobody can be missing.
const COMPLETE: usize = 2;

const READ: &str =
    "SELECT queue, group_id, dedup_id, sent_at, not_before, due_at, reason, tries, attributes, raw_length, body
    FROM message NOT INDEXED WHERE id = ?1";
const WRITE: &str = "INSERT INTO message
    (id, queue, group_id, dedup_id, sent_at, not_before, due_at, reason, tries, attributes, raw_length, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// Of each group the first message is due, and no other: some of those before it may be gone.
const HEADS: &str = "UPDATE message SET due_at = CASE
        WHEN group_id IS NULL OR id = (SELECT min(id) FROM message AS other
            WHERE other.queue = message.queue AND other.group_id = message.group_id)
        THEN coalesce(due_at, not_before) END
    WHERE group_id IS NOT NULL OR due_at IS NULL";

/// De-duplication ids of the last five minutes, from both ends.
const SENT: &[&str] = &[
    "SELECT queue, group_id, dedup_id, sent_at, id FROM sent ORDER BY queue, group_id, dedup_id",
    "SELECT queue, group_id, dedup_id, sent_at, id FROM sent ORDER BY queue DESC, group_id DESC, dedup_id DESC",
];
const SENT_TOO: &str =
    "INSERT OR IGNORE INTO sent (queue, group_id, dedup_id, sent_at, id) VALUES (?1, ?2, ?3, ?4, ?5)";

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) saved: u64,
    pub(super) lost: u64,
    pub(super) incomplete: bool,
}

/// A message as it stands in the file.
struct Row {
    queue: String,
    group: Option<String>,
    dedup: Option<String>,
    sent_at: i64,
    not_before: i64,
    due_at: Option<i64>,
    reason: Option<String>,
    tries: u32,
    attributes: String,
    body: Packed,
}

/// Copies all that can be read, in one transaction, each message under its own id.
///
/// # Errors
/// When it cannot be written; what cannot be read is no error here.
pub(super) fn copy(from: &Connection, to: &Connection) -> rusqlite::Result<Found> {
    let mut found = Found::default();
    let mut ids = BTreeSet::new();
    for (at, sql) in LISTS.iter().enumerate() {
        let whole = list(from, sql, &mut ids).is_ok();
        found.incomplete |= !whole && at < COMPLETE;
    }
    to.execute_batch("BEGIN")?;
    let mut write = to.prepare(WRITE)?;
    for id in ids {
        let Some(row) = read(from, id) else {
            found.lost += 1;
            continue;
        };
        let (length, bytes) = (row.body.raw_length, &row.body.bytes);
        write.execute(params![
            id,
            row.queue,
            row.group,
            row.dedup,
            row.sent_at,
            row.not_before,
            row.due_at,
            row.reason,
            row.tries,
            row.attributes,
            length,
            bytes
        ])?;
        found.saved += 1;
    }
    drop(write);
    to.execute(HEADS, [])?;
    for sql in SENT {
        // What cannot be read of these may let a status be queued twice; it is written once all the same.
        for (queue, group, dedup, at, id) in sent(from, sql) {
            to.execute(SENT_TOO, params![queue, group, dedup, at, id])?;
        }
    }
    to.execute_batch("COMMIT")?;
    Ok(found)
}

/// Adds the ids that a list names, as far as it can be read.
fn list(from: &Connection, sql: &str, ids: &mut BTreeSet<i64>) -> rusqlite::Result<()> {
    let mut statement = from.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // A queue without a name holds no messages.
        if row.get_ref(1)?.as_str().is_ok_and(|queue| !queue.is_empty()) {
            ids.insert(row.get(0)?);
        }
    }
    Ok(())
}

/// The message of that id; none when it, or its body, cannot be read.
fn read(from: &Connection, id: i64) -> Option<Row> {
    let mut statement = from.prepare_cached(READ).ok()?;
    let row = statement
        .query_row([id], |row| {
            Ok(Row {
                queue: row.get(0)?,
                group: row.get(1)?,
                dedup: row.get(2)?,
                sent_at: row.get(3)?,
                not_before: row.get(4)?,
                due_at: row.get(5)?,
                reason: row.get(6)?,
                tries: row.get(7)?,
                attributes: row.get(8)?,
                body: Packed { raw_length: row.get(9)?, bytes: row.get(10)? },
            })
        })
        .optional()
        .ok()??;
    row.body.clone().body().is_some().then_some(row)
}

/// De-duplication ids, as far as they can be read.
fn sent(from: &Connection, sql: &str) -> Vec<(String, String, String, i64, i64)> {
    let Ok(mut statement) = from.prepare(sql) else { return Vec::new() };
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .map(|rows| rows.map_while(Result::ok).collect());
    rows.unwrap_or_default()
}
