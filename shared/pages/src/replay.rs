//! Replaying many: what it would be, and how far it has come.

use std::collections::BTreeMap;

use askama::Template;
use domain::event::GithubEvent;
use domain::replay::ReplayId;
use jiff::Timestamp;

use crate::events::{Filter, Row, address};
use crate::words::{count, counted};
use crate::{Section, Shell};

/// Events that are shown before somebody says yes.
const FIRST: usize = 10;

/// What a replay would be, counted as far as the pages look.
pub struct Plan {
    /// Oldest first.
    pub events: Vec<GithubEvent>,
    /// Whether there are more than were counted.
    pub more: bool,
}

impl Plan {
    /// Nothing.
    pub fn none() -> Self {
        Self { events: Vec::new(), more: false }
    }
}

struct Group {
    repository: String,
    kind: String,
    number: String,
}

/// The question before it.
#[derive(Template)]
#[template(path = "replay.html")]
pub struct Question {
    shell: Shell,
    title: &'static str,
    problems: Vec<String>,
    filter: Filter,
    force: bool,
    replay: String,
    total: String,
    sentence: String,
    groups: Vec<Group>,
    first: Vec<Row>,
    any: bool,
    back: String,
    with_force: String,
}

impl Question {
    /// The page. `problems` are filters that could not be read, or do not go together; then the plan is empty.
    pub fn new(
        shell: Shell,
        filter: Filter,
        force: bool,
        problems: Vec<String>,
        plan: &Plan,
        replay: &ReplayId,
        now: Timestamp,
    ) -> Self {
        let total = format!("{}{}", plan.events.len(), if plan.more { "+" } else { "" });
        let number = counted(plan.events.len() as u64, "event", "events");
        let sentence = match (plan.events.is_empty(), plan.more) {
            (true, _) => "No events match: there is nothing to replay.".to_owned(),
            (false, true) => format!("{number} or more would run again."),
            (false, false) => format!("{number} would run again."),
        };
        let mut groups: BTreeMap<(String, String), u64> = BTreeMap::new();
        for event in &plan.events {
            let repository = event.repository.as_ref().map_or("none", |repository| repository.as_str());
            *groups.entry((repository.to_owned(), event.event_type.to_string())).or_default() += 1;
        }
        let group =
            |((repository, kind), number): ((String, String), u64)| Group { repository, kind, number: count(number) };
        let with_force = address("/events/replay", filter.pairs().chain([("force", "true")]));
        Self {
            title: "Replay",
            back: address("/events", filter.pairs()),
            shell: Shell { section: Section::Events, ..shell },
            groups: groups.into_iter().map(group).collect(),
            first: plan.events.iter().take(FIRST).map(|event| Row::of(event, now)).collect(),
            any: !plan.events.is_empty(),
            replay: replay.to_string(),
            problems,
            filter,
            force,
            total,
            sentence,
            with_force,
        }
    }
}

/// How far a replay has come, as the address says: it is kept nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events that run again.
    pub replayed: u64,
    /// Events that were left as they are.
    pub left: u64,
    /// How many there were to be, `250` or `1000+`.
    pub total: String,
}

impl Tally {
    /// The members of an address that say so.
    pub fn pairs(&self) -> [(&'static str, String); 3] {
        [("replayed", self.replayed.to_string()), ("left", self.left.to_string()), ("total", self.total.clone())]
    }
}

/// A replay that goes on, or has come to its end.
#[derive(Template)]
#[template(path = "replaying.html")]
pub struct Progress {
    shell: Shell,
    title: &'static str,
    replay: String,
    filter: Filter,
    force: bool,
    tally: Tally,
    cursor: Option<String>,
    seen: u64,
    most: Option<u64>,
    sentence: String,
    list: String,
}

impl Progress {
    /// The page; with a cursor there is more to do.
    pub fn new(
        shell: Shell,
        replay: &ReplayId,
        filter: Filter,
        force: bool,
        tally: Tally,
        cursor: Option<String>,
    ) -> Self {
        let seen = tally.replayed.saturating_add(tally.left);
        let total = tally.total.strip_suffix('+');
        let number = total.unwrap_or(&tally.total).parse::<u64>().ok();
        let of = number.map(|number| format!(" of {}{}", count(number), if total.is_some() { " or more" } else { "" }));
        let sentence = format!(
            "{}{}: {} again, {} left as {}.",
            count(seen),
            of.unwrap_or_default(),
            if tally.replayed == 1 { "1 runs".to_owned() } else { format!("{} run", count(tally.replayed)) },
            count(tally.left),
            if tally.left == 1 { "it is" } else { "they are" }
        );
        let statuses = filter.pairs().filter(|(name, _)| *name != "status");
        Self {
            title: "Replay",
            list: address("/events", statuses),
            shell: Shell { section: Section::Events, ..shell },
            replay: replay.to_string(),
            most: number.map(|number| number.max(seen)),
            filter,
            force,
            tally,
            cursor,
            seen,
            sentence,
        }
    }
}
