//! The engine as the store's table.
//!
//! What the engine reads of a request in JSON it checks there; made here, a request is whole. Rows are turned into the
//! engine's values and back by the caller, not by the thread that everybody waits for.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::error::PortError;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::query::QueryRequest;
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::{AttributeValue as Value, Database, DynoxideError};
use store::table::{Get, Item, Page, Put, Query, Table, Update, Write, doing};

use crate::engine::{Answer, Engine};
use crate::queue::Brake;

/// The engine's words are cut to this many characters.
const WORDS_LIMIT: usize = 300;

/// What a refusal brings along: the row that stood in the way.
const WITH_ITS_ROW: &str = "ALL_OLD";

/// One table of the engine's database.
pub struct EngineTable {
    engine: Engine,
    name: String,
    brake: Brake,
}

impl EngineTable {
    pub(crate) fn new(engine: Engine, name: &str, brake: Brake) -> Self {
        Self { engine, name: name.to_owned(), brake }
    }

    async fn run(
        &self,
        doing: &str,
        writes: bool,
        work: impl FnOnce(&Database) -> Result<Answer, DynoxideError> + Send + 'static,
    ) -> Result<Done, PortError> {
        self.brake.turn().await;
        match self.engine.run(writes, work).await {
            Ok(Ok(answer)) => Ok(Done::Answered(answer)),
            Ok(Err(DynoxideError::ConditionalCheckFailedException(_, row))) => Ok(Done::Refused(row.map(from_engine))),
            Ok(Err(refusal)) => Err(refused(doing, &refusal)),
            Err(failed) => Err(PortError::transient(format!("{doing} failed: {failed}"))),
        }
    }

    async fn write(
        &self,
        doing: &str,
        work: impl FnOnce(&Database) -> Result<Answer, DynoxideError> + Send + 'static,
    ) -> Result<Write, PortError> {
        match self.run(doing, true, work).await? {
            Done::Answered(_) => Ok(Write::Done),
            Done::Refused(row) => Ok(Write::Refused(row)),
        }
    }
}

enum Done {
    Answered(Answer),
    Refused(Option<Item>),
}

#[async_trait]
impl Table for EngineTable {
    async fn get(&self, get: Get) -> Result<Option<Item>, PortError> {
        let doing = doing("GetItem", &get.key);
        let request = GetItemRequest {
            table_name: self.name.clone(),
            key: to_engine(get.key)?,
            consistent_read: Some(get.consistent),
            ..GetItemRequest::default()
        };
        let read = move |database: &Database| database.get_item(request).map(|found| Answer::Row(found.item));
        match self.run(&doing, false, read).await? {
            Done::Answered(Answer::Row(row)) => Ok(row.map(from_engine)),
            _ => Err(other_kind(&doing)),
        }
    }

    async fn put(&self, put: Put) -> Result<Write, PortError> {
        let doing = doing("PutItem", &put.row);
        let request = PutItemRequest {
            table_name: self.name.clone(),
            item: to_engine(put.row)?,
            condition_expression: Some(put.condition),
            expression_attribute_names: given(put.terms.names),
            expression_attribute_values: given(to_engine(put.terms.values)?),
            return_values_on_condition_check_failure: Some(WITH_ITS_ROW.to_owned()),
            ..PutItemRequest::default()
        };
        self.write(&doing, move |database| database.put_item(request).map(|_| Answer::Written)).await
    }

    async fn update(&self, update: Update) -> Result<Write, PortError> {
        let doing = doing("UpdateItem", &update.key);
        let request = UpdateItemRequest {
            table_name: self.name.clone(),
            key: to_engine(update.key)?,
            update_expression: Some(update.change),
            condition_expression: update.condition,
            expression_attribute_names: given(update.terms.names),
            expression_attribute_values: given(to_engine(update.terms.values)?),
            return_values_on_condition_check_failure: Some(WITH_ITS_ROW.to_owned()),
            ..UpdateItemRequest::default()
        };
        self.write(&doing, move |database| database.update_item(request).map(|_| Answer::Written)).await
    }

    async fn query(&self, query: Query, limit: i32) -> Result<Page, PortError> {
        let request = QueryRequest {
            table_name: self.name.clone(),
            key_condition_expression: Some(query.condition),
            expression_attribute_names: given(query.terms.names),
            expression_attribute_values: given(to_engine(query.terms.values)?),
            scan_index_forward: !query.newest_first,
            limit: usize::try_from(limit).ok(),
            exclusive_start_key: query.after.map(to_engine).transpose()?,
            // Indexes are never strongly consistent; the table always is.
            consistent_read: Some(query.index.is_none()),
            index_name: query.index.map(str::to_owned),
            ..QueryRequest::default()
        };
        match self
            .run("Query", false, move |database| database.query(request).map(|page| Answer::Page(Box::new(page))))
            .await?
        {
            Done::Answered(Answer::Page(page)) => Ok(Page {
                rows: page.items.unwrap_or_default().into_iter().map(from_engine).collect(),
                keys: page.scanned_count,
                after: page.last_evaluated_key.map(from_engine),
            }),
            _ => Err(other_kind("Query")),
        }
    }
}

/// A map without entries is refused where an expression uses none of it, so it is left out.
fn given<V>(map: HashMap<String, V>) -> Option<HashMap<String, V>> {
    Some(map).filter(|map| !map.is_empty())
}

fn refused(doing: &str, refusal: &DynoxideError) -> PortError {
    let words: String = refusal.to_string().chars().take(WORDS_LIMIT).collect();
    let what = format!("the engine refused {doing}: {}: {words}", refusal.short_error_code());
    // What is no fault of the request is one of the file below, and passes with it.
    if refusal.status_code() >= 500 { PortError::Transient(what) } else { PortError::Permanent(what) }
}

fn other_kind(doing: &str) -> PortError {
    PortError::permanent(format!("the engine answered {doing} with something else"))
}

fn to_engine(item: Item) -> Result<dynoxide::Item, PortError> {
    item.into_iter().map(|(name, value)| Ok((name, value_to_engine(value)?))).collect()
}

fn value_to_engine(value: AttributeValue) -> Result<Value, PortError> {
    Ok(match value {
        AttributeValue::S(text) => Value::S(text),
        AttributeValue::N(number) => Value::N(number),
        AttributeValue::B(bytes) => Value::B(bytes.into_inner()),
        AttributeValue::Bool(truth) => Value::BOOL(truth),
        AttributeValue::Null(null) => Value::NULL(null),
        AttributeValue::Ss(texts) => Value::SS(texts),
        AttributeValue::Ns(numbers) => Value::NS(numbers),
        AttributeValue::Bs(blobs) => Value::BS(blobs.into_iter().map(Blob::into_inner).collect()),
        AttributeValue::L(list) => Value::L(list.into_iter().map(value_to_engine).collect::<Result<_, _>>()?),
        AttributeValue::M(map) => Value::M(to_engine(map)?),
        _ => return Err(PortError::permanent("the engine does not know that kind of value")),
    })
}

fn from_engine(item: dynoxide::Item) -> Item {
    item.into_iter().map(|(name, value)| (name, value_from_engine(value))).collect()
}

fn value_from_engine(value: Value) -> AttributeValue {
    match value {
        Value::S(text) => AttributeValue::S(text),
        Value::N(number) => AttributeValue::N(number),
        Value::B(bytes) => AttributeValue::B(Blob::new(bytes)),
        Value::BOOL(truth) => AttributeValue::Bool(truth),
        Value::NULL(null) => AttributeValue::Null(null),
        Value::SS(texts) => AttributeValue::Ss(texts),
        Value::NS(numbers) => AttributeValue::Ns(numbers),
        Value::BS(blobs) => AttributeValue::Bs(blobs.into_iter().map(Blob::new).collect()),
        Value::L(list) => AttributeValue::L(list.into_iter().map(value_from_engine).collect()),
        Value::M(map) => AttributeValue::M(from_engine(map)),
    }
}

#[cfg(test)]
mod tests {
    use store::schema;
    use store::table::Terms;

    use super::*;

    fn key(name: &str) -> Item {
        Item::from(["pk", "sk"].map(|part| (part.to_owned(), AttributeValue::S(name.to_owned()))))
    }

    #[tokio::test]
    async fn every_kind_of_value_comes_back() {
        let engine = Engine::memory().unwrap();
        schema::create_own_table(&engine.client(), "rows").await.unwrap();
        let table = engine.table("rows");
        let text = |text: &str| text.to_owned();
        let list = vec![AttributeValue::Bool(true), AttributeValue::Null(true), AttributeValue::L(Vec::new())];
        let values = [
            ("n", AttributeValue::N(text("-12.5"))),
            ("b", AttributeValue::B(Blob::new([0, 255, 7]))),
            ("ss", AttributeValue::Ss(vec![text("a"), text("b")])),
            ("ns", AttributeValue::Ns(vec![text("1"), text("2")])),
            ("bs", AttributeValue::Bs(vec![Blob::new([1]), Blob::new([2])])),
            ("l", AttributeValue::L(list.clone())),
            ("m", AttributeValue::M(Item::from([(text("inner"), AttributeValue::L(list))]))),
        ];
        let mut row = key("a\u{0}é\"");
        row.extend(values.map(|(name, value)| (name.to_owned(), value)));
        let mut terms = Terms::default();
        terms.names.insert(text("#pk"), text("pk"));
        let put = || Put { row: row.clone(), condition: text("attribute_not_exists(#pk)"), terms: terms.clone() };
        assert!(matches!(table.put(put()).await.unwrap(), Write::Done));
        let get = Get { key: key("a\u{0}é\""), consistent: true };
        assert_eq!(table.get(get).await.unwrap(), Some(row.clone()));
        let refused = table.put(put()).await.unwrap();
        assert!(matches!(refused, Write::Refused(Some(there)) if there == row));
    }

    #[tokio::test]
    async fn what_is_written_is_synced_before_its_answer_and_a_read_needs_none() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(&folder.path().join("x.sqlite")).unwrap();
        schema::create_own_table(&engine.client(), "rows").await.unwrap();
        let table = engine.table("rows");
        let mut terms = Terms::default();
        terms.names.insert("#pk".to_owned(), "pk".to_owned());
        let mut before = engine.syncs();
        let put = Put { row: key("a"), condition: "attribute_not_exists(#pk)".to_owned(), terms: terms.clone() };
        table.put(put).await.unwrap();
        assert!(engine.syncs() > before, "a put");
        before = engine.syncs();
        terms.names = HashMap::from([("#n".to_owned(), "n".to_owned())]);
        terms.values.insert(":one".to_owned(), AttributeValue::N("1".to_owned()));
        let update = Update { key: key("a"), change: "ADD #n :one".to_owned(), condition: None, terms };
        table.update(update).await.unwrap();
        assert!(engine.syncs() > before, "an update");
        before = engine.syncs();
        let found = table.get(Get { key: key("a"), consistent: true }).await.unwrap();
        assert_eq!((found.unwrap()["n"].clone(), engine.syncs()), (AttributeValue::N("1".to_owned()), before));
    }

    #[tokio::test]
    async fn what_cannot_be_done_says_what_and_whether_it_may_pass() {
        let engine = Engine::memory().unwrap();
        let get = || Get { key: key("a\nb"), consistent: true };
        let refused = engine.table("none").get(get()).await.unwrap_err();
        assert!(!refused.is_transient());
        assert!(
            refused.to_string().starts_with("the engine refused GetItem a\\nb/a\\nb: ResourceNotFound"),
            "{refused}"
        );
        let _ = engine.run(true, |_| panic!("on purpose")).await;
        let failed = engine.table("none").get(get()).await.unwrap_err();
        assert!(failed.is_transient() && failed.to_string().contains("restart Hookyard"), "{failed}");
    }
}
