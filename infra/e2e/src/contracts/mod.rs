//! The contract suites of the ports, against the emulated services: the same suites that the embedded engine passes.

pub mod dead_letters;
pub mod queue;
pub mod rest;
pub mod store;
