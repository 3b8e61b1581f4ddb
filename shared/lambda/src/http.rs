//! What both ports answer with: errors that a person can act on, and the check of who is addressed.

pub mod guard;
pub mod problem;
