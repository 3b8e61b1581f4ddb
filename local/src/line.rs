//! The one line that an outcome is told in, by `serve` and by `events tail` alike.

use domain::event::EventStatus;

use crate::terminal::{Style, duration, printable};
use crate::words;

/// What stands in it, from left to right.
#[derive(Debug, Clone)]
pub(crate) struct OutcomeLine {
    /// The time of day.
    pub(crate) time: String,
    pub(crate) state: EventStatus,
    /// `pull_request.opened`.
    pub(crate) name: String,
    /// `acme/api#7`.
    pub(crate) place: Option<String>,
    /// The server's answer.
    pub(crate) code: Option<u16>,
    /// How long that took.
    pub(crate) ms: Option<u64>,
    /// What else there is to say.
    pub(crate) note: String,
    /// What to look it up by.
    pub(crate) id: String,
}

impl OutcomeLine {
    /// Every column begins where it does in the line before, unless a name is very long.
    pub(crate) fn show(&self, style: Style) -> String {
        let Self { time, state, name, place, code, ms, note, id } = self;
        let (mark, word) = words::of_event(*state);
        let mark = style.mark(mark);
        let (name, note) = (printable(name), printable(note));
        let place = place.as_deref().map_or_else(|| "-".to_owned(), printable);
        let answer = code.map_or_else(|| "-".to_owned(), |code| code.to_string());
        let ms = ms.map(duration).unwrap_or_default();
        format!("{time}  {mark} {word:<9} {name:<24} {place:<20} {answer:>3} {ms:>6}  {note:<30} {id}")
    }
}
