//! Stand-ins for the two ends that Hookyard talks to: GitHub's commit statuses, and the user's own server.
//!
//! They run on loopback, keep state, and can be told to fail in the ways the real ones do. Tests use them to see
//! what arrived without waiting by the clock; `hookyard demo` uses them to show a whole round trip on one machine.
//! They know nothing of Hookyard's own types: what they check, they check as a stranger would.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod ci;
pub mod github;
pub mod http;
mod listener;
mod moment;
mod watched;

pub use moment::Moment;
