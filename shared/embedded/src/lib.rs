//! The single-machine engine: the database, the durable queues and the bodies, in one data folder.
//!
//! `hookyard serve` runs the handlers of the functions over what is here; the rest of the code cannot tell it
//! from AWS. [`folder`] owns the folder, [`queue`] holds what is acknowledged and not finished, [`bodies`] what
//! is too large for a queue, [`engine`] the record.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod bodies;
pub mod engine;
pub mod folder;
mod operations;
pub mod queue;
mod table;
mod wal;
