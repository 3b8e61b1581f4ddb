//! The calls that every row goes through, and the conditions on them.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::error::PortError;

use crate::Store;
use crate::attributes::{Item, as_number, number, row_key, text};
use crate::error::failed;
use crate::keys::{EXPIRES_AT, Key, PK, SK};

/// What a conditional write came to.
pub(crate) enum Write {
    /// It was written.
    Done,
    /// The condition did not hold; the row as it stands, if there is one.
    Refused(Option<Item>),
}

/// Names and values of an expression. Every name is written as a placeholder, because DynamoDB reserves 573 words,
/// `status` among them.
#[derive(Default)]
pub(crate) struct Terms {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Terms {
    /// The placeholder of an attribute.
    pub(crate) fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    /// The placeholder of a value.
    pub(crate) fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }
}

impl Store {
    /// The row, strongly consistent; none when its time is over.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Item>, PortError> {
        let row = self.get_any(key).await?;
        Ok(row.filter(|row| self.is_alive(row)))
    }

    async fn get_any(&self, key: &Key) -> Result<Option<Item>, PortError> {
        let call = self.client.get_item().table_name(&self.table).set_key(Some(row_key(key))).consistent_read(true);
        let answer = call.send().await.map_err(|failure| failed(&doing("GetItem", key), &failure))?;
        Ok(answer.item)
    }

    /// Whether a row still counts. Rows without an end always do.
    pub(crate) fn is_alive(&self, row: &Item) -> bool {
        expiry(row).is_none_or(|end| end > self.clock.now().as_second())
    }

    /// Writes the row if there is none, or only one whose time is over.
    pub(crate) async fn put_if_absent(&self, key: &Key, row: Item) -> Result<Write, PortError> {
        let mut terms = Terms::default();
        let condition = self.absent(&mut terms);
        self.put_if(key, row, condition, terms).await
    }

    /// The condition that there is no row, or only one whose time is over.
    pub(crate) fn absent(&self, terms: &mut Terms) -> String {
        let now = terms.value(number(self.clock.now().as_second()));
        format!("(attribute_not_exists({}) OR {} <= {now})", terms.name(PK), terms.name(EXPIRES_AT))
    }

    /// The condition that the row is at that version; 0 is no row.
    pub(crate) fn at_version(&self, terms: &mut Terms, attribute: &str, version: u64) -> String {
        match version {
            0 => self.absent(terms),
            version => format!("{} = {}", terms.name(attribute), terms.value(number(version))),
        }
    }

    /// Writes the row if the condition holds.
    pub(crate) async fn put_if(
        &self,
        key: &Key,
        row: Item,
        condition: String,
        terms: Terms,
    ) -> Result<Write, PortError> {
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(row))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(terms.names))
            .set_expression_attribute_values(Some(terms.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(failure) = call.send().await else { return Ok(Write::Done) };
        match failure.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                self.refused(key, refused.item().cloned()).await
            }
            _ => Err(failed(&doing("PutItem", key), &failure)),
        }
    }

    /// Changes the row if the condition holds.
    pub(crate) async fn update_if(
        &self,
        key: &Key,
        change: String,
        condition: String,
        terms: Terms,
    ) -> Result<Write, PortError> {
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(row_key(key)))
            .update_expression(change)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(terms.names))
            .set_expression_attribute_values(Some(terms.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(failure) = call.send().await else { return Ok(Write::Done) };
        match failure.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                self.refused(key, refused.item().cloned()).await
            }
            _ => Err(failed(&doing("UpdateItem", key), &failure)),
        }
    }

    /// Changes the row whatever it is, or makes it.
    pub(crate) async fn update(&self, key: &Key, change: String, terms: Terms) -> Result<(), PortError> {
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(row_key(key)))
            .update_expression(change)
            .set_expression_attribute_names(Some(terms.names))
            .set_expression_attribute_values(Some(terms.values));
        call.send().await.map(drop).map_err(|failure| failed(&doing("UpdateItem", key), &failure))
    }

    /// The row that stood in the way comes with the refusal, at no cost. Emulators may leave it out: then it is
    /// read.
    async fn refused(&self, key: &Key, row: Option<Item>) -> Result<Write, PortError> {
        match row {
            Some(row) if !row.is_empty() => Ok(Write::Refused(Some(row))),
            _ => Ok(Write::Refused(self.get_any(key).await?)),
        }
    }

    /// Rows of one partition, read until `most` keys have been seen, and where to go on if there are more.
    pub(crate) async fn query(&self, asked: Asked, most: usize) -> Result<Found, PortError> {
        let Asked { index, condition, terms, mut after, newest_first } = asked;
        let mut found = Found { rows: Vec::new(), keys: 0, after: None };
        loop {
            let left = i32::try_from(most - found.keys).unwrap_or(i32::MAX);
            let call = self
                .client
                .query()
                .table_name(&self.table)
                .set_index_name(index.map(str::to_owned))
                .key_condition_expression(condition.as_str())
                .set_expression_attribute_names(Some(terms.names.clone()))
                .set_expression_attribute_values(Some(terms.values.clone()))
                .set_exclusive_start_key(after.take())
                .scan_index_forward(!newest_first)
                // Indexes are never strongly consistent; the table always is here.
                .consistent_read(index.is_none())
                .limit(left);
            let answer = call.send().await.map_err(|failure| failed("Query", &failure))?;
            found.keys += usize::try_from(answer.scanned_count).unwrap_or_default();
            found.rows.extend(answer.items.unwrap_or_default());
            after = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if after.is_none() || found.keys >= most {
                found.after = after;
                return Ok(found);
            }
        }
    }
}

/// One Query.
pub(crate) struct Asked {
    /// The index; none for the table itself.
    pub(crate) index: Option<&'static str>,
    /// On the keys.
    pub(crate) condition: String,
    /// Its names and values.
    pub(crate) terms: Terms,
    /// Where the one before ended.
    pub(crate) after: Option<Item>,
    /// Against the order of the sort keys.
    pub(crate) newest_first: bool,
}

impl Asked {
    /// Rows of the table in that partition whose sort key begins so, in the order of their sort keys.
    pub(crate) fn partition(pk: String, beginning: &str, after: Option<Item>) -> Self {
        let mut terms = Terms::default();
        let mut condition = format!("{} = {}", terms.name(PK), terms.value(text(pk)));
        if !beginning.is_empty() {
            condition = format!("{condition} AND begins_with({}, {})", terms.name(SK), terms.value(text(beginning)));
        }
        Self { index: None, condition, terms, after, newest_first: false }
    }
}

/// Its answer.
pub(crate) struct Found {
    pub(crate) rows: Vec<Item>,
    /// How many keys were read.
    pub(crate) keys: usize,
    /// Where to go on; none at the end.
    pub(crate) after: Option<Item>,
}

/// The second at which a row's time is over; rows without an end have none.
pub(crate) fn expiry(row: &Item) -> Option<i64> {
    row.get(EXPIRES_AT).and_then(as_number)
}

/// Keys hold text from outside, contexts of statuses for one: escaped, so that an error stays one line.
fn doing(call: &str, key: &Key) -> String {
    format!("{call} {}/{}", key.pk.escape_debug(), key.sk.escape_debug())
}
