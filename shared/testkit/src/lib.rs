//! For tests only: time that a test advances, one contract suite per port, and stories told through the gateway.

pub mod clock;
pub mod contract;
pub mod secrets;
pub mod story;
