//! The secrets of one purpose: the current one, and those still accepted while rotating.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::error::PortError;
use crate::ids::BadId;
use crate::ports::Secrets;

/// One or more secrets, the current one first. Signing uses all of them where the scheme allows it (Standard
/// Webhooks) and the first one elsewhere; verifying accepts any.
#[derive(Clone, Debug)]
pub struct Keyring {
    secrets: Vec<SecretString>,
    as_of: Option<Timestamp>,
}

impl Keyring {
    /// A current secret and perhaps a previous one.
    pub fn new(current: SecretString, previous: Option<SecretString>) -> Self {
        Self { secrets: std::iter::once(current).chain(previous).collect(), as_of: None }
    }

    /// A list, the current one first; none when it is empty.
    pub fn of(secrets: Vec<SecretString>) -> Option<Self> {
        (!secrets.is_empty()).then_some(Self { secrets, as_of: None })
    }

    /// Secrets that never change.
    pub fn fixed(self) -> Arc<dyn Secrets> {
        Arc::new(FixedSecrets(self))
    }

    /// Says when the look began that found these secrets.
    #[must_use]
    pub fn seen(self, at: Timestamp) -> Self {
        Self { as_of: Some(at), ..self }
    }

    /// When the look began that found these secrets; none for secrets that never change.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.as_of
    }

    /// The bytes of each, the current one first.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.secrets.iter().map(|secret| secret.expose_secret().as_bytes())
    }

    /// The current one, for what is sent as it is, such as a token.
    pub fn current(&self) -> Option<&SecretString> {
        self.secrets.first()
    }
}

/// Checks a text that is sent as a bearer, such as a token or the API key: no header carries anything else.
///
/// # Errors
/// [`BadId`], which never repeats it.
pub fn check_bearer(text: &str) -> Result<(), BadId> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(BadId { what: "the secret", must: "visible ASCII characters without blanks" })
    }
}

/// A keyring that never changes, as configured on one machine.
#[derive(Clone, Debug)]
pub struct FixedSecrets(pub Keyring);

#[async_trait::async_trait]
impl Secrets for FixedSecrets {
    async fn current(&self) -> Result<Keyring, PortError> {
        Ok(self.0.clone())
    }

    async fn refresh(&self) -> Result<Keyring, PortError> {
        Ok(self.0.clone())
    }
}

/// What a secret store's entry holds: the secret itself or, while rotating, a JSON list, the current one first:
/// `[{"secret": "new"}, {"secret": "old", "until": "2026-03-02T10:00:00Z"}]`.
///
/// A text that begins with `[` is taken for a list.
#[derive(Clone, Debug)]
pub struct SecretList(Vec<Dated>);

#[derive(Clone, Debug)]
struct Dated {
    secret: SecretString,
    until: Option<Timestamp>,
}

/// Why a text is no list of secrets. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    /// JSON of another shape, or none.
    #[error("begins with [ and is no list of {{\"secret\", \"until\"}} objects")]
    Shape,
    /// Nothing in it, or something empty.
    #[error("holds no secret, or an empty one")]
    Empty,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<S> {
    secret: S,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl SecretList {
    /// One secret without an end.
    pub fn one(secret: SecretString) -> Self {
        Self(vec![Dated { secret, until: None }])
    }

    /// Reads a text.
    ///
    /// # Errors
    /// [`BadList`].
    pub fn read(text: &SecretString) -> Result<Self, BadList> {
        let text = text.expose_secret();
        let list = if text.trim_start().starts_with('[') {
            let written: Vec<Written<String>> = serde_json::from_str(text).map_err(|_| BadList::Shape)?;
            written.into_iter().map(|entry| Dated { secret: entry.secret.into(), until: entry.until }).collect()
        } else {
            // A value that came from a file often ends with a line break, which is in nobody's signature.
            vec![Dated { secret: text.trim_end_matches(['\r', '\n']).into(), until: None }]
        };
        if list.is_empty() || list.iter().any(|entry| entry.secret.expose_secret().is_empty()) {
            return Err(BadList::Empty);
        }
        Ok(Self(list))
    }

    /// What [`SecretList::read`] reads as this list; a single secret stays as plain as it is.
    pub fn text(&self) -> SecretString {
        if let [Dated { secret, until: None }] = self.0.as_slice()
            && !secret.expose_secret().trim_start().starts_with('[')
            && !secret.expose_secret().ends_with(['\r', '\n'])
        {
            return secret.clone();
        }
        let written = self.0.iter().map(|entry| Written { secret: entry.secret.expose_secret(), until: entry.until });
        // Texts and times: there is nothing in them that JSON could not say.
        serde_json::to_string(&written.collect::<Vec<_>>()).unwrap_or_default().into()
    }

    /// What is valid at that moment; none when everything has run out.
    pub fn valid(&self, now: Timestamp) -> Option<Keyring> {
        let valid = self.0.iter().filter(|entry| entry.until.is_none_or(|until| now < until));
        Keyring::of(valid.map(|entry| entry.secret.clone()).collect())
    }

    /// Every secret, those that have run out too.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        self.0.iter().map(|entry| &entry.secret)
    }

    /// The list with a new current secret. The present ones end at `until`, or sooner where that was settled already;
    /// those that have run out are gone.
    #[must_use]
    pub fn rotated(&self, new: SecretString, until: Timestamp, now: Timestamp) -> Self {
        let end = |entry: &Dated| entry.until.map_or(until, |end| end.min(until));
        let old = self.0.iter().filter(|entry| now < end(entry));
        let old = old.filter(|entry| entry.secret.expose_secret() != new.expose_secret());
        let old: Vec<_> = old.map(|e| Dated { secret: e.secret.clone(), until: Some(end(e)) }).collect();
        Self(std::iter::once(Dated { secret: new, until: None }).chain(old).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn read(text: &str) -> Result<SecretList, BadList> {
        SecretList::read(&SecretString::from(text))
    }

    fn valid(list: &SecretList, second: i64) -> Vec<String> {
        let keys = list.valid(at(second));
        keys.iter().flat_map(Keyring::keys).map(|key| String::from_utf8(key.to_vec()).unwrap()).collect()
    }

    #[test]
    fn texts_and_what_they_mean() {
        let long = "whsec_".repeat(10);
        for (text, expected) in [
            ("plain", Ok(vec!["plain"])),
            ("from a file\r\n", Ok(vec!["from a file"])),
            ("{\"json\":1}", Ok(vec!["{\"json\":1}"])),
            (long.as_str(), Ok(vec![long.as_str()])),
            (r#" [{"secret":"a"}, {"secret":"b","until":null}]"#, Ok(vec!["a", "b"])),
            ("", Err(BadList::Empty)),
            ("\n", Err(BadList::Empty)),
            ("[]", Err(BadList::Empty)),
            (r#"[{"secret":""}]"#, Err(BadList::Empty)),
            (r#"[{"secret":"hush"},{"secret":""}]"#, Err(BadList::Empty)),
            ("[hush", Err(BadList::Shape)),
            (r#"["hush"]"#, Err(BadList::Shape)),
            (r#"[{"secret":"hush","untill":"2026-03-02T10:00:00Z"}]"#, Err(BadList::Shape)),
            (r#"[{"secret":"hush","until":"tomorrow"}]"#, Err(BadList::Shape)),
            (r#"[{"secret":"hush"}] hush"#, Err(BadList::Shape)),
        ] {
            match (read(text), expected) {
                (Ok(list), Ok(expected)) => assert_eq!(valid(&list, 0), expected),
                (Err(error), Err(expected)) => {
                    assert!(error == expected && !error.to_string().contains("hush"), "{text}: {error}");
                }
                (Ok(_), Err(_)) => panic!("{text} was taken"),
                (Err(error), Ok(_)) => panic!("{text}: {error}"),
            }
        }
    }

    #[test]
    fn each_rotation_keeps_what_is_still_in_use() {
        let first = read("one").unwrap();
        let second = first.rotated("two".into(), at(100), at(0));
        assert_eq!(
            second.text().expose_secret(),
            r#"[{"secret":"two"},{"secret":"one","until":"1970-01-01T00:01:40Z"}]"#
        );
        assert_eq!([valid(&second, 99), valid(&second, 100)], [vec!["two", "one"], vec!["two"]]);
        // Again, before the first has run out: nobody who still signs with it is locked out early, or let in longer.
        let third = second.rotated("three".into(), at(150), at(50));
        assert_eq!(valid(&third, 99), ["three", "two", "one"]);
        assert_eq!(valid(&third, 100), ["three", "two"]);
        assert_eq!(valid(&third, 150), ["three"]);
        let later = third.rotated("four".into(), at(300), at(200));
        assert_eq!(valid(&later, 200), ["four", "three"]);
        assert_eq!(later.secrets().count(), 2, "what has run out is gone");
        // Back to one that is still listed: it is current, once and without an end.
        assert_eq!(valid(&third.rotated("one".into(), at(400), at(60)), 399), ["one", "three"]);
        assert_eq!(first.rotated("two".into(), at(0), at(0)).text().expose_secret(), "two");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(secrets in prop::collection::vec(("(?s).{1,40}", prop::option::of(0..100_i64)), 1..5)) {
            prop_assume!(!matches!(secrets.as_slice(), [(text, None)] if text.trim_end_matches(['\r', '\n']).is_empty()));
            let entry = |(secret, until): (String, Option<i64>)| Dated { secret: secret.into(), until: until.map(at) };
            let list = SecretList(secrets.into_iter().map(entry).collect());
            let again = SecretList::read(&list.text()).unwrap();
            for second in [0, 50, 200] {
                prop_assert_eq!(valid(&again, second), valid(&list, second));
            }
        }
    }
}
