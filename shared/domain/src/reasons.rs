//! Why something did not work: one closed set, each with what happened, what it means and what to do.
//! Pages, API and command line read their sentences here and nowhere else.

use crate::run::Outcome;

/// Why an event errored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// The server answered 401 or 403.
    ServerDenied,
    /// The server answered another 4xx.
    ServerRejected,
    /// The server answered 410.
    ServerGone,
    /// The server answered 3xx.
    ServerMoved,
    /// Eight hours of attempts.
    GaveUp,
    /// Hookyard itself failed on it five times.
    Internal,
}

impl FailureReason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::ServerDenied, Self::ServerRejected, Self::ServerGone, Self::ServerMoved, Self::GaveUp, Self::Internal];

    /// The code in the API and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServerDenied => "server_denied",
            Self::ServerRejected => "server_rejected",
            Self::ServerGone => "server_gone",
            Self::ServerMoved => "server_moved",
            Self::GaveUp => "gave_up",
            Self::Internal => "internal",
        }
    }

    /// Reads the code.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == word)
    }

    /// Its sentences.
    pub fn words(self) -> Words {
        words(self.as_str())
    }
}

/// Why GitHub did not take a status (or not yet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusReason {
    /// 401.
    Unauthorised,
    /// 403 that is no limit, or 404.
    Forbidden,
    /// 422: no such commit.
    NoCommit,
    /// 422: the 1,001st status of a context.
    StatusLimit,
    /// 422 for another cause.
    Invalid,
    /// 403 or 429 with a limit; the status waits.
    RateLimited,
}

impl StatusReason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::Unauthorised, Self::Forbidden, Self::NoCommit, Self::StatusLimit, Self::Invalid, Self::RateLimited];

    /// The code in the API and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorised => "github_unauthorised",
            Self::Forbidden => "github_forbidden",
            Self::NoCommit => "github_no_commit",
            Self::StatusLimit => "github_status_limit",
            Self::Invalid => "github_invalid",
            Self::RateLimited => "github_rate_limited",
        }
    }

    /// Reads the code.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == word)
    }

    /// Its sentences.
    pub fn words(self) -> Words {
        words(self.as_str())
    }
}

/// Three sentences on one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// What happened.
    pub happened: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What to do.
    pub todo: &'static str,
}

/// The sentences for an attempt's outcome; none for one that is no trouble.
pub fn outcome_words(outcome: Outcome) -> Option<Words> {
    (!matches!(outcome, Outcome::Taken | Outcome::CutOff)).then(|| words(outcome.as_str()))
}

fn words(code: &str) -> Words {
    let (happened, means, todo) = match code {
        "server_timeout" => (
            "Your server did not answer within 10 s.",
            "It may have done the work all the same; Hookyard tries again with the same `webhook-id`.",
            "Answer 202 first and work afterwards; drop ids you have seen.",
        ),
        "server_unreachable" => (
            "Your server could not be reached.",
            "It is down, it crashed, or its URL has a fault. Hookyard tries again.",
            "Start it, read its log at that time, or correct `YOUR_SERVER_URL`.",
        ),
        "server_tls" => (
            "The certificate of your server does not hold.",
            "Hookyard sends nothing over a connection it cannot trust. It tries again.",
            "Renew or complete the certificate chain.",
        ),
        "server_error" => {
            ("Your server answered 5xx.", "The fault is its own. Hookyard tries again.", "Read its answer and its log.")
        }
        "server_busy" => (
            "Your server asked for a pause (408, 425 or 429).",
            "Hookyard keeps its `Retry-After` and tries again.",
            "Nothing, unless it stays busy: then read its log.",
        ),
        "server_denied" => (
            "Your server answered 401 or 403.",
            "It does not accept Hookyard's request. Not tried again.",
            "Compare `YOUR_SERVER_SECRET` on both sides, then replay the event.",
        ),
        "server_gone" => (
            "Your server answered 410.",
            "It says that it wants no more of this event. Not tried again.",
            "Correct `YOUR_SERVER_URL`, or let the server answer 2xx to events it does not want; then replay it.",
        ),
        "server_rejected" => (
            "Your server answered 4xx.",
            "The path is wrong, or it does not want this event. Not tried again.",
            "Correct the path in `YOUR_SERVER_URL`, or let the server answer 2xx to events it does not want; then replay it.",
        ),
        "server_moved" => (
            "Your server answered with a redirect.",
            "Redirects are not followed, because the signed request is meant for one host.",
            "Put the final URL into `YOUR_SERVER_URL`.",
        ),
        "server_answer_unreadable" => (
            "Your server took the event, but its JSON could not be used.",
            "The event was taken; the statuses in its answer were not.",
            "Correct the answer, or send the statuses to `/v1/statuses`.",
        ),
        "gave_up" => (
            "Eight hours of attempts failed.",
            "The event is safe here; nothing more is sent.",
            "Repair the server, then replay what failed since.",
        ),
        "github_unauthorised" => (
            "GitHub answered 401.",
            "The token is wrong, expired or revoked.",
            "Set a new `GITHUB_TOKEN`; `hookyard doctor` tests it.",
        ),
        "github_forbidden" => (
            "GitHub answered 403 or 404.",
            "The token may not write statuses in this repository, or cannot see it.",
            "Grant it \"Commit statuses: write\" on this repository, then replay the event.",
        ),
        "github_no_commit" => (
            "GitHub knows no such commit.",
            "A wrong or shortened sha, or a commit that was never pushed.",
            "Send the full 40 characters of the head sha.",
        ),
        "github_status_limit" => (
            "GitHub keeps 1 000 statuses per commit and context; this is one more.",
            "This context is used up for this commit.",
            "Send fewer updates; push a new commit.",
        ),
        "github_invalid" => (
            "GitHub answered 422.",
            "It does not accept what this status says.",
            "Read GitHub's words beside it and correct the status.",
        ),
        "github_rate_limited" => (
            "GitHub asked for a pause.",
            "Nothing is lost; statuses wait in order.",
            "Nothing. If it happens daily, use a GitHub App.",
        ),
        // "internal", and the floor for a code that a newer version wrote.
        _ => (
            "Hookyard failed 5 times on this event.",
            "Our fault; it is set aside, not lost.",
            "Send it back with `hookyard dead-letters redrive`, and report the event's id.",
        ),
    };
    Words { happened, means, todo }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        let codes = FailureReason::ALL.map(FailureReason::as_str).into_iter();
        let codes = codes.chain(StatusReason::ALL.map(StatusReason::as_str));
        for code in codes {
            let w = words(code);
            assert!(seen.insert(w.happened), "{code} shares its sentence with another reason");
            for sentence in [w.happened, w.means, w.todo] {
                assert!(sentence.ends_with('.'), "{code}: {sentence}");
            }
        }
        for outcome in Outcome::ALL.into_iter().filter(|o| o.is_retryable() && *o != Outcome::CutOff) {
            assert_ne!(words(outcome.as_str()), words("internal"), "{outcome:?} has no words");
        }
    }
}
