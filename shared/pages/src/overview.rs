//! The first page: is all well?

use askama::Template;
use domain::dead_letters::DeadLetterQueue;
use domain::hours::{Counted, Hour};
use domain::query::EventPage;
use domain::reasons::{FailureReason, StatusReason};
use domain::release::Release;
use domain::trouble::{RefusedStatus, Trouble};
use jiff::Timestamp;

use crate::events::{about, address, kind};
use crate::mark::{Mark, Role};
use crate::per_hour::{self, PerHour};
use crate::prose::{Prose, quoted};
use crate::words::{Moment, between, coarse, count, counted, field};
use crate::{Section, Shell};

/// The most events and statuses of one kind that are counted one by one: beyond, it says "or more". Few enough for
/// the page's read units (`docs/table.md`).
pub const COUNTED: usize = 25;

/// How far back the page looks at most, in hours: a week.
pub const HOURS: u64 = per_hour::MOST;

/// Releases that are shown.
pub const RELEASES: usize = 5;

/// What needs somebody and is shown.
const SHOWN: usize = 5;

/// The choices of how far back to look, in hours.
const CHOICES: [(u64, &str); 3] = [(24, "24 hours"), (72, "3 days"), (HOURS, "7 days")];

/// What the page is made of.
pub struct Seen<'a> {
    /// How many hours back, at most a week.
    pub hours: u64,
    /// Counts of the newest hours in which anything was counted.
    pub counts: &'a [Hour],
    /// Events that wait for their next attempt; a next cursor says that there are more.
    pub waiting: &'a EventPage,
    /// What needs somebody, oldest first; more than [`COUNTED`] stand for "or more".
    pub troubles: &'a [Trouble],
    /// Dead letters of each queue.
    pub dead_letters: &'a [(DeadLetterQueue, u64)],
    /// The newest releases.
    pub releases: &'a [Release],
    /// Deliveries that were refused.
    pub refused: Refused,
    /// Where deliveries go.
    pub webhook_url: String,
}

/// Refused deliveries: a wrong secret is the first thing that goes wrong.
pub enum Refused {
    /// Counted by this process.
    Here {
        /// Since when.
        since: Timestamp,
        /// Each reason that was seen: its code, what it means, how often, and when last.
        reasons: Vec<(&'static str, &'static str, u64, Timestamp)>,
    },
    /// Counted as a metric, and where that is shown.
    Elsewhere(Option<String>),
}

/// From when on events are looked at: the beginning of the first of so many hours.
pub fn since(hours: u64, now: Timestamp) -> Timestamp {
    per_hour::beginning(hours, now)
}

struct Number {
    value: String,
    mark: Mark,
    href: String,
}

struct Need {
    mark: Mark,
    what: String,
    href: String,
    why: Prose,
    since: Option<Moment>,
    age: String,
}

struct Shipped {
    tag: String,
    repository: String,
    href: String,
    mark: Mark,
    at: Moment,
    age: String,
}

struct Reason {
    code: &'static str,
    words: &'static str,
    count: String,
    last: Moment,
}

struct Range {
    word: &'static str,
    href: String,
    chosen: bool,
}

/// The page.
#[derive(Template)]
#[template(path = "overview.html")]
pub struct Overview {
    shell: Shell,
    title: &'static str,
    /// Whether nothing has ever come.
    first_run: bool,
    webhook_url: String,
    ranges: Vec<Range>,
    mark: Mark,
    sentence: String,
    numbers: Vec<Number>,
    needs: Vec<Need>,
    more: Option<String>,
    chart: PerHour,
    releases: Vec<Shipped>,
    counted_since: Option<Moment>,
    reasons: Vec<Reason>,
    dashboard: Option<String>,
}

impl Overview {
    /// The page as of that moment.
    pub fn new(shell: Shell, seen: Seen<'_>, now: Timestamp) -> Self {
        let from = since(seen.hours, now);
        let window = field(from);
        let counts = || seen.counts.iter().filter(|hour| hour.begins >= from);
        let sum = |what: Counted| counts().map(|hour| hour.count(what)).fold(0, u64::saturating_add);
        let needs: Vec<_> = needs(&seen, now);
        let mut numbers = vec![
            number(count(sum(Counted::Received)), Role::Quiet, "Received", &[("since", &window)]),
            number(count(sum(Counted::Processed)), Role::Ok, "Done", &[("status", "processed"), ("since", &window)]),
        ];
        let (waiting, more_wait) = (seen.waiting.events.len(), seen.waiting.next_cursor.is_some());
        numbers.push(number(or_more(waiting, more_wait), Role::Wait, "Retrying", &[("status", "unprocessed")]));
        let many = seen.troubles.len() > COUNTED;
        let troubles = seen.troubles.len().min(COUNTED);
        let role = if troubles == 0 { Role::Quiet } else { Role::Bad };
        numbers.push(number(or_more(troubles, many), role, "Needs you", &[("status", "errored")]));
        let (state, sentence) = sentence(&seen, now);
        let (counted_since, reasons, dashboard) = match seen.refused {
            Refused::Here { since, reasons } => {
                let reason = |(code, words, number, last)| Reason {
                    code,
                    words,
                    count: counted(number, "time", "times"),
                    last: Moment::of(last, now),
                };
                (Some(Moment::of(since, now)), reasons.into_iter().map(reason).collect(), None)
            }
            Refused::Elsewhere(dashboard) => (None, Vec::new(), dashboard),
        };
        let nothing = seen.counts.is_empty() && waiting == 0 && needs.is_empty() && seen.releases.is_empty();
        let rest = (many || needs.len() > SHOWN).then(|| address("/events", [("status", "errored")]));
        Self {
            shell: Shell { section: Section::Overview, ..shell },
            title: "Overview",
            first_run: nothing,
            webhook_url: seen.webhook_url,
            ranges: CHOICES.map(|(hours, word)| range(hours, word, seen.hours)).into(),
            mark: Mark { role: state, word: "state" },
            sentence,
            numbers,
            needs: needs.into_iter().take(SHOWN).collect(),
            more: rest,
            chart: PerHour::new(seen.counts, seen.hours, now),
            releases: seen.releases.iter().map(|release| shipped(release, now)).collect(),
            counted_since,
            reasons,
            dashboard,
        }
    }
}

fn range(hours: u64, word: &'static str, present: u64) -> Range {
    Range { word, href: format!("/?hours={hours}"), chosen: hours == present }
}

fn number(value: String, role: Role, word: &'static str, filter: &[(&'static str, &str)]) -> Number {
    Number { value, mark: Mark { role, word }, href: address("/events", filter.iter().copied()) }
}

fn or_more(number: usize, more: bool) -> String {
    let number = count(number as u64);
    if more { format!("{number} or more") } else { number }
}

/// Trouble first, and nothing but trouble if there is any.
fn sentence(seen: &Seen<'_>, now: Timestamp) -> (Role, String) {
    let events = seen.troubles.iter().filter(|trouble| matches!(trouble, Trouble::Event(_))).count() as u64;
    let statuses = seen.troubles.len() as u64 - events;
    let letters = seen.dead_letters.iter().map(|(_, number)| *number).sum();
    let mut parts = Vec::new();
    if seen.troubles.len() > COUNTED {
        parts.push(format!("{} events and statuses", or_more(COUNTED, true)));
    } else {
        let kinds = [(events, "event", "events"), (statuses, "status", "statuses")];
        parts.extend(kinds.iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| counted(*n, one, many)));
    }
    if letters > 0 {
        parts.push(counted(letters, "dead letter", "dead letters"));
    }
    let alone = parts.len() == 1 && events + statuses + letters == 1;
    let waiting = match (seen.waiting.events.len(), seen.waiting.next_cursor.is_some()) {
        (0, _) => None,
        (1, false) => Some("1 is retrying.".to_owned()),
        (n, more) => Some(format!("{} are retrying.", or_more(n, more))),
    };
    let arrived = seen.counts.iter().any(|hour| hour.begins >= since(seen.hours, now));
    let (role, first, rest) = match (parts.is_empty(), &waiting) {
        (false, _) => {
            let verb = if alone { "needs" } else { "need" };
            (Role::Bad, Some(format!("{} {verb} you.", listed(&parts))), "The rest is fine.")
        }
        (true, Some(_)) => (Role::Wait, Some("Nothing needs you.".to_owned()), "The rest is fine."),
        (true, None) if arrived => (Role::Ok, None, "All is well: nothing failed, nothing waits."),
        (true, None) => (Role::Quiet, None, "Nothing has arrived in this time, and nothing waits."),
    };
    let whole: Vec<_> = first.into_iter().chain(waiting).chain([rest.to_owned()]).collect();
    (role, whole.join(" "))
}

/// `a`, `a and b`, `a, b and c`.
fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Dead letters first, of which only the number is known; then the rest, oldest first.
fn needs(seen: &Seen<'_>, now: Timestamp) -> Vec<Need> {
    let letters = seen.dead_letters.iter().filter(|(_, number)| *number > 0).map(|(queue, number)| Need {
        mark: Mark { role: Role::Bad, word: "Stuck" },
        what: format!("{} in {}", counted(*number, "dead letter", "dead letters"), queue.as_str()),
        href: address("/dead-letters", [("queue", queue.as_str())]),
        why: Prose::of("Hookyard could not work on them; the page says why."),
        since: None,
        age: "not known".to_owned(),
    });
    let mut troubles: Vec<_> = seen.troubles.iter().take(COUNTED).map(|trouble| (began(trouble), trouble)).collect();
    troubles.sort_by_key(|(at, _)| *at);
    letters.chain(troubles.into_iter().map(|(at, trouble)| need(trouble, at, now))).collect()
}

fn began(trouble: &Trouble) -> Timestamp {
    match trouble {
        Trouble::Event(event) => event.received_at,
        Trouble::Status(status) => status.refused.at,
    }
}

fn need(trouble: &Trouble, at: Timestamp, now: Timestamp) -> Need {
    let (word, what, href, why) = match trouble {
        Trouble::Event(event) => {
            let repository = event.repository.as_ref().map(|repository| format!(" {repository}")).unwrap_or_default();
            let why = event.failure_reason.map_or("It failed.", |reason: FailureReason| reason.words().happened);
            let what = format!("{}{repository} {}", kind(event), about(event));
            ("Failed", what, format!("/events/{}", event.id), why.to_owned())
        }
        Trouble::Status(status) => {
            let what = format!("{} on {} {}", status.refused.context, status.repository, status.sha.short());
            ("Refused", what, commit(status), told(status.refused.reason, &status.refused.why))
        }
    };
    Need {
        mark: Mark { role: Role::Bad, word },
        what,
        href,
        why: Prose::of(why),
        since: Some(Moment::of(at, now)),
        age: coarse(between(at, now)),
    }
}

/// The page of a refused status's commit.
pub(crate) fn commit(status: &RefusedStatus) -> String {
    format!("/commits/{}/{}", status.repository, status.sha)
}

/// Our words for the reason, and GitHub's own where there are any.
pub(crate) fn told(reason: StatusReason, why: &str) -> String {
    let happened = reason.words().happened;
    if why.is_empty() { happened.to_owned() } else { format!("{happened} {}", quoted(why)) }
}

fn shipped(release: &Release, now: Timestamp) -> Shipped {
    Shipped {
        tag: release.facts.tag.clone().unwrap_or_else(|| "no tag".to_owned()),
        repository: release.repository.to_string(),
        href: address("/releases", [("repository", release.repository.as_str())]),
        mark: Mark::of_release(release.state),
        at: Moment::of(release.at(), now),
        age: coarse(between(release.at(), now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use domain::ids::{Repository, Sha};
    use domain::release::ReleaseState;
    use domain::statuses::{self, State};
    use jiff::SignedDuration;

    use crate::releases::tests::{release, shell};

    const NOW: &str = "2026-11-21T14:10:00Z";

    fn refused(n: u64) -> Trouble {
        let now: Timestamp = NOW.parse().unwrap();
        Trouble::Status(RefusedStatus {
            repository: Repository::parse("acme/api").unwrap(),
            sha: Sha::parse(&format!("{n:040x}")).unwrap(),
            refused: statuses::Refused {
                context: "integration-testing".to_owned(),
                state: State::Success,
                reason: StatusReason::Forbidden,
                why: "Resource not accessible by personal access token".to_owned(),
                at: now - SignedDuration::from_mins(i64::try_from(n).unwrap()),
            },
        })
    }

    fn said(troubles: u64, letters: u64, waiting: bool, counted: bool) -> String {
        let now: Timestamp = NOW.parse().unwrap();
        let counts: Vec<_> = counted.then(|| Hour::empty(domain::hours::hour_of(now))).into_iter().collect();
        let next_cursor = waiting.then(|| "next".to_owned());
        let seen = Seen {
            hours: 24,
            counts: &counts,
            waiting: &EventPage { events: Vec::new(), next_cursor },
            troubles: &(0..troubles).map(refused).collect::<Vec<_>>(),
            dead_letters: &[(DeadLetterQueue::Fanout, letters)],
            releases: &[],
            refused: Refused::Elsewhere(None),
            webhook_url: String::new(),
        };
        sentence(&seen, now).1
    }

    #[test]
    fn the_sentence_says_what_is_wrong_and_nothing_else_is() {
        for (troubles, letters, counted, words) in [
            (0, 0, true, "All is well: nothing failed, nothing waits."),
            (0, 0, false, "Nothing has arrived in this time, and nothing waits."),
            (1, 0, true, "1 status needs you. The rest is fine."),
            (2, 0, true, "2 statuses need you. The rest is fine."),
            (0, 1, false, "1 dead letter needs you. The rest is fine."),
            (1, 3, true, "1 status and 3 dead letters need you. The rest is fine."),
            (26, 0, true, "25 or more events and statuses need you. The rest is fine."),
        ] {
            assert_eq!(said(troubles, letters, false, counted), words);
        }
    }

    #[test]
    fn the_fullest_page_keeps_to_its_budget() {
        let now: Timestamp = NOW.parse().unwrap();
        let counts: Vec<_> = (0..200)
            .map(|n| {
                let mut hour = Hour::empty(domain::hours::hour_of(now) - SignedDuration::from_hours(n));
                Counted::ALL.into_iter().for_each(|what| hour.add(what, 1_234));
                hour.add(Counted::Received, 5_000);
                hour
            })
            .collect();
        let troubles: Vec<_> = (0..26).map(refused).collect();
        let releases = ["v1", "v2", "v3", "v4", "v5"]
            .map(|name| release(&format!("acme/{name}"), 1, "2026-11-20T12:00:00Z", ReleaseState::Published));
        for hours in [24, HOURS] {
            let seen = Seen {
                hours,
                counts: &counts,
                waiting: &EventPage::default(),
                troubles: &troubles,
                dead_letters: &DeadLetterQueue::ALL.map(|queue| (queue, 7)),
                releases: &releases,
                refused: Refused::Here { since: now, reasons: vec![("signature", "Another secret.", 9, now); 8] },
                webhook_url: String::new(),
            };
            let html = Overview::new(shell(), seen, now).render().unwrap();
            assert_eq!(html.matches("class=\"hatched\"").count() as u64, if hours == 24 { 24 } else { 28 });
            assert!(html.contains("25 or more") && html.contains("All that need you"), "{html}");
            assert!(html.len() < 35_000, "{hours} hours: {} bytes", html.len());
        }
    }
}
