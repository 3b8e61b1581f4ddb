//! Rows for people and for programs: a table with a header on a terminal, columns with tabs between them in a pipe.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::text::printable;
use super::{Mark, Style};

/// What stands in a place that holds nothing. Never a blank: it could be a fault.
const NOTHING: &str = "-";

/// Between two columns.
const GAP: usize = 2;

/// A column that may be cut is not made narrower than this.
const NARROWEST: usize = 8;

/// A column: its name, and how it is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    name: &'static str,
    right: bool,
    cut: bool,
}

impl Column {
    /// Left aligned, never cut.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, right: false, cut: false }
    }

    /// For numbers.
    pub(crate) const fn right(name: &'static str) -> Self {
        Self { name, right: true, cut: false }
    }

    /// Cut with an ellipsis where the terminal is too narrow.
    pub(crate) const fn cut(name: &'static str) -> Self {
        Self { name, right: false, cut: true }
    }
}

/// What stands in one place: in short for people, whole for programs.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    mark: Option<Mark>,
    shown: String,
    plain: String,
}

impl Cell {
    /// The same for both.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self::of(text.as_ref(), text.as_ref())
    }

    /// A text, or nothing.
    pub(crate) fn maybe(text: Option<impl AsRef<str>>) -> Self {
        text.map_or_else(|| Self::new(""), Self::new)
    }

    /// One for people and one for programs.
    pub(crate) fn of(shown: &str, plain: &str) -> Self {
        let filled = |text: &str| if text.is_empty() { NOTHING.to_owned() } else { printable(text) };
        Self { mark: None, shown: filled(shown), plain: filled(plain) }
    }

    /// With a mark before the word; programs need the word only.
    pub(crate) fn marked(mark: Mark, shown: &str, plain: &str) -> Self {
        Self { mark: Some(mark), ..Self::of(shown, plain) }
    }
}

/// Columns and rows.
pub(crate) struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(columns: [Column; N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: [Cell; N]) {
        self.rows.push(row);
    }

    /// One line per row. `width` is the terminal's; none: nobody looks, so no header, nothing cut, tabs between.
    pub(crate) fn lines(&self, style: Style, width: Option<usize>) -> Vec<String> {
        let Some(width) = width else {
            return self.rows.iter().map(|row| row.each_ref().map(|cell| cell.plain.as_str()).join("\t")).collect();
        };
        let widths = self.widths(style, width);
        let header = self.columns.map(|column| column.name.to_owned());
        let header = std::iter::once(style.bold(self.line(&widths, &header, |_| None).trim_end()));
        let rows = self.rows.iter().map(|row| {
            let texts = row.each_ref().map(|cell| cell.shown.clone());
            self.line(&widths, &texts, |place| row[place].mark.map(|mark| style.mark(mark))).trim_end().to_owned()
        });
        header.chain(rows).collect()
    }

    /// How wide each column is: as its widest cell, unless the terminal is narrower; then those that may be cut give.
    fn widths(&self, style: Style, terminal: usize) -> [usize; N] {
        let mut widths = std::array::from_fn(|place| {
            let cells = self.rows.iter().map(|row| {
                let mark = row[place].mark.map_or(0, |_| style.mark_width() + 1);
                row[place].shown.width() + mark
            });
            cells.chain([self.columns[place].name.width()]).max().unwrap_or(0)
        });
        let whole = |widths: &[usize; N]| widths.iter().sum::<usize>() + GAP * N.saturating_sub(1);
        while whole(&widths) > terminal {
            let widest = (0..N).filter(|place| self.columns[*place].cut && widths[*place] > NARROWEST);
            let Some(widest) = widest.max_by_key(|place| widths[*place]) else { break };
            widths[widest] -= 1;
        }
        widths
    }

    fn line(&self, widths: &[usize; N], texts: &[String; N], mark: impl Fn(usize) -> Option<String>) -> String {
        let cells = (0..N).map(|place| {
            let mark = mark(place);
            let room = widths[place];
            let marked = mark.as_ref().map_or(0, |mark| plain_width(mark) + 1);
            let text = shortened(&texts[place], room.saturating_sub(marked));
            let blank = " ".repeat(room.saturating_sub(marked + text.width()));
            let text = match mark {
                Some(mark) => format!("{mark} {text}"),
                None => text,
            };
            if self.columns[place].right { format!("{blank}{text}") } else { format!("{text}{blank}") }
        });
        cells.collect::<Vec<_>>().join(&" ".repeat(GAP))
    }
}

/// The text in at most so many columns of the terminal, with an ellipsis in place of what does not fit.
pub(crate) fn shortened(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let (mut short, mut width) = (String::new(), 1);
    for c in text.chars() {
        width += c.width().unwrap_or(0);
        if width > room {
            break;
        }
        short.push(c);
    }
    format!("{short}…")
}

/// The width of what may hold our own colours.
fn plain_width(painted: &str) -> usize {
    let mut width = 0;
    let mut painting = false;
    for c in painted.chars() {
        match (painting, c) {
            (false, '\u{1b}') => painting = true,
            (true, 'm') => painting = false,
            (false, c) => width += c.width().unwrap_or(0),
            (true, _) => {}
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Color;

    fn style(color: Color, locale: &str) -> Style {
        Style::new(color, true, |name| (name == "LANG").then(|| locale.to_owned()))
    }

    fn table() -> Table<4> {
        let columns = [Column::new("Received"), Column::new("State"), Column::cut("Event"), Column::right("Took")];
        let mut table = Table::new(columns);
        let row = |at: &str, mark, word: &str, event: &str, took: &str| {
            [
                Cell::of(at, "2026-11-20T14:06:31Z"),
                Cell::marked(mark, word, "processed"),
                Cell::new(event),
                Cell::new(took),
            ]
        };
        table.push(row("14:06:31", Mark::Ok, "done", "pull_request.synchronize", "96 ms"));
        table.push(row("14:06:40", Mark::Wait, "retrying", "日本語のイベント", "1.2 s"));
        table.push(row("14:07:02", Mark::Bad, "failed", "evil\u{1b}[2J\u{202e}\n", ""));
        table
    }

    #[test]
    fn on_a_terminal() {
        let wide = table().lines(style(Color::Never, "C.UTF-8"), Some(100)).join("\n");
        let narrow = table().lines(style(Color::Never, "C.UTF-8"), Some(44)).join("\n");
        let letters = table().lines(style(Color::Never, "C"), Some(100)).join("\n");
        insta::assert_snapshot!(format!("{wide}\n\n{narrow}\n\n{letters}"));
        for line in narrow.lines() {
            assert!(line.width() <= 44, "{line}");
        }
        let coloured = table().lines(style(Color::Always, "C.UTF-8"), Some(100));
        let plain: Vec<_> = wide.lines().map(UnicodeWidthStr::width).collect();
        assert_eq!(coloured.iter().map(|line| plain_width(line)).collect::<Vec<_>>(), plain, "colour moves nothing");
    }

    #[test]
    fn in_a_pipe() {
        let lines = table().lines(style(Color::Always, "C.UTF-8"), None);
        assert_eq!(lines[0], "2026-11-20T14:06:31Z\tprocessed\tpull_request.synchronize\t96 ms");
        assert_eq!(lines[2], "2026-11-20T14:06:31Z\tprocessed\tevil\u{fffd}[2J\u{fffd}\u{fffd}\t-");
    }

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis() {
        for (text, room, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
        ] {
            assert_eq!(shortened(text, room), expected);
        }
    }
}
