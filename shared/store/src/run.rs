//! Runs: where each stands, and the order in which a run and its event are written.
//!
//! The run of the receipt that an event was first recorded with stands in the event's own row, so that both are written
//! at once, in one write. A run of a later receipt has a row of its own, and what the event shows of it is a copy:
//! the run is written first, conditional on its version and on a legal transition; the event afterwards, only forwards,
//! to a newer run or to a later version of the same. Whoever dies between the two leaves an event that is behind. The
//! message is not acknowledged then, so it comes back, and [`EventLog::look_up`] finds run and event apart and shows
//! the run.
//!
//! Opening an attempt changes the run alone, never what lists show: indexes are written when an attempt has ended.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::error::PortError;
use domain::event::{EventStatus, GithubEvent};
use domain::ids::{EventId, ReceiptId};
use domain::ports::{EventLog, KeptBody, Recorded};
use domain::reasons::FailureReason;
use domain::run::{AskedBy, Attempt, Outcome, Run};

use crate::Store;
use crate::attributes::{
    Fields, Item, Row, as_id, as_map, as_number, as_owned, as_receipt, as_text, as_time, number, text, time, word,
};
use crate::body::{Claim, Kept};
use crate::event;
use crate::keys::{EXPIRES_AT, Key, RUN, SK};
use crate::table::{Terms, Write, expiry};

/// The attribute of an event's row that holds the run it was first recorded with.
pub(crate) const FIRST_RUN: &str = "first_run";
const RECEIPT: &str = "receipt";
const STATE: &str = "state";
const VERSION: &str = "version";

/// The map in the event's row, as it is after this write: one version on.
pub(crate) fn to_map(run: &Run) -> AttributeValue {
    fields(Fields::default().put(RECEIPT, text(run.receipt)), run).map()
}

/// The row of a later run. It goes when its event goes.
fn to_item(run: &Run, expiry: i64) -> Item {
    fields(Fields::of(&Key::run(&run.event, run.receipt)), run).put(EXPIRES_AT, number(expiry)).item()
}

fn fields(fields: Fields, run: &Run) -> Fields {
    let (replay, by) = match &run.asked_by {
        AskedBy::Github => (None, None),
        AskedBy::Replay { replay, by } => (Some(text(replay)), Some(text(by))),
    };
    let attempts = run.attempts.iter().map(attempt).collect();
    fields
        .put(STATE, text(run.state.as_str()))
        .maybe("replay", replay)
        .maybe("replay_by", by)
        .put("started_at", time(run.started_at))
        .maybe("lease_until", run.lease_until.map(time))
        .maybe("next_attempt_at", run.next_attempt_at.map(time))
        .maybe("ended_at", run.ended_at.map(time))
        .maybe("failure", run.failure.map(|failure| text(failure.as_str())))
        .maybe("reason", run.reason.as_ref().map(text))
        .maybe("cut_offs", (run.cut_offs > 0).then(|| number(run.cut_offs)))
        .maybe("set_aside", run.set_aside.as_ref().map(text))
        .put("attempts", AttributeValue::L(attempts))
        .put(VERSION, number(run.version + 1))
}

fn attempt(attempt: &Attempt) -> AttributeValue {
    let statuses = (!attempt.statuses.is_empty()).then(|| attempt.statuses.iter().map(text).collect());
    Fields::default()
        .put("started_at", time(attempt.started_at))
        .maybe("ended_at", attempt.ended_at.map(time))
        .maybe("outcome", attempt.outcome.map(|outcome| text(outcome.as_str())))
        .maybe("code", attempt.code.map(number))
        .maybe("ms", attempt.ms.map(number))
        .maybe("note", attempt.note.as_ref().map(text))
        .maybe("statuses", statuses.map(AttributeValue::L))
        .maybe("sha", attempt.sha.as_ref().map(text))
        .map()
}

/// Reads the run in an event's row.
pub(crate) fn first(event: &EventId, item: &Item) -> Result<Run, PortError> {
    let row = Row(item).need(FIRST_RUN, as_map)?;
    read(event, row.need(RECEIPT, as_receipt)?, row)
}

/// Reads the row of a later run.
pub(crate) fn from_item(event: &EventId, item: &Item) -> Result<Run, PortError> {
    let row = Row(item);
    read(event, row.need(SK, |sk| ReceiptId::parse(as_text(sk)?.strip_prefix(RUN)?).ok())?, row)
}

fn read(event: &EventId, receipt: ReceiptId, row: Row<'_>) -> Result<Run, PortError> {
    let asked_by = match (row.maybe("replay", as_owned)?, row.maybe("replay_by", as_owned)?) {
        (Some(replay), Some(by)) => AskedBy::Replay { replay, by },
        _ => AskedBy::Github,
    };
    let attempts = row.need("attempts", |value| value.as_l().ok())?;
    Ok(Run {
        event: event.clone(),
        receipt,
        state: row.need(STATE, word(EventStatus::from_word))?,
        asked_by,
        started_at: row.need("started_at", as_time)?,
        lease_until: row.maybe("lease_until", as_time)?,
        next_attempt_at: row.maybe("next_attempt_at", as_time)?,
        ended_at: row.maybe("ended_at", as_time)?,
        failure: row.maybe("failure", word(FailureReason::from_word))?,
        reason: row.maybe("reason", as_owned)?,
        cut_offs: row.maybe("cut_offs", as_number)?.unwrap_or_default(),
        set_aside: row.maybe("set_aside", as_owned)?,
        attempts: attempts.iter().map(|value| read_attempt(row, value)).collect::<Result<_, _>>()?,
        version: row.need(VERSION, as_number)?,
    })
}

fn read_attempt(run: Row<'_>, value: &AttributeValue) -> Result<Attempt, PortError> {
    let row = as_map(value).ok_or_else(|| run.damaged("attempts"))?;
    let statuses = |value: &AttributeValue| value.as_l().ok()?.iter().map(as_id).collect();
    Ok(Attempt {
        started_at: row.need("started_at", as_time)?,
        ended_at: row.maybe("ended_at", as_time)?,
        outcome: row.maybe("outcome", word(Outcome::from_word))?,
        code: row.maybe("code", as_number)?,
        ms: row.maybe("ms", as_number)?,
        note: row.maybe("note", as_owned)?,
        statuses: row.maybe("statuses", statuses)?.unwrap_or_default(),
        sha: row.maybe("sha", as_id)?,
    })
}

#[async_trait]
impl EventLog for Store {
    /// Writes only to repair: when a save was cut off between a later run and the event, the event is brought up to
    /// the run.
    async fn look_up(&self, id: &EventId, receipt: ReceiptId) -> Result<Recorded, PortError> {
        let Some(event) = self.get(&Key::event(id)).await? else {
            return Ok(Recorded { run: None, redelivery: false });
        };
        let receipts = event::receipts(&event)?;
        let redelivery = receipts.iter().any(|other| *other < receipt);
        let first = first(id, &event)?;
        if first.receipt == receipt {
            return Ok(Recorded { run: Some(first), redelivery });
        }
        // The receipt is added before its run is written: without the one there is not the other.
        let run = if receipts.contains(&receipt) { self.get(&Key::run(id, receipt)).await? } else { None };
        let run = run.map(|run| from_item(id, &run)).transpose()?;
        if let Some(run) = &run
            && event::is_behind(&event, run)?
        {
            tracing::info!(event = %id, receipt = %receipt, "the event did not show its run's last save; now it does");
            self.show(run, run.version).await?;
        }
        Ok(Recorded { run, redelivery })
    }

    /// Order of the writes: body, then event with its run; for a later receipt event, then run. An event therefore
    /// always has its body, and a run is there only when everything is: until then the same receipt may begin again.
    ///
    /// The event shows the run's state, tries and so on; what `event` says of them is not read. The run is then
    /// at version 1, as after every write: the caller's next [`EventLog::save`] says so.
    ///
    /// A run that says `processing` although the event has an older receipt is refused as transient: that receipt
    /// came in between, and looking up again makes it `reprocessing`.
    async fn begin(
        &self,
        event: &GithubEvent,
        run: &Run,
        headers: &[(String, String)],
        body: &KeptBody,
    ) -> Result<bool, PortError> {
        if run.version != 0 || run.event != event.id {
            return Err(PortError::permanent(format!("the run {} is no new run of {}", run.receipt, event.id)));
        }
        let key = Key::event(&event.id);
        // Another state than that of a first delivery: a read is cheaper than a write that will be refused.
        let known = if run.state == EventStatus::Processing { None } else { self.get(&key).await? };
        if let Some(known) = known {
            return self.begin_again(known, run).await;
        }
        let expiry = self.expiry(event.received_at);
        let kept = Kept::of(self.packing, event, headers, body, expiry)?;
        let first = match self.keep_body(event, kept).await? {
            Claim::Own => None,
            Claim::Other(first) => Some(first),
        };
        match self.put_if_absent(&key, event::to_item(event, run, first.as_ref(), expiry)).await? {
            Write::Done => Ok(true),
            Write::Refused(known) => self.begin_again(known.ok_or_else(|| vanished(&event.id))?, run).await,
        }
    }

    /// When it fails after a later run was written, the run is saved and the event catches up as the module says.
    ///
    /// # Errors
    /// Permanent when the run is recorded in a state that this one may not follow; the error names both.
    async fn save(&self, run: &Run) -> Result<bool, PortError> {
        let mut shows = !run.is_open();
        loop {
            let row = match self.save_first(run, shows).await? {
                Write::Done => return Ok(true),
                Write::Refused(row) => row.ok_or_else(|| never_begun(run))?,
            };
            let newest = event::newest_run(&row)?;
            let first = Row(&row).need(FIRST_RUN, as_map)?;
            if first.need(RECEIPT, as_receipt)? != run.receipt {
                return self.save_later(run, shows && newest == run.receipt, expiry(&row)).await;
            }
            match refusal(first, run)? {
                Refusal::Outrun => return Ok(false),
                // A newer run has taken the event over: this one is saved without being shown.
                Refusal::None if shows && newest != run.receipt => shows = false,
                Refusal::None => return Err(PortError::transient(format!("{} changed meanwhile", run.event))),
            }
        }
    }
}

/// Why a run's write was refused, as far as the run itself tells.
enum Refusal {
    /// Somebody else has written the run.
    Outrun,
    /// Not because of the run.
    None,
}

fn refusal(recorded: Row<'_>, run: &Run) -> Result<Refusal, PortError> {
    if recorded.need(VERSION, as_number::<u64>)? != run.version {
        return Ok(Refusal::Outrun);
    }
    let from = recorded.need(STATE, word(EventStatus::from_word))?;
    if from.may_become(run.state) {
        return Ok(Refusal::None);
    }
    let (from, to) = (from.as_str(), run.state.as_str());
    Err(PortError::permanent(format!("the run {} may not go from {from} to {to}", run.receipt)))
}

/// The condition that a run is at the caller's version, and in a state that may become the new one. `place` is what
/// comes before the attribute's name.
fn follows(terms: &mut Terms, place: &str, run: &Run) -> String {
    let version = terms.value(number(run.version));
    let states = EventStatus::predecessors(run.state).map(|state| text(state.as_str()));
    let states: Vec<_> = states.map(|state| terms.value(state)).collect();
    let (at, state) = (terms.name(VERSION), terms.name(STATE));
    format!("{place}{at} = {version} AND {place}{state} IN ({})", states.join(", "))
}

impl Store {
    /// Writes a run that stands in its event's row, and shows it there, in one write.
    async fn save_first(&self, run: &Run, shows: bool) -> Result<Write, PortError> {
        let mut terms = Terms::default();
        let first = terms.name(FIRST_RUN);
        let receipt = terms.value(text(run.receipt));
        let mut condition = format!("{first}.{} = {receipt} AND ", terms.name(RECEIPT));
        condition.push_str(&follows(&mut terms, &format!("{first}."), run));
        let set = format!("{first} = {}", terms.value(to_map(run)));
        let change = if shows {
            condition = format!("{condition} AND {} = {receipt}", terms.name(event::NEWEST_RUN));
            event::showing(&mut terms, run, vec![set])
        } else {
            format!("SET {set}")
        };
        self.update_if(&Key::event(&run.event), change, condition, terms).await
    }

    /// Writes a run that has a row of its own, then shows it.
    async fn save_later(&self, run: &Run, shows: bool, expiry: Option<i64>) -> Result<bool, PortError> {
        let key = Key::run(&run.event, run.receipt);
        let mut terms = Terms::default();
        let condition = follows(&mut terms, "", run);
        match self.put_if(&key, to_item(run, self.with_its_event(expiry)), condition, terms).await? {
            Write::Done => {
                if shows {
                    self.show(run, run.version + 1).await?;
                }
                Ok(true)
            }
            Write::Refused(None) => Err(never_begun(run)),
            Write::Refused(Some(row)) => match refusal(Row(&row), run)? {
                Refusal::Outrun => Ok(false),
                Refusal::None => Err(PortError::transient(format!("the run {} changed meanwhile", run.receipt))),
            },
        }
    }

    /// A further receipt of an event that has a row, or the same one after a crash.
    async fn begin_again(&self, mut known: Item, run: &Run) -> Result<bool, PortError> {
        let expiry = expiry(&known);
        if Row(&known).need(FIRST_RUN, as_map)?.need(RECEIPT, as_receipt)? == run.receipt {
            return Ok(false);
        }
        loop {
            let newest = event::newest_run(&known)?;
            if newest > run.receipt {
                if !event::receipts(&known)?.contains(&run.receipt) {
                    self.add_receipt(run).await?;
                }
                return self.put_later_run(run, expiry).await;
            }
            if newest == run.receipt {
                // Somebody began this very run before. Who writes its row wins, and what the winner says is shown.
                let won = self.put_later_run(run, expiry).await?;
                if won && !event::shows(&known, run) {
                    self.show(run, run.version + 1).await?;
                }
                return Ok(won);
            }
            if !EventStatus::may_be_taken_over(run.state) {
                return Err(PortError::transient(format!(
                    "{} was recorded meanwhile under an older receipt: look it up again before it is {}",
                    run.event,
                    run.state.as_str()
                )));
            }
            match self.show(run, 0).await? {
                Write::Done => return self.put_later_run(run, expiry).await,
                Write::Refused(still) => known = still.ok_or_else(|| vanished(&run.event))?,
            }
        }
    }

    async fn put_later_run(&self, run: &Run, expiry: Option<i64>) -> Result<bool, PortError> {
        let key = Key::run(&run.event, run.receipt);
        let row = to_item(run, self.with_its_event(expiry));
        Ok(matches!(self.put_if_absent(&key, row).await?, Write::Done))
    }

    /// An event, its runs and its body go together. Every event's row has an end.
    fn with_its_event(&self, expiry: Option<i64>) -> i64 {
        expiry.unwrap_or_else(|| self.expiry(self.clock.now()))
    }
}

fn never_begun(run: &Run) -> PortError {
    PortError::permanent(format!("the run {} was never begun", run.receipt))
}

fn vanished(id: &EventId) -> PortError {
    PortError::transient(format!("the row of {id} expired while it was written"))
}
