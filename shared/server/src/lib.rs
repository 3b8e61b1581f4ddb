//! The call to the user's server, behind the port [`domain::ports::YourServer`].
//!
//! It sits directly on hyper's client, because the bytes on the wire are a promise: the headers that are given,
//! `host` and `content-length`, and nothing else. Ready-made clients add an `accept` of their own, follow
//! redirects, or read proxies from the environment; here there is nothing of that to switch off.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod call;
mod connect;
mod failure;
mod web;

pub use call::{LARGEST_ANSWER, TIME_OUT, YourServer};
pub use connect::SetUpError;
pub use web::{NoAnswer, Web};
