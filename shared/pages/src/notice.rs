//! Pages of a few words: sign in, help, and what could not be shown.

use askama::Template;
use domain::event::EventStatus;
use domain::reasons::{FailureReason, StatusReason, Words, outcome_words};
use domain::run::Outcome;

use crate::mark::{Mark, Role};
use crate::{Section, Shell};

/// Something that could not be shown, or was done.
#[derive(Template)]
#[template(path = "notice.html")]
pub struct Notice {
    /// Around it.
    pub shell: Shell,
    /// Of the window.
    pub title: String,
    /// How it is coloured.
    pub role: Role,
    /// What happened.
    pub headline: String,
    /// What it means and what to do.
    pub sentences: Vec<String>,
    /// Where to go: words and address.
    pub links: Vec<(&'static str, String)>,
}

/// The form that asks for the key.
#[derive(Template)]
#[template(path = "sign-in.html")]
pub struct SignIn {
    /// Around it.
    pub shell: Shell,
    /// Of the window.
    pub title: &'static str,
    /// Where to go afterwards: a path of ours.
    pub next: String,
    /// Whether a key was given that does not fit.
    pub wrong: bool,
}

/// Keys, states and reasons.
#[derive(Template)]
#[template(path = "help.html")]
pub struct Help {
    shell: Shell,
    title: &'static str,
    states: Vec<(Mark, &'static str)>,
    reasons: Vec<(&'static str, Words)>,
}

impl Help {
    /// The page.
    pub fn new(shell: Shell) -> Self {
        let attempts = Outcome::ALL.into_iter().filter(|outcome| outcome.final_reason().is_none());
        let attempts = attempts.filter_map(|outcome| Some((outcome.as_str(), outcome_words(outcome)?)));
        let events = FailureReason::ALL.into_iter().map(|reason| (reason.as_str(), reason.words()));
        let statuses = StatusReason::ALL.into_iter().map(|reason| (reason.as_str(), reason.words()));
        Self {
            title: "Help",
            shell: Shell { section: Section::Elsewhere, ..shell },
            states: EventStatus::ALL.into_iter().map(|status| (Mark::of_event(status), meaning(status))).collect(),
            reasons: attempts.chain(events).chain(statuses).collect(),
        }
    }
}

fn meaning(status: EventStatus) -> &'static str {
    match status {
        EventStatus::Processing => "It has arrived and is being sent to your server.",
        EventStatus::Unprocessed => "An attempt failed; the next one is due at the time shown.",
        EventStatus::Processed => "Your server took it.",
        EventStatus::Errored => "Nobody will try again until somebody replays it.",
        EventStatus::Ignored => "Nothing was sent, by a rule that is named beside it.",
        EventStatus::Unhandled => "No server is configured to send it to.",
        EventStatus::Reprocessing => "A redelivery or a replay of it is under way.",
    }
}
