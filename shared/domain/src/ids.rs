//! Names of things: each a type of its own, made only from text that is fit to be one.
//!
//! Everything here may come from outside, so every constructor checks its input; once made, a value
//! is safe in a log line, a key of the table, a header and a page.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not the id it was taken for. The message names the kind and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {must}")]
pub struct BadId {
    /// Which kind of id was meant.
    pub what: &'static str,
    /// What it has to look like.
    pub must: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $must:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Takes a text that is ", $must, ".")]
            ///
            /// # Errors
            /// [`BadId`] when it is not.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadId { what: $what, must: $must })
                }
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

text_id!(
    /// The type of an event, from `X-GitHub-Event`: `pull_request`, `push`, and whatever GitHub invents next.
    EventType, "the event type", "1 to 64 of a-z, 0-9 and _",
    |t| bounded(t, 64, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
);

text_id!(
    /// GitHub's delivery GUID, from `X-GitHub-Delivery`. Shared by every hook that hears the event and by
    /// redeliveries, so it is never a key of its own: see [`EventId`].
    DeliveryGuid, "the delivery id", "1 to 64 of A-Z, a-z, 0-9 and -",
    |t| bounded(t, 64, |b| b.is_ascii_alphanumeric() || b == b'-')
);

text_id!(
    /// The hook that delivered, from `X-GitHub-Hook-ID`; `0` when the header is absent.
    HookId, "the hook id", "1 to 20 digits",
    |t| bounded(t, 20, |b| b.is_ascii_digit())
);

text_id!(
    /// A commit: 40 hexadecimal digits (SHA-1) or 64 (SHA-256), lower-case once parsed by [`Sha::of`].
    Sha, "sha", "40 or 64 lower-case hexadecimal digits",
    |t| (t.len() == 40 || t.len() == 64) && t.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
);

text_id!(
    /// The id of one status on its way to GitHub; also the FIFO queue's de-duplication id, hence its alphabet.
    StatusId, "the status id", "1 to 128 of A-Z, a-z, 0-9 and -",
    |t| bounded(t, 128, |b| b.is_ascii_alphanumeric() || b == b'-')
);

text_id!(
    /// Which token (later: which App installation) a status is written with. Derived from the secret by a
    /// one-way hash, so that a rotated token starts without the old one's pause; never the secret itself.
    CredentialId, "the credential id", "1 to 64 of A-Z, a-z, 0-9 and -",
    |t| bounded(t, 64, |b| b.is_ascii_alphanumeric() || b == b'-')
);

text_id!(
    /// Where a body too large for the bus lies in the body store. Made of the receipt, so it is unique.
    BodyKey, "the body key", "1 to 200 of a-z, 0-9, - and /",
    |t| bounded(t, 200, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'/')
        && !t.starts_with('/') && !t.contains("//")
);

impl Sha {
    /// Takes a sha in either case: GitHub writes lower-case, people paste anything.
    ///
    /// # Errors
    /// [`BadId`] when it is not 40 or 64 hexadecimal digits.
    pub fn of(text: &str) -> Result<Self, BadId> {
        Self::parse(&text.to_ascii_lowercase())
    }

    /// The first seven digits, as GitHub's pages show it.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

/// An event: one thing that happened at GitHub, as one hook told it. `<hook id>-<delivery GUID>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId {
    hook: HookId,
    delivery: DeliveryGuid,
}

impl EventId {
    /// The event that `hook` reported under `delivery`.
    pub fn new(hook: HookId, delivery: DeliveryGuid) -> Self {
        Self { hook, delivery }
    }

    /// Reads `<hook id>-<GUID>`.
    ///
    /// # Errors
    /// [`BadId`] when either half is not what it should be.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let bad = BadId {
            what: "the event id",
            must: "<hook id>-<delivery GUID>, such as 48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516",
        };
        let (hook, delivery) = text.split_once('-').ok_or_else(|| bad.clone())?;
        match (HookId::parse(hook), DeliveryGuid::parse(delivery)) {
            (Ok(hook), Ok(delivery)) => Ok(Self { hook, delivery }),
            _ => Err(bad),
        }
    }

    /// The hook's half.
    pub fn hook(&self) -> &HookId {
        &self.hook
    }

    /// The delivery GUID's half.
    pub fn delivery(&self) -> &DeliveryGuid {
        &self.delivery
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.hook, self.delivery)
    }
}

impl TryFrom<String> for EventId {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        Self::parse(&text)
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.to_string()
    }
}

/// One accepted HTTP request (or one replay): a UUID v7, so that receipts sort by the time they were made.
/// It names the run that follows from it, and is the `webhook-id` that the user's server sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReceiptId(pub Uuid);

impl ReceiptId {
    /// Reads the usual hyphenated form.
    ///
    /// # Errors
    /// [`BadId`] when it is not a UUID.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        Uuid::parse_str(text).map(Self).map_err(|_| BadId { what: "the receipt", must: "a UUID" })
    }

    /// When it was made, to the millisecond: a UUID v7 begins with it. None for a UUID of another kind.
    pub fn made_at(self) -> Option<Timestamp> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A repository, `owner/name`, in the case it was written; GitHub compares without case, and so does [`Repository::key`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(String);

impl Repository {
    /// Reads `owner/name`.
    ///
    /// # Errors
    /// [`BadId`] unless both halves are 1 to 100 letters, digits, `-`, `_` or `.`, and neither is `.` or `..`.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let fit = |part: &str| {
            bounded(part, 100, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
                && part != "."
                && part != ".."
        };
        match text.split_once('/') {
            Some((owner, name)) if fit(owner) && fit(name) => Ok(Self(text.to_owned())),
            _ => Err(BadId { what: "repository", must: "owner/name" }),
        }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Lower-case: what rows and queue groups are keyed by.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The half before the slash.
    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or("", |(owner, _)| owner)
    }

    /// The half after the slash.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }

    /// Whether both name the same repository at GitHub.
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Repository {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        Self::parse(&text)
    }
}

impl From<Repository> for String {
    fn from(id: Repository) -> Self {
        id.0
    }
}

fn bounded(text: &str, longest: usize, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.len() <= longest && text.bytes().all(allowed)
}
