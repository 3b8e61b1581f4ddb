//! `hookyard events replay`.
//!
//! The gateway mints the replay at the first call, the dry run; from then on every call names it, so that whatever is
//! repeated runs nothing twice. What becomes of the events is read from the lists, which cost less than stories.

use std::collections::{BTreeMap, HashMap};

use clap::Args;
use domain::event::EventStatus;
use domain::ids::{EventId, ReceiptId};
use domain::replay::{Refusal, ReplayId};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::filters::{Filters, Fixed};
use super::find;
use super::progress::{Progress, Tally};
use crate::cli::exit;
use crate::failure::Failure;
use crate::remote::records::{Event, short};
use crate::remote::{Desk, Walk};
use crate::terminal::{ask, printable, tell};
use crate::words::counted;

/// Questions at once about what became of events.
const AT_ONCE: usize = 8;

/// Events that one look asks about.
const LOOK_AT: usize = 200;

/// Between two looks at what became of them: at first, and at most.
const LOOK_AGAIN: (SignedDuration, SignedDuration) = (SignedDuration::from_millis(250), SignedDuration::from_secs(2));

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Events by their ids, as every line shows them; or filters, below
    #[arg(value_name = "ID", conflicts_with_all = ["repository", "type", "action", "status", "since", "until", "resume", "dry_run"])]
    ids: Vec<String>,
    #[command(flatten)]
    filters: Filters,
    /// Count what matches, and replay nothing
    #[arg(long)]
    dry_run: bool,
    /// Replay without asking
    #[arg(long, short)]
    yes: bool,
    /// Also what has not failed
    #[arg(long)]
    force: bool,
    /// Go on with a replay that was interrupted, with the same filters
    #[arg(long, value_name = "REPLAY", value_parser = replay_id)]
    resume: Option<String>,
    /// Do not wait for what becomes of them
    #[arg(long)]
    detach: bool,
    /// Who asks, for the record [default: your user name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// What the API says of one page of a replay.
#[derive(Deserialize)]
struct Page {
    replay: String,
    #[serde(default)]
    results: Vec<Outcome>,
    next_cursor: Option<String>,
}

/// One event of it.
#[derive(Deserialize)]
struct Outcome {
    event: EventId,
    #[serde(rename = "type")]
    kind: String,
    received_at: Timestamp,
    result: String,
    receipt: Option<ReceiptId>,
    reason: Option<String>,
}

/// The answer to one that was asked for by its id.
#[derive(Deserialize)]
struct One {
    event: EventId,
    receipt: ReceiptId,
    replay: String,
}

/// A run to be heard of.
#[derive(Debug, Clone)]
struct Sent {
    event: EventId,
    received_at: Timestamp,
    receipt: ReceiptId,
}

/// How a run ended.
struct Ended {
    state: EventStatus,
    reason: Option<String>,
    code: Option<u16>,
}

impl Replay {
    pub(super) async fn run(&self, desk: &Desk, progress: &Progress, user: Option<&str>) -> Result<(), Failure> {
        if !self.ids.is_empty() {
            return self.each(desk, progress, user).await;
        }
        if self.filters.is_empty() && self.resume.is_none() {
            let hint = "give an id, or a filter such as --status errored or --since 24h";
            return Err(Failure::usage("which events to replay is not said", hint));
        }
        let filters = self.filters.fix(&desk.screen)?;
        let (replay, counted) = self.count(desk, &filters, user).await?;
        let sentence = sentence(&counted, desk);
        if self.dry_run || counted.is_empty() {
            if desk.screen.json {
                let tally = Tally { matched: counted.len(), ..Tally::default() };
                desk.screen.json(&answer(Some(&replay), &tally, counted));
            } else {
                tell(sentence);
            }
            return Ok(());
        }
        if !self.yes {
            match ask::yes(&format!("{sentence}. Replay?"), desk.screen.may_ask).await {
                Some(true) => {}
                Some(false) => return Err(Failure::new("nothing was replayed", "answer y to replay")),
                None => {
                    let what = format!("{sentence} would be replayed, and nobody can be asked");
                    return Err(Failure::usage(what, "add --yes"));
                }
            }
        } else {
            desk.screen.say(&sentence);
        }
        let force = if self.force { " --force" } else { "" };
        progress.begin(format!("hookyard events replay{}{force} --resume {replay} --yes", filters.flags()));
        let mut tally = Tally { matched: counted.len(), ..Tally::default() };
        let (sent, results) = self.publish(desk, &filters, &replay, user, &mut tally, progress).await?;
        self.follow(desk, sent, tally, progress, Some(&replay), results).await
    }

    /// The dry run: what matches, and the replay that was minted for it.
    async fn count(&self, desk: &Desk, filters: &Fixed, user: Option<&str>) -> Result<(String, Vec<Value>), Failure> {
        let mut replay = self.resume.clone();
        let (mut matched, mut cursor) = (Vec::new(), None);
        loop {
            let body = self.body(filters, user, &json!({ "dry_run": true, "replay": replay, "cursor": cursor }));
            let (page, raw) = page(desk, &body).await?;
            matched.extend(raw);
            replay = Some(page.replay);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok((replay.unwrap_or_default(), matched));
            }
        }
    }

    /// Publishes what matches, page by page.
    async fn publish(
        &self,
        desk: &Desk,
        filters: &Fixed,
        replay: &str,
        user: Option<&str>,
        tally: &mut Tally,
        progress: &Progress,
    ) -> Result<(Vec<Sent>, Vec<Value>), Failure> {
        let (mut sent, mut results, mut cursor) = (Vec::new(), Vec::new(), None);
        loop {
            let body = self.body(filters, user, &json!({ "replay": replay, "cursor": cursor }));
            let (page, raw) = page(desk, &body).await.inspect_err(|_| progress.end())?;
            for outcome in page.results {
                match outcome.receipt.filter(|_| outcome.result != "left") {
                    Some(receipt) => {
                        tally.replayed += 1;
                        sent.push(Sent { event: outcome.event, received_at: outcome.received_at, receipt });
                    }
                    None => {
                        let why = outcome.reason.unwrap_or_else(|| "not known".to_owned());
                        *tally.left.entry(why).or_default() += 1;
                    }
                }
            }
            results.extend(raw);
            // What was counted may have changed since.
            tally.matched = tally.matched.max(tally.replayed + tally.left.values().sum::<usize>());
            progress.tell(tally, &desk.screen);
            cursor = page.next_cursor;
            if cursor.is_none() {
                tally.matched = tally.replayed + tally.left.values().sum::<usize>();
                return Ok((sent, results));
            }
        }
    }

    /// Replays events by their ids, in the order in which they were given.
    async fn each(&self, desk: &Desk, progress: &Progress, user: Option<&str>) -> Result<(), Failure> {
        let mut events: Vec<Event> = Vec::new();
        for id in &self.ids {
            let id = find(&desk.gateway, id).await?;
            if events.iter().all(|event| event.id != id) {
                events.push(desk.gateway.get(&["v1", "events", &id.to_string()], &[]).await?.read()?);
            }
        }
        let mut tally = Tally { matched: events.len(), ..Tally::default() };
        let (mut sent, mut results, mut refused) = (Vec::new(), Vec::new(), None);
        let rest = self.ids.join(" ");
        progress.begin(format!("hookyard events replay {rest}{}", if self.force { " --force" } else { "" }));
        for event in events {
            // A replay that is older than an event's last run cannot run it, so each gets one of its own.
            let body = json!({ "force": self.force, "by": self.by(user) });
            let id = event.id.to_string();
            let answer = match desk.gateway.post_once(&["v1", "events", &id, "replay"], &body).await {
                Err(failure) if self.ids.len() > 1 && failure.code() == exit::FAILED => {
                    // The others are none the worse for it.
                    desk.screen.warn(format_args!("{id}: {}", printable(failure.what())));
                    *tally.left.entry("refused".to_owned()).or_default() += 1;
                    refused.get_or_insert(failure);
                    continue;
                }
                answer => answer?,
            };
            let One { event: id, receipt, replay: minted } = answer.read()?;
            tally.replayed += 1;
            results.push(json!({ "event": id, "receipt": receipt, "replay": minted, "result": "replayed" }));
            sent.push(Sent { event: id, received_at: event.received_at, receipt });
            progress.tell(&tally, &desk.screen);
        }
        self.follow(desk, sent, tally, progress, None, results).await?;
        refused.map_or(Ok(()), Err)
    }

    /// Waits until every run has ended or waits for its next attempt, and says how it went.
    async fn follow(
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

    fn body(&self, filters: &Fixed, user: Option<&str>, more: &Value) -> Value {
        let mut body = filters.body();
        body["force"] = self.force.into();
        body["by"] = self.by(user).into();
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body
    }

    fn by(&self, user: Option<&str>) -> Option<String> {
        self.by.clone().or_else(|| Some(format!("{}, command line", user?)))
    }
}

async fn page(desk: &Desk, body: &Value) -> Result<(Page, Vec<Value>), Failure> {
    let answer = desk.gateway.post(&["v1", "replays"], &[], body).await?;
    let mut whole: Value = answer.read()?;
    let raw = whole.get_mut("results").map(Value::take).and_then(|raw| match raw {
        Value::Array(raw) => Some(raw),
        _ => None,
    });
    Ok((answer.read()?, raw.unwrap_or_default()))
}

/// `42 events at https://hooks.example: 40 push, 2 pull_request, oldest 12:10:44`.
fn sentence(matched: &[Value], desk: &Desk) -> String {
    let read = |value: &Value| serde_json::from_value::<Outcome>(value.clone()).ok();
    let matched: Vec<_> = matched.iter().filter_map(read).collect();
    let Some(oldest) = matched.iter().map(|event| event.received_at).min() else {
        return "0 events match".to_owned();
    };
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &matched {
        *types.entry(&event.kind).or_default() += 1;
    }
    let mut types: Vec<_> = types.into_iter().collect();
    types.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
    let types: Vec<_> = types.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let events = counted(matched.len(), "event", "events");
    format!("{events} at {}: {}, oldest {}", desk.gateway.origin(), types.join(", "), desk.screen.short(oldest))
}

/// As the API answers, all pages together, with what became of the events.
fn answer(replay: Option<&str>, tally: &Tally, results: Vec<Value>) -> Value {
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

fn replay_id(text: &str) -> Result<String, String> {
    ReplayId::parse(text).map(|id| id.to_string()).map_err(|bad| format!("it must be {}", bad.must))
}
