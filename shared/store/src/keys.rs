//! What every row of the table is called.
//!
//! | row | `pk` | `sk` |
//! | --- | --- | --- |
//! | event, with the run of its first receipt | `event#<id>` | `event` |
//! | runs of later receipts | `event#<id>` | `run#<receipt>` |
//! | body and headers, and whose they were first | `sha#<sha256>` | `body` |
//! | body and headers of an event whose bytes another had first | `event#<id>` | `body` |
//! | status | `commit#<repository key>@<sha>` | `status#<id>` |
//! | head of a context | `commit#<repository key>@<sha>` | `head#<context>`, or `headhash#<sha256>` of a long one |
//! | the user's server | `server#<key>` | `server` |
//! | pause of a credential | `credential#<id>` | `pause` |
//! | release | `release#<repository key>` | `<id at GitHub>` |
//! | counts of an hour | `hours` | `<hour>` |
//!
//! Only rows of events and of releases have `at`, so only they stand in the indexes, and heads as long as GitHub has
//! refused the newest word of their context. Releases have spans and repositories of their own there, which begin with
//! `release` and are no months and no repositories. Heads stand beside the errored events, behind every moment.

use domain::ids::{CredentialId, EventId, ReceiptId, Repository, Sha, StatusId};
use domain::statuses::ContextKey;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

/// The table's partition key.
pub const PK: &str = "pk";
/// The table's sort key.
pub const SK: &str = "sk";
/// Sort key of every index: when the event was received, and its id, because two may share the moment.
pub const AT: &str = "at";
/// Partition key of [`BY_REPOSITORY`]: the repository in lower case.
pub const REPO: &str = "repo";
/// Partition key of [`BY_TIME`]: the UTC month in which it was received.
pub const SPAN: &str = "span";
/// Partition key of [`NEEDS_YOU`]: the state, on errored and waiting events only.
pub const NEED: &str = "need";
/// When DynamoDB may remove the row: seconds since 1970, the table's TTL attribute.
pub const EXPIRES_AT: &str = "expires_at";

/// Index: events of one repository.
pub const BY_REPOSITORY: &str = "by-repository";
/// Index: everything by time. What is new all goes to one partition, so about 500 new events a second (each is
/// written twice or more, and a partition takes 1,000 writes; DynamoDB: "Service quotas") is where AWS begins to
/// throttle. Shorter spans than a month would not change that, and would leave more empty ones to look through.
pub const BY_TIME: &str = "by-time";
/// Index: events that errored or wait for their next attempt, and contexts in which GitHub refused a status; sparse.
pub const NEEDS_YOU: &str = "needs-you";

/// The longest sort key that DynamoDB takes, in bytes (Amazon DynamoDB: "Constraints").
const SORT_KEY_LIMIT: usize = 1024;

/// Sort key of every event row.
pub(crate) const EVENT: &str = "event";
/// What sort keys of runs begin with.
pub(crate) const RUN: &str = "run#";
/// Sort key of bodies, and of claims on a body's hash.
pub(crate) const BODY: &str = "body";
/// Span of all releases in [`BY_TIME`], and what their partitions begin with. One span is enough: GitHub lets nobody
/// write as many as would fill it.
pub(crate) const RELEASE: &str = "release";
/// Partition of the counts.
pub(crate) const HOURS: &str = "hours";
/// What sort keys of statuses begin with.
pub(crate) const STATUS: &str = "status#";

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    pub(crate) fn event(id: &EventId) -> Self {
        Self { pk: event_partition(id), sk: EVENT.to_owned() }
    }

    pub(crate) fn run(event: &EventId, receipt: ReceiptId) -> Self {
        Self { pk: event_partition(event), sk: format!("{RUN}{receipt}") }
    }

    pub(crate) fn body(event: &EventId) -> Self {
        Self { pk: event_partition(event), sk: BODY.to_owned() }
    }

    pub(crate) fn bytes(sha256: &str) -> Self {
        Self { pk: format!("sha#{sha256}"), sk: BODY.to_owned() }
    }

    pub(crate) fn status(repository: &Repository, sha: &Sha, id: &StatusId) -> Self {
        Self { pk: commit_partition(repository, sha), sk: format!("{STATUS}{id}") }
    }

    pub(crate) fn head(key: &ContextKey) -> Self {
        // A context is text from outside, and 255 characters can be more bytes than a sort key holds. The two
        // prefixes differ, so no context can be spelled like the hash of another.
        let plain = format!("head#{}", key.context);
        let sk = if plain.len() <= SORT_KEY_LIMIT { plain } else { format!("headhash#{}", hash(&key.context)) };
        Self { pk: commit_partition(&key.repository, &key.sha), sk }
    }

    pub(crate) fn server(key: &str) -> Self {
        Self { pk: format!("server#{key}"), sk: "server".to_owned() }
    }

    pub(crate) fn release(repository: &Repository, id: u64) -> Self {
        Self { pk: release_partition(repository), sk: id.to_string() }
    }

    pub(crate) fn hour(at: Timestamp) -> Self {
        Self { pk: HOURS.to_owned(), sk: hour(at) }
    }

    pub(crate) fn pause(credential: &CredentialId) -> Self {
        Self { pk: format!("credential#{credential}"), sk: "pause".to_owned() }
    }
}

pub(crate) fn event_partition(id: &EventId) -> String {
    format!("event#{id}")
}

pub(crate) fn commit_partition(repository: &Repository, sha: &Sha) -> String {
    format!("commit#{}@{sha}", repository.key())
}

/// Partition of a repository's releases, in the table and in [`BY_REPOSITORY`].
pub(crate) fn release_partition(repository: &Repository) -> String {
    format!("release#{}", repository.key())
}

/// A moment as text that sorts as the moments do: always nine digits of a second, always UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// The UTC month of a moment, `2026-03`.
pub(crate) fn month(at: Timestamp) -> String {
    month_of(at.to_zoned(TimeZone::UTC).date())
}

/// The month of a day.
pub(crate) fn month_of(day: Date) -> String {
    format!("{:04}-{:02}", day.year(), day.month())
}

/// The UTC hour of a moment, `2026-03-02T10`.
pub(crate) fn hour(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H").to_string()
}

/// The indexes' sort key.
pub(crate) fn at(received: Timestamp, id: &EventId) -> String {
    format!("{}#{id}", moment(received))
}

/// Reads [`at`] again.
pub(crate) fn parse_at(text: &str) -> Option<(Timestamp, EventId)> {
    let (received, id) = text.split_once('#')?;
    Some((received.parse().ok()?, EventId::parse(id).ok()?))
}

/// What comes before the moment in a head's place in [`NEEDS_YOU`]: it sorts behind every digit, so a range of moments
/// holds events only.
pub(crate) const REFUSED: &str = "~refused#";

/// A head's place in [`NEEDS_YOU`]. Two may share it.
pub(crate) fn refused_at(at: Timestamp) -> String {
    format!("{REFUSED}{}", moment(at))
}

/// Reads [`refused_at`] again.
pub(crate) fn parse_refused_at(text: &str) -> Option<Timestamp> {
    text.strip_prefix(REFUSED)?.parse().ok()
}

/// SHA-256, hexadecimal.
pub(crate) fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_sort_as_they_passed() {
        let times = ["2026-03-02T10:00:00Z", "2026-03-02T10:00:00.000000001Z", "2026-03-02T10:00:00.1Z"];
        let texts = times.map(|t| moment(t.parse().unwrap()));
        assert_eq!(texts[0], "2026-03-02T10:00:00.000000000Z");
        assert!(texts.is_sorted());
        assert!(moment(Timestamp::MAX).as_str() < REFUSED, "no range of moments reaches what was refused");
    }

    #[test]
    fn the_longest_context_still_fits_the_key() {
        let repository = Repository::parse("Octo/Yard").unwrap();
        let sha = Sha::parse(&"a".repeat(40)).unwrap();
        let key = |context: &str| Key::head(&ContextKey::new(repository.clone(), sha.clone(), context));
        assert_eq!(key("Build").sk, "head#build");
        assert_eq!(key("Build").pk, format!("commit#octo/yard@{sha}"));
        let long = "\u{1F980}".repeat(255);
        assert!(key(&long).sk.len() <= SORT_KEY_LIMIT);
        assert_ne!(key(&long), key(&"\u{1F41A}".repeat(255)));
    }
}
