//! The calls that every row goes through, and the conditions on them.
//!
//! [`Table`] is what the store asks of a table: four of DynamoDB's operations, with DynamoDB's expressions.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::error::PortError;

use crate::Store;
use crate::attributes::{as_number, as_text, number, row_key, text};
use crate::keys::{EXPIRES_AT, Key, PK, SK};

/// A row, or its key: the SDK's values under their names.
pub type Item = HashMap<String, AttributeValue>;

/// One table of DynamoDB, or of something that behaves like it.
///
/// Errors are transient where the same call may succeed later, and name the operation and the row.
#[async_trait]
pub trait Table: Send + Sync {
    /// GetItem.
    async fn get(&self, get: Get) -> Result<Option<Item>, PortError>;
    /// PutItem.
    async fn put(&self, put: Put) -> Result<Write, PortError>;
    /// UpdateItem.
    async fn update(&self, update: Update) -> Result<Write, PortError>;
    /// Query, one page of it: at most so many keys are read, at least one.
    async fn query(&self, query: Query, limit: i32) -> Result<Page, PortError>;
}

/// Which row to read.
#[derive(Debug)]
pub struct Get {
    /// Its key.
    pub key: Item,
    /// Strongly consistent.
    pub consistent: bool,
}

/// A row to be written as a whole.
#[derive(Debug)]
pub struct Put {
    /// With its key.
    pub row: Item,
    /// What has to hold of the row that is there.
    pub condition: String,
    /// Names and values of the condition.
    pub terms: Terms,
}

/// A change of a row.
#[derive(Debug)]
pub struct Update {
    /// Which.
    pub key: Item,
    /// The update expression.
    pub change: String,
    /// What has to hold of the row that is there; none: the row is made if there is none.
    pub condition: Option<String>,
    /// Names and values of both.
    pub terms: Terms,
}

/// Rows of one partition.
#[derive(Debug, Clone)]
pub struct Query {
    /// The index; none for the table itself, which is then read strongly consistent.
    pub index: Option<&'static str>,
    /// On the keys.
    pub condition: String,
    /// Its names and values.
    pub terms: Terms,
    /// Where the one before ended.
    pub after: Option<Item>,
    /// Against the order of the sort keys.
    pub newest_first: bool,
}

/// The answer to a [`Query`].
#[derive(Debug)]
pub struct Page {
    /// What was found.
    pub rows: Vec<Item>,
    /// How many keys were read.
    pub keys: usize,
    /// Where to go on; none at the end.
    pub after: Option<Item>,
}

/// What a conditional write came to.
#[derive(Debug)]
pub enum Write {
    /// It was written.
    Done,
    /// The condition did not hold; the row as it stands, if there is one.
    Refused(Option<Item>),
}

/// Names and values of an expression. Every name is written as a placeholder, because DynamoDB reserves 573 words,
/// `status` among them.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Placeholders with their names.
    pub names: HashMap<String, String>,
    /// Placeholders with their values.
    pub values: Item,
}

/// What an operation is about, for an error: `GetItem event#…/event`. Keys hold text from outside, contexts of statuses
/// for one: escaped, so that an error stays one line.
pub fn doing(operation: &str, row: &Item) -> String {
    let part = |name| row.get(name).and_then(as_text).unwrap_or("?").escape_debug();
    format!("{operation} {}/{}", part(PK), part(SK))
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
        self.table.get(Get { key: row_key(key), consistent: true }).await
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
        let written = self.table.put(Put { row, condition, terms }).await?;
        self.refused(key, written).await
    }

    /// Changes the row if the condition holds.
    pub(crate) async fn update_if(
        &self,
        key: &Key,
        change: String,
        condition: String,
        terms: Terms,
    ) -> Result<Write, PortError> {
        let update = Update { key: row_key(key), change, condition: Some(condition), terms };
        let written = self.table.update(update).await?;
        self.refused(key, written).await
    }

    /// Changes the row whatever it is, or makes it.
    pub(crate) async fn update(&self, key: &Key, change: String, terms: Terms) -> Result<(), PortError> {
        self.table.update(Update { key: row_key(key), change, condition: None, terms }).await.map(drop)
    }

    /// The row that stood in the way comes with the refusal, at no cost. Emulators may leave it out: then it is
    /// read.
    async fn refused(&self, key: &Key, written: Write) -> Result<Write, PortError> {
        match written {
            Write::Refused(row) if row.as_ref().is_none_or(Item::is_empty) => {
                Ok(Write::Refused(self.get_any(key).await?))
            }
            written => Ok(written),
        }
    }

    /// Rows of one partition, read until `most` keys have been seen, and where to go on if there are more.
    pub(crate) async fn query(&self, mut query: Query, most: usize) -> Result<Page, PortError> {
        let mut found = Page { rows: Vec::new(), keys: 0, after: None };
        loop {
            let limit = i32::try_from(most - found.keys).unwrap_or(i32::MAX);
            let page = self.table.query(query.clone(), limit).await?;
            found.keys += page.keys;
            found.rows.extend(page.rows);
            query.after = page.after.filter(|key| !key.is_empty());
            if query.after.is_none() || found.keys >= most {
                found.after = query.after;
                return Ok(found);
            }
        }
    }
}

impl Query {
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

/// The second at which a row's time is over; rows without an end have none.
pub(crate) fn expiry(row: &Item) -> Option<i64> {
    row.get(EXPIRES_AT).and_then(as_number)
}
