//! Words and marks on a terminal: colour only where somebody sees it, and marks that every locale can show.

pub(crate) mod ask;
pub(crate) mod moment;
pub(crate) mod prose;
pub(crate) mod screen;
pub(crate) mod table;
mod text;

use std::fmt::Display;
use std::io::Write;

use clap::ValueEnum;

pub(crate) use self::moment::duration;
pub(crate) use self::text::{printable, printable_json, printable_lines};

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a line is about. Each has a shape and a word; colour only helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Ok,
    Wait,
    Bad,
    Quiet,
}

/// How to write on one stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    color: bool,
    unicode: bool,
}

impl Style {
    /// `terminal`: whether the stream that is written to is one.
    pub(crate) fn new(color: Color, terminal: bool, environment: impl Fn(&str) -> Option<String>) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && environment("NO_COLOR").is_none(),
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(&environment).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Self { color, unicode: locale.contains("utf-8") || locale.contains("utf8") }
    }

    /// The mark of a line.
    pub(crate) fn mark(self, mark: Mark) -> String {
        let (shape, plain, color) = match mark {
            Mark::Ok => ("✓", "ok", "32"),
            Mark::Wait => ("!", "! ", "33"),
            Mark::Bad => ("✗", "x ", "31"),
            Mark::Quiet => ("–", "- ", "2"),
        };
        self.paint(if self.unicode { shape } else { plain }, color)
    }

    /// How wide every mark is.
    pub(crate) fn mark_width(self) -> usize {
        if self.unicode { 1 } else { 2 }
    }

    /// A word that stands out.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint(text, "1")
    }

    /// Whether to colour.
    pub(crate) fn color(self) -> bool {
        self.color
    }

    fn paint(self, text: &str, code: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Writes a line to standard output. Whoever has stopped reading (`| head`) is no reason to fail.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes a line to standard error, in the same manner.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// `812 B`, `14.2 KB`, `5.6 MB`.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..=999 => format!("{bytes} B"),
        1000..=999_999 => format!("{}.{} KB", bytes / 1000, bytes % 1000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_only_where_somebody_sees_it() {
        let utf8 = |name: &str| (name == "LANG").then(|| "C.UTF-8".to_owned());
        let painted = |color, terminal| Style::new(color, terminal, utf8).mark(Mark::Ok).contains('\u{1b}');
        assert!(painted(Color::Auto, true) && !painted(Color::Auto, false));
        assert!(painted(Color::Always, false) && !painted(Color::Never, true));
        let no_color = |name: &str| (name == "NO_COLOR").then(|| "1".to_owned());
        let plain = Style::new(Color::Auto, true, no_color);
        let marks = [Mark::Ok, Mark::Wait, Mark::Bad, Mark::Quiet].map(|mark| plain.mark(mark));
        assert_eq!(marks, ["ok", "! ", "x ", "- "], "without UTF-8 either, and as wide as each other");
    }

    #[test]
    fn numbers() {
        assert_eq!([size(14_230), size(5_600_000)], ["14.2 KB", "5.6 MB"]);
    }
}
