//! From values to attributes and back.

use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::error::PortError;
use domain::ids::ReceiptId;
use jiff::Timestamp;

use crate::keys::{self, Key, PK, SK};
pub(crate) use crate::table::Item;

/// A row in the making. What is absent is not written: an attribute that is not there costs nothing.
#[derive(Default)]
pub(crate) struct Fields(Item);

impl Fields {
    pub(crate) fn of(key: &Key) -> Self {
        Self(row_key(key))
    }

    pub(crate) fn put(mut self, name: &str, value: AttributeValue) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn maybe(self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    pub(crate) fn item(self) -> Item {
        self.0
    }

    pub(crate) fn map(self) -> AttributeValue {
        AttributeValue::M(self.0)
    }
}

/// The two attributes that name a row.
pub(crate) fn row_key(key: &Key) -> Item {
    Item::from([(PK.to_owned(), text(&key.pk)), (SK.to_owned(), text(&key.sk))])
}

pub(crate) fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn time(value: Timestamp) -> AttributeValue {
    AttributeValue::S(keys::moment(value))
}

/// A row being read. Whatever is not as it should be makes the whole row an error that names the row and the
/// attribute, never its value.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a>(pub(crate) &'a Item);

impl<'a> Row<'a> {
    /// The attribute, which has to be there.
    pub(crate) fn need<T>(
        self,
        name: &str,
        read: impl FnOnce(&'a AttributeValue) -> Option<T>,
    ) -> Result<T, PortError> {
        self.maybe(name, read)?.ok_or_else(|| self.damaged(name))
    }

    /// The attribute, if it is there.
    pub(crate) fn maybe<T>(
        self,
        name: &str,
        read: impl FnOnce(&'a AttributeValue) -> Option<T>,
    ) -> Result<Option<T>, PortError> {
        match self.0.get(name) {
            Some(value) => read(value).map(Some).ok_or_else(|| self.damaged(name)),
            None => Ok(None),
        }
    }

    pub(crate) fn damaged(self, name: &str) -> PortError {
        let part = |name| self.0.get(name).and_then(as_text).unwrap_or("?").escape_debug();
        PortError::permanent(format!("the row {}/{} is damaged: its `{name}` cannot be read", part(PK), part(SK)))
    }
}

pub(crate) fn as_text(value: &AttributeValue) -> Option<&str> {
    value.as_s().ok().map(String::as_str)
}

pub(crate) fn as_owned(value: &AttributeValue) -> Option<String> {
    value.as_s().ok().cloned()
}

pub(crate) fn as_number<T: FromStr>(value: &AttributeValue) -> Option<T> {
    value.as_n().ok()?.parse().ok()
}

pub(crate) fn as_time(value: &AttributeValue) -> Option<Timestamp> {
    as_text(value)?.parse().ok()
}

/// Any of the domain's ids.
pub(crate) fn as_id<T: TryFrom<String>>(value: &AttributeValue) -> Option<T> {
    T::try_from(as_owned(value)?).ok()
}

pub(crate) fn as_receipt(value: &AttributeValue) -> Option<ReceiptId> {
    ReceiptId::parse(as_text(value)?).ok()
}

pub(crate) fn as_map(value: &AttributeValue) -> Option<Row<'_>> {
    value.as_m().ok().map(Row)
}

/// A word of one of the domain's closed sets.
pub(crate) fn word<'a, T>(read: impl Fn(&str) -> Option<T>) -> impl Fn(&'a AttributeValue) -> Option<T> {
    move |value| read(as_text(value)?)
}
