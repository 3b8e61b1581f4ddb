//! Sentences in which some words are code.

/// A sentence; what stands between back-ticks is code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prose(String);

/// A piece of a sentence.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Whether it is code.
    pub code: bool,
    /// Its text, not yet escaped.
    pub text: &'a str,
}

impl Prose {
    /// Our own words. What comes from outside goes through [`quoted`] first.
    pub fn of(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// Its pieces, none of them empty.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let parts = self.0.split('`').enumerate();
        parts.map(|(place, text)| Part { code: place % 2 == 1, text }).filter(|part| !part.text.is_empty()).collect()
    }
}

/// A word from outside as code. Its own back-ticks would end it early.
pub fn quoted(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stands_between_ticks() {
        let prose = Prose::of(format!("{} is on GitHub, says `x`", quoted("a`b")));
        let parts: Vec<_> = prose.parts().into_iter().map(|part| (part.code, part.text.to_owned())).collect();
        let wanted = [(true, "a'b"), (false, " is on GitHub, says "), (true, "x")];
        assert_eq!(parts, wanted.map(|(code, text)| (code, text.to_owned())));
    }
}
