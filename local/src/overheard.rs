//! What the user's server answers, for `serve -v`: the beginning of it, kept in memory until the outcome is told, and
//! nowhere else. The record holds no answers, because nobody knows what stands in them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::ports::{ServerReply, ServerRequest, YourServer};

/// Characters of an answer that are shown.
const SHOWN: usize = 200;

/// Bytes of an answer that are looked at.
const LOOKED_AT: usize = 16 * 1024;

/// Answers that are kept at most: more than calls can be under way.
const KEPT: usize = 1_000;

/// Headers of ours whose values are nobody else's business. A server that answers with what it was sent would have them shown.
const PRIVATE: [&str; 4] = ["x-hookyard-callback-token", "webhook-signature", "x-hub-signature", "x-hub-signature-256"];

/// By so many letters and digits in a row a secret is known. What is written in base64 has other characters so seldom
/// that some stretch of it is as long, and nothing else has the same one by chance.
const TRACE: usize = 6;

/// Answers by the receipt that they are about.
#[derive(Default)]
pub(crate) struct Answers(Mutex<HashMap<String, String>>);

impl Answers {
    /// The newest answer about a receipt, once.
    pub(crate) fn take(&self, receipt: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(receipt)
    }

    fn keep(&self, receipt: String, answer: String) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= KEPT {
            answers.clear();
        }
        answers.insert(receipt, answer);
    }
}

/// The user's server, listened to.
pub(crate) struct Overheard {
    inner: Arc<dyn YourServer>,
    answers: Arc<Answers>,
}

impl Overheard {
    pub(crate) fn new(inner: Arc<dyn YourServer>, answers: Arc<Answers>) -> Self {
        Self { inner, answers }
    }
}

#[async_trait]
impl YourServer for Overheard {
    fn key(&self) -> &str {
        self.inner.key()
    }

    fn host(&self) -> &str {
        self.inner.host()
    }

    async fn call(&self, request: ServerRequest) -> ServerReply {
        let header = |wanted: &str| {
            let found = request.headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone())
        };
        let (receipt, private) = (header("webhook-id"), PRIVATE.into_iter().filter_map(header).collect::<Vec<_>>());
        let reply = self.inner.call(request).await;
        if let (Some(receipt), ServerReply::Answered { body: Some(body), .. }) = (receipt, &reply) {
            let answer = beginning(body, &private);
            if !answer.is_empty() {
                self.answers.keep(receipt, answer);
            }
        }
        reply
    }
}

/// The first words of an answer on one line, without what we sent in confidence.
fn beginning(body: &[u8], private: &[String]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT)]);
    let text = without(&text, &traces(private));
    let words: Vec<_> = text.split_whitespace().collect();
    let text = words.join(" ");
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { format!("{shown}\u{2026}") } else { shown }
}

/// All stretches of [`TRACE`] letters and digits in what is private, in lower case.
fn traces(private: &[String]) -> HashSet<Vec<u8>> {
    // A header may hold several signatures, each behind its version.
    let secrets = private.iter().flat_map(|value| value.split([' ', ',', '='])).filter(|part| part.len() > 15);
    let runs = secrets.flat_map(|secret| secret.split(|c: char| !c.is_ascii_alphanumeric()));
    runs.flat_map(|run| run.to_ascii_lowercase().as_bytes().windows(TRACE).map(<[u8]>::to_vec).collect::<Vec<_>>())
        .collect()
}

/// The text without each run of what secrets are written with, escapes included, that holds a trace of one.
///
/// A server may write what it was sent as JSON with `\/` for `/`, with entities or per cent: then a secret does not
/// stand there letter for letter, but stretches of it do. So it is with one that the end of what is looked at cuts.
fn without(text: &str, traces: &HashSet<Vec<u8>>) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/-_\\%&#;".contains(c);
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (between, from) = rest.split_at(start);
        let (run, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        kept.push_str(between);
        let is_private = run.to_ascii_lowercase().as_bytes().windows(TRACE).any(|part| traces.contains(part));
        kept.push_str(if is_private { "[removed]" } else { run });
        rest = after;
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_begins_on_one_line_and_holds_nothing_that_was_sent_in_confidence() {
        let private = [
            "tokentokentokentoken.macmacmac".to_owned(),
            "v1,c2lnbmF0dXJlIG9mIG91cnM= v1,YW5vdGhlciBvbmU5OTk=".to_owned(),
        ];
        let body = b"<h1>Boom</h1>\r\n\t{\"token\":\"tokentokentokentoken.macmacmac\",\n \"by\":[\"v1,c2lnbmF0dXJlIG9mIG91cnM=\",\"v1,YW5vdGhlciBvbmU5OTk=\"]}\xff";
        assert_eq!(
            beginning(body, &private),
            "<h1>Boom</h1> {\"token\":\"[removed].[removed]\", \"by\":[\"v1,[removed]=\",\"v1,[removed]=\"]}\u{fffd}"
        );
        assert_eq!(beginning(b" \n", &private), "");
        let long = beginning("\u{e4}".repeat(201).as_bytes(), &[]);
        assert_eq!((long.chars().count(), long.ends_with('\u{2026}')), (201, true));
        assert_eq!(beginning("\u{e4}".repeat(200).as_bytes(), &[]).chars().count(), 200);
        assert_eq!(beginning(&vec![b'a'; 1 << 20], &[]).chars().count(), 201);
    }

    #[test]
    fn however_a_server_writes_what_it_was_sent_nothing_of_it_is_shown() {
        let signature = "k3J/9fQ2+LmZ8pXw/aB7c/D1eT+5yUvR0nGhS6oKiMs";
        let token = "v1.eyJldmVudCI6IjEt_0b989ba4-IsInJlY2VpcHQi.Zm9vYmFyYmF6cXV4-MTIzNDU2Nzg5MA_x";
        let hex = "9a0364b9e99bb480dd25e1f0284c8555f0a1b2c3d4e5f60718293a4b5c6d7e8f";
        let private = [token.to_owned(), format!("v1,{signature}="), format!("sha256={hex}")];
        let forms: [fn(&str) -> String; 9] = [
            str::to_owned,
            // PHP's json_encode.
            |text| text.replace('/', r"\/"),
            |text| text.replace('/', r"\\\/"),
            |text| text.replace('/', r"\u002f").replace('+', r"\u002B").replace('=', r"\u003d"),
            |text| text.replace('/', "&#x2F;").replace('+', "&#43;").replace('=', "&equals;"),
            |text| text.replace('/', "&amp;#47;").replace('-', "&#45;"),
            |text| text.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D"),
            |text| text.replace('+', "-").replace('/', "_"),
            str::to_uppercase,
        ];
        for (place, form) in forms.into_iter().enumerate() {
            let body = format!(r#"{{"token":"{}","signature":"{}","is":"1"}}"#, form(token), form(&private[1]));
            let shown = beginning(body.as_bytes(), &private);
            let left = shown.replace("[removed]", "");
            assert!(left.len() < 50 && left.ends_with(r#"","is":"1"}"#), "form {place}: {shown}");
            let hub = beginning(format!("no such check: sha256={}", form(hex)).as_bytes(), &private);
            assert_eq!(hub, "no such check: sha256=[removed]", "form {place}");
        }
        let words = "Forbidden: https://ci.example.com/builds/0b98?by=hookyard sha256 signature missing";
        assert_eq!(beginning(words.as_bytes(), &private), words);
    }

    #[test]
    fn a_secret_across_the_end_of_what_is_looked_at_is_not_shown_in_part() {
        let private = ["v1,c2lnbmF0dXJlIG9mIG91cnMgYW5kIG1vcmU=".to_owned()];
        for cut in 10..30 {
            let body = format!("{}boom {}", " ".repeat(LOOKED_AT - 5 - cut), private[0]);
            assert_eq!(beginning(body.as_bytes(), &private), "boom v1,[removed]", "{cut}");
        }
    }

    #[test]
    fn answers_are_told_once_and_never_pile_up() {
        let answers = Answers::default();
        answers.keep("a".to_owned(), "first".to_owned());
        answers.keep("a".to_owned(), "second".to_owned());
        assert_eq!((answers.take("a").as_deref(), answers.take("a")), (Some("second"), None));
        (0..5_000).for_each(|n| answers.keep(n.to_string(), String::new()));
        assert!(answers.0.lock().unwrap().len() <= KEPT);
    }
}
