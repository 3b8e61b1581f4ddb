//! GitHub's commit statuses behind the port [`domain::ports::GithubStatuses`], over octocrab's untyped calls.
//!
//! Each call is one request: nothing here repeats one that may have reached GitHub, and every outcome is told
//! apart by what it says about the write (applied, answered otherwise, certainly not sent, unknown).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod client;
mod credentials;
mod statuses;
mod tokens;
mod words;

pub use client::SetUpError;
pub use statuses::{Github, TIME_OUT};
pub use tokens::{BadPattern, Tokens};
