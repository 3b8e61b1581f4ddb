//! The story of one event: what happened, and what to do.

use askama::Template;
use domain::event::{EventStatus, GithubEvent};
use domain::ports::EventStory;
use domain::reasons::{Words, outcome_words};
use domain::run::{AskedBy, Outcome, Run};
use domain::statuses::row::StatusRow;
use jiff::Timestamp;

use crate::events::{about, kind};
use crate::mark::Mark;
use crate::prose::Prose;
use crate::timeline::{Step, steps};
use crate::words::{Moment, between, counted, size, span};
use crate::{Section, Shell};

/// What the page says of the body.
pub enum Payload {
    /// As it is shown.
    Text(String),
    /// Why it is not shown.
    Hidden(&'static str),
}

struct Verdict {
    headline: Prose,
    sentences: Vec<Prose>,
}

struct RunView {
    number: usize,
    mark: Mark,
    asked: String,
    replay: Option<String>,
    receipt: String,
    began: Moment,
    steps: Vec<Step>,
}

struct StatusView {
    context: String,
    state: Mark,
    outcome: Mark,
    accepted: Moment,
    why: String,
}

/// The page.
#[derive(Template)]
#[template(path = "event.html")]
pub struct Event {
    shell: Shell,
    title: String,
    id: String,
    kind: String,
    repository: String,
    about: String,
    commit: Option<String>,
    delivery: String,
    moving: bool,
    mark: Mark,
    verdict: Verdict,
    replayable: bool,
    runs: Vec<RunView>,
    statuses: Vec<StatusView>,
    no_statuses: Prose,
    received: Moment,
    receipts: String,
    hook: String,
    sender: String,
    size: String,
    sha256: String,
    same_as: Option<String>,
    payload: Option<String>,
    payload_lines: Option<usize>,
    payload_note: &'static str,
    headers: Vec<(String, String)>,
}

impl Event {
    /// The story with its statuses. `server` names the user's server, for the steps.
    pub fn new(
        shell: Shell,
        story: &EventStory,
        statuses: &[StatusRow],
        payload: Payload,
        server: &str,
        now: Timestamp,
    ) -> Self {
        let EventStory { event, runs, .. } = story;
        let view = |(place, run): (usize, &Run)| {
            let own: Vec<_> = statuses.iter().filter(|row| row.run == Some(run.receipt)).collect();
            RunView {
                number: place + 1,
                mark: Mark::of_event(run.state),
                asked: asked(run),
                replay: match &run.asked_by {
                    AskedBy::Replay { replay, .. } => Some(replay.clone()),
                    AskedBy::Github => None,
                },
                receipt: run.receipt.to_string(),
                began: Moment::of(run.started_at, now),
                steps: steps(event, run, place + 1, &own, server, now),
            }
        };
        let commit = event.repository.as_ref().zip(event.sha.as_ref());
        let moving = !event.status.is_final() || statuses.iter().any(|row| !row.outcome.is_final());
        let (payload, note) = match payload {
            Payload::Text(text) => (Some(text), ""),
            Payload::Hidden(why) => (None, why),
        };
        Self {
            title: format!("{} {}", kind(event), about(event)),
            shell: Shell { section: Section::Events, ..shell },
            id: event.id.to_string(),
            kind: kind(event),
            repository: event.repository.as_ref().map_or("no repository".to_owned(), ToString::to_string),
            about: about(event),
            commit: commit.map(|(repository, sha)| format!("/commits/{repository}/{sha}")),
            delivery: event.delivery().to_string(),
            moving,
            mark: Mark::of_event(event.status),
            verdict: verdict(event, runs.last(), now),
            replayable: event.status.is_final(),
            runs: runs.iter().enumerate().map(view).collect(),
            statuses: statuses.iter().map(|row| status(row, now)).collect(),
            no_statuses: no_statuses(event, runs),
            received: Moment::of(event.received_at, now),
            receipts: event.receipts.len().to_string(),
            hook: format!("{} ({})", event.hook(), event.source.as_str()),
            sender: event.sender.clone().unwrap_or_else(|| "not known".to_owned()),
            size: size(event.body_bytes),
            sha256: event.body_sha256.clone(),
            same_as: event.same_body_as.as_ref().map(ToString::to_string),
            payload_lines: payload.as_ref().map(|text| text.lines().count()),
            payload,
            payload_note: note,
            headers: story.headers.iter().map(shown).collect(),
        }
    }
}

/// A signature is as good as the body it stands for; who reads the page needs to know only that it fits.
fn shown((name, value): &(String, String)) -> (String, String) {
    let value = if name.starts_with("x-hub-signature") { "fits; not shown".to_owned() } else { value.clone() };
    (name.clone(), value)
}

fn asked(run: &Run) -> String {
    match &run.asked_by {
        AskedBy::Github => "delivered by GitHub".to_owned(),
        AskedBy::Replay { by, .. } => format!("replayed by {by}"),
    }
}

fn status(row: &StatusRow, now: Timestamp) -> StatusView {
    StatusView {
        context: row.content.context.clone(),
        state: Mark::of_state(row.content.state),
        outcome: Mark::of_outcome(row.outcome),
        accepted: Moment::of(row.accepted.at, now),
        why: row.why.clone().unwrap_or_else(|| "none".to_owned()),
    }
}

fn no_statuses(event: &GithubEvent, runs: &[Run]) -> Prose {
    let taken = runs.iter().flat_map(|run| &run.attempts).any(|attempt| attempt.outcome == Some(Outcome::Taken));
    Prose::of(match (event.sha.is_some(), taken) {
        (_, true) => ": the answer held none, and none came by call-back.",
        (true, false) => ".",
        (false, false) => ": this event is about no commit.",
    })
}

fn verdict(event: &GithubEvent, run: Option<&Run>, now: Timestamp) -> Verdict {
    let last = run.and_then(|run| run.attempts.iter().rev().find(|attempt| attempt.ended_at.is_some()));
    let say = |headline: &str, sentences: Vec<String>| Verdict {
        headline: Prose::of(headline),
        sentences: sentences.into_iter().map(Prose::of).collect(),
    };
    match event.status {
        EventStatus::Processed => {
            let answer = match last.and_then(|attempt| attempt.code.zip(attempt.ms)) {
                Some((code, ms)) => format!("It answered {code} in {}.", span(ms)),
                None => String::new(),
            };
            let took = event.processed_at.map(|at| span(between(event.received_at, at)));
            let whole =
                took.map(|took| format!("From GitHub's delivery to the end it took {took}.")).unwrap_or_default();
            let mut sentences = vec![format!("{answer} {whole}").trim().to_owned()];
            if last.is_some_and(|attempt| attempt.outcome == Some(Outcome::AnswerUnreadable)) {
                sentences.extend(outcome_words(Outcome::AnswerUnreadable).map(all));
            }
            say("Your server took it.", sentences)
        }
        EventStatus::Errored => match event.failure_reason {
            Some(reason) => {
                let code = last.and_then(|attempt| attempt.code).map(|code| format!("It answered {code}. "));
                let words = reason.words();
                let means = format!("{}{}", code.unwrap_or_default(), words.means);
                say(words.happened, vec![means, words.todo.to_owned()])
            }
            None => say("It failed.", Vec::new()),
        },
        EventStatus::Unprocessed => {
            let why = last.and_then(|attempt| attempt.outcome).and_then(outcome_words);
            let next = event.next_attempt_at.map(|at| {
                let left = if at > now { format!(" (in {})", span(between(now, at))) } else { String::new() };
                format!("It is tried again at {}{left}.", Moment::of(at, now))
            });
            let head = why.map_or("It waits for its next attempt.", |words| words.happened);
            let todo = why.map(|words| words.todo.to_owned());
            say(head, next.into_iter().chain(todo).collect())
        }
        EventStatus::Processing | EventStatus::Reprocessing => {
            let tries = counted(u64::from(event.tries), "call", "calls");
            say("It is under way.", vec![format!("{tries} of your server so far.")])
        }
        EventStatus::Ignored => {
            let why = event.reason.as_deref().unwrap_or("by a rule").replace('`', "'");
            say("Nothing was sent, by design.", vec![format!("Ignored: {why}.")])
        }
        EventStatus::Unhandled => say(
            "No server is configured.",
            vec!["It is recorded, and nothing was sent. Set `YOUR_SERVER_URL`, then replay it.".to_owned()],
        ),
    }
}

fn all(words: Words) -> String {
    format!("{} {} {}", words.happened, words.means, words.todo)
}
