//! The record, in a table of the emulated DynamoDB.

use std::sync::Arc;

use store::{Store, schema};
use testkit::clock::ManualClock;
use testkit::contract::store::{NOW, Table};

use crate::stack::Stack;

/// A new, empty table.
pub async fn fresh(stack: &Stack) -> Table {
    let client = aws_sdk_dynamodb::Client::new(&stack.config);
    let name = stack.unique("table");
    schema::create_table(&client, &name).await.unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    Table::of(Store::new(client, name, clock.clone()), clock)
}
