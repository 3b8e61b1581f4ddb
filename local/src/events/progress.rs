//! How far a replay has come: a bar on a terminal, a line now and then elsewhere, and the way on after an interruption.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::terminal::note;
use crate::terminal::screen::Screen;
use crate::words::counted;

/// How long the bar is.
const BAR: usize = 16;

/// Where nothing can be written over, a line this often.
const NOW_AND_THEN: SignedDuration = SignedDuration::from_secs(10);

/// What has become of the events of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// How many there are.
    pub(super) matched: usize,
    /// Published by this command or by one before.
    pub(super) replayed: usize,
    /// The gateway left them alone: why, and how many.
    pub(super) left: BTreeMap<String, usize>,
    pub(super) done: usize,
    pub(super) failed: usize,
    /// They wait for their next attempt.
    pub(super) retrying: usize,
    /// There was nobody to send them to, or a rule says so.
    pub(super) not_sent: usize,
}

impl Tally {
    /// Those of which nothing more is to be heard.
    pub(super) fn ended(&self) -> usize {
        self.done + self.failed + self.retrying + self.not_sent + self.left.values().sum::<usize>()
    }

    /// `25 done, 1 failed`.
    pub(super) fn words(&self) -> String {
        let states =
            [("done", self.done), ("failed", self.failed), ("retrying", self.retrying), ("not sent", self.not_sent)];
        let left = self.left.iter().map(|(why, count)| format!("{count} left alone ({})", why.replace('_', " ")));
        let words: Vec<_> = states
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| format!("{count} {word}"))
            .chain(left)
            .collect();
        if words.is_empty() { "none has ended yet".to_owned() } else { words.join(", ") }
    }

    fn bar(&self) -> String {
        let full = (self.ended() * BAR).checked_div(self.matched).unwrap_or(BAR).min(BAR);
        let head = if full < BAR { ">" } else { "" };
        format!("[{:<BAR$}]", format!("{}{head}", "=".repeat(full)))
    }
}

/// What is told meanwhile. Behind a lock, because an interruption looks at it from outside.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tally: Tally,
    /// The command that goes on with it, once anything has been sent.
    way_on: Option<String>,
    /// Whether a bar stands on the terminal's last line.
    bar: bool,
    told_at: Option<Timestamp>,
}

impl Progress {
    /// From here on something may have been sent.
    pub(super) fn begin(&self, way_on: String) {
        self.with(|state| state.way_on = Some(way_on));
    }

    /// Tells how far it is.
    pub(super) fn tell(&self, tally: &Tally, screen: &Screen) {
        self.with(|state| {
            state.tally = tally.clone();
            let (ended, matched, words) = (tally.ended(), tally.matched, tally.words());
            if screen.quiet {
                return;
            }
            if screen.live {
                let mut to = std::io::stderr();
                // Back to the beginning of the line, and what stood there is cleared.
                let _ = write!(
                    to,
                    "\r\u{1b}[K{} {} {ended}/{matched}  {words}",
                    screen.err.bold("  Replaying"),
                    tally.bar()
                );
                let _ = to.flush();
                state.bar = true;
                return;
            }
            let now = screen.now();
            let due = state.told_at.is_none_or(|at| now.duration_since(at) >= NOW_AND_THEN);
            if due && ended < matched {
                // The first line is due after the first wait: what is over by then needs none.
                if state.told_at.is_some() {
                    note(format_args!("  Replaying {ended}/{matched}  {words}"));
                }
                state.told_at = Some(now);
            }
        });
    }

    /// Leaves the bar as it is, and goes to the next line.
    pub(super) fn end(&self) {
        self.with(|state| {
            if std::mem::take(&mut state.bar) {
                note("");
            }
        });
    }

    /// How things stand when it was interrupted.
    pub(super) fn interrupted(&self) -> String {
        self.end();
        self.with(|state| match &state.way_on {
            None => "Interrupted: nothing was replayed.".to_owned(),
            Some(command) => {
                let sent = counted(state.tally.replayed, "event is", "events are");
                format!("Interrupted: {sent} on the way, and the gateway goes on with them. To go on with the rest:\n  {command}")
            }
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(done: usize, failed: usize) -> Tally {
        Tally { matched: 42, replayed: 42, done, failed, ..Tally::default() }
    }

    #[test]
    fn a_bar_and_its_words() {
        for (tally, bar, words) in [
            (tally(0, 0), "[>               ]", "none has ended yet"),
            (tally(25, 1), "[=========>      ]", "25 done, 1 failed"),
            (tally(41, 1), "[================]", "41 done, 1 failed"),
            (Tally::default(), "[================]", "none has ended yet"),
        ] {
            assert_eq!((tally.bar().as_str(), tally.words().as_str()), (bar, words));
        }
        let left = BTreeMap::from([("under_way".to_owned(), 2)]);
        let tally = Tally { retrying: 1, left, ..tally(0, 0) };
        assert_eq!((tally.words().as_str(), tally.ended()), ("1 retrying, 2 left alone (under way)", 3));
    }

    #[test]
    fn an_interruption_says_how_to_go_on() {
        let progress = Progress::default();
        assert_eq!(progress.interrupted(), "Interrupted: nothing was replayed.");
        progress.begin("hookyard events replay --resume r-1".to_owned());
        progress.tell(&tally(1, 0), &Screen { quiet: true, ..Screen::of_test(None) });
        assert_eq!(
            progress.interrupted(),
            "Interrupted: 42 events are on the way, and the gateway goes on with them. To go on with the rest:\n  \
             hookyard events replay --resume r-1"
        );
    }
}
