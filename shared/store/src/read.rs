//! What the query API reads: one event with everything, a commit's statuses, and whether the table answers.

use async_trait::async_trait;
use domain::error::PortError;
use domain::ids::{EventId, Repository, Sha, StatusId};
use domain::ports::{EventReader, EventStory};
use domain::query::{EventPage, EventQuery, KEYS_PER_PAGE, LIMIT, StatusPage};
use domain::statuses::row::StatusRow;
use domain::trouble::{RefusedStatus, Trouble};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::attributes::{Item, Row, as_owned, as_text, row_key};
use crate::keys::{self, BODY, EVENT, Key, RUN, SK, STATUS};
use crate::table::{Get, Query};
use crate::{body, cursor, event, run, status};

/// Where a page of statuses ended.
#[derive(Serialize, Deserialize)]
struct StatusPosition {
    /// The sort key before the block of keys being shown; none for the first block.
    block: Option<String>,
    /// The last status shown of that block.
    after: Option<(Timestamp, u32, StatusId)>,
}

#[async_trait]
impl EventReader for Store {
    async fn events(&self, query: &EventQuery) -> Result<EventPage, PortError> {
        self.list_events(query).await
    }

    async fn event(&self, id: &EventId) -> Result<Option<EventStory>, PortError> {
        let asked = Query::partition(keys::event_partition(id), "", None);
        // All of them: a story without its newest run would be a wrong one.
        let rows = self.query(asked, usize::MAX).await?.rows;
        let (mut shown, mut kept, mut runs) = (None, None, Vec::new());
        for row in rows.iter().filter(|row| self.is_alive(row)) {
            match Row(row).need(SK, as_text)? {
                EVENT => {
                    shown = Some((event::from_item(row)?, event::newest_run(row)?));
                    runs.push(run::first(id, row)?);
                }
                BODY => kept = Some(body::from_item(row)?),
                sk if sk.starts_with(RUN) => runs.push(run::from_item(id, row)?),
                _ => {}
            }
        }
        let Some((event, newest)) = shown else { return Ok(None) };
        if kept.is_none() {
            kept = self.shared_body(&event).await?;
        }
        let (body, headers) = kept.map_or((None, Vec::new()), |(body, headers)| (Some(body), headers));
        // The first to be recorded need not be the oldest.
        runs.sort_by_key(|run| run.receipt);
        let event = match runs.iter().find(|run| run.receipt == newest) {
            Some(run) => event::as_of(event, run),
            None => event,
        };
        Ok(Some(EventStory { event, runs, body, headers }))
    }

    /// Sort keys of statuses are ids, not times, so the newest can only be found among all: up to 1,000 rows are
    /// read and sorted here. A commit with more is shown in blocks of 1,000, each sorted in itself: nothing is left
    /// out or shown twice, but the order holds only within a block. (GitHub keeps 1,000 per context.)
    async fn statuses(
        &self,
        repository: &Repository,
        sha: &Sha,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<StatusPage, PortError> {
        let pk = keys::commit_partition(repository, sha);
        let list = format!("statuses {pk}");
        let StatusPosition { block, after } = match cursor {
            Some(cursor) => cursor::open(&list, cursor)?,
            None => StatusPosition { block: None, after: None },
        };
        let start = block.clone().map(|sk| row_key(&Key { pk: pk.clone(), sk }));
        let found = self.query(Query::partition(pk, STATUS, start), KEYS_PER_PAGE).await?;
        let mut rows = readable(&found.rows, |row| self.is_alive(row).then(|| status::from_item(row)));
        rows.sort_by_key(|row| std::cmp::Reverse(place(row)));
        rows.retain(|row| after.as_ref().is_none_or(|after| place(row) < *after));
        let more = rows.len() > limit.clamp(1, LIMIT);
        rows.truncate(limit.clamp(1, LIMIT));
        let next = match found.after {
            _ if more => rows.last().map(|last| StatusPosition { block, after: Some(place(last)) }),
            Some(end) => Some(StatusPosition { block: Some(Row(&end).need(SK, as_owned)?), after: None }),
            None => None,
        };
        let next_cursor = next.map(|position| cursor::seal(&list, position)).transpose()?;
        Ok(StatusPage { statuses: rows, next_cursor })
    }

    async fn needs_you(&self, since: Timestamp, limit: usize) -> Result<Vec<Trouble>, PortError> {
        self.list_troubles(since, limit).await
    }

    async fn refused_statuses(&self, limit: usize) -> Result<Vec<RefusedStatus>, PortError> {
        self.list_refused(limit).await
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.look().await
    }
}

impl Store {
    /// Whether the table answers: a look for a row that nobody writes.
    pub(crate) async fn look(&self) -> Result<(), PortError> {
        let key = Key { pk: "ping".to_owned(), sk: "ping".to_owned() };
        self.table.get(Get { key: row_key(&key), consistent: false }).await.map(drop)
    }
}

fn place(row: &StatusRow) -> (Timestamp, u32, StatusId) {
    (row.accepted.at, row.accepted.index, row.id.clone())
}

/// The rows of a list that can be read. One that cannot (a newer version wrote it, or something is broken) is
/// logged and left out, so that it does not hide all the others.
pub(crate) fn readable<T>(rows: &[Item], read: impl Fn(&Item) -> Option<Result<T, PortError>>) -> Vec<T> {
    let logged = |row: Result<T, PortError>| match row {
        Ok(row) => Some(row),
        Err(error) => {
            tracing::warn!(%error, "a row was left out of a list");
            None
        }
    };
    rows.iter().filter_map(read).filter_map(logged).collect()
}
