//! What the engine says an operation consumed, held against what `docs/table.md` says of it.

use std::sync::{Arc, Mutex};

use embedded::engine::Engine;
use serde_json::{Value, json};
use store::{Store, schema};
use testkit::clock::ManualClock;
use testkit::contract::store::{NOW, Table};

use crate::wire;

#[derive(Default)]
pub(crate) struct Meter {
    units: Mutex<f64>,
    queries: Mutex<u32>,
}

impl wire::Gate for Meter {
    fn lets_out(&self, _: &str, request: &mut Value) -> bool {
        request["ReturnConsumedCapacity"] = json!("TOTAL");
        true
    }

    fn comes_back(&self, operation: &str, answer: &Value) {
        // A refused condition says nothing of what it consumed.
        let refused = answer["__type"].as_str().is_some_and(|name| name.ends_with("ConditionalCheckFailedException"));
        let units = answer["ConsumedCapacity"]["CapacityUnits"].as_f64();
        *self.queries.lock().unwrap() += u32::from(operation == "Query");
        *self.units.lock().unwrap() += if refused { 0.0 } else { units.expect(operation) };
    }
}

impl Meter {
    /// What was consumed since the last time.
    pub(crate) fn take(&self) -> f64 {
        self.queries();
        std::mem::take(&mut *self.units.lock().unwrap())
    }

    /// How many of the calls since then were queries.
    pub(crate) fn queries(&self) -> u32 {
        std::mem::take(&mut *self.queries.lock().unwrap())
    }

    /// The same, and it has to be what the documentation says: no more, and no less that nobody noticed.
    pub(crate) fn documented(&self, operation: &str) -> f64 {
        let (units, expected) = (self.take(), documented(operation));
        println!("{operation}: {units} units");
        assert!((units - expected).abs() < 0.01, "{operation} takes {units} units, docs/table.md says {expected}");
        units
    }
}

/// The last column of the row that begins with this operation.
pub(crate) fn documented(operation: &str) -> f64 {
    let doc = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/table.md");
    let doc = std::fs::read_to_string(doc).unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows: Vec<_> = doc.lines().map(cells).filter(|cells| cells.get(1).is_some_and(|c| c == operation)).collect();
    let [row] = &rows[..] else { panic!("docs/table.md has {} rows for {operation:?}", rows.len()) };
    row[row.len() - 2].parse().unwrap_or_else(|_| panic!("{operation}: {:?} is no number", row[row.len() - 2]))
}

/// A table, a store whose every call is measured, and the meter.
pub(crate) async fn metered(engine: &Engine) -> (Store, Arc<Meter>, Table) {
    schema::create_table(&engine.client(), "hookyard").await.unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let meter = Arc::new(Meter::default());
    let store = Store::new(wire::client(engine, meter.clone()), "hookyard", clock.clone());
    (store.clone(), meter, Table::of(store, clock))
}
