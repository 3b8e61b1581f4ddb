//! The table at DynamoDB, over the SDK.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use domain::error::PortError;

use crate::error::failed;
use crate::table::{Get, Item, Page, Put, Query, Table, Update, Write, doing};

/// One table, by its name.
pub(crate) struct DynamoDb {
    pub(crate) client: Client,
    pub(crate) name: String,
}

#[async_trait]
impl Table for DynamoDb {
    async fn get(&self, get: Get) -> Result<Option<Item>, PortError> {
        let doing = doing("GetItem", &get.key);
        let call = self.client.get_item().table_name(&self.name).set_key(Some(get.key)).consistent_read(get.consistent);
        let answer = call.send().await.map_err(|failure| failed(&doing, &failure))?;
        Ok(answer.item)
    }

    async fn put(&self, put: Put) -> Result<Write, PortError> {
        let doing = doing("PutItem", &put.row);
        let call = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(put.row))
            .condition_expression(put.condition)
            .set_expression_attribute_names(Some(put.terms.names))
            .set_expression_attribute_values(Some(put.terms.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(failure) = call.send().await else { return Ok(Write::Done) };
        match failure.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => Ok(Write::Refused(refused.item().cloned())),
            _ => Err(failed(&doing, &failure)),
        }
    }

    async fn update(&self, update: Update) -> Result<Write, PortError> {
        let doing = doing("UpdateItem", &update.key);
        let call = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(update.key))
            .update_expression(update.change)
            .set_condition_expression(update.condition)
            .set_expression_attribute_names(Some(update.terms.names))
            .set_expression_attribute_values(Some(update.terms.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(failure) = call.send().await else { return Ok(Write::Done) };
        match failure.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Write::Refused(refused.item().cloned()))
            }
            _ => Err(failed(&doing, &failure)),
        }
    }

    async fn query(&self, query: Query, limit: i32) -> Result<Page, PortError> {
        let call = self
            .client
            .query()
            .table_name(&self.name)
            .set_index_name(query.index.map(str::to_owned))
            .key_condition_expression(query.condition)
            .set_expression_attribute_names(Some(query.terms.names))
            .set_expression_attribute_values(Some(query.terms.values))
            .set_exclusive_start_key(query.after)
            .scan_index_forward(!query.newest_first)
            // Indexes are never strongly consistent; the table always is here.
            .consistent_read(query.index.is_none())
            .limit(limit);
        let answer = call.send().await.map_err(|failure| failed("Query", &failure))?;
        let keys = usize::try_from(answer.scanned_count).unwrap_or_default();
        Ok(Page { rows: answer.items.unwrap_or_default(), keys, after: answer.last_evaluated_key })
    }
}
