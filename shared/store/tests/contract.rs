//! The store on the embedded engine does what every store has to do: in memory and in a file, by the SDK and by the engine's
//! own way.

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

/// As one machine has it: no requests, indexes that hold whole rows, bodies packed fast.
async fn own_table_on(engine: &Engine) -> Table {
    schema::create_own_table(&engine.client(), "hookyard").await.unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    Table::of(Store::over(Arc::new(engine.table("hookyard")), clock.clone()).packing_fast(), clock)
}

mod own_way {
    use super::{Engine, Table, own_table_on};

    async fn fresh() -> Table {
        own_table_on(&Engine::memory().unwrap()).await
    }

    testkit::store_contract!(fresh);
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
