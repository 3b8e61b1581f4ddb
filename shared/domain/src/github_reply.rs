//! What GitHub's answer to a write means: applied, refused for good, asked to pause, or nobody knows.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::ids::Repository;
use crate::ports::{GithubAnswer, Pause};
use crate::reasons::StatusReason;

/// The pause when a limit names no time of its own (GitHub Docs, "Rate limits for the REST API": at least one
/// minute, growing exponentially), and the longest it grows to.
const PAUSE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// No limit of GitHub's runs longer than its hour; a larger `retry-after` is cut so that a mistake in a header
/// cannot stop a credential for a year.
const LONGEST_PAUSE: Duration = Duration::from_secs(2 * 3600);

/// What follows from an answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Never applied, and never will be.
    Refused {
        /// The closed reason.
        reason: StatusReason,
        /// GitHub's words and ours on what to do.
        why: String,
    },
    /// Not applied; the credential pauses.
    Limited(Pause),
    /// It may have been applied.
    Unknown(String),
}

/// Reads an answer to a request that was begun at `begun`. `before` is the credential's pause so far: without a time
/// of its own, a limit's pause grows from it, unless that pause came while this request was under way already: then
/// both answers tell of one limit.
pub fn meaning(
    answer: &GithubAnswer,
    repository: &Repository,
    before: Option<Pause>,
    begun: Timestamp,
    now: Timestamp,
) -> Meaning {
    if is_limit(answer) {
        return Meaning::Limited(pause(answer, before, begun, now));
    }
    let reason = match answer.code {
        401 => StatusReason::Unauthorised,
        403 | 404 => StatusReason::Forbidden,
        422 if mentions(answer, "no commit found") => StatusReason::NoCommit,
        422 if mentions(answer, "maximum number of statuses") || mentions(answer, "1000 statuses") => {
            StatusReason::StatusLimit
        }
        // A redirect means that the repository was renamed or moved: the write was not applied.
        300..=399 => StatusReason::Forbidden,
        // Whatever else GitHub calls the client's mistake, it did not apply it.
        400..=499 if answer.code != 408 => StatusReason::Invalid,
        code => return Meaning::Unknown(format!("GitHub answered {code}")),
    };
    let advice = match reason {
        StatusReason::Unauthorised => "The token is wrong, expired or revoked: set a new GITHUB_TOKEN.".to_owned(),
        StatusReason::Forbidden if answer.code < 400 => {
            format!("{repository} has moved: use its new name.")
        }
        StatusReason::Forbidden => {
            format!("The token may not write statuses in {repository}, or cannot see it: it needs Commit statuses: write.")
        }
        StatusReason::NoCommit => {
            format!("{repository} has no such commit: send the full sha of a commit that was pushed.")
        }
        StatusReason::StatusLimit => {
            "GitHub keeps 1 000 statuses per commit and context, and this context is used up: send fewer updates, or push a new commit."
                .to_owned()
        }
        _ => "Correct the status and send it again.".to_owned(),
    };
    let words = if answer.words.is_empty() { String::new() } else { format!(": \"{}\"", answer.words) };
    Meaning::Refused { reason, why: format!("GitHub answered {}{words}. {advice}", answer.code) }
}

/// 429, or a 403 that carries a sign of a limit.
fn is_limit(answer: &GithubAnswer) -> bool {
    answer.code == 429
        || answer.code == 403
            && (answer.retry_after.is_some()
                || answer.remaining.as_deref() == Some("0")
                || mentions(answer, "rate limit"))
}

/// `retry-after`, else `x-ratelimit-remaining: 0` and its reset, else a minute, growing.
fn pause(answer: &GithubAnswer, before: Option<Pause>, begun: Timestamp, now: Timestamp) -> Pause {
    let after = |wait: Duration| {
        let wait = SignedDuration::try_from(wait.min(LONGEST_PAUSE)).unwrap_or_default();
        now.checked_add(wait).unwrap_or(now)
    };
    if let Some(wait) = answer.retry_after.as_deref().and_then(|text| text.trim().parse().ok()) {
        return Pause { until: after(Duration::from_secs(wait)), strikes: 0 };
    }
    let reset = answer.reset.as_deref().and_then(|text| text.trim().parse::<i64>().ok());
    if let (Some("0"), Some(reset)) = (answer.remaining.as_deref(), reset) {
        let wait = u64::try_from(reset.saturating_sub(now.as_second())).unwrap_or(0);
        // One second more: the reset is a whole second, and asking within it is asking too early.
        return Pause { until: after(Duration::from_secs(wait.saturating_add(1))), strikes: 0 };
    }
    let strikes = match before {
        None => 0,
        Some(pause) if pause.until > begun => pause.strikes,
        Some(pause) => pause.strikes.saturating_add(1).min(16),
    };
    let wait = PAUSE.0.saturating_mul(1 << strikes).min(PAUSE.1);
    Pause { until: after(wait), strikes }
}

fn mentions(answer: &GithubAnswer, words: &str) -> bool {
    answer.words.to_ascii_lowercase().contains(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_000_000).unwrap()
    }

    fn answer(code: u16, words: &str) -> GithubAnswer {
        GithubAnswer { code, words: words.into(), ..GithubAnswer::default() }
    }

    fn of(answer: &GithubAnswer) -> Meaning {
        meaning(answer, &Repository::parse("o/r").unwrap(), None, now(), now())
    }

    #[test]
    fn refusals_say_what_to_do() {
        let table = [
            (answer(401, "Bad credentials"), StatusReason::Unauthorised, "set a new GITHUB_TOKEN"),
            (
                answer(403, "Resource not accessible by personal access token"),
                StatusReason::Forbidden,
                "may not write statuses in o/r",
            ),
            (answer(404, "Not Found"), StatusReason::Forbidden, "it needs Commit statuses: write"),
            (answer(422, "No commit found for SHA: abc"), StatusReason::NoCommit, "full sha"),
            (
                answer(422, "Validation Failed: This SHA and context has reached the maximum number of statuses."),
                StatusReason::StatusLimit,
                "1 000",
            ),
            (answer(422, "Validation Failed"), StatusReason::Invalid, "Correct the status"),
            (answer(400, "Problems parsing JSON"), StatusReason::Invalid, "Correct"),
            (answer(301, "Moved Permanently"), StatusReason::Forbidden, "new name"),
        ];
        for (given, expected, words) in table {
            match of(&given) {
                Meaning::Refused { reason, why } => {
                    assert_eq!(reason, expected, "{given:?}");
                    assert!(why.contains(words) && why.contains(&given.words), "{why}");
                }
                other => panic!("{given:?} became {other:?}"),
            }
        }
    }

    #[test]
    fn what_nobody_can_know() {
        for code in [408, 500, 502, 503, 504, 200, 202] {
            assert!(matches!(of(&answer(code, "")), Meaning::Unknown(_)), "{code}");
        }
    }

    #[test]
    fn limits_and_their_times() {
        let with = |code, retry: Option<&str>, remaining: Option<&str>, reset: Option<&str>| GithubAnswer {
            code,
            retry_after: retry.map(Into::into),
            remaining: remaining.map(Into::into),
            reset: reset.map(Into::into),
            ..GithubAnswer::default()
        };
        let table = [
            (with(429, Some("7"), Some("0"), Some("1000900")), 7),
            (with(403, Some("7"), None, None), 7),
            (with(403, None, Some("0"), Some("1000900")), 901),
            (with(429, None, Some("0"), Some("999000")), 1),
            (with(429, None, Some("12"), Some("1000900")), 60),
            (with(429, None, None, None), 60),
            (with(429, Some("soon"), None, None), 60),
            (with(429, Some("99999999"), None, None), 7200),
            (
                GithubAnswer {
                    words: "You have exceeded a secondary rate limit.".into(),
                    ..with(403, None, Some("40"), None)
                },
                60,
            ),
        ];
        for (given, seconds) in table {
            match of(&given) {
                Meaning::Limited(pause) => assert_eq!(pause.until.as_second() - 1_000_000, seconds, "{given:?}"),
                other => panic!("{given:?} became {other:?}"),
            }
        }
    }

    #[test]
    fn a_limit_without_a_time_grows_with_each_pause_not_with_each_answer() {
        let repository = Repository::parse("o/r").unwrap();
        let limit = |before, begun| match meaning(&answer(429, ""), &repository, before, begun, now()) {
            Meaning::Limited(pause) => pause,
            other => panic!("{other:?}"),
        };
        let over = |pause: Pause| Pause { until: now(), ..pause };
        let (mut before, mut waits) = (None, Vec::new());
        for _ in 0..8 {
            let pause = limit(before.map(over), now());
            waits.push(pause.until.as_second() - 1_000_000);
            before = Some(pause);
        }
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
        // Eight requests were under way when the limit came: one limit, one minute.
        let first = limit(None, now());
        assert_eq!((0..8).fold(first, |pause, _| limit(Some(pause), now())), first);
    }
}
