//! For tests only: time that a test advances, one contract suite per port, stories told through the gateway,
//! what CloudWatch takes as a metric, and answers held against the specification.

pub mod clock;
pub mod contract;
pub mod emf;
pub mod secrets;
pub mod specification;
pub mod stories;
pub mod story;
