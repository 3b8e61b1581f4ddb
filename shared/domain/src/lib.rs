//! What Hookyard knows and decides, without doing any of it: types, rules, ports.
//!
//! Nothing here names a runtime, an SDK or an HTTP client, reads a clock or the environment, or makes an id:
//! time and ids come in as arguments. Start with [`delivery`] (a request becomes a fact), [`run`] (a fact becomes
//! work) and [`statuses::order`] (work becomes an answer); [`ports`] is what all of it needs from the world.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod ascii;
pub mod base64;
pub mod dead_letters;
pub mod delivery;
pub mod envelope;
pub mod error;
pub mod event;
pub mod facts;
pub mod github_reply;
pub mod hours;
pub mod ids;
pub mod ports;
pub mod query;
pub mod queue;
pub mod reasons;
pub mod release;
pub mod replay;
pub mod retry;
pub mod run;
pub mod secrets;
pub mod signature;
pub mod statuses;
pub mod token;
pub mod trace;
pub mod trouble;
pub mod webhook;
