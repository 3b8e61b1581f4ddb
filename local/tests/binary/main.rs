//! The real binary, run as a stranger runs it: in a folder of its own, with what it prints read line by line.
//!
//! Nothing here waits by the clock: what a program says, or that it ends, is what the next step waits for. A limit
//! on that waiting keeps a broken program from hanging the whole run.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod demo;
mod hostile;
mod kill;
mod parameters;
mod place;
mod secrets;
mod send;
mod serve;
mod settings;
mod surroundings;
mod words;
