//! Releases: one row for each, for ever, in the same indexes as events and in partitions of their own there.

use async_trait::async_trait;
use domain::error::PortError;
use domain::ids::{ReceiptId, Repository};
use domain::ports::{ReleaseLog, ReleaseReader};
use domain::query::{KEYS_PER_PAGE, LIMIT, ReleasePage, ReleaseQuery};
use domain::release::{Release, ReleaseEvent, ReleaseFacts, ReleaseState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::attributes::{Fields, Item, Row, as_id, as_owned, as_receipt, as_text, as_time, text, time, word};
use crate::cursor;
use crate::keys::{self, AT, BY_REPOSITORY, BY_TIME, Key, PK, RELEASE, REPO, SK, SPAN};
use crate::read::readable;
use crate::table::{Query, Terms, Write};

/// Of the event that a row was written by.
const RECEIPT: &str = "receipt";
const RECEIVED_AT: &str = "received_at";

/// Writers of one release that may collide before the message goes back to its queue.
const TRIES: usize = 5;

fn to_item(key: &Key, release: &Release) -> Item {
    let facts = &release.facts;
    Fields::of(key)
        .put(AT, text(format!("{}#{:020}", keys::moment(release.at()), release.id)))
        .put(SPAN, text(RELEASE))
        .put(REPO, text(keys::release_partition(&release.repository)))
        .put("repository", text(&release.repository))
        .maybe("tag", facts.tag.as_ref().map(text))
        .maybe("name", facts.name.as_ref().map(text))
        .put("state", text(release.state.as_str()))
        .maybe("author", facts.author.as_ref().map(text))
        .maybe("published_at", facts.published_at.map(time))
        .maybe("created_at", facts.created_at.map(time))
        .maybe("url", facts.url.as_ref().map(text))
        .put(RECEIPT, text(release.receipt))
        .put(RECEIVED_AT, time(release.received_at))
        .item()
}

fn from_item(item: &Item) -> Result<Release, PortError> {
    let row = Row(item);
    Ok(Release {
        repository: row.need("repository", as_id)?,
        id: row.need(SK, |sk| as_text(sk)?.parse().ok())?,
        state: row.need("state", word(ReleaseState::from_word))?,
        facts: ReleaseFacts {
            tag: row.maybe("tag", as_owned)?,
            name: row.maybe("name", as_owned)?,
            author: row.maybe("author", as_owned)?,
            created_at: row.maybe("created_at", as_time)?,
            published_at: row.maybe("published_at", as_time)?,
            url: row.maybe("url", as_owned)?,
        },
        receipt: row.need(RECEIPT, as_receipt)?,
        received_at: row.need(RECEIVED_AT, as_time)?,
    })
}

#[async_trait]
impl ReleaseLog for Store {
    async fn record_release(
        &self,
        repository: &Repository,
        event: &ReleaseEvent,
        receipt: ReceiptId,
        received_at: Timestamp,
    ) -> Result<(), PortError> {
        let key = Key::release(repository, event.id);
        let mut known = self.get(&key).await?;
        for _ in 0..TRIES {
            let before = known.as_ref().map(from_item).transpose()?;
            let Some(release) = Release::after(before.as_ref(), repository, event, receipt, received_at) else {
                return Ok(());
            };
            let mut terms = Terms::default();
            let condition = match &before {
                None => self.absent(&mut terms),
                Some(before) => format!("{} = {}", terms.name(RECEIPT), terms.value(text(before.receipt))),
            };
            match self.put_if(&key, to_item(&key, &release), condition, terms).await? {
                Write::Done => return Ok(()),
                Write::Refused(row) => known = row,
            }
        }
        Err(PortError::transient(format!("the release {} of {repository} is written by many at once", event.id)))
    }
}

/// Where a page ended: the last row looked at.
#[derive(Serialize, Deserialize)]
struct Position {
    at: String,
    pk: String,
    sk: String,
}

#[async_trait]
impl ReleaseReader for Store {
    /// One query, of at most 1,000 keys; a state is looked for within them.
    async fn releases(&self, query: &ReleaseQuery) -> Result<ReleasePage, PortError> {
        let (index, attribute, value) = match &query.repository {
            Some(repository) => (BY_REPOSITORY, REPO, keys::release_partition(repository)),
            None => (BY_TIME, SPAN, RELEASE.to_owned()),
        };
        let list = serde_json::json!(["releases", value, query.state.map(ReleaseState::as_str), query.since]);
        let list = list.to_string();
        let mut position: Option<Position> = match &query.cursor {
            Some(cursor) => Some(cursor::open(&list, cursor)?),
            None => None,
        };
        let mut terms = Terms::default();
        let mut condition = format!("{} = {}", terms.name(attribute), terms.value(text(&value)));
        if let Some(since) = query.since {
            condition = format!("{condition} AND {} >= {}", terms.name(AT), terms.value(text(keys::moment(since))));
        }
        let after = position.as_ref().map(|Position { at, pk, sk }| {
            let names = [(AT, at), (attribute, &value), (PK, pk), (SK, sk)];
            names.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect::<Item>()
        });
        let limit = query.limit.clamp(1, LIMIT);
        let most = if query.state.is_some() { KEYS_PER_PAGE } else { limit + 1 };
        let found = self.query(Query { index: Some(index), condition, terms, after, newest_first: true }, most).await?;
        let mut releases = Vec::new();
        let mut more = found.after.is_some();
        for row in &found.rows {
            let release = readable(std::slice::from_ref(row), |row| Some(from_item(row))).pop();
            let release = release.filter(|release| query.state.is_none_or(|state| state == release.state));
            if release.is_some() && releases.len() == limit {
                more = true;
                break;
            }
            releases.extend(release);
            let part = |name| Row(row).need(name, as_owned);
            position = Some(Position { at: part(AT)?, pk: part(PK)?, sk: part(SK)? });
        }
        let next = position.filter(|_| more);
        let next_cursor = next.map(|position| cursor::seal(&list, position)).transpose()?;
        Ok(ReleasePage { releases, next_cursor })
    }
}
