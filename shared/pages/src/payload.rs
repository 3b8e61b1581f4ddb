//! JSON set out in lines. The bytes between the white space stay as they were sent: no tree is built, so no number is
//! rewritten and no key changes its place.

/// Indentation grows no further than this, so that deep nesting cannot blow a small body up.
const DEEPEST: usize = 40;

/// Sets valid JSON out in lines with two spaces a level; what is no JSON comes out as some text, never longer than 41
/// times what went in.
pub fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 3 / 2);
    let (mut depth, mut quoted, mut escaped, mut opened) = (0_usize, false, false, false);
    for c in json.chars() {
        if quoted {
            out.push(c);
            (quoted, escaped) = (escaped || c != '"', !escaped && c == '\\');
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        if opened && !closes {
            line(&mut out, depth);
        }
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !opened {
                    line(&mut out, depth);
                }
            }
            _ => {}
        }
        opened = matches!(c, '{' | '[');
        quoted = c == '"';
        out.push(c);
        match c {
            ',' => line(&mut out, depth),
            ':' => out.push(' '),
            _ => {}
        }
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST / 2)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_like_the_usual_pretty_print() {
        let json = serde_json::json!({
            "a": [1, 2.5, "x, {y}: \"[z]\" \\"], "empty": {}, "none": [], "deep": { "b": [[{}]], "c": null },
        });
        assert_eq!(pretty(&json.to_string()), serde_json::to_string_pretty(&json).unwrap());
    }

    #[test]
    fn what_was_sent_stays() {
        assert_eq!(
            pretty(r#"{ "b": 1.0e5, "a": 12345678901234567890123 }"#),
            "{\n  \"b\": 1.0e5,\n  \"a\": 12345678901234567890123\n}"
        );
        assert_eq!(pretty("]]}"), "\n]\n]\n}");
        let deep = "[".repeat(2_000);
        assert!(pretty(&deep).len() <= 42 * deep.len());
    }
}
