//! Why a command did not do what it was asked: a line, a hint, and what the program ends with.

use crate::cli::exit;
use crate::terminal::{note, printable};

/// Told in two lines, in the manner of the compiler: lower case, no full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    what: String,
    hint: String,
    code: u8,
}

impl Failure {
    /// Tried and failed.
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into(), code: exit::FAILED }
    }

    /// Never tried.
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: exit::USAGE, ..Self::new(what, hint) }
    }

    /// There is no such thing.
    pub(crate) fn not_found(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: exit::NOT_FOUND, ..Self::new(what, hint) }
    }

    /// Ends the program with that.
    #[must_use]
    pub(crate) fn with(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// Sentences from elsewhere: the first is the line, the others are the hint, unless there is a better one.
    pub(crate) fn of_sentences(text: &str, hint: &str) -> Self {
        let text = text.trim();
        let (first, rest) = text.split_once(". ").unwrap_or((text, ""));
        let hint = if rest.is_empty() { hint } else { rest };
        Self::new(in_the_manner(first), in_the_manner(hint))
    }

    /// What it ends with.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// The line alone.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// The hint alone.
    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }

    /// Tells it, and says what to end with. Either line may hold text from outside.
    pub(crate) fn tell(&self) -> u8 {
        note(format_args!("error: {}", printable(&self.what)));
        if !self.hint.is_empty() {
            note(format_args!(" hint: {}", printable(&self.hint)));
        }
        self.code
    }
}

/// Lower case and no full stop; a word in capitals or of code stays as it is.
fn in_the_manner(sentence: &str) -> String {
    let sentence = sentence.trim().trim_end_matches('.');
    let mut letters = sentence.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_become_a_line_and_a_hint() {
        for (text, what, hint) in [
            ("It has not failed. Add force.", "it has not failed", "add force"),
            ("No event.", "no event", "look again"),
            ("HOOKYARD_API_KEY is wrong. Set it. Then go on.", "HOOKYARD_API_KEY is wrong", "set it. Then go on"),
            ("", "", "look again"),
        ] {
            let failure = Failure::of_sentences(text, "Look again.");
            assert_eq!((failure.what(), failure.hint()), (what, hint));
        }
    }
}
