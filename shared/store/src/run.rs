//! Runs: one row per receipt, and the order in which a run and its event are written.
//!
//! A run's row is the truth about it; what the event shows is a copy. The run is written first, conditional on
//! its version and on a legal transition; the event afterwards, only forwards: to a newer run, or to a later
//! version of the same. Whoever dies between the two leaves an event that is behind. The message is not
//! acknowledged then, so it comes back, and [`EventLog::look_up`] finds run and event apart and shows the run.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::error::PortError;
use domain::event::{EventStatus, GithubEvent};
use domain::ids::{EventId, ReceiptId};
use domain::ports::{EventLog, KeptBody, Recorded};
use domain::reasons::FailureReason;
use domain::run::{AskedBy, Attempt, Outcome, Run};
use futures_util::future::try_join;

use crate::Store;
use crate::attributes::{
    Fields, Item, Row, as_id, as_map, as_number, as_owned, as_receipt, as_text, as_time, number, text, time, word,
};
use crate::body::{self, Claim};
use crate::event;
use crate::keys::{EXPIRES_AT, Key};
use crate::table::{Terms, Write};

const STATE: &str = "state";
const VERSION: &str = "version";

/// The row of a run, as it is after this write: one version on.
fn to_item(run: &Run, expiry: i64) -> Item {
    let (replay, by) = match &run.asked_by {
        AskedBy::Github => (None, None),
        AskedBy::Replay { replay, by } => (Some(text(replay)), Some(text(by))),
    };
    let attempts = run.attempts.iter().map(attempt).collect();
    Fields::of(&Key::run(&run.event, run.receipt))
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
        .put(EXPIRES_AT, number(expiry))
        .item()
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

/// Reads a row again.
pub(crate) fn from_item(event: &EventId, item: &Item) -> Result<Run, PortError> {
    let row = Row(item);
    let asked_by = match (row.maybe("replay", as_owned)?, row.maybe("replay_by", as_owned)?) {
        (Some(replay), Some(by)) => AskedBy::Replay { replay, by },
        _ => AskedBy::Github,
    };
    let attempts = row.need("attempts", |value| value.as_l().ok())?;
    Ok(Run {
        event: event.clone(),
        receipt: row.need(crate::keys::SK, |sk| ReceiptId::parse(as_text(sk)?.strip_prefix(crate::keys::RUN)?).ok())?,
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
    /// Writes only to repair: when a save was cut off between the run and the event, the event is brought up to
    /// the run.
    async fn look_up(&self, id: &EventId, receipt: ReceiptId) -> Result<Recorded, PortError> {
        let (event_key, run_key) = (Key::event(id), Key::run(id, receipt));
        let (event, run) = try_join(self.get(&event_key), self.get(&run_key)).await?;
        let run = run.map(|run| from_item(id, &run)).transpose()?;
        let Some(event) = event else { return Ok(Recorded { run, redelivery: false }) };
        if let Some(run) = &run
            && event::is_behind(&event, run)?
        {
            tracing::info!(event = %id, receipt = %receipt, "the event did not show its run's last save; now it does");
            self.show(run, run.version).await?;
        }
        let redelivery = event::receipts(&event)?.into_iter().any(|other| other < receipt);
        Ok(Recorded { run, redelivery })
    }

    /// Order of the writes: claim, body, event, run. An event therefore always has its body, and the run, which
    /// ends it, is there only when everything is: until then the same receipt may begin again.
    ///
    /// The event shows the run's state, tries and so on; what `event` says of them is not read. The row is then
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
        let body_key = Key::body(&event.id);
        let body = body::to_item(&body_key, headers, body, self.expiry(event.received_at))?;
        let (known, first) = match self.claim(event).await? {
            Claim::New => (None, None),
            Claim::Own => (self.get(&Key::event(&event.id)).await?, None),
            Claim::Other(first) => (self.get(&Key::event(&event.id)).await?, Some(first)),
        };
        let known = match known {
            Some(known) => known,
            None => {
                self.put_if_absent(&body_key, body).await?;
                let key = Key::event(&event.id);
                let row = event::to_item(event, run, first.as_ref(), self.expiry(event.received_at));
                match self.put_if_absent(&key, row).await? {
                    Write::Done => return self.put_new_run(run).await,
                    Write::Refused(known) => known.ok_or_else(|| vanished(&event.id))?,
                }
            }
        };
        self.begin_again(known, run).await
    }

    /// When it fails after the run was written, the run is saved and the event catches up as the module says.
    ///
    /// # Errors
    /// Permanent when the run's row is in a state that this one may not follow; the error names both.
    async fn save(&self, run: &Run) -> Result<bool, PortError> {
        let key = Key::run(&run.event, run.receipt);
        let mut terms = Terms::default();
        let version = terms.value(number(run.version));
        let states = EventStatus::predecessors(run.state).map(|state| text(state.as_str()));
        let condition = format!("{} = {version} AND {}", terms.name(VERSION), terms.one_of(STATE, states));
        match self.put_if(&key, to_item(run, self.expiry(run.started_at)), condition, terms).await? {
            Write::Done => {
                self.show(run, run.version + 1).await?;
                Ok(true)
            }
            Write::Refused(None) => Err(PortError::permanent(format!("the run {} was never begun", run.receipt))),
            Write::Refused(Some(row)) => {
                let row = Row(&row);
                if row.need(VERSION, as_number::<u64>)? != run.version {
                    return Ok(false);
                }
                let from = row.need(STATE, as_text)?;
                Err(PortError::permanent(format!(
                    "the run {} may not go from {from} to {}",
                    run.receipt,
                    run.state.as_str()
                )))
            }
        }
    }
}

impl Store {
    /// A further receipt of an event that has a row, or the same one after a crash.
    async fn begin_again(&self, mut known: Item, run: &Run) -> Result<bool, PortError> {
        loop {
            let newest = Row(&known).need(event::NEWEST_RUN, as_receipt)?;
            if newest > run.receipt {
                if !event::receipts(&known)?.contains(&run.receipt) {
                    self.add_receipt(run).await?;
                }
                return self.put_new_run(run).await;
            }
            if newest == run.receipt {
                // Somebody began this very run before. Who writes its row wins, and what the winner says is shown.
                let won = self.put_new_run(run).await?;
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
                Write::Done => return self.put_new_run(run).await,
                Write::Refused(still) => known = still.ok_or_else(|| vanished(&run.event))?,
            }
        }
    }

    async fn put_new_run(&self, run: &Run) -> Result<bool, PortError> {
        let key = Key::run(&run.event, run.receipt);
        let row = to_item(run, self.expiry(run.started_at));
        Ok(matches!(self.put_if_absent(&key, row).await?, Write::Done))
    }
}

fn vanished(id: &EventId) -> PortError {
    PortError::transient(format!("the row of {id} expired while it was written"))
}
