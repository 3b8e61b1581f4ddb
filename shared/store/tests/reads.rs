//! What reading costs does not depend on how much there is to read.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod filled;
mod meter;
mod wire;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_page_costs_the_same_whatever_stands_behind_it() {
    filled::pages_cost_what_is_documented(&[1_000, 20_000]).await;
}
