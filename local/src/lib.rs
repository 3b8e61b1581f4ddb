//! The single machine: the same handlers as on AWS, over the embedded engine, as one process.
//!
//! [`gateway`] wires them, `workers` does what SQS' poller does on AWS, [`settings`] reads the configuration;
//! the rest are the commands. Nothing here decides anything about an event.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod cli;
mod dead_letters;
mod demo;
mod doctor;
mod events;
mod failure;
pub mod gateway;
mod health;
mod line;
mod listener;
mod overheard;
mod releases;
mod remote;
mod secrets;
mod send;
mod serve;
pub mod settings;
mod statuses;
mod terminal;
mod watch;
mod why;
mod words;
mod workers;
