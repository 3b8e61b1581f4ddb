//! The ground the store stands on: the table is made once, kept in its file, and swept.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
};
use domain::error::PortError;
use domain::ports::EventReader;
use embedded::engine::Engine;
use store::{Store, keys, schema};
use testkit::clock::ManualClock;
use testkit::contract::store::Table;
use testkit::contract::store::samples::{begin, event, first_run};

fn table(engine: &Engine, now: &str) -> Table {
    let clock = Arc::new(ManualClock::at(now));
    Table::of(Store::new(engine.client(), "hookyard", clock.clone()), clock)
}

#[tokio::test]
async fn a_table_is_made_once_and_stays_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("record.db");
    let event = {
        let engine = Engine::open(&file).unwrap();
        schema::create_table(&engine.client(), "hookyard").await.unwrap();
        let table = table(&engine, "2036-03-02T10:00:00Z");
        let event = event(1, table.now());
        begin(&table, &event, &mut first_run(&event, table.now())).await;
        event
    };
    let engine = Engine::open(&file).unwrap();
    schema::create_table(&engine.client(), "hookyard").await.unwrap();
    let table = table(&engine, "2036-03-02T10:00:00Z");
    assert_eq!(table.ids(&table.everything()).await, [event.id]);
}

#[tokio::test]
async fn the_table_is_as_the_constants_say() {
    let client = Engine::memory().unwrap().client();
    schema::create_table(&client, "hookyard").await.unwrap();
    let table = client.describe_table().table_name("hookyard").send().await.unwrap().table.unwrap();
    assert_eq!(table.table_status, Some(TableStatus::Active));
    let mut indexes: Vec<_> = table.global_secondary_indexes().iter().filter_map(|index| index.index_name()).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, [keys::BY_REPOSITORY, keys::BY_TIME, keys::NEEDS_YOU]);
    assert_eq!(schema::TABLE_KEY, ("pk", "sk"));
    assert_eq!(schema::TTL, "expires_at");
}

#[tokio::test]
async fn another_table_of_that_name_is_refused() {
    let client = Engine::memory().unwrap().client();
    let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let text = |name| {
        let kind = ScalarAttributeType::S;
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
    };
    let table = client.create_table().table_name("hookyard").billing_mode(BillingMode::PayPerRequest);
    let table = table.key_schema(key("pk", KeyType::Hash)).key_schema(key("sk", KeyType::Range));
    table.attribute_definitions(text("pk")).attribute_definitions(text("sk")).send().await.unwrap();
    let error = schema::create_table(&client, "hookyard").await.unwrap_err();
    assert_eq!(error, PortError::permanent("the table hookyard exists with other keys or indexes"));
}

#[tokio::test]
async fn ones_own_table_may_have_the_indexes_of_earlier_versions_but_dynamodbs_none_that_cost_more() {
    let (earlier, own) = (Engine::memory().unwrap().client(), Engine::memory().unwrap().client());
    schema::create_table(&earlier, "hookyard").await.unwrap();
    schema::create_own_table(&earlier, "hookyard").await.unwrap();
    for _ in 0..2 {
        schema::create_own_table(&own, "hookyard").await.unwrap();
    }
    let error = schema::create_table(&own, "hookyard").await.unwrap_err();
    assert_eq!(error, PortError::permanent("the table hookyard exists with other keys or indexes"));
}

#[tokio::test]
async fn a_missing_table_stays_missing_and_is_said_so() {
    let table = table(&Engine::memory().unwrap(), "2036-03-02T10:00:00Z");
    let error = table.reader.ping().await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert!(error.to_string().contains("ResourceNotFoundException"), "{error}");
}

#[tokio::test]
async fn the_engine_offers_what_the_store_uses_and_nothing_else() {
    let client = Engine::memory().unwrap().client();
    let error = client.list_tables().send().await.unwrap_err().into_service_error();
    assert!(format!("{error:?}").contains("does not offer"), "{error:?}");
}

#[tokio::test]
async fn sweeping_removes_what_has_expired_and_nothing_else() {
    let engine = Engine::memory().unwrap();
    schema::create_table(&engine.client(), "hookyard").await.unwrap();
    // The engine sweeps by the machine's clock; both moments are years away from it.
    let (past, future) = (table(&engine, "2020-03-02T10:00:00Z"), table(&engine, "2136-03-02T10:00:00Z"));
    for (n, table) in [&past, &future].into_iter().enumerate() {
        let event = event(n as u64, table.now());
        begin(table, &event, &mut first_run(&event, table.now())).await;
    }
    assert_eq!(engine.sweep().await.unwrap(), 2, "event and body");
    assert_eq!(past.ids(&past.everything()).await, []);
    assert_eq!(future.ids(&future.everything()).await.len(), 1);
    assert_eq!(engine.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn a_store_may_keep_rows_for_another_time() {
    let engine = Engine::memory().unwrap();
    schema::create_table(&engine.client(), "hookyard").await.unwrap();
    let clock = Arc::new(ManualClock::default());
    let store = Store::new(engine.client(), "hookyard", clock.clone()).keeping(jiff::SignedDuration::from_hours(24));
    let table = Table::of(store.clone(), clock.clone());
    let event = event(1, table.now());
    begin(&table, &event, &mut first_run(&event, table.now())).await;
    clock.advance(86_399);
    assert!(store.event(&event.id).await.unwrap().is_some());
    clock.advance(1);
    assert_eq!(store.event(&event.id).await.unwrap(), None);
}
