//! Text from outside, made fit for a terminal. What comes from a webhook may try to move the cursor, to colour what
//! follows, or to turn the direction of writing, so that a line says what it does not.

/// The text with a replacement character for everything that would act instead of being shown, line ends among it.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if acts(c) { '\u{fffd}' } else { c }).collect()
}

/// The same for a text of several lines: line ends and tabs stay.
pub(crate) fn printable_lines(text: &str) -> String {
    text.chars().map(|c| if acts(c) && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

/// JSON in which every character that acts is written as an escape: the same value, and nothing happens when it is
/// shown. Outside its strings JSON has none of them but blanks and line ends.
pub(crate) fn printable_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if acts(c) && !matches!(c, '\n' | '\r' | '\t') {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// Control characters; line and paragraph separators; marks, embeddings, overrides and isolates of the direction of
/// writing (Unicode Standard Annex 9); what is invisible and joins words that look apart; tags.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An escape sequence, C1 controls, overrides, an isolate, a separator, a tag, a line end.
    const HOSTILE: &str = "a\u{1b}[31mb\u{9b}2Jc\u{202e}d\u{2066}e\u{2028}f\u{e0041}g\nh\u{7f}";

    #[test]
    fn nothing_acts() {
        assert_eq!(
            printable(HOSTILE),
            "a\u{fffd}[31mb\u{fffd}2Jc\u{fffd}d\u{fffd}e\u{fffd}f\u{fffd}g\u{fffd}h\u{fffd}"
        );
        assert_eq!(printable_lines("a\tb\n\u{1b}c\r"), "a\tb\n\u{fffd}c\u{fffd}");
        for plain in ["naïve – ✓ 日本語", "עברית", "👩‍💻"] {
            assert_eq!(printable(plain), plain, "words in any script are left alone");
        }
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "title": HOSTILE });
        let shown = printable_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!shown.chars().any(|c| acts(c) && c != '\n'), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
