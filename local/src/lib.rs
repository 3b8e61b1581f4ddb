//! The single machine: the same handlers as on AWS, over the embedded engine, as one process.
//!
//! [`gateway`] wires them, `workers` does what SQS' poller does on AWS, [`settings`] reads the configuration;
//! the rest are the commands. Nothing here decides anything about an event.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod cli;
mod demo;
pub mod gateway;
mod health;
mod listener;
mod secrets;
mod send;
mod serve;
pub mod settings;
mod terminal;
mod watch;
mod workers;
