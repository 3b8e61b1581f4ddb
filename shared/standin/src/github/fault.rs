//! The ways in which GitHub, or the way to it, fails.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::json;

use super::reply::Reply;

/// The requests that can be told apart when planning a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `POST /repos/{owner}/{repo}/statuses/{sha}`.
    Post,
    /// `GET /repos/{owner}/{repo}/commits/{ref}/statuses`.
    List,
    /// `GET /repos/{owner}/{repo}/commits/{ref}/status`.
    Combined,
    /// Anything else, answered 404.
    Other,
}

/// What happens to one request instead of the regular answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `retry-after` in seconds; nothing is applied.
    TooMany {
        /// Seconds.
        retry_after: u64,
    },
    /// 403 with `x-ratelimit-remaining: 0` and this `x-ratelimit-reset`; nothing is applied.
    RateLimited {
        /// Seconds since 1970.
        reset: i64,
    },
    /// 403 in the words of a secondary limit, with or without `retry-after`; nothing is applied.
    SecondaryLimit {
        /// Seconds.
        retry_after: Option<u64>,
    },
    /// This status, usually 500, 502, 503 or 504; nothing is applied. 500 is GitHub's own JSON, the others are a
    /// proxy's page.
    Fails(u16),
    /// The regular work is done, and then this status is answered.
    ApplyThenFail(u16),
    /// The regular work is done, and then the connection closes without a byte of answer.
    ApplyThenClose,
    /// The regular work is done; the answer comes only after [`super::Github::release`].
    ApplyThenHang,
    /// The regular work is done; the answer breaks off in the middle of its body.
    ApplyThenCutShort,
    /// The connection closes without a byte of answer, and nothing is applied.
    Close,
    /// Nothing is applied and nothing is said; closes after [`super::Github::release`].
    Hang,
    /// The regular work is done only after [`super::Github::release`], even if nobody waits for it any more.
    HangThenApply,
}

/// How the answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Whole,
    Close,
    CutShort,
    /// Closes instead, when there is nothing to say.
    HangThenAnswer,
    HangThenApply,
}

impl Fault {
    /// Whether the regular work is done at once.
    pub(super) fn applies(&self) -> bool {
        matches!(self, Self::ApplyThenFail(_) | Self::ApplyThenClose | Self::ApplyThenHang | Self::ApplyThenCutShort)
    }

    pub(super) fn manner(&self) -> Manner {
        match self {
            Self::TooMany { .. }
            | Self::RateLimited { .. }
            | Self::SecondaryLimit { .. }
            | Self::Fails(_)
            | Self::ApplyThenFail(_) => Manner::Whole,
            Self::ApplyThenClose | Self::Close => Manner::Close,
            Self::ApplyThenCutShort => Manner::CutShort,
            Self::ApplyThenHang | Self::Hang => Manner::HangThenAnswer,
            Self::HangThenApply => Manner::HangThenApply,
        }
    }

    /// The answer that takes the regular one's place, if any does.
    pub(super) fn reply(&self) -> Option<Reply> {
        const LIMITED: &str =
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        match self {
            Self::TooMany { retry_after } => {
                Some(Reply::message(StatusCode::TOO_MANY_REQUESTS, LIMITED).with("retry-after", retry_after))
            }
            Self::RateLimited { reset } => Some(
                Reply::message(StatusCode::FORBIDDEN, "API rate limit exceeded for user ID 1.")
                    .with("x-ratelimit-remaining", 0)
                    .with("x-ratelimit-reset", reset),
            ),
            Self::SecondaryLimit { retry_after } => {
                let reply = Reply::message(StatusCode::FORBIDDEN, LIMITED);
                Some(match retry_after {
                    Some(seconds) => reply.with("retry-after", seconds),
                    None => reply,
                })
            }
            Self::Fails(code) | Self::ApplyThenFail(code) => Some(broken(*code)),
            _ => None,
        }
    }
}

fn broken(code: u16) -> Reply {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        return Reply::json(status, &json!({ "message": "Server Error" }));
    }
    let words = status.canonical_reason().unwrap_or("Error");
    let page =
        format!("<html>\r\n<head><title>{code} {words}</title></head>\r\n<body>{code} {words}</body>\r\n</html>\r\n");
    Reply { status, headers: vec![("content-type", "text/html".to_owned())], body: Bytes::from(page) }
}
