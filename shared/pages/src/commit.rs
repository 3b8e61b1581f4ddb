//! One commit: why does GitHub show this?

use askama::Template;
use domain::ids::{Repository, Sha};
use domain::statuses::State;
use domain::statuses::row::{StatusOutcome, StatusRow};
use jiff::Timestamp;

use crate::events::address;
use crate::mark::{Mark, Role};
use crate::prose::{Prose, quoted};
use crate::words::{Moment, between, span};
use crate::{Section, Shell};

struct Entry {
    state: Mark,
    description: String,
    target: Option<String>,
    accepted: Moment,
    written: Option<Moment>,
    outcome: Mark,
    why: String,
    event: Option<String>,
}

struct ContextView {
    name: String,
    on_github: Option<Mark>,
    rank: u8,
    newest: Entry,
    history: Vec<Entry>,
}

/// The page.
#[derive(Template)]
#[template(path = "commit.html")]
pub struct Commit {
    shell: Shell,
    title: String,
    repository: String,
    sha: String,
    short: String,
    github: Option<String>,
    json: String,
    events: String,
    mark: Mark,
    headline: String,
    sentences: Vec<Prose>,
    contexts: Vec<ContextView>,
}

impl Commit {
    /// The statuses of a commit, newest accepted first. `web` is GitHub's address for people.
    pub fn new(
        shell: Shell,
        repository: &Repository,
        sha: &Sha,
        rows: &[StatusRow],
        web: Option<&str>,
        now: Timestamp,
    ) -> Self {
        let groups = grouped(rows);
        let (mark, headline, sentences) = verdict(&groups, now);
        let mut contexts: Vec<_> = groups.iter().filter_map(|group| context(group, now)).collect();
        contexts.sort_by(|a, b| a.rank.cmp(&b.rank).then_with(|| a.name.cmp(&b.name)));
        Self {
            title: format!("{repository} {}", sha.short()),
            shell: Shell { section: Section::Elsewhere, ..shell },
            github: web.map(|web| format!("{web}/{repository}/commit/{sha}")),
            json: format!("/v1/commits/{repository}/{sha}/statuses"),
            events: address("/events", [("repository", repository.as_str())]),
            repository: repository.to_string(),
            short: sha.short().to_owned(),
            sha: sha.to_string(),
            mark,
            headline,
            sentences,
            contexts,
        }
    }
}

/// One list per context, in the order in which they were given; contexts are compared without case.
fn grouped(rows: &[StatusRow]) -> Vec<Vec<&StatusRow>> {
    let mut groups: Vec<Vec<&StatusRow>> = Vec::new();
    for row in rows {
        let same = |group: &&mut Vec<&StatusRow>| {
            group
                .first()
                .is_some_and(|first| first.content.context.to_lowercase() == row.content.context.to_lowercase())
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

/// What GitHub shows: the one of them that it took last.
fn standing<'a>(group: &[&'a StatusRow]) -> Option<&'a StatusRow> {
    let written = group.iter().filter(|row| row.outcome == StatusOutcome::Written);
    written.max_by_key(|row| (row.github_id, row.written_at)).copied()
}

fn context(group: &[&StatusRow], now: Timestamp) -> Option<ContextView> {
    let newest = group.first()?;
    let standing = standing(group).map(|row| row.content.state);
    let rank = match (newest.outcome, standing) {
        (StatusOutcome::Refused, _) | (_, Some(State::Failure | State::Error)) => 0,
        (StatusOutcome::Waiting, _) => 1,
        (_, Some(State::Pending)) => 2,
        (_, None) => 3,
        (_, Some(State::Success)) => 4,
    };
    Some(ContextView {
        name: newest.content.context.clone(),
        on_github: standing.map(Mark::of_state),
        rank,
        newest: entry(newest, now),
        history: group.iter().map(|row| entry(row, now)).collect(),
    })
}

fn entry(row: &StatusRow, now: Timestamp) -> Entry {
    let until = row.until.filter(|_| row.outcome == StatusOutcome::Waiting);
    let until = until.map(|until| format!(" Until {}.", Moment::of(until, now))).unwrap_or_default();
    // Only addresses that a browser opens as a page become links, whatever a row says.
    let target = row.content.target_url.clone();
    Entry {
        state: Mark::of_state(row.content.state),
        description: row.content.description.clone().unwrap_or_else(|| "none".to_owned()),
        target: target.filter(|url| url.starts_with("https://") || url.starts_with("http://")),
        accepted: Moment::of(row.accepted.at, now),
        written: row.written_at.map(|at| Moment::of(at, now)),
        outcome: Mark::of_outcome(row.outcome),
        why: format!("{}{until}", row.why.clone().unwrap_or_default()).trim().to_owned(),
        event: row.event.as_ref().map(ToString::to_string),
    }
}

fn verdict(groups: &[Vec<&StatusRow>], now: Timestamp) -> (Mark, String, Vec<Prose>) {
    if groups.is_empty() {
        let sentence = "GitHub shows \"pending\" for a commit without any status.";
        let mark = Mark { role: Role::Quiet, word: "none" };
        return (mark, "No statuses for this commit.".to_owned(), vec![Prose::of(sentence)]);
    }
    let standing: Vec<_> = groups.iter().filter_map(|group| standing(group)).collect();
    let of = |states: &[State]| {
        standing.iter().filter(|row| states.contains(&row.content.state)).copied().collect::<Vec<&StatusRow>>()
    };
    let (failed, pending) = (of(&[State::Failure, State::Error]), of(&[State::Pending]));
    let names =
        |rows: &[&StatusRow]| rows.iter().map(|row| quoted(&row.content.context)).collect::<Vec<_>>().join(", ");
    let mut sentences = Vec::new();
    let (state, shown) = if !failed.is_empty() {
        sentences.push(format!("{} failed.", names(&failed)));
        (State::Failure, "GitHub shows FAILURE.")
    } else if standing.is_empty() {
        (State::Pending, "GitHub shows nothing from here yet.")
    } else if !pending.is_empty() {
        for row in &pending {
            let since = row.written_at.unwrap_or(row.accepted.at);
            sentences.push(format!(
                "{} has not reported since {} ({}).",
                quoted(&row.content.context),
                Moment::of(since, now),
                span(between(since, now))
            ));
        }
        (State::Pending, "GitHub shows PENDING.")
    } else {
        (State::Success, "GitHub shows SUCCESS.")
    };
    let newest = groups.iter().filter_map(|group| group.first());
    for row in newest.filter(|row| matches!(row.outcome, StatusOutcome::Waiting | StatusOutcome::Refused)) {
        let word = if row.outcome == StatusOutcome::Waiting { "waits" } else { "was refused" };
        let why = row.why.as_deref().unwrap_or_default().replace('`', "'");
        sentences.push(format!("The newest of {} {word}: {why}", quoted(&row.content.context)));
    }
    sentences.push("Statuses that others wrote there are not counted.".to_owned());
    (Mark::of_state(state), shown.to_owned(), sentences.into_iter().map(Prose::of).collect())
}
