//! Heads: what was last written in a context, and what is being written.
//!
//! A head expires like a status, counted from its last write. It holds two statuses, each with a `target_url` of up
//! to 2 KB, and is one write unit as long as both are short.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::error::PortError;
use domain::ports::HeadReader;
use domain::statuses::{ContextKey, Head, Intent, Written};

use crate::Store;
use crate::attributes::{Fields, Item, Row, as_id, as_map, as_number, as_receipt, as_time, number, text, time};
use crate::keys::{EXPIRES_AT, Key};
use crate::status::{accepted, content, put_accepted, put_content};
use crate::table::{Terms, Write};

const VERSION: &str = "version";

fn written(status: &Written) -> Fields {
    put_accepted(put_content(Fields::default(), &status.content), status.accepted)
        .put("id", text(&status.id))
        .maybe("run", status.run.map(text))
        .maybe("github_id", status.github_id.map(number))
}

fn read_written(row: Row<'_>) -> Result<Written, PortError> {
    Ok(Written {
        id: row.need("id", as_id)?,
        run: row.maybe("run", as_receipt)?,
        accepted: accepted(row)?,
        content: content(row)?,
        github_id: row.maybe("github_id", as_number)?,
    })
}

/// The row as it is after this write: one version on.
fn to_item(key: &Key, head: &Head, expiry: i64) -> Item {
    let intent =
        head.intent.as_ref().map(|intent| written(&intent.status).put("started_at", time(intent.started_at)).map());
    Fields::of(key)
        .maybe("last", head.last.as_ref().map(|last| written(last).map()))
        .maybe("newest_run", head.newest_run.map(text))
        .maybe("recent", (!head.recent.is_empty()).then(|| AttributeValue::L(head.recent.iter().map(number).collect())))
        .maybe("intent", intent)
        .put(VERSION, number(head.version + 1))
        .put(EXPIRES_AT, number(expiry))
        .item()
}

fn from_item(item: &Item) -> Result<Head, PortError> {
    let row = Row(item);
    let intent = |row: Row<'_>| {
        Ok::<_, PortError>(Intent { status: read_written(row)?, started_at: row.need("started_at", as_time)? })
    };
    let recent = |value: &AttributeValue| value.as_l().ok()?.iter().map(as_number).collect();
    Ok(Head {
        last: row.maybe("last", as_map)?.map(read_written).transpose()?,
        newest_run: row.maybe("newest_run", as_receipt)?,
        recent: row.maybe("recent", recent)?.unwrap_or_default(),
        intent: row.maybe("intent", as_map)?.map(intent).transpose()?,
        version: row.need(VERSION, as_number)?,
    })
}

#[async_trait]
impl HeadReader for Store {
    async fn head(&self, key: &ContextKey) -> Result<Head, PortError> {
        let row = self.get(&Key::head(key)).await?;
        Ok(row.as_ref().map(from_item).transpose()?.unwrap_or_default())
    }
}

impl Store {
    pub(crate) async fn write_head(&self, context: &ContextKey, head: &Head) -> Result<bool, PortError> {
        let key = Key::head(context);
        let row = to_item(&key, head, self.expiry(self.clock.now()));
        let mut terms = Terms::default();
        let condition = self.at_version(&mut terms, VERSION, head.version);
        Ok(matches!(self.put_if(&key, row, condition, terms).await?, Write::Done))
    }
}
