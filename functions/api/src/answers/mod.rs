//! The answers as types: one for each entity, so that every answer shows it alike, and the specification is read from
//! the very types that are sent.
//!
//! What is not known is null, never absent.

mod changes;
mod record;
mod releases;

pub(crate) use changes::*;
pub(crate) use record::*;
pub(crate) use releases::*;
