//! The queue suite.
