//! The store on the embedded engine, in memory and in a file, does what every store has to do.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;

use embedded::engine::Engine;
use store::{Store, schema};
use testkit::clock::ManualClock;
use testkit::contract::store::{NOW, Table};

async fn table_on(engine: &Engine) -> Table {
    schema::create_table(&engine.client(), "hookyard").await.unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    Table::of(Store::new(engine.client(), "hookyard", clock.clone()), clock)
}

mod memory {
    use super::{Engine, Table, table_on};

    async fn fresh() -> Table {
        table_on(&Engine::memory().unwrap()).await
    }

    testkit::store_contract!(fresh);
}

mod file {
    use super::{Engine, Table, table_on};

    async fn fresh() -> Table {
        let folder = tempfile::tempdir().unwrap();
        table_on(&Engine::open(&folder.path().join("record.db")).unwrap()).await.on(folder)
    }

    testkit::store_contract!(fresh);
}
