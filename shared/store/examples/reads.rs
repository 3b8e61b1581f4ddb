//! The same as the test `reads`, with 300,000 events in the table: too many to make for every test run.
//! `cargo run --release -p store --example reads`

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/filled/mod.rs"]
mod filled;
#[path = "../tests/meter/mod.rs"]
mod meter;
#[path = "../tests/wire/mod.rs"]
mod wire;

#[tokio::main]
async fn main() {
    filled::pages_cost_what_is_documented(&[300_000]).await;
    println!("every page costs what docs/table.md says");
}
