//! Reads settings by name and reports everything that is wrong with them at once.
//!
//! A function's `settings.rs` asks a [`Lookup`] for each name, then builds its struct with [`Lookup::build`]:
//!
//! ```
//! use lambda::settings::{Lookup, SettingsError, text};
//!
//! struct Settings { topic: String, port: u16 }
//!
//! fn from_lookup(find: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
//!     let mut lookup = Lookup::new(find);
//!     let topic = lookup.required("TOPIC_ARN", "the ARN of the topic", text);
//!     let port = lookup.port("GITHUB_API_PORT").unwrap_or(7777);
//!     lookup.build(|| Some(Settings { topic: topic?, port }))
//! }
//! # assert!(from_lookup(|_| None).is_err());
//! ```

use std::fmt;
use std::time::Duration;

use domain::secrets::Keyring;
use secrecy::SecretString;
use url::Url;

/// How much of a value an error shows, in characters: enough to recognise it.
const SHOWN: usize = 60;

/// One setting that is missing or malformed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting.
    pub name: String,
    /// What is wrong, lower case, without a full stop; follows the name. Never holds a secret.
    pub what: String,
    /// What would be right.
    pub hint: String,
}

/// Every setting that is wrong. Shown as two lines each, an error and a hint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// In the order in which they were asked for; never empty.
    pub problems: Vec<Problem>,
}

impl SettingsError {
    /// Tells the problems on standard error and ends the process with status 2: what mains do.
    pub fn exit(&self) -> ! {
        eprintln!("{self}");
        std::process::exit(2)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { name, what, hint }) in self.problems.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}error: {name} {what}\n hint: {hint}")?;
        }
        Ok(())
    }
}

/// What a reader has against a value: `what` follows the name and the value (`is not an address`), `hint` replaces
/// the general hint when there is a better one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    what: String,
    hint: Option<String>,
    show: bool,
}

impl Unfit {
    /// The value is wrong in this way, and may be shown.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, show: true }
    }

    /// Says what would be right.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The value may hold a credential: it is not shown.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.show = false;
        self
    }
}

impl From<domain::ids::BadId> for Unfit {
    fn from(bad: domain::ids::BadId) -> Self {
        Self::new(format!("is not {}", bad.must))
    }
}

/// Looks settings up and remembers what is wrong with them. A name whose value is empty counts as absent.
pub struct Lookup<F> {
    find: F,
    problems: Vec<Problem>,
}

impl<F: Fn(&str) -> Option<String>> Lookup<F> {
    /// Over any source: the process environment in a main, a map in a test.
    pub fn new(find: F) -> Self {
        Self { find, problems: Vec::new() }
    }

    /// A setting that must be there. `hint` says what belongs into it. None means that a problem was noted.
    pub fn required<T, E: Into<Unfit>>(
        &mut self,
        name: &str,
        hint: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Some(value) = self.value(name) else {
            self.problem(name, "is not set", hint);
            return None;
        };
        self.read(name, &value, hint, read)
    }

    /// A setting that may be absent. None also when it is malformed: then a problem was noted.
    pub fn optional<T, E: Into<Unfit>>(
        &mut self,
        name: &str,
        hint: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.value(name)?;
        self.read(name, &value, hint, read)
    }

    /// A setting with a default. The default also when it is malformed: then a problem was noted.
    pub fn or_default<T, E: Into<Unfit>>(
        &mut self,
        name: &str,
        default: T,
        hint: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> T {
        self.optional(name, hint, read).unwrap_or(default)
    }

    /// A secret, if it is set. Its value stands in no error.
    pub fn secret(&mut self, name: &str) -> Option<SecretString> {
        let value = self.value(name)?;
        if value.trim() != value {
            // An invisible blank makes every signature wrong, and nobody sees why.
            self.problem(name, "begins or ends with white space", "write it without, or in quotes without line breaks");
            return None;
        }
        Some(SecretString::from(value))
    }

    /// A secret and the one before it, from `NAME_PREVIOUS`, which is still valid while rotating.
    pub fn keyring(&mut self, name: &str) -> Option<Keyring> {
        let before = format!("{name}_PREVIOUS");
        let current = self.secret(name);
        let previous = self.secret(&before);
        if previous.is_some() && self.value(name).is_none() {
            self.problem(
                &before,
                &format!("is set, but {name} is not"),
                &format!("put the current secret into {name}"),
            );
        }
        Some(Keyring::new(current?, previous))
    }

    /// An http(s) address without credentials and without a fragment, if it is set.
    pub fn url(&mut self, name: &str) -> Option<Url> {
        self.optional(name, "write it like https://ci.example/hook", url)
    }

    /// A length of time, if it is set: `30s`, `15m`, `24h`, `90d`.
    pub fn duration(&mut self, name: &str) -> Option<Duration> {
        self.optional(name, "write it like 30s, 15m, 24h or 90d", duration)
    }

    /// A TCP port, if it is set; 0 lets the system choose.
    pub fn port(&mut self, name: &str) -> Option<u16> {
        let hint = "a number from 0 to 65535, such as 7777; 0 takes any free port";
        self.optional(name, hint, |value| value.parse().map_err(|_| Unfit::new("is not a port")))
    }

    /// Notes a problem that concerns several settings together.
    pub fn problem(&mut self, name: &str, what: &str, hint: &str) {
        self.problems.push(Problem { name: name.to_owned(), what: what.to_owned(), hint: hint.to_owned() });
    }

    /// Ends the look-up.
    ///
    /// # Errors
    /// All problems that were noted.
    pub fn finish(self) -> Result<(), SettingsError> {
        if self.problems.is_empty() { Ok(()) } else { Err(SettingsError { problems: self.problems }) }
    }

    /// Ends the look-up and builds the settings. `build` uses `?` on what was required; it may answer none only
    /// when a problem was noted.
    ///
    /// # Errors
    /// All problems that were noted.
    pub fn build<S>(mut self, build: impl FnOnce() -> Option<S>) -> Result<S, SettingsError> {
        if self.problems.is_empty() {
            if let Some(settings) = build() {
                return Ok(settings);
            }
            self.problem(
                "settings",
                "are incomplete",
                "report this: a setting was asked for as optional and is needed",
            );
        }
        Err(SettingsError { problems: self.problems })
    }

    fn value(&self, name: &str) -> Option<String> {
        (self.find)(name).filter(|value| !value.is_empty())
    }

    fn read<T, E: Into<Unfit>>(
        &mut self,
        name: &str,
        value: &str,
        hint: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match read(value) {
            Ok(read) => Some(read),
            Err(unfit) => {
                let unfit = unfit.into();
                let what = if unfit.show { format!("{} {}", shown(value), unfit.what) } else { unfit.what };
                self.problem(name, &what, unfit.hint.as_deref().unwrap_or(hint));
                None
            }
        }
    }
}

/// Takes any text as it is.
///
/// # Errors
/// Never.
pub fn text(value: &str) -> Result<String, Unfit> {
    Ok(value.to_owned())
}

/// Reads an http(s) address without credentials and without a fragment.
///
/// # Errors
/// What is wrong; the value is not shown where it may hold a password.
pub fn url(value: &str) -> Result<Url, Unfit> {
    let unfit = |what: &str| {
        let unfit = Unfit::new(what);
        if value.contains('@') { unfit.hidden() } else { unfit }
    };
    let url = Url::parse(value).map_err(|_| unfit("is not an address"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unfit("is not an address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unfit("holds credentials").hint("leave out what stands before the @: requests are signed instead"));
    }
    if url.fragment().is_some() {
        return Err(unfit("has a fragment").hint("leave out the # and what follows it: it is never sent"));
    }
    Ok(url)
}

/// Reads a length of time: a whole number and one of `s`, `m`, `h`, `d`; at least one second.
///
/// # Errors
/// When it is not one.
pub fn duration(value: &str) -> Result<Duration, Unfit> {
    let unfit = || Unfit::new("is not a length of time");
    let unit = match value.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(unfit()),
    };
    let number = &value[..value.len() - 1];
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(unfit());
    }
    // Up to u32: more than a century even in seconds, and no product that overflows.
    let number: u32 = number.parse().map_err(|_| unfit())?;
    if number == 0 {
        return Err(Unfit::new("is no time at all"));
    }
    Ok(Duration::from_secs(u64::from(number) * unit))
}

/// A value in quotes, escaped, cut; what follows a `?` may be a token and is left out.
fn shown(value: &str) -> String {
    let (plain, cut) = match value.split_once('?') {
        Some((plain, _)) => (plain, true),
        None => (value, false),
    };
    let short: String = plain.chars().take(SHOWN).collect();
    let rest = if cut || short.len() < plain.len() { "…" } else { "" };
    format!("{:?}", format!("{short}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup<'a>(pairs: &'a [(&'a str, &'a str)]) -> Lookup<impl Fn(&str) -> Option<String> + 'a> {
        Lookup::new(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn everything_wrong_is_told_at_once_in_two_lines_each() {
        let mut lookup = lookup(&[("YOUR_SERVER_URL", "htp://ci"), ("GITHUB_API_PORT", "70000"), ("EMPTY", "")]);
        assert_eq!(lookup.url("YOUR_SERVER_URL"), None);
        assert_eq!(lookup.port("GITHUB_API_PORT").unwrap_or(7777), 7777);
        assert_eq!(lookup.required("EMPTY", "the name of the table", text), None);
        assert_eq!(lookup.optional("ABSENT", "anything", text), None);
        assert_eq!(
            lookup.finish().unwrap_err().to_string(),
            "error: YOUR_SERVER_URL \"htp://ci\" is not an address\n hint: write it like https://ci.example/hook\n\
             error: GITHUB_API_PORT \"70000\" is not a port\n \
             hint: a number from 0 to 65535, such as 7777; 0 takes any free port\n\
             error: EMPTY is not set\n hint: the name of the table"
        );
    }

    #[test]
    fn what_is_right_is_read() {
        let mut lookup = lookup(&[("U", "https://ci.example:8443/hook?x=1"), ("D", "24h"), ("P", "0"), ("T", "t")]);
        let url = lookup.url("U");
        let life = lookup.duration("D");
        let port = lookup.port("P");
        let table = lookup.required("T", "", text);
        let level = lookup.or_default("L", "info".to_owned(), "", text);
        let built = lookup.build(|| Some((url?, life?, port?, table?, level))).unwrap();
        assert_eq!(
            built,
            (
                Url::parse("https://ci.example:8443/hook?x=1").unwrap(),
                Duration::from_secs(86_400),
                0,
                "t".to_owned(),
                "info".to_owned()
            )
        );
    }

    #[test]
    fn addresses() {
        for (value, right) in [
            ("http://localhost:3000/hook", true),
            ("https://ci.example", true),
            ("HTTPS://CI.example/", true),
            ("htp://ci", false),
            ("ftp://ci/", false),
            ("ci.example/hook", false),
            ("file:///etc/passwd", false),
            ("https://user@ci.example/", false),
            ("https://user:pass@ci.example/", false),
            ("https://ci.example/#top", false),
            ("https://", false),
        ] {
            assert_eq!(url(value).is_ok(), right, "{value}");
        }
    }

    #[test]
    fn lengths_of_time() {
        for (value, seconds) in [
            ("30s", Some(30)),
            ("15m", Some(900)),
            ("24h", Some(86_400)),
            ("90d", Some(7_776_000)),
            ("0s", None),
            ("s", None),
            ("-1s", None),
            ("+1s", None),
            ("1.5h", None),
            ("90", None),
            ("90 d", None),
            ("1w", None),
            ("9é", None),
            ("99999999999d", None),
        ] {
            assert_eq!(duration(value).ok(), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_keyring_holds_the_secret_and_the_one_before() {
        let mut lookup = lookup(&[("S", "new"), ("S_PREVIOUS", "old")]);
        let keys = lookup.keyring("S").unwrap();
        assert_eq!(keys.keys().collect::<Vec<_>>(), [b"new", b"old"]);
        assert!(lookup.finish().is_ok());
    }

    #[test]
    fn a_previous_secret_alone_is_a_mistake() {
        let mut lookup = lookup(&[("S_PREVIOUS", "old")]);
        assert!(lookup.keyring("S").is_none());
        let error = lookup.finish().unwrap_err();
        assert_eq!(error.to_string(), "error: S_PREVIOUS is set, but S is not\n hint: put the current secret into S");
    }

    #[test]
    fn no_secret_stands_in_an_error() {
        let mut lookup = lookup(&[
            ("S", "hush hush\n"),
            ("U", "htp://me:hush@ci"),
            ("V", "https://me:hush@ci"),
            ("Q", "https://ci/?token=hush#top"),
        ]);
        lookup.keyring("S");
        lookup.url("U");
        lookup.url("V");
        lookup.url("Q");
        let error = lookup.finish().unwrap_err();
        assert_eq!(error.problems.len(), 4);
        assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
    }

    #[test]
    fn long_values_are_shortened_and_strange_ones_escaped() {
        assert_eq!(shown("a\u{1b}[2Jb"), r#""a\u{1b}[2Jb""#);
        assert_eq!(shown(&"x".repeat(61)), format!("\"{}…\"", "x".repeat(60)));
        assert_eq!(shown(&"x".repeat(60)), format!("\"{}\"", "x".repeat(60)));
    }

    #[test]
    fn an_incomplete_build_is_an_error_of_its_own() {
        assert!(lookup(&[]).build(|| None::<()>).is_err());
        assert!(lookup(&[]).build(|| Some(())).is_ok());
    }
}
