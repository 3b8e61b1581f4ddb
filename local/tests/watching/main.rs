//! What the four functions say while they work, called as Lambda calls them: their lines, their metrics, one trace.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod lines;
mod stack;
mod trace;
