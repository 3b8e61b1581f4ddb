//! Stories told through a whole gateway on one machine, against a stateful GitHub and a server, with time in the
//! test's hands: no sleeps, no retries.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod clock;
#[cfg(unix)]
mod commands;
mod dead_letters;
mod durable;
mod github_faults;
mod line;
mod overview;
mod pages;
#[cfg(unix)]
#[path = "../binary/place.rs"]
#[allow(dead_code, reason = "the binary's own tests need more of it")]
mod place;
mod record;
mod refusals;
mod releases;
mod replays;
mod rotation;
mod server_faults;
mod shared;
mod specification;
mod statuses;
mod yard;
