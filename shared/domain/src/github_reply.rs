//! github_reply
