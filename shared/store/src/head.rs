//! Heads: what was last written in a context, and what is being written.
//!
//! A head expires like a status, counted from its last write. It holds two statuses, each with a `target_url` of up
//! to 2 KB, and is one write unit as long as both are short. While GitHub has refused the newest word of its context, it
//! stands among what needs somebody, behind the events (`keys`).

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::error::PortError;
use domain::event::EventStatus;
use domain::ids::Sha;
use domain::ports::HeadReader;
use domain::reasons::StatusReason;
use domain::statuses::{ContextKey, Head, Intent, Refused, State, Written};
use domain::trouble::RefusedStatus;

use crate::Store;
use crate::attributes::{Fields, Item, Row, as_id, as_map, as_number, as_owned, as_receipt, as_text, as_time};
use crate::attributes::{number, text, time, word};
use crate::keys::{self, AT, EXPIRES_AT, Key, NEED, PK};
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
fn to_item(context: &ContextKey, key: &Key, head: &Head, expiry: i64) -> Item {
    let intent =
        head.intent.as_ref().map(|intent| written(&intent.status).put("started_at", time(intent.started_at)).map());
    let row = match &head.refused {
        Some(refused) => put_refused(Fields::of(key), context, refused),
        None => Fields::of(key),
    };
    row.maybe("last", head.last.as_ref().map(|last| written(last).map()))
        .maybe("newest_run", head.newest_run.map(text))
        .maybe("recent", (!head.recent.is_empty()).then(|| AttributeValue::L(head.recent.iter().map(number).collect())))
        .maybe("intent", intent)
        .put(VERSION, number(head.version + 1))
        .put(EXPIRES_AT, number(expiry))
        .item()
}

/// What needs somebody, as attributes of the head's own row: only they come into an index.
fn put_refused(row: Fields, context: &ContextKey, refused: &Refused) -> Fields {
    row.put(NEED, text(EventStatus::Errored.as_str()))
        .put(AT, text(keys::refused_at(refused.at)))
        .put("repository", text(&context.repository))
        .put("context", text(&refused.context))
        .put("state", text(refused.state.as_str()))
        .put("reason", text(refused.reason.as_str()))
        .put("why", text(&refused.why))
}

fn read_refused(row: Row<'_>) -> Result<Refused, PortError> {
    Ok(Refused {
        context: row.need("context", as_owned)?,
        state: row.need("state", word(State::from_word))?,
        reason: row.need("reason", word(StatusReason::from_word))?,
        why: row.need("why", as_owned)?,
        at: row.need(AT, |at| keys::parse_refused_at(as_text(at)?))?,
    })
}

/// Reads the row of a head, or of its index, as something that needs somebody.
pub(crate) fn refused_status(item: &Item) -> Result<RefusedStatus, PortError> {
    let row = Row(item);
    let sha = |pk: &AttributeValue| Sha::parse(as_text(pk)?.rsplit_once('@')?.1).ok();
    Ok(RefusedStatus {
        repository: row.need("repository", as_id)?,
        sha: row.need(PK, sha)?,
        refused: read_refused(row)?,
    })
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
        refused: item.contains_key(NEED).then(|| read_refused(row)).transpose()?,
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
        let row = to_item(context, &key, head, self.expiry(self.clock.now()));
        let mut terms = Terms::default();
        let condition = self.at_version(&mut terms, VERSION, head.version);
        Ok(matches!(self.put_if(&key, row, condition, terms).await?, Write::Done))
    }
}
