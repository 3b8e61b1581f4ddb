//! Lists that come page by page.

use std::collections::VecDeque;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Gateway;
use crate::failure::Failure;

/// The most entries that a page may have.
const PAGE: usize = 100;

/// A list, walked from its newest entry back.
pub(crate) struct Walk<'a> {
    gateway: &'a Gateway,
    path: Vec<&'a str>,
    /// The member that holds the entries.
    member: &'static str,
    params: Vec<(&'static str, String)>,
    cursor: Option<String>,
    ended: bool,
    page: VecDeque<Value>,
}

/// Some entries of a list.
pub(crate) struct Items {
    /// As the gateway wrote them.
    pub(crate) raw: Vec<Value>,
    /// Where the list goes on, if it does.
    pub(crate) next_cursor: Option<String>,
}

impl<'a> Walk<'a> {
    /// A list with these filters; what is absent does not filter. `cursor` goes on where another one ended.
    pub(crate) fn new(
        gateway: &'a Gateway,
        path: &[&'a str],
        member: &'static str,
        filters: impl IntoIterator<Item = (&'static str, Option<String>)>,
        cursor: Option<String>,
    ) -> Self {
        let params = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Self { gateway, path: path.to_vec(), member, params, cursor, ended: false, page: VecDeque::new() }
    }

    /// The next entry; none at the end. A page may be empty and not be the last.
    pub(crate) async fn next(&mut self, wanted: usize) -> Result<Option<Value>, Failure> {
        while self.page.is_empty() && !self.ended {
            self.turn(wanted).await?;
        }
        Ok(self.page.pop_front())
    }

    /// Asks for the next page.
    async fn turn(&mut self, wanted: usize) -> Result<(), Failure> {
        let mut params = self.params.clone();
        params.push(("limit", wanted.clamp(1, PAGE).to_string()));
        params.extend(self.cursor.clone().map(|cursor| ("cursor", cursor)));
        let answer = self.gateway.get(&self.path, &params).await?;
        let mut whole: Value = answer.read()?;
        let entries: Vec<Value> = read(whole.get_mut(self.member).map(Value::take).unwrap_or_default())?;
        self.page = entries.into();
        self.cursor = whole["next_cursor"].as_str().map(str::to_owned);
        self.ended = self.cursor.is_none();
        Ok(())
    }

    /// One page and no more, however little it holds.
    pub(crate) async fn page(mut self, limit: usize) -> Result<Items, Failure> {
        self.turn(limit).await?;
        Ok(Items { raw: self.page.into(), next_cursor: self.cursor })
    }

    /// Up to so many entries from here on.
    pub(crate) async fn take(mut self, limit: usize) -> Result<Items, Failure> {
        let mut raw = Vec::new();
        while raw.len() < limit {
            match self.next(limit - raw.len()).await? {
                Some(entry) => raw.push(entry),
                None => break,
            }
        }
        Ok(Items { raw, next_cursor: self.cursor })
    }
}

impl Items {
    /// The entries as a shape that this version knows.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<Vec<T>, Failure> {
        self.raw.iter().cloned().map(read).collect()
    }

    /// As the API answers.
    pub(crate) fn json(self, member: &str) -> Value {
        json!({ member: self.raw, "next_cursor": self.next_cursor })
    }
}

/// A value as a shape that this version knows.
pub(super) fn read<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| {
        let hint = "see whether that is the address of a Hookyard gateway, and of this version";
        Failure::new(format!("the answer is not what was expected: {error}"), hint)
    })
}
