//! One suite per port: each adapter, embedded or AWS, has to pass the same one.

pub mod bodies;
pub mod queue;
pub mod store;
