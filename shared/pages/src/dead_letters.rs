//! What is stuck inside Hookyard.

use askama::Template;
use domain::dead_letters::{About, DeadLetter, DeadLetterPage, DeadLetterQueue};
use jiff::Timestamp;

use crate::words::{Moment, count};
use crate::{Section, Shell};

struct QueueView {
    name: &'static str,
    count: String,
    any: bool,
    chosen: bool,
}

struct LetterView {
    id: String,
    queue: &'static str,
    about: String,
    href: Option<String>,
    reason: String,
    tries: String,
    since: Moment,
}

/// The page.
#[derive(Template)]
#[template(path = "dead-letters.html")]
pub struct DeadLetters {
    shell: Shell,
    title: &'static str,
    done: Option<String>,
    queues: Vec<QueueView>,
    letters: Vec<LetterView>,
}

impl DeadLetters {
    /// Every queue with what was found in it; `only` narrows the list down to one. `done` says what was just sent back.
    pub fn new(
        shell: Shell,
        pages: &[(DeadLetterQueue, DeadLetterPage)],
        only: Option<DeadLetterQueue>,
        done: Option<String>,
        now: Timestamp,
    ) -> Self {
        let shown = pages.iter().filter(|(queue, _)| only.is_none_or(|only| only == *queue));
        let mut letters: Vec<_> = shown.flat_map(|(_, page)| &page.letters).collect();
        letters.sort_by_key(|letter| letter.since);
        let queue = |(queue, page): &(DeadLetterQueue, DeadLetterPage)| QueueView {
            name: queue.as_str(),
            count: count(page.count.max(page.letters.len() as u64)),
            any: !page.letters.is_empty(),
            chosen: only == Some(*queue),
        };
        Self {
            shell: Shell { section: Section::Elsewhere, ..shell },
            title: "Dead letters",
            done,
            queues: pages.iter().map(queue).collect(),
            letters: letters.into_iter().map(|letter| view(letter, now)).collect(),
        }
    }
}

fn view(letter: &DeadLetter, now: Timestamp) -> LetterView {
    let About { event, event_type, status, context, repository, sha, .. } = &letter.about;
    let commit = repository.as_ref().zip(sha.as_ref());
    let about = match (status, event, commit) {
        (Some(_), _, Some((repository, sha))) => {
            format!("{} on {repository} {}", context.as_deref().unwrap_or("a status"), sha.short())
        }
        (_, Some(event), _) => match event_type {
            Some(kind) => format!("{kind} {event}"),
            None => event.to_string(),
        },
        _ => format!("a message that cannot be read ({})", letter.id),
    };
    let href = match (status, event, commit) {
        (Some(_), _, Some((repository, sha))) => Some(format!("/commits/{repository}/{sha}")),
        (_, Some(event), _) => Some(format!("/events/{event}")),
        _ => None,
    };
    LetterView {
        id: letter.id.clone(),
        queue: letter.queue.as_str(),
        about,
        href,
        reason: letter.reason.clone().unwrap_or_else(|| "not known".to_owned()),
        tries: letter.tries.map_or_else(|| "not counted".to_owned(), |tries| tries.to_string()),
        since: Moment::of(letter.since, now),
    }
}
