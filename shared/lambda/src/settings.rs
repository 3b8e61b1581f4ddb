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
mod tests;
