//! What a command that asks a gateway prints to: results on standard output, everything else on standard error.

use std::fmt::Display;
use std::sync::Arc;

use domain::ports::Clock;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::table::Table;
use super::{Mark, Style, moment, note, printable_json, tell};

/// The two streams, and how whoever reads them wants them.
pub(crate) struct Screen {
    /// For results.
    pub(crate) out: Style,
    /// For talk.
    pub(crate) err: Style,
    /// How wide the terminal is that results go to; none when they go elsewhere.
    pub(crate) width: Option<usize>,
    /// Whether talk goes to a terminal, so that a line can be written over.
    pub(crate) live: bool,
    /// Results as JSON.
    pub(crate) json: bool,
    /// Errors only, beside the results.
    pub(crate) quiet: bool,
    /// Whether questions may be asked.
    pub(crate) may_ask: bool,
    /// The reader's zone.
    pub(crate) zone: TimeZone,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Screen {
    /// The present.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A moment: for people on a terminal, for programs elsewhere.
    pub(crate) fn moment(&self, at: Timestamp) -> String {
        if self.width.is_some() { self.short(at) } else { moment::exact(at) }
    }

    /// A moment within a sentence.
    pub(crate) fn short(&self, at: Timestamp) -> String {
        moment::short(at, self.now(), &self.zone)
    }

    /// A table of results.
    pub(crate) fn table<const N: usize>(&self, table: &Table<N>) {
        table.lines(self.out, self.width).iter().for_each(tell);
    }

    /// A result as JSON on one line.
    pub(crate) fn json(&self, value: &Value) {
        tell(printable_json(&value.to_string()));
    }

    /// Talk.
    pub(crate) fn say(&self, line: impl Display) {
        if !self.quiet {
            note(line);
        }
    }

    /// Something to know that is no error: told even to the quiet.
    pub(crate) fn warn(&self, line: impl Display) {
        note(format_args!("{} {line}", self.err.mark(Mark::Wait)));
    }
}

/// How wide the terminal is behind standard output; none when it is none.
pub(crate) fn width() -> Option<usize> {
    use std::io::IsTerminal;
    if !std::io::stdout().is_terminal() {
        return None;
    }
    // A terminal that does not tell has the usual width.
    #[cfg(unix)]
    let told = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    #[cfg(not(unix))]
    let told: Option<usize> = None;
    Some(told.filter(|columns| *columns > 0).unwrap_or(100))
}

#[cfg(test)]
impl Screen {
    /// A screen for what is rendered without being printed: 14:10 UTC on a Friday.
    pub(crate) fn of_test(width: Option<usize>) -> Self {
        use testkit::clock::ManualClock;
        let style = Style::new(super::Color::Never, true, |name| (name == "LANG").then(|| "C.UTF-8".to_owned()));
        let clock = ManualClock::at("2026-11-20T14:10:00Z");
        Self {
            out: style,
            err: style,
            width,
            live: false,
            json: false,
            quiet: false,
            may_ask: false,
            zone: TimeZone::UTC,
            clock: Arc::new(clock),
        }
    }
}
