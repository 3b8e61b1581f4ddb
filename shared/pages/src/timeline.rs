//! One run as a list of steps, each a sentence and a piece of a common time line.

use domain::event::{EventStatus, GithubEvent};
use domain::reasons::outcome_words;
use domain::retry::GIVE_UP_AFTER;
use domain::run::{AskedBy, Attempt, Outcome, Run};
use domain::statuses::Via;
use domain::statuses::row::{StatusOutcome, StatusRow};
use jiff::Timestamp;

use crate::mark::{Mark, Role};
use crate::prose::{Prose, quoted};
use crate::words::{Moment, between, counted, size, span};

/// The width of the time line, in its own units.
const WIDTH: u64 = 1_000;
/// What a piece of it has at least, so that nothing is invisible: about two pixels.
const LEAST: u64 = 9;

/// One step of a run.
pub(crate) struct Step {
    pub(crate) mark: Mark,
    pub(crate) at: Moment,
    /// Since the first step.
    pub(crate) offset: String,
    pub(crate) words: Prose,
    pub(crate) bars: Vec<Bar>,
    pub(crate) took: String,
    instant: Timestamp,
    span: Option<(u64, &'static str)>,
}

/// A piece of the time line.
pub(crate) struct Bar {
    /// `work`: we worked or waited for an answer; `none`: no answer came; `rest`: waited for the next try.
    pub(crate) kind: &'static str,
    pub(crate) x: u64,
    pub(crate) width: u64,
}

/// The steps of a run, oldest first. `first` tells whether it is the event's first; `number` counts from 1.
pub(crate) fn steps(
    event: &GithubEvent,
    run: &Run,
    number: usize,
    statuses: &[&StatusRow],
    host: &str,
    now: Timestamp,
) -> Vec<Step> {
    let began = if number == 1 { event.received_at.min(run.started_at) } else { run.started_at };
    let mut steps = vec![step(Mark { role: Role::Ok, word: "received" }, began, now, arrival(event, run, number))];
    match run.state {
        EventStatus::Ignored => {
            let why = run.reason.as_deref().unwrap_or("by a rule");
            let words = format!("Ignored: {why}. Nothing was sent, by design.");
            steps.push(step(Mark::of_event(run.state), run.ended_at.unwrap_or(began), now, words));
        }
        EventStatus::Unhandled => {
            let words = "Not sent: no server is configured. Set `YOUR_SERVER_URL`, then replay.";
            steps.push(step(Mark::of_event(run.state), run.ended_at.unwrap_or(began), now, words));
        }
        _ => {}
    }
    for (place, attempt) in run.attempts.iter().enumerate() {
        if let Some(before) = place.checked_sub(1).and_then(|before| run.attempts[before].ended_at) {
            steps.push(waited(before, attempt.started_at, now));
        }
        steps.push(called(attempt, place + 1, host, now));
    }
    for row in statuses {
        steps.extend(told(row, now));
    }
    steps.sort_by_key(|step| step.instant);
    if let Some(due) = run.next_attempt_at.filter(|_| !run.state.is_final()) {
        steps.push(waiting(run, due, now));
    }
    place(&mut steps, began);
    steps
}

fn arrival(event: &GithubEvent, run: &Run, number: usize) -> String {
    let kind = quoted(&crate::events::kind(event));
    match &run.asked_by {
        AskedBy::Replay { replay, by } => {
            format!("Replayed by {} (replay {}).", quoted(by), quoted(replay))
        }
        AskedBy::Github if number == 1 => {
            format!("Received: {kind}, {}, signature fits.", size(event.body_bytes))
        }
        AskedBy::Github => format!("GitHub delivered it again (receipt {number}), so it ran again."),
    }
}

fn called(attempt: &Attempt, number: usize, host: &str, now: Timestamp) -> Step {
    let took = attempt.ms.map(span).unwrap_or_default();
    let words = match (attempt.outcome, attempt.code) {
        (None, _) => format!("Attempt {number}: waiting for the answer of {host}."),
        (Some(Outcome::Taken), Some(code)) => {
            let statuses = match attempt.statuses.len() as u64 {
                0 => "no status in its answer".to_owned(),
                n => format!("{} in its answer", counted(n, "status", "statuses")),
            };
            format!("Attempt {number}: {host} took it, {code} in {took}, {statuses}.")
        }
        (Some(outcome), Some(code)) => {
            let note = attempt.note.as_deref().filter(|_| outcome == Outcome::AnswerUnreadable);
            let note = note.map(|note| format!(" {}", note.replace('`', "'"))).unwrap_or_default();
            format!("Attempt {number}: {host} answered {code} in {took}.{note}")
        }
        (Some(outcome), None) => {
            let known = outcome_words(outcome).map_or("", |words| words.happened);
            let note = attempt.note.as_deref().unwrap_or(known);
            format!("Attempt {number}: {}", note.replace('`', "'"))
        }
    };
    let mut step = step(Mark::of_attempt(attempt.outcome), attempt.started_at, now, words);
    let silent =
        matches!(attempt.outcome, Some(Outcome::Timeout | Outcome::Unreachable | Outcome::Tls | Outcome::CutOff));
    let ms = attempt.ms.or_else(|| attempt.ended_at.map(|ended| between(attempt.started_at, ended)));
    step.span = ms.map(|ms| (ms, if silent { "none" } else { "work" }));
    step.took = ms.map(span).unwrap_or_default();
    step
}

fn waited(from: Timestamp, to: Timestamp, now: Timestamp) -> Step {
    let ms = between(from, to);
    let mut step = step(Mark { role: Role::Quiet, word: "waited" }, from, now, "Waited for the next try.");
    step.span = Some((ms, "rest"));
    step.took = span(ms);
    step
}

fn waiting(run: &Run, due: Timestamp, now: Timestamp) -> Step {
    let until = run.started_at.checked_add(GIVE_UP_AFTER).unwrap_or(due);
    let left = if due > now { format!("in {}", span(between(now, due))) } else { "due".to_owned() };
    let words = format!(
        "Waiting: attempt {} at {} ({left}). Hookyard keeps trying until {}.",
        run.tries() + 1,
        Moment::of(due, now),
        Moment::of(until, now),
    );
    step(
        Mark { role: Role::Wait, word: "waiting" },
        run.attempts.last().and_then(|a| a.ended_at).unwrap_or(now),
        now,
        words,
    )
}

fn told(row: &StatusRow, now: Timestamp) -> Vec<Step> {
    let what = format!("{} {}", quoted(&row.content.context), row.content.state.as_str());
    let via = match row.via {
        Via::Answer => "from the answer",
        Via::Token => "by call-back with its token",
        Via::Key => "by call-back with the key",
    };
    let accepted =
        step(Mark { role: Role::Ok, word: "accepted" }, row.accepted.at, now, format!("{what} accepted, {via}."));
    let why = row.why.as_deref().map(|why| why.replace('`', "'")).unwrap_or_default();
    let (at, words) = match row.outcome {
        StatusOutcome::Written => {
            let at = row.written_at.unwrap_or(row.accepted.at);
            (at, format!("{what} is on GitHub, {} after it was accepted.", span(between(row.accepted.at, at))))
        }
        StatusOutcome::Waiting => {
            let until = row.until.map(|until| format!(" until {}", Moment::of(until, now))).unwrap_or_default();
            (row.accepted.at, format!("{what} waits{until}: {why}"))
        }
        StatusOutcome::Superseded => {
            (row.accepted.at, format!("{what} was not written: a newer one was there already. Nothing to do."))
        }
        StatusOutcome::Unchanged => {
            (row.accepted.at, format!("{what} was not written: GitHub shows exactly this already. Nothing to do."))
        }
        StatusOutcome::Refused => (row.accepted.at, format!("{what}: GitHub refused it for good. {why}")),
        StatusOutcome::NotSent => {
            (row.accepted.at, format!("{what} is recorded here only: no GitHub token is configured."))
        }
    };
    vec![accepted, step(Mark::of_outcome(row.outcome), at, now, words)]
}

fn step(mark: Mark, at: Timestamp, now: Timestamp, words: impl Into<String>) -> Step {
    Step {
        mark,
        at: Moment::of(at, now),
        offset: String::new(),
        words: Prose::of(words),
        bars: Vec::new(),
        took: String::new(),
        instant: at,
        span: None,
    }
}

/// Puts the pieces on the line. A wait longer than twice the working time is drawn as long as that, so that the work
/// stays visible; its words tell its true length.
fn place(steps: &mut [Step], began: Timestamp) {
    let work: u64 =
        steps.iter().filter_map(|step| step.span).filter(|(_, kind)| *kind != "rest").map(|(ms, _)| ms).sum();
    let longest = (2 * work).max(1);
    let shown = |(ms, kind): (u64, &str)| if kind == "rest" { ms.min(longest) } else { ms };
    let whole: u64 = steps.iter().filter_map(|step| step.span).map(shown).sum::<u64>().max(1);
    let mut at = 0;
    for step in steps {
        step.offset = span(between(began, step.instant));
        let Some(piece) = step.span else { continue };
        let length = shown(piece);
        let x = (at * WIDTH / whole).min(WIDTH - LEAST);
        let width = (length * WIDTH / whole).clamp(LEAST, WIDTH - x);
        step.bars.push(Bar { kind: piece.1, x, width });
        at += length;
    }
}
