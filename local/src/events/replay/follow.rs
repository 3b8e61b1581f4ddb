//! What becomes of the events of a replay, read from the lists, which cost less than stories.

use std::collections::HashMap;

use domain::event::EventStatus;
use domain::ids::{EventId, ReceiptId};
use domain::replay::Refusal;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::progress::{Progress, Tally};
use super::Replay;
use crate::failure::Failure;
use crate::remote::records::{Event, short};
use crate::remote::{Desk, Walk};
use crate::terminal::tell;

/// Questions at once about what became of events.
const AT_ONCE: usize = 8;

/// Events that one look asks about.
const LOOK_AT: usize = 200;

/// Between two looks at what became of them: at first, and at most.
const LOOK_AGAIN: (SignedDuration, SignedDuration) = (SignedDuration::from_millis(250), SignedDuration::from_secs(2));

/// A run to be heard of.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) event: EventId,
    pub(super) received_at: Timestamp,
    pub(super) receipt: ReceiptId,
}

/// How a run ended.
struct Ended {
    state: EventStatus,
    reason: Option<String>,
    code: Option<u16>,
}

impl Replay {
    /// Waits until every run has ended or waits for its next attempt, and says how it went.
    pub(super) async fn follow(
        &self,
        desk: &Desk,
        mut sent: Vec<Sent>,
        mut tally: Tally,
        progress: &Progress,
        replay: Option<&str>,
        mut results: Vec<Value>,
    ) -> Result<(), Failure> {
        let screen = &desk.screen;
        let receipt = |result: &Value| ReceiptId::parse(result["receipt"].as_str()?).ok();
        let places = results.iter().enumerate().filter_map(|(place, result)| Some((receipt(result)?, place)));
        let places: HashMap<ReceiptId, usize> = places.collect();
        let mut first = None;
        let mut wait = LOOK_AGAIN.0;
        while !self.detach && !sent.is_empty() {
            progress.tell(&tally, screen);
            let now = screen.now();
            screen.clock.sleep_until(now.checked_add(wait).unwrap_or(now)).await;
            // The others come next time; who is not done goes to the end of the line.
            let others = sent.split_off(sent.len().min(LOOK_AT));
            let before = tally.ended();
            let looks = stream::iter(sent).map(|sent| async move {
                let ended = ended(desk, &sent).await?;
                Ok::<_, Failure>((sent, ended))
            });
            let looks = looks.buffered(AT_ONCE).try_collect::<Vec<_>>().await;
            let looks = looks.inspect_err(|_| progress.end())?;
            sent = others;
            for (one, ended) in looks {
                let Some(ended) = ended else {
                    sent.push(one);
                    continue;
                };
                if let Some(place) = places.get(&one.receipt) {
                    results[*place]["state"] = ended.state.as_str().into();
                    results[*place]["failure_reason"] = ended.reason.clone().into();
                }
                match ended.state {
                    EventStatus::Errored => {
                        tally.failed += 1;
                        first.get_or_insert((one.event, ended));
                    }
                    EventStatus::Unprocessed => tally.retrying += 1,
                    EventStatus::Ignored | EventStatus::Unhandled => tally.not_sent += 1,
                    _ => tally.done += 1,
                }
            }
            wait = if tally.ended() > before { LOOK_AGAIN.0 } else { (wait * 2).min(LOOK_AGAIN.1) };
        }
        progress.tell(&tally, screen);
        progress.end();
        if screen.json {
            screen.json(&answer(replay, &tally, results));
        } else if self.detach {
            tell(format_args!("{} replayed", tally.replayed));
        } else {
            tell(format_args!("{} replayed: {}", tally.replayed, tally.words()));
        }
        if tally.retrying > 0 && !self.detach {
            screen.say("Those that are retrying go on by themselves: hookyard events list --status unprocessed");
        }
        match first {
            None => left_alone(&tally).map_or(Ok(()), Err),
            Some((event, ended)) => Err(failed_again(&tally, &event, &ended)),
        }
    }
}

/// As the API answers, all pages together, with what became of the events.
pub(super) fn answer(replay: Option<&str>, tally: &Tally, results: Vec<Value>) -> Value {
    json!({
        "replay": replay,
        "matched": tally.matched,
        "replayed": tally.replayed,
        "left": tally.left.values().sum::<usize>(),
        "done": tally.done,
        "failed": tally.failed,
        "retrying": tally.retrying,
        "not_sent": tally.not_sent,
        "results": results,
    })
}

/// How that run ended, if it has: from the event's row in a list, found by its GUID and its time.
async fn ended(desk: &Desk, sent: &Sent) -> Result<Option<Ended>, Failure> {
    let until = sent.received_at.checked_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
    let filters = [
        ("delivery", Some(sent.event.delivery().to_string()).filter(|guid| guid.len() >= 8)),
        ("since", Some(sent.received_at.to_string())),
        ("until", Some(until.to_string())),
    ];
    let rows = Walk::new(&desk.gateway, &["v1", "events"], "events", filters, None).take(100).await?;
    let rows: Vec<Event> = rows.read()?;
    let Some(event) = rows.into_iter().find(|event| event.id == sent.event) else { return Ok(None) };
    let Some(state) = event.state() else { return Ok(None) };
    let newest = event.receipts.iter().max().copied();
    match newest {
        Some(newest) if newest == sent.receipt => {
            let over = state.is_final() || state == EventStatus::Unprocessed;
            let code = event.last_answer.and_then(|answer| answer.code);
            Ok(over.then_some(Ended { state, reason: event.failure_reason, code }))
        }
        // It has run again since: what became of this run is history.
        Some(newest) if newest > sent.receipt => {
            Ok(Some(Ended { state: EventStatus::Processed, reason: None, code: None }))
        }
        _ => Ok(None),
    }
}

fn failed_again(tally: &Tally, event: &EventId, ended: &Ended) -> Failure {
    let reason = ended.reason.as_deref().unwrap_or("for a reason that is not known");
    let code = ended.code.map(|code| format!(" ({code})")).unwrap_or_default();
    let what = format!("{} of {} failed again: {reason}{code}", tally.failed, tally.replayed);
    let again = if tally.replayed > 1 { "; running this again sends only what still fails" } else { "" };
    Failure::new(what, format!("hookyard events show {}{again}", short(event)))
}

/// Those that the gateway would not replay; what is under way anyway is no failure.
fn left_alone(tally: &Tally) -> Option<Failure> {
    let refusals = [Refusal::NotErrored, Refusal::RunSince, Refusal::BodyExpired];
    let left = refusals.into_iter().filter_map(|refusal| Some((refusal, *tally.left.get(refusal.as_str())?)));
    let left: Vec<_> = left.collect();
    let (refusal, _) = left.first()?;
    let count: usize = left.iter().map(|(_, count)| count).sum();
    let words = Failure::of_sentences(refusal.words(), "begin another one");
    Some(Failure::new(format!("{count} of {} left alone: {}", tally.matched, words.what()), words.hint()))
}
