//! For tests only: time that a test advances, one contract suite per port, stories told through the gateway,
//! and what CloudWatch takes as a metric.

pub mod clock;
pub mod contract;
pub mod emf;
pub mod secrets;
pub mod stories;
pub mod story;
