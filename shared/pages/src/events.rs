//! The list of events: did it arrive, did it go through?

use askama::Template;
use domain::event::{EventStatus, GithubEvent};
use domain::query::EventPage;
use domain::trouble::RefusedStatus;
use jiff::Timestamp;
use url::form_urlencoded::Serializer;

use crate::mark::Mark;
use crate::overview::{commit, told};
use crate::prose::Prose;
use crate::words::{Moment, between, count, counted, moment, span};
use crate::{Section, Shell};

/// Rows of one page.
pub const ROWS: usize = 50;

/// The filters as they stand in the address, text for text, so that a form shows again what was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// `owner/repo`.
    pub repository: String,
    /// The event's type.
    pub event_type: String,
    /// Its action.
    pub action: String,
    /// A state, in the API's word.
    pub status: String,
    /// Received at or after, as `datetime-local` or RFC 3339.
    pub since: String,
    /// Received before.
    pub until: String,
    /// The beginning of a delivery's GUID.
    pub delivery: String,
    /// The beginning of a commit's sha.
    pub sha: String,
    /// The number of a pull request.
    pub pull_request: String,
}

/// A choice of the state filter.
pub struct Choice {
    /// The API's word.
    pub value: &'static str,
    /// Ours.
    pub word: &'static str,
    /// Whether it is the present one.
    pub chosen: bool,
}

/// A way to see more: the filters but one.
pub struct Less {
    /// Which is left out.
    pub word: &'static str,
    /// The address without it.
    pub href: String,
}

impl Filter {
    /// The choices of the state filter, the ones that need somebody first.
    pub fn choices(&self) -> Vec<Choice> {
        use EventStatus as S;
        let all = [S::Errored, S::Unprocessed, S::Processing, S::Reprocessing, S::Processed, S::Ignored, S::Unhandled];
        let word = |status| if status == S::Errored { "Needs you" } else { Mark::of_event(status).word };
        let choice =
            |status: S| Choice { value: status.as_str(), word: word(status), chosen: status.as_str() == self.status };
        all.into_iter().map(choice).collect()
    }

    /// Whether any filter is set.
    pub fn is_set(&self) -> bool {
        self.set() > 0
    }

    /// How many filters are set.
    fn set(&self) -> usize {
        self.pairs().count()
    }

    /// The filters in the words of an address; those that are not set are left out.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("repository", &self.repository),
            ("type", &self.event_type),
            ("action", &self.action),
            ("status", &self.status),
            ("since", &self.since),
            ("until", &self.until),
            ("delivery", &self.delivery),
            ("sha", &self.sha),
            ("pull_request", &self.pull_request),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.as_str()))
    }

    /// The same list without one filter, for each that is set.
    pub fn without_each(&self) -> Vec<Less> {
        let less = |left: &'static str| {
            let rest: Vec<_> = self.pairs().filter(|(name, _)| *name != left).collect();
            Less { word: left, href: address("/events", rest) }
        };
        self.pairs().map(|(name, _)| less(name)).collect()
    }

    /// The filters that the form has no field for: they stay as they are when it is sent.
    pub fn hidden(&self) -> Vec<(&'static str, &str)> {
        self.pairs().filter(|(name, _)| matches!(*name, "delivery" | "sha" | "pull_request")).collect()
    }

    fn with<'a>(&'a self, further: impl IntoIterator<Item = (&'static str, &'a str)>) -> Vec<(&'static str, &'a str)> {
        self.pairs().chain(further).collect()
    }
}

/// A path with a query.
pub fn address<'a>(path: &str, pairs: impl IntoIterator<Item = (&'static str, &'a str)>) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(pairs);
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The same for a program: moments that a form's field gave are written in full.
pub(crate) fn in_full<'a>(path: &str, pairs: impl IntoIterator<Item = (&'static str, &'a str)>) -> String {
    let instant = |text: &str| moment(text).map_or_else(|| text.to_owned(), |at| at.to_string());
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, text)| (name, if matches!(name, "since" | "until") { instant(text) } else { text.to_owned() }))
        .collect();
    address(path, pairs.iter().map(|(name, text)| (*name, text.as_str())))
}

/// One event in a list.
pub struct Row {
    /// When it was received.
    pub received: Moment,
    /// Where it stands.
    pub mark: Mark,
    /// Its story.
    pub href: String,
    /// `pull_request · opened`.
    pub kind: String,
    /// Everything about it, for who hears the link alone.
    pub name: String,
    /// `owner/repo`, or `none`.
    pub repository: String,
    /// `#7 9fceb02`, or `none`.
    pub about: String,
    /// The page of its commit.
    pub about_href: Option<String>,
    /// `200`, `no answer`, `not sent`.
    pub answer: String,
    /// Calls of the server.
    pub tries: String,
    /// From receipt to its last step.
    pub took: String,
}

impl Row {
    /// How an event looks in a list at that moment.
    pub fn of(event: &GithubEvent, now: Timestamp) -> Self {
        let mark = Mark::of_event(event.status);
        let kind = kind(event);
        let repository = event.repository.as_ref().map_or("none", |repository| repository.as_str());
        let about = about(event);
        let commit = event.repository.as_ref().zip(event.sha.as_ref());
        let answer = match event.last_answer.map(|answer| answer.code) {
            Some(Some(code)) => code.to_string(),
            Some(None) => "no answer".to_owned(),
            None => "not sent".to_owned(),
        };
        let ended = event.processed_at.filter(|_| event.status.is_final());
        Self {
            received: Moment::of(event.received_at, now),
            mark,
            href: format!("/events/{}", event.id),
            name: format!("{kind}, {repository} {about}, {}", mark.word.to_lowercase()),
            kind,
            repository: repository.to_owned(),
            about_href: commit.map(|(repository, sha)| format!("/commits/{repository}/{sha}")),
            about,
            answer,
            tries: event.tries.to_string(),
            took: ended.map_or_else(|| "not ended".to_owned(), |at| span(between(event.received_at, at))),
        }
    }
}

/// `pull_request · opened`.
pub(crate) fn kind(event: &GithubEvent) -> String {
    match &event.action {
        Some(action) => format!("{} · {action}", event.event_type),
        None => event.event_type.to_string(),
    }
}

/// `#7 9fceb02`; what the event itself says it is about; `none`.
pub(crate) fn about(event: &GithubEvent) -> String {
    match (event.pull_request, &event.sha, &event.about) {
        (Some(number), Some(sha), _) => format!("#{number} {}", sha.short()),
        (Some(number), None, _) => format!("#{number}"),
        (None, _, Some(about)) => about.clone(),
        (None, Some(sha), None) => sha.short().to_owned(),
        (None, None, None) => "none".to_owned(),
    }
}

/// The page.
#[derive(Template)]
#[template(path = "events.html")]
pub struct Events {
    shell: Shell,
    title: String,
    filter: Filter,
    problems: Vec<String>,
    sentence: String,
    caption: String,
    rows: Vec<Row>,
    webhook_url: String,
    json: String,
    replay: String,
    replay_words: String,
    here: String,
    newest: String,
    older: Option<String>,
    live: Option<String>,
    paged: bool,
    refused: Vec<RefusedRow>,
}

/// A status that GitHub refused, beside the events that need somebody.
struct RefusedRow {
    at: Moment,
    context: String,
    href: String,
    commit: String,
    why: Prose,
}

impl Events {
    /// One page of the list. `problems` are filters that could not be read; then `page` is empty.
    /// `cursor` is the one this page began with, `webhook_url` where deliveries go.
    pub fn new(
        shell: Shell,
        filter: Filter,
        problems: Vec<String>,
        page: &EventPage,
        cursor: Option<&str>,
        webhook_url: String,
        now: Timestamp,
    ) -> Self {
        let rows: Vec<_> = page.events.iter().map(|event| Row::of(event, now)).collect();
        let what = filter.choices().into_iter().find(|choice| choice.chosen);
        let what = what.map(|choice| format!(", {}", choice.word.to_lowercase())).unwrap_or_default();
        let number = counted(rows.len() as u64, "event", "events");
        let sentence = match (&page.next_cursor, cursor) {
            (None, None) => format!("{number}{what}, newest first."),
            (Some(_), None) if rows.len() >= ROWS => format!("The newest {number}{what}; there are older ones."),
            (Some(_), None) => format!("{number}{what}, newest first. Older days have not been looked at."),
            (_, Some(_)) => format!("{number}{what} on this page, newest first."),
        };
        let newest = address("/events", filter.with([]));
        let head = page.events.first().map(|event| event.id.to_string());
        Self {
            title: "Events".to_owned(),
            caption: format!("Events{what}, newest first"),
            json: in_full("/v1/events", filter.pairs()),
            replay: address("/events/replay", filter.with([])),
            replay_words: match (&page.next_cursor, cursor) {
                (None, None) if filter.status == "errored" && rows.len() > 1 => {
                    format!("Replay these {}…", count(rows.len() as u64))
                }
                _ => "Replay…".to_owned(),
            },
            here: address("/events", filter.with(cursor.map(|cursor| ("cursor", cursor)))),
            older: page.next_cursor.as_ref().map(|next| address("/events", filter.with([("cursor", next.as_str())]))),
            live: head
                .filter(|_| cursor.is_none())
                .map(|id| address("/events/head", filter.with([("after", id.as_str())]))),
            paged: cursor.is_some(),
            refused: Vec::new(),
            shell: Shell { section: Section::Events, ..shell },
            filter,
            problems,
            sentence,
            rows,
            webhook_url,
            newest,
        }
    }

    /// The same, with the statuses that need somebody as well.
    #[must_use]
    pub fn with_refused(self, statuses: &[RefusedStatus], now: Timestamp) -> Self {
        let row = |status: &RefusedStatus| RefusedRow {
            at: Moment::of(status.refused.at, now),
            context: status.refused.context.clone(),
            href: commit(status),
            commit: format!("{} {}", status.repository, status.sha.short()),
            why: Prose::of(told(status.refused.reason, &status.refused.why)),
        };
        Self { refused: statuses.iter().map(row).collect(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_given_moments_in_full() {
        let pairs = [("repository", "o/r"), ("since", "2026-03-02T10:00"), ("until", "2026-03-02T11:00:00Z")];
        let wanted = "/v1/events?repository=o%2Fr&since=2026-03-02T10%3A00%3A00Z&until=2026-03-02T11%3A00%3A00Z";
        assert_eq!(in_full("/v1/events", pairs), wanted);
        assert_eq!(in_full("/v1/events", [("since", "soon")]), "/v1/events?since=soon", "nothing is guessed");
    }
}
