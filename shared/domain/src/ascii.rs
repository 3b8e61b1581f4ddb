//! JSON in printable ASCII: what every queue and topic takes, whatever is inside.

use serde::Serialize;

/// Serialises to JSON and escapes everything outside printable ASCII as `\uXXXX`. Amazon SQS refuses
/// U+0000 to U+001F (but tab, LF and CR), U+FFFE and U+FFFF; this way none of them ever stands in a message.
pub fn to_json(value: &impl Serialize) -> String {
    // Serialising our own types cannot fail: no map with non-text keys, no failing `Serialize`.
    let json = serde_json::to_string(value).unwrap_or_default();
    if json.is_ascii() && !json.contains('\u{7f}') {
        return json;
    }
    let mut out = String::with_capacity(json.len() + json.len() / 4);
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            out.push(c);
        } else {
            // Non-ASCII stands only inside JSON strings, where an escape means the same character.
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}
