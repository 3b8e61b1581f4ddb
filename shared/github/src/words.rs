//! What GitHub says in an error, made fit for a line of text.

use serde_json::Value;

/// The most characters that are kept: enough for every message of GitHub, too few to hurt a row or a page.
const LONGEST: usize = 300;

/// `message` and what `errors` adds to it, on one line; empty when the body is not GitHub's JSON, such as the
/// page of a proxy.
pub(crate) fn words(body: &[u8]) -> String {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
        return String::new();
    };
    let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
    let errors = body.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let errors: Vec<String> = errors.iter().filter_map(error).collect();
    let all = match (message, errors.join("; ")) {
        (message, errors) if errors.is_empty() => message.to_owned(),
        ("", errors) => errors,
        (message, errors) => format!("{message}: {errors}"),
    };
    line(&all)
}

/// One line of at most 300 characters without control characters.
pub(crate) fn line(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= LONGEST { clean.collect() } else { clean.take(LONGEST - 1).chain(['…']).collect() }
}

/// A text, an object with a `message`, or an object with `field` and `code`.
fn error(error: &Value) -> Option<String> {
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    match (error.as_str().or_else(|| text("message")), text("field"), text("code")) {
        (Some(message), ..) => Some(message.to_owned()),
        (None, Some(field), Some(code)) => Some(format!("{field}: {code}")),
        (None, one, other) => one.or(other).map(ToOwned::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn message_and_errors_become_one_line() {
        for (body, expected) in [
            (r#"{"message":"Bad credentials","status":"401"}"#, "Bad credentials"),
            (
                r#"{"message":"Validation Failed","errors":[{"message":"too long"},"also this"]}"#,
                "Validation Failed: too long; also this",
            ),
            (
                r#"{"message":"Validation Failed","errors":[{"field":"state","code":"invalid"},{"code":"custom"},7]}"#,
                "Validation Failed: state: invalid; custom",
            ),
            (r#"{"errors":["alone"]}"#, "alone"),
            ("{\"message\":\"a\\n\\nb\\u001b[31m\\u0085c\"}", "a  b [31m c"),
            (r#"{"message":7,"errors":"x"}"#, ""),
            ("<html>502</html>", ""),
            ("[]", ""),
        ] {
            assert_eq!(words(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let words = words(format!(r#"{{"message":"{}"}}"#, "é".repeat(400)).as_bytes());
        assert_eq!(words, format!("{}…", "é".repeat(299)));
    }
}
