//! What only AWS has: its faults, its limits, its secrets.

pub mod bodies;
pub mod operator;
pub mod queues;
pub mod secrets;
pub mod services;
