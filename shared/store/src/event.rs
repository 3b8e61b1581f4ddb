//! Events: the row that lists show, without a second read, with the run of the first receipt in it.
//!
//! While that run's first attempt is open, the row stands in one index only, by time: the others follow when the
//! attempt has ended, so that opening it costs one index write less.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::error::PortError;
use domain::event::{EventStatus, GithubEvent, LastAnswer, Source};
use domain::ids::{EventId, ReceiptId};
use domain::reasons::FailureReason;
use domain::run::Run;

use crate::Store;
use crate::attributes::{
    Fields, Item, Row, as_id, as_number, as_owned, as_receipt, as_text, as_time, number, text, time, word,
};
use crate::keys::{self, AT, EXPIRES_AT, Key, NEED, PK, REPO, SPAN};
use crate::run::{self, FIRST_RUN};
use crate::table::{Terms, Write};

/// The newest run begun: the one whose state the event shows.
pub(crate) const NEWEST_RUN: &str = "newest_run";
/// Which version of that run it shows; 0 while the run's own row is not known to be written.
const RUN_VERSION: &str = "run_version";
const RECEIPTS: &str = "receipts";
const STATUS: &str = "status";
/// What [`REPO`] is, or will be: a change can copy it within the row without knowing it.
const REPO_KEY: &str = "repo_key";
/// The [`REPO_KEY`] of events without a repository. No repository is called so.
const NO_REPO: &str = "-";

/// The row of a new event and its first run. What it shows comes from the run.
pub(crate) fn to_item(event: &GithubEvent, run: &Run, same_body_as: Option<&EventId>, expiry: i64) -> Item {
    let repo = event.repository.as_ref().map_or_else(|| NO_REPO.to_owned(), |repository| repository.key());
    let row = Fields::of(&Key::event(&event.id))
        .put(AT, text(keys::at(event.received_at, &event.id)))
        .put(SPAN, text(keys::month(event.received_at)))
        .maybe(REPO, (!run.is_open()).then(|| text(&repo)))
        .put(REPO_KEY, text(repo))
        .put("type", text(&event.event_type))
        .maybe("action", event.action.as_ref().map(text))
        .put("source", text(event.source.as_str()))
        .maybe("installation", event.installation_id.map(number))
        .maybe("repository", event.repository.as_ref().map(text))
        .maybe("sender", event.sender.as_ref().map(text))
        .maybe("sha", event.sha.as_ref().map(text))
        .maybe("pull_request", event.pull_request.map(number))
        .maybe("about", event.about.as_ref().map(text))
        .put("body_sha256", text(&event.body_sha256))
        .put("body_bytes", number(event.body_bytes))
        .maybe("same_body_as", same_body_as.map(text))
        .put(RECEIPTS, AttributeValue::Ss(vec![run.receipt.to_string()]))
        .put(NEWEST_RUN, text(run.receipt))
        .put(RUN_VERSION, number(0))
        .put(FIRST_RUN, run::to_map(run))
        .put(EXPIRES_AT, number(expiry));
    shown(run).into_iter().fold(row, |row, (name, value)| row.maybe(name, value)).item()
}

/// What an event shows of its newest run. Absent attributes are removed, a failure reason among them as soon as
/// the run is no failure.
fn shown(run: &Run) -> [(&'static str, Option<AttributeValue>); 9] {
    let last = run.last_answer();
    let needs = matches!(run.state, EventStatus::Errored | EventStatus::Unprocessed);
    [
        (STATUS, Some(text(run.state.as_str()))),
        (NEED, needs.then(|| text(run.state.as_str()))),
        ("reason", run.reason.as_ref().map(text)),
        ("failure_reason", run.failure.map(|failure| text(failure.as_str()))),
        ("processed_at", run.ended_at.map(time)),
        ("tries", (run.tries() > 0).then(|| number(run.tries()))),
        ("last_code", last.and_then(|last| last.code).map(number)),
        ("last_ms", last.map(|last| number(last.ms))),
        ("next_attempt_at", run.next_attempt_at.map(time)),
    ]
}

/// Whether the row shows exactly this run's state.
pub(crate) fn shows(row: &Item, run: &Run) -> bool {
    shown(run).iter().all(|(name, value)| row.get(*name) == value.as_ref())
}

/// Whether the row shows this run of a later receipt, but an earlier version of it than it should.
pub(crate) fn is_behind(row: &Item, run: &Run) -> Result<bool, PortError> {
    let version: u64 = Row(row).need(RUN_VERSION, as_number)?;
    Ok(newest_run(row)? == run.receipt && version < run.version && !run.is_open() && !shows(row, run))
}

/// The receipt of the run that the row shows.
pub(crate) fn newest_run(row: &Item) -> Result<ReceiptId, PortError> {
    Row(row).need(NEWEST_RUN, as_receipt)
}

/// The event as its newest run has it: the row's copy may be an attempt behind.
pub(crate) fn as_of(event: GithubEvent, run: &Run) -> GithubEvent {
    GithubEvent {
        status: run.state,
        reason: run.reason.clone(),
        failure_reason: run.failure,
        processed_at: run.ended_at,
        tries: run.tries(),
        last_answer: run.last_answer(),
        next_attempt_at: run.next_attempt_at,
        ..event
    }
}

/// The receipts, oldest first: they are UUIDs of version 7 and sort by their time, whatever order they came in.
pub(crate) fn receipts(row: &Item) -> Result<Vec<ReceiptId>, PortError> {
    let read = |value: &AttributeValue| {
        value.as_ss().ok()?.iter().map(|text| ReceiptId::parse(text).ok()).collect::<Option<Vec<_>>>()
    };
    let mut receipts = Row(row).need(RECEIPTS, read)?;
    receipts.sort_unstable();
    Ok(receipts)
}

/// Reads a row again.
pub(crate) fn from_item(item: &Item) -> Result<GithubEvent, PortError> {
    let row = Row(item);
    let id = row.need(PK, |pk| EventId::parse(as_text(pk)?.strip_prefix("event#")?).ok())?;
    let (received_at, _) = row.need(AT, |at| keys::parse_at(as_text(at)?))?;
    let code = row.maybe("last_code", as_number)?;
    let last_answer = row.maybe("last_ms", as_number)?.map(|ms| LastAnswer { code, ms });
    Ok(GithubEvent {
        id,
        event_type: row.need("type", as_id)?,
        action: row.maybe("action", as_owned)?,
        source: row.need("source", as_text).map(Source::from_word)?,
        installation_id: row.maybe("installation", as_number)?,
        repository: row.maybe("repository", as_id)?,
        sender: row.maybe("sender", as_owned)?,
        sha: row.maybe("sha", as_id)?,
        pull_request: row.maybe("pull_request", as_number)?,
        about: row.maybe("about", as_owned)?,
        body_sha256: row.need("body_sha256", as_owned)?,
        body_bytes: row.need("body_bytes", as_number)?,
        same_body_as: row.maybe("same_body_as", as_id)?,
        receipts: receipts(item)?,
        received_at,
        status: row.need(STATUS, word(EventStatus::from_word))?,
        reason: row.maybe("reason", as_owned)?,
        failure_reason: row.maybe("failure_reason", word(FailureReason::from_word))?,
        processed_at: row.maybe("processed_at", as_time)?,
        tries: row.maybe("tries", as_number)?.unwrap_or_default(),
        last_answer,
        next_attempt_at: row.maybe("next_attempt_at", as_time)?,
    })
}

/// The change that shows a run, and makes what else is to be set.
pub(crate) fn showing(terms: &mut Terms, run: &Run, mut set: Vec<String>) -> String {
    set.push(format!("{} = {}", terms.name(REPO), terms.name(REPO_KEY)));
    let mut remove = Vec::new();
    for (name, value) in shown(run) {
        let name = terms.name(name);
        match value {
            Some(value) => set.push(format!("{name} = {}", terms.value(value))),
            None => remove.push(name),
        }
    }
    let change = format!("SET {}", set.join(", "));
    if remove.is_empty() { change } else { format!("{change} REMOVE {}", remove.join(", ")) }
}

impl Store {
    /// Shows a run on its event: only if it is newer than the one shown, or the same in a later version.
    pub(crate) async fn show(&self, run: &Run, version: u64) -> Result<Write, PortError> {
        let mut terms = Terms::default();
        let receipt = terms.value(text(run.receipt));
        let receipts = terms.value(AttributeValue::Ss(vec![run.receipt.to_string()]));
        let version = terms.value(number(version));
        let newest = terms.name(NEWEST_RUN);
        let condition =
            format!("{newest} < {receipt} OR ({newest} = {receipt} AND {} < {version})", terms.name(RUN_VERSION));
        let set = [format!("{newest} = {receipt}"), format!("{} = {version}", terms.name(RUN_VERSION))];
        let change = format!("{} ADD {} {receipts}", showing(&mut terms, run, set.to_vec()), terms.name(RECEIPTS));
        self.update_if(&Key::event(&run.event), change, condition, terms).await
    }

    /// Adds the receipt of a run that is not the newest.
    pub(crate) async fn add_receipt(&self, run: &Run) -> Result<(), PortError> {
        let mut terms = Terms::default();
        let receipts = terms.value(AttributeValue::Ss(vec![run.receipt.to_string()]));
        let change = format!("ADD {} {receipts}", terms.name(RECEIPTS));
        let condition = format!("attribute_exists({})", terms.name(PK));
        self.update_if(&Key::event(&run.event), change, condition, terms).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_come_oldest_first_though_sets_have_no_order() {
        let text = |n: u8| format!("0190a000-0000-7000-8000-00000000000{n}");
        let set = AttributeValue::Ss(vec![text(3), text(1), text(2)]);
        let receipts = receipts(&Item::from([(RECEIPTS.to_owned(), set)])).unwrap();
        assert_eq!(receipts.iter().map(ToString::to_string).collect::<Vec<_>>(), [text(1), text(2), text(3)]);
    }
}
