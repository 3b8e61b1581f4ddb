//! What the user's server answers, for `serve -v`: the beginning of it, kept in memory until the outcome is told, and
//! nowhere else. The record holds no answers, because nobody knows what stands in them.

use std::collections::HashMap;
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
    // A header may hold several signatures, each behind its version.
    let secrets = private.iter().flat_map(|value| value.split([' ', ',', '='])).filter(|part| part.len() > 15);
    let text = secrets.fold(text.into_owned(), |text, secret| text.replace(secret, "[removed]"));
    let words: Vec<_> = text.split_whitespace().collect();
    let text = words.join(" ");
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { format!("{shown}\u{2026}") } else { shown }
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
            "<h1>Boom</h1> {\"token\":\"[removed]\", \"by\":[\"v1,[removed]=\",\"v1,[removed]=\"]}\u{fffd}"
        );
        assert_eq!(beginning(b" \n", &private), "");
        let long = beginning("\u{e4}".repeat(201).as_bytes(), &[]);
        assert_eq!((long.chars().count(), long.ends_with('\u{2026}')), (201, true));
        assert_eq!(beginning("\u{e4}".repeat(200).as_bytes(), &[]).chars().count(), 200);
        assert_eq!(beginning(&vec![b'a'; 1 << 20], &[]).chars().count(), 201);
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
