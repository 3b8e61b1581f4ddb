//! Statuses: one row for each, beside the heads of its commit.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::error::PortError;
use domain::ids::{Repository, Sha, StatusId};
use domain::ports::StatusLog;
use domain::reasons::StatusReason;
use domain::statuses::row::{StatusOutcome, StatusRow};
use domain::statuses::{Accepted, Content, ContextKey, Head, State, Via};

use crate::Store;
use crate::attributes::{Fields, Item, Row, as_id, as_number, as_owned, as_receipt, as_text, as_time};
use crate::attributes::{number, text, time, word};
use crate::keys::{EXPIRES_AT, Key, PK, SK, STATUS};
use crate::table::Terms;

const OUTCOME: &str = "outcome";

/// What a status says, as attributes of a row or of a map in a head.
pub(crate) fn put_content(fields: Fields, content: &Content) -> Fields {
    fields
        .put("context", text(&content.context))
        .put("state", text(content.state.as_str()))
        .maybe("description", content.description.as_ref().map(text))
        .maybe("target_url", content.target_url.as_ref().map(text))
}

/// Reads it again.
pub(crate) fn content(row: Row<'_>) -> Result<Content, PortError> {
    Ok(Content {
        context: row.need("context", as_owned)?,
        state: row.need("state", word(State::from_word))?,
        description: row.maybe("description", as_owned)?,
        target_url: row.maybe("target_url", as_owned)?,
    })
}

/// Its place in time, as attributes. The index is 0 almost always, and is then left out.
pub(crate) fn put_accepted(fields: Fields, accepted: Accepted) -> Fields {
    fields
        .put("accepted_at", time(accepted.at))
        .maybe("accepted_index", (accepted.index > 0).then(|| number(accepted.index)))
}

/// Reads it again.
pub(crate) fn accepted(row: Row<'_>) -> Result<Accepted, PortError> {
    let index = row.maybe("accepted_index", as_number)?.unwrap_or_default();
    Ok(Accepted { at: row.need("accepted_at", as_time)?, index })
}

fn to_item(key: &Key, row: &StatusRow, expiry: i64) -> Item {
    put_accepted(put_content(Fields::of(key), &row.content), row.accepted)
        .put("repository", text(&row.repository))
        .put("via", text(row.via.as_str()))
        .maybe("run", row.run.map(text))
        .maybe("event", row.event.as_ref().map(text))
        .put(OUTCOME, text(row.outcome.as_str()))
        .maybe("why", row.why.as_ref().map(text))
        .maybe("reason", row.reason.map(|reason| text(reason.as_str())))
        .maybe("until", row.until.map(time))
        .maybe("written_at", row.written_at.map(time))
        .maybe("github_id", row.github_id.map(number))
        .maybe("tries", (row.tries > 0).then(|| number(row.tries)))
        .put(EXPIRES_AT, number(expiry))
        .item()
}

/// Reads a row again.
pub(crate) fn from_item(item: &Item) -> Result<StatusRow, PortError> {
    let row = Row(item);
    let sha = |pk: &AttributeValue| Sha::parse(as_text(pk)?.rsplit_once('@')?.1).ok();
    let id = |sk: &AttributeValue| StatusId::parse(as_text(sk)?.strip_prefix(STATUS)?).ok();
    Ok(StatusRow {
        id: row.need(SK, id)?,
        repository: row.need("repository", as_id)?,
        sha: row.need(PK, sha)?,
        content: content(row)?,
        accepted: accepted(row)?,
        via: row.need("via", word(Via::from_word))?,
        run: row.maybe("run", as_receipt)?,
        event: row.maybe("event", as_id)?,
        outcome: row.need(OUTCOME, word(StatusOutcome::from_word))?,
        why: row.maybe("why", as_owned)?,
        reason: row.maybe("reason", word(StatusReason::from_word))?,
        until: row.maybe("until", as_time)?,
        written_at: row.maybe("written_at", as_time)?,
        github_id: row.maybe("github_id", as_number)?,
        tries: row.maybe("tries", as_number)?.unwrap_or_default(),
    })
}

#[async_trait]
impl StatusLog for Store {
    async fn save_head(&self, key: &ContextKey, head: &Head) -> Result<bool, PortError> {
        self.write_head(key, head).await
    }

    async fn status(&self, repository: &Repository, sha: &Sha, id: &StatusId) -> Result<Option<StatusRow>, PortError> {
        let row = self.get(&Key::status(repository, sha, id)).await?;
        row.as_ref().map(from_item).transpose()
    }

    async fn save_status(&self, row: &StatusRow) -> Result<(), PortError> {
        let key = Key::status(&row.repository, &row.sha, &row.id);
        let item = to_item(&key, row, self.expiry(row.accepted.at));
        let mut terms = Terms::default();
        let waiting = terms.value(text(StatusOutcome::Waiting.as_str()));
        let condition = format!("{} OR {} = {waiting}", self.absent(&mut terms), terms.name(OUTCOME));
        // Refused: it has ended. What it waited for is of no interest any more, and a copy that came to another end
        // in a second pair of hands saw the head after the first had written it.
        self.put_if(&key, item, condition, terms).await.map(drop)
    }
}
