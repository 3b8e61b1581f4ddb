//! What every main and the local binary share: settings, the per-message batch loop, time, ids, log lines,
//! counts, and the two pieces of HTTP that both ports answer with.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod batch;
pub mod clock;
pub mod http;
pub mod ids;
pub mod meter;
pub mod secrets;
pub mod settings;
pub mod sqs;
pub mod start;
pub mod telemetry;
