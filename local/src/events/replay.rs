//! `hookyard events replay`.
//!
//! The gateway mints the replay at the first call, the dry run; from then on every call names it, so that whatever is
//! repeated runs nothing twice.

mod follow;

use std::collections::BTreeMap;

use clap::Args;
use domain::ids::{EventId, ReceiptId};
use domain::replay::ReplayId;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use self::follow::{Sent, answer};
use super::filters::{Filters, Fixed};
use super::find;
use super::progress::{Progress, Tally};
use crate::cli::exit;
use crate::failure::Failure;
use crate::remote::Desk;
use crate::remote::records::Event;
use crate::terminal::{ask, printable, tell};
use crate::words::counted;

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

fn replay_id(text: &str) -> Result<String, String> {
    ReplayId::parse(text).map(|id| id.to_string()).map_err(|bad| format!("it must be {}", bad.must))
}
