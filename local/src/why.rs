//! `hookyard why`: why does GitHub show this?
//!
//! One paragraph per context: what came, what became of it, what waits and until when. The gateway knows what it wrote,
//! not what others did; where nobody reported, it says what became of the events that somebody should have answered.

use std::collections::BTreeMap;

use clap::Args;
use domain::event::EventStatus;
use domain::statuses::State;
use domain::statuses::row::StatusOutcome;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::remote::records::{Event, Status, short};
use crate::remote::{Desk, Remote};
use crate::settings::Environment;
use crate::statuses::{Commit, Named, named, statuses_of};
use crate::terminal::moment::between;
use crate::terminal::prose::Line;
use crate::terminal::screen::Screen;
use crate::terminal::{Color, Mark, duration, tell};
use crate::words::{self, counted};

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The commit: owner/name@sha, or its address at GitHub; of a sha, 7 or more digits do
    #[arg(value_name = "COMMIT", value_parser = named)]
    commit: Named,
    #[command(flatten)]
    remote: Remote,
}

/// What is known of one context.
struct Told<'a> {
    name: &'a str,
    /// Newest accepted first; never empty.
    statuses: Vec<&'a Status>,
}

impl Why {
    pub(crate) async fn run(self, color: Color, environment: &Environment) -> u8 {
        let Self { commit, remote } = self;
        remote.run(color, environment, async |desk| explain(&commit, desk).await, || "Interrupted.".to_owned()).await
    }
}

async fn explain(commit: &Named, desk: &Desk) -> Result<(), Failure> {
    let Desk { screen, gateway } = desk;
    let commit = commit.whole(gateway).await?;
    let (statuses, events) = (statuses_of(gateway, &commit).await?, commit.events(gateway).await?);
    let (rows, of): (Vec<Status>, Vec<Event>) = (statuses.read()?, events.read()?);
    let contexts = grouped(&rows);
    if screen.json {
        let paragraph = |told: &Told<'_>| paragraph(told, &of, screen).join(" ");
        let contexts: Vec<Value> = contexts
            .iter()
            .map(|told| {
                let raw =
                    statuses.raw.iter().filter(|raw| raw["context"].as_str().is_some_and(|name| same(name, told.name)));
                json!({
                    "context": told.name,
                    "github": told.standing().map(|status| &status.state),
                    "paragraph": paragraph(told),
                    "statuses": raw.collect::<Vec<_>>(),
                })
            })
            .collect();
        screen.json(&json!({
            "repository": commit.repository,
            "sha": commit.sha,
            "contexts": contexts,
            "events": events.raw,
        }));
        return Ok(());
    }
    if rows.is_empty() && of.is_empty() {
        let hint =
            "see whether the webhook delivers: hookyard events list --repository, and GitHub's Recent Deliveries";
        return Err(Failure::not_found(format!("nothing is known of {}", commit.name()), hint));
    }
    for line in lines(&commit, &contexts, &of, screen) {
        tell(line.show(screen.out));
    }
    Ok(())
}

fn lines(commit: &Commit, contexts: &[Told<'_>], events: &[Event], screen: &Screen) -> Vec<Line> {
    let mut lines = vec![Line::head(commit.name())];
    lines.extend(verdict(contexts, screen));
    if contexts.is_empty() {
        lines.extend(
            events.iter().filter_map(|event| owed(event, screen)).map(|sentence| Line::new(sentence).indented(2)),
        );
    }
    for told in contexts {
        lines.push(Line::blank());
        let (mark, shown) = match told.standing().and_then(Status::state) {
            Some(state) => (words::of_state(state), format!("{}: {} on GitHub", told.name, state.as_str())),
            None => (told.statuses[0].word().0, format!("{}: nothing from here on GitHub", told.name)),
        };
        lines.push(Line::head(shown).marked(mark));
        lines.extend(paragraph(told, events, screen).into_iter().map(|sentence| Line::new(sentence).indented(2)));
    }
    lines.push(Line::blank());
    lines.push(Line::head("Events of this commit"));
    if events.is_empty() {
        lines.push(Line::new("none among the newest of this repository").indented(2));
    }
    lines.extend(events.iter().map(|event| came(event, screen).indented(2)));
    lines
}

/// One list per context, worst first, then by name. Contexts are compared without case, as GitHub does.
fn grouped(rows: &[Status]) -> Vec<Told<'_>> {
    let mut groups: BTreeMap<String, Vec<&Status>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.context.to_lowercase()).or_default().push(row);
    }
    let told = groups.into_values().filter_map(|statuses| Some(Told { name: &statuses.first()?.context, statuses }));
    let mut told: Vec<_> = told.collect();
    told.sort_by_key(Told::rank);
    told
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

impl<'a> Told<'a> {
    /// What GitHub shows of it: the one that it took last.
    fn standing(&self) -> Option<&'a Status> {
        let written = self.statuses.iter().filter(|status| status.outcome() == Some(StatusOutcome::Written));
        written.max_by_key(|status| (status.github_id, status.written_at)).copied()
    }

    fn newest(&self) -> &'a Status {
        self.statuses[0]
    }

    fn rank(&self) -> u8 {
        match (self.newest().outcome(), self.standing().and_then(Status::state)) {
            (Some(StatusOutcome::Refused), _) | (_, Some(State::Failure | State::Error)) => 0,
            (Some(StatusOutcome::Waiting), _) => 1,
            (_, Some(State::Pending)) => 2,
            (_, None) => 3,
            (_, Some(State::Success)) => 4,
        }
    }
}

/// What GitHub shows of the whole commit, as far as it came from here.
fn verdict(contexts: &[Told<'_>], screen: &Screen) -> Vec<Line> {
    let standing: Vec<_> = contexts.iter().filter_map(Told::standing).collect();
    let names = |states: &[State]| {
        let of = standing.iter().filter(|status| status.state().is_some_and(|state| states.contains(&state)));
        of.map(|status| status.context.as_str()).collect::<Vec<_>>()
    };
    let (failed, pending) = (names(&[State::Failure, State::Error]), names(&[State::Pending]));
    let (mark, sentence) = if !failed.is_empty() {
        (Mark::Bad, format!("GitHub shows failure: {} failed.", failed.join(", ")))
    } else if standing.is_empty() {
        let nothing =
            if contexts.is_empty() { "nobody reported on this commit" } else { "nothing from here has been written" };
        (Mark::Wait, format!("GitHub shows pending where a check is required, because {nothing}."))
    } else if !pending.is_empty() {
        let since = standing.iter().filter(|status| status.state() == Some(State::Pending));
        let since = since.map(|status| status.written_at.unwrap_or(status.accepted_at)).min();
        let since = since.map(|at| format!(" since {} ({})", screen.short(at), duration(between(at, screen.now()))));
        let has = if pending.len() == 1 { "has" } else { "have" };
        let words = format!("{} {has} not reported{}", pending.join(", "), since.unwrap_or_default());
        (Mark::Wait, format!("GitHub shows pending: {words}."))
    } else {
        (Mark::Ok, "GitHub shows success, as far as it came from here.".to_owned())
    };
    vec![Line::new(sentence).marked(mark)]
}

/// What came, what became of it, what waits, and who has not reported.
fn paragraph(told: &Told<'_>, events: &[Event], screen: &Screen) -> Vec<String> {
    let newest = told.newest();
    let standing = told.standing();
    let mut sentences = vec![arrived(newest, events, screen), became(newest, screen)];
    if let Some(standing) = standing.filter(|standing| *standing != newest) {
        let at = standing.written_at.unwrap_or(standing.accepted_at);
        sentences.push(format!("GitHub shows the {} before it, written {}.", standing.state, screen.short(at)));
    }
    let silent = standing == Some(newest) && newest.state() == Some(State::Pending);
    if silent {
        let since = newest.written_at.unwrap_or(newest.accepted_at);
        let ago = duration(between(since, screen.now()));
        sentences.push(format!("Nobody has reported since ({ago}), so GitHub shows pending."));
        let event = newest.event.as_ref().and_then(|id| events.iter().find(|event| event.id == *id));
        sentences.extend(event.and_then(|event| owed(event, screen)));
    }
    let before = told.statuses.len() - 1;
    if before > 0 {
        sentences.push(format!("{} before it: hookyard status list has them.", counted(before, "status", "statuses")));
    }
    sentences
}

fn arrived(status: &Status, events: &[Event], screen: &Screen) -> String {
    let via = match status.via.as_str() {
        "answer" => "in your server's answer",
        "token" => "by call-back",
        "key" => "with the gateway's key",
        other => other,
    };
    let about = status.event.as_ref().map(|id| {
        let name = events.iter().find(|event| event.id == *id).map(|event| format!("{} ", event.name()));
        format!(" to {}{}", name.unwrap_or_default(), short(id))
    });
    let words = status.description.as_ref().map(|words| format!(" (\"{words}\")")).unwrap_or_default();
    let at = screen.short(status.accepted_at);
    format!("{}{words} came {via}{} at {at}.", status.state, about.unwrap_or_default())
}

fn became(status: &Status, screen: &Screen) -> String {
    let sentence = |text: &str| text.trim().trim_end_matches('.').to_owned();
    let why = status.why.as_deref().map(sentence).filter(|why| !why.is_empty());
    match status.outcome() {
        Some(StatusOutcome::Written) => {
            let at = status.written_at.unwrap_or(status.accepted_at);
            format!("It is on GitHub since {}.", screen.short(at))
        }
        Some(StatusOutcome::Waiting) => {
            let until = status.until.map(|at| format!(" until {}", screen.short(at))).unwrap_or_default();
            format!("It waits{until}: {}.", why.unwrap_or_else(|| "it is about to be written".to_owned()))
        }
        Some(StatusOutcome::Superseded) => "It was not written, because a newer one was there already.".to_owned(),
        Some(StatusOutcome::Unchanged) => "It was not written, because GitHub shows exactly this already.".to_owned(),
        Some(StatusOutcome::Refused) => {
            let happened = status.words().map(|words| sentence(words.happened));
            let why = why.or(happened).unwrap_or_else(|| "it did not say why".to_owned());
            let todo = status.words().map(|words| format!(" {}", words.todo)).unwrap_or_default();
            format!("GitHub refused it for good: {why}.{todo}")
        }
        Some(StatusOutcome::NotSent) => {
            "It is recorded here only, because the gateway has no GitHub token. Set GITHUB_TOKEN.".to_owned()
        }
        None => format!("What became of it: {}.", status.outcome),
    }
}

/// What is to be expected of whoever was to report.
fn owed(event: &Event, screen: &Screen) -> Option<String> {
    let name = format!("{} {}", event.name(), event.short());
    match event.state()? {
        EventStatus::Unprocessed => {
            let at = event.next_attempt_at.map(|at| format!(" at {}", screen.short(at))).unwrap_or_default();
            Some(format!("{name} waits for its next attempt{at}; its answer may report."))
        }
        EventStatus::Errored => Some(format!("{name} failed, so nobody will report unless it is replayed.")),
        EventStatus::Processing | EventStatus::Reprocessing => Some(format!("{name} is being worked on.")),
        EventStatus::Processed => {
            Some(format!("Your server took {name}: it has to report by call-back, so look at its log."))
        }
        EventStatus::Ignored | EventStatus::Unhandled => None,
    }
}

/// An event of the commit, and what it means for whoever waits.
fn came(event: &Event, screen: &Screen) -> Line {
    let (mark, word) = event.word();
    let at = screen.short(event.received_at);
    let head = format!("{at}  {}  {}  {word}", event.name(), event.short());
    let detail = match (event.failure(), event.state()) {
        (Some(failure), _) => format!(": {} {}", failure.happened, failure.todo),
        (None, Some(EventStatus::Unprocessed)) => {
            let next = event.next_attempt_at.map(|at| format!(", again at {}", screen.short(at)));
            next.unwrap_or_default()
        }
        (None, Some(EventStatus::Processed)) => {
            let code = event.last_answer.and_then(|answer| answer.code);
            code.map(|code| format!(": your server answered {code}")).unwrap_or_default()
        }
        _ => event.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default(),
    };
    Line::new(format!("{head}{detail}")).marked(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516";

    fn status(context: &str, state: &str, outcome: &str, more: Value) -> Value {
        let mut status = json!({ "context": context, "state": state, "accepted_at": "2026-11-20T12:58:00Z", "outcome": outcome,
            "via": "answer", "event": EVENT });
        status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        status
    }

    fn event(state: &str, more: Value) -> Value {
        let mut event = json!({ "id": EVENT, "type": "pull_request", "action": "opened", "status": state,
            "received_at": "2026-11-20T12:57:59Z", "last_answer": { "code": 200, "ms": 96 } });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    }

    fn rendered(statuses: Value, events: Value) -> String {
        let screen = Screen::of_test(Some(100));
        let commit = Commit {
            repository: domain::ids::Repository::parse("acme/api").unwrap(),
            sha: domain::ids::Sha::of("9fceb02d0ae598e95dc970b74767f19372d61af8").unwrap(),
        };
        let (statuses, events): (Vec<Status>, Vec<Event>) =
            (serde_json::from_value(statuses).unwrap(), serde_json::from_value(events).unwrap());
        let lines = lines(&commit, &grouped(&statuses), &events, &screen);
        lines.iter().map(|line| line.show(screen.out) + "\n").collect()
    }

    #[test]
    fn a_check_that_has_not_reported_and_others() {
        let written = json!({ "written_at": "2026-11-20T12:58:02Z", "github_id": 1 });
        insta::assert_snapshot!(rendered(
            json!([
                status(
                    "deploy",
                    "pending",
                    "waiting",
                    json!({ "until": "2026-11-20T14:20:00Z", "why": "GitHub asked for a pause.", "via": "key", "event": null })
                ),
                status(
                    "Lint",
                    "success",
                    "written",
                    json!({ "written_at": "2026-11-20T12:59:00Z", "github_id": 3, "via": "token", "description": "no\u{202e} findings" })
                ),
                status("build", "pending", "written", written.clone()),
                status("lint", "pending", "written", written),
                status("docs", "success", "not_sent", json!({})),
                status("old", "success", "superseded", json!({})),
                status("same", "success", "unchanged", json!({})),
            ]),
            json!([event("processed", json!({}))]),
        ));
    }

    #[test]
    fn a_refusal_comes_first() {
        insta::assert_snapshot!(rendered(
            json!([
                status("a", "failure", "written", json!({ "written_at": "2026-11-20T12:58:02Z", "github_id": 1 })),
                status(
                    "b",
                    "success",
                    "refused",
                    json!({ "reason": "github_forbidden", "why": "GitHub answered 404: \"\u{1b}[2J\"." })
                ),
                status("c", "pending", "written", json!({ "written_at": "2026-11-20T12:58:02Z", "github_id": 2 })),
            ]),
            json!([event("unprocessed", json!({ "next_attempt_at": "2026-11-20T14:12:00Z", "last_answer": null }))]),
        ));
    }

    #[test]
    fn nobody_reported() {
        let none = [
            event("errored", json!({ "failure_reason": "server_denied" })),
            event("processed", json!({})),
            event("unprocessed", json!({ "next_attempt_at": "2026-11-20T14:12:00Z" })),
            event("unhandled", json!({ "reason": "no server is configured" })),
        ]
        .map(|event| rendered(json!([]), json!([event])));
        insta::assert_snapshot!(none.join("\n"));
    }
}
