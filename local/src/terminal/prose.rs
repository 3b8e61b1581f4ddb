//! Sentences with a mark before them.

use super::{Mark, Style, printable};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    indent: usize,
    mark: Option<Mark>,
    bold: bool,
    text: String,
}

impl Line {
    /// A line of its own.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { indent: 0, mark: None, bold: false, text: text.into() }
    }

    /// A line that stands out.
    pub(crate) fn head(text: impl Into<String>) -> Self {
        Self { bold: true, ..Self::new(text) }
    }

    /// A blank line.
    pub(crate) fn blank() -> Self {
        Self::new("")
    }

    /// With that mark before it.
    #[must_use]
    pub(crate) fn marked(self, mark: Mark) -> Self {
        Self { mark: Some(mark), ..self }
    }

    /// Further to the right.
    #[must_use]
    pub(crate) fn indented(self, by: usize) -> Self {
        Self { indent: self.indent + by, ..self }
    }

    /// As it is printed. Its text may come from outside.
    pub(crate) fn show(&self, style: Style) -> String {
        let text = printable(&self.text);
        let text = if self.bold && !text.is_empty() { style.bold(&text) } else { text };
        let blank = " ".repeat(self.indent);
        match self.mark {
            Some(mark) => format!("{blank}{} {text}", style.mark(mark)),
            None => format!("{blank}{text}"),
        }
    }
}
