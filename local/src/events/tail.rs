//! `hookyard events tail`.
//!
//! There is no stream: the lists are asked again and again, so that it works the same with a gateway on AWS. Besides
//! the newest events it looks at those that have failed or wait, however old, because a replay or a retry changes them;
//! and at one page of the rest each time, page after page and from the beginning again, because whatever is old may be
//! redelivered or replayed by force. Receipts grow with time, so a page by itself says what on it has run since.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use clap::Args;
use domain::event::EventStatus;
use domain::ids::ReceiptId;
use jiff::SignedDuration;
use serde_json::Value;
use serde_json::value::RawValue;

use super::filters::{Filters, Fixed};
use crate::cli::exit;
use crate::failure::Failure;
use crate::line::OutcomeLine;
use crate::remote::records::Event;
use crate::remote::{Desk, Items, Walk};
use crate::terminal::screen::Screen;
use crate::terminal::tell;

/// The newest events that are looked at each time, and of those that failed or wait; as many as a page has.
const LOOK: usize = 100;

/// How many of the others are asked for one by one at each look.
const ONE_BY_ONE: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    filters: Filters,
    /// How many of the newest events to begin with
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100))]
    lines: u32,
    /// How often to look
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = interval)]
    interval: Duration,
}

/// What was last told of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    status: String,
    tries: u32,
    receipts: usize,
}

impl Told {
    fn of(event: &Event) -> Self {
        Self { status: event.status.clone(), tries: event.tries, receipts: event.receipts.len() }
    }
}

/// What is known of the list.
#[derive(Default)]
struct Known {
    told: HashMap<String, Told>,
    /// Those that failed or wait, at the last look.
    needy: HashSet<String>,
    /// Those that have left that list, or are being worked on, and whose end has not been told.
    open: HashSet<String>,
    /// The newest receipt there was at the beginning: what is newer has run since.
    mark: Option<ReceiptId>,
    /// Whether there was nothing at all. No mark says less: a page of a list with filters may hold nothing and not be the last.
    was_empty: bool,
    /// Where the next page of the rest begins; none for the one after the newest.
    beyond: Option<String>,
}

impl Tail {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let screen = &desk.screen;
        let filters = self.filters.fix(screen)?;
        let mut known = Known::default();
        let (newest, next) = list(desk, &filters, None).await?;
        if self.filters.is_empty() {
            known.was_empty = newest.is_empty() && next.is_none();
        } else {
            // The newest of what matches may be old, or beyond the first page.
            let (all, next) = list(desk, &Fixed::default(), None).await?;
            known.was_empty = all.is_empty() && next.is_none();
            known.mark = all.iter().filter_map(|(_, event)| latest(event)).max();
        }
        let begin = usize::try_from(self.lines).unwrap_or(0);
        let skipped = newest.len().saturating_sub(begin);
        for (place, (raw, event)) in newest.into_iter().enumerate() {
            if place >= skipped && is_outcome(&event) {
                show(&raw, &event, screen);
            }
            known.mark = known.mark.max(latest(&event));
            known.take(&event);
        }
        for event in needy(desk, &filters).await? {
            known.mark = known.mark.max(latest(&event));
            known.needy.insert(event.id.to_string());
        }
        screen.say(format_args!("Following {}; Ctrl-C ends it.", desk.gateway.origin()));
        let interval = SignedDuration::try_from(self.interval).unwrap_or(SignedDuration::from_secs(2));
        let mut lost = false;
        loop {
            let now = screen.now();
            screen.clock.sleep_until(now.checked_add(interval).unwrap_or(now)).await;
            match look(desk, &filters, &mut known).await {
                Ok(()) if lost => {
                    screen.say("The gateway answers again.");
                    lost = false;
                }
                Ok(()) => {}
                // It may be restarted, or the network may come back: whoever follows wants to go on then.
                Err(failure) if matches!(failure.code(), exit::UNREACHABLE | exit::FAILED) => {
                    if !lost {
                        screen.warn(format_args!("{}; trying again", failure.what()));
                    }
                    lost = true;
                }
                Err(failure) => return Err(failure),
            }
        }
    }
}

/// One look: tells what has changed, oldest first.
async fn look(desk: &Desk, filters: &Fixed, known: &mut Known) -> Result<(), Failure> {
    // Of a filter that lets little through, one page must do: it reads a thousand.
    let (newest, next) = list(desk, filters, None).await?;
    let needy = needy(desk, filters).await?;
    let (rest, beyond) = match known.beyond.clone().or(next) {
        Some(from) => list(desk, filters, Some(from)).await?,
        None => (Vec::new(), None),
    };
    let rest = known.ran_since(rest);
    let seen: HashSet<String> = newest.iter().map(|(_, event)| event.id.to_string()).collect();
    let now: HashSet<String> = needy.iter().map(|event| event.id.to_string()).collect();
    let left = known.needy.difference(&now).cloned();
    known.open.extend(left);
    known.needy = now;
    let mut changed: Vec<(Value, Event)> = rest.into_iter().chain(newest).collect();
    let others: Vec<String> = known.open.iter().filter(|id| !seen.contains(*id)).take(ONE_BY_ONE).cloned().collect();
    for id in others {
        match desk.gateway.get(&["v1", "events", &id], &[]).await {
            Ok(answer) => {
                let event: Event = answer.read()?;
                changed.push((row(&answer.text())?, event));
            }
            // It has expired meanwhile.
            Err(failure) if failure.code() == exit::NOT_FOUND => {
                known.open.remove(&id);
            }
            Err(failure) => return Err(failure),
        }
    }
    // Not before everything has been answered: else this page of the rest would be told of a round later.
    known.beyond = beyond;
    for (raw, event) in changed {
        if known.take(&event) && is_outcome(&event) {
            show(&raw, &event, &desk.screen);
        }
    }
    Ok(())
}

impl Known {
    /// Whether its last receipt is newer than everything there was at the beginning.
    fn has_run_since(&self, event: &Event) -> bool {
        self.mark.map_or(self.was_empty, |mark| latest(event) > Some(mark))
    }

    /// Those of a page of the rest that have run since the beginning.
    fn ran_since(&mut self, mut page: Vec<(Value, Event)>) -> Vec<(Value, Event)> {
        if self.mark.is_none() && !self.was_empty {
            // No page held anything so far, so what this one holds is the newest there was.
            self.mark = page.iter().filter_map(|(_, event)| latest(event)).max();
        }
        page.retain(|(_, event)| self.has_run_since(event));
        page
    }

    /// Whether that says something that has not been told.
    fn take(&mut self, event: &Event) -> bool {
        let id = event.id.to_string();
        if event.state().is_none_or(EventStatus::is_final) {
            self.open.remove(&id);
        } else {
            self.open.insert(id.clone());
        }
        let told = Told::of(event);
        self.told.insert(id, told.clone()) != Some(told)
    }
}

/// That an event is being worked on is no outcome.
fn is_outcome(event: &Event) -> bool {
    !matches!(event.state(), Some(EventStatus::Processing | EventStatus::Reprocessing))
}

/// One page of the events that match, the newest or from a cursor on, oldest first; and where the list goes on.
async fn list(
    desk: &Desk,
    filters: &Fixed,
    from: Option<String>,
) -> Result<(Vec<(Value, Event)>, Option<String>), Failure> {
    let items = page(desk, filters.params(), from).await?;
    let events: Vec<Event> = items.read()?;
    Ok((items.raw.into_iter().zip(events).rev().collect(), items.next_cursor))
}

/// The receipt that came last.
fn latest(event: &Event) -> Option<ReceiptId> {
    event.receipts.iter().max().copied()
}

/// Those that have failed or wait for their next attempt.
async fn needy(desk: &Desk, filters: &Fixed) -> Result<Vec<Event>, Failure> {
    let mut needy = Vec::new();
    for state in [EventStatus::Errored, EventStatus::Unprocessed] {
        if filters.status.as_ref().is_none_or(|status| status == state.as_str()) {
            let filters = Fixed { status: Some(state.as_str().to_owned()), ..filters.clone() };
            needy.extend(page(desk, filters.params(), None).await?.read::<Event>()?);
        }
    }
    Ok(needy)
}

async fn page(
    desk: &Desk,
    params: [(&'static str, Option<String>); 6],
    cursor: Option<String>,
) -> Result<Items, Failure> {
    Walk::new(&desk.gateway, &["v1", "events"], "events", params, cursor).page(LOOK).await
}

/// The event alone, as lists have it: without its payload, which may hold what no reader of ours would keep as it is.
fn row(story: &str) -> Result<Value, Failure> {
    let read = || {
        let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(story)?;
        members.retain(|name, _| !["payload", "payload_url", "runs", "statuses", "failure"].contains(&name.as_str()));
        serde_json::to_value(members)
    };
    read().map_err(|_: serde_json::Error| Failure::new("the answer is not what was expected", "report this"))
}

fn show(raw: &Value, event: &Event, screen: &Screen) {
    if screen.json {
        screen.json(raw);
    } else {
        tell(line(event, screen).show(screen.out));
    }
}

fn line(event: &Event, screen: &Screen) -> OutcomeLine {
    let note = match (event.next_attempt_at, &event.failure_reason, &event.reason) {
        (Some(at), ..) => format!("again at {}", screen.short(at)),
        (_, Some(failure), _) => failure.clone(),
        _ if event.state() == Some(EventStatus::Unhandled) => "set YOUR_SERVER_URL".to_owned(),
        (_, _, Some(reason)) => reason.clone(),
        _ if event.receipts.len() > 1 => format!("run {}", event.receipts.len()),
        _ => String::new(),
    };
    let last = event.last_answer;
    OutcomeLine {
        time: screen.short(event.processed_at.unwrap_or(event.received_at)),
        state: event.state().unwrap_or(EventStatus::Processing),
        name: event.name(),
        place: event.place(),
        code: last.and_then(|last| last.code),
        ms: last.map(|last| last.ms),
        note,
        id: event.short(),
    }
}

fn interval(text: &str) -> Result<Duration, &'static str> {
    lambda::settings::duration(text).map_err(|_| "write it like 2s or 1m")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(guid: &str, status: &str, more: Value) -> Event {
        let mut event = json!({ "id": format!("1-{guid}"), "type": "push", "repository": "acme/web", "status": status,
            "received_at": "2026-11-20T14:06:40Z", "tries": 1, "receipts": ["019aa1b2-0000-7000-8000-000000000001"] });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn what_has_been_told_is_not_told_again() {
        let mut known = Known::default();
        assert!(known.take(&event("a", "processing", json!({}))) && known.open.contains("1-a"));
        assert!(!known.take(&event("a", "processing", json!({}))));
        assert!(known.take(&event("a", "unprocessed", json!({}))) && known.open.contains("1-a"));
        assert!(known.take(&event("a", "unprocessed", json!({ "tries": 2 }))), "every attempt is an outcome");
        assert!(known.take(&event("a", "processed", json!({ "tries": 3 }))) && known.open.is_empty());
        assert!(!known.take(&event("a", "processed", json!({ "tries": 3 }))));
    }

    #[test]
    fn what_runs_again_has_a_newer_receipt_than_there_was() {
        let receipts = |last: u8| json!({ "receipts": ["019aa1b2-0000-7000-8000-000000000001", format!("019aa1b2-0000-7000-8000-00000000000{last}")] });
        let mut known = Known { mark: latest(&event("a", "processed", receipts(2))), ..Known::default() };
        assert!(!known.has_run_since(&event("b", "processed", receipts(2))));
        assert!(known.has_run_since(&event("b", "processed", receipts(3))));
        known = Known { was_empty: true, ..Known::default() };
        assert!(known.has_run_since(&event("b", "processed", json!({}))), "nothing had come before");
    }

    #[test]
    fn where_no_page_has_held_anything_the_first_that_does_is_no_news() {
        let page = |receipts: Value| vec![(Value::Null, event("b", "processed", json!({ "receipts": receipts })))];
        let (old, new) = ("019aa1b2-0000-7000-8000-000000000001", "019aa1b2-0000-7000-8000-000000000002");
        let mut known = Known::default();
        assert!(known.ran_since(Vec::new()).is_empty() && known.ran_since(page(json!([old]))).is_empty());
        assert_eq!(known.ran_since(page(json!([old, new]))).len(), 1);
    }

    #[test]
    fn an_event_alone_keeps_nothing_of_its_payload() {
        let story = r#"{"id":"1-a","tries":2,"runs":[],"statuses":[],"payload":{"n":1e999,"n":2},"payload_url":"/"}"#;
        assert_eq!(row(story).unwrap(), json!({ "id": "1-a", "tries": 2 }));
        assert!(row("<html>").is_err());
    }

    #[test]
    fn one_line_for_each_outcome() {
        let screen = Screen::of_test(None);
        let lines = [
            event(
                "0b989ba4-242f",
                "processed",
                json!({ "action": "x\u{1b}[2J", "pull_request": 7, "last_answer": { "code": 200, "ms": 96 } }),
            ),
            event(
                "77be3100-242f",
                "unprocessed",
                json!({ "last_answer": { "code": 503, "ms": 184 }, "next_attempt_at": "2026-11-20T14:12:11Z" }),
            ),
            event(
                "77be3101-242f",
                "errored",
                json!({ "last_answer": { "code": null, "ms": 10_000 }, "failure_reason": "gave_up" }),
            ),
            event("77be3102-242f", "ignored", json!({ "reason": "set-up check", "repository": null })),
            event("77be3103-242f", "unhandled", json!({ "reason": "no server" })),
        ];
        let told = lines.map(|event| line(&event, &screen).show(screen.out)).join("\n");
        insta::assert_snapshot!(told);
    }
}
