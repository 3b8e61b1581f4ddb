//! Counts by the hour: one row for each, that every event adds to.
//!
//! Whoever counts while another count of this process is being written waits for it, and the next write carries all
//! that have come together: a process has one such write under way at most, and a batch costs few. All hours share a
//! partition, so that one query reads them; it takes 1,000 writes a second, and the newest span of the index by time
//! throttles at half as many events.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use domain::error::PortError;
use domain::hours::{Counted, Hour, hour_of};
use domain::ports::{HourLog, HourReader};
use domain::query::KEYS_PER_PAGE;
use futures_util::lock::Mutex as Turn;
use jiff::Timestamp;

use crate::Store;
use crate::attributes::{Item, Row, as_number, as_text, number, text};
use crate::keys::{EXPIRES_AT, HOURS, Key, PK, SK, hour};
use crate::read::readable;
use crate::table::{Query, Terms};

/// What this process has counted and not written.
#[derive(Default)]
pub(crate) struct Counting {
    waiting: Mutex<BTreeMap<Timestamp, Hour>>,
    turn: Turn<()>,
}

impl Counting {
    fn add(&self, at: Timestamp, what: &[Counted]) {
        let begins = hour_of(at);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = waiting.entry(begins).or_insert(Hour::empty(begins));
        what.iter().for_each(|what| hour.add(*what, 1));
    }

    fn take(&self) -> BTreeMap<Timestamp, Hour> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl HourLog for Store {
    async fn count(&self, at: Timestamp, what: &[Counted]) -> Result<(), PortError> {
        self.counting.add(at, what);
        let _turn = self.counting.turn.lock().await;
        // Empty when whoever had the turn before took mine along.
        for hour in self.counting.take().into_values() {
            self.add_to_hour(hour).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl HourReader for Store {
    async fn hours(&self, until: Timestamp, hours: usize) -> Result<Vec<Hour>, PortError> {
        let hours = hours.clamp(1, KEYS_PER_PAGE);
        let mut terms = Terms::default();
        let condition = format!(
            "{} = {} AND {} <= {}",
            terms.name(PK),
            terms.value(text(HOURS)),
            terms.name(SK),
            terms.value(text(hour(until))),
        );
        let asked = Query { index: None, condition, terms, after: None, newest_first: true };
        let found = self.query(asked, hours).await?;
        let mut hours = readable(&found.rows, |row| self.is_alive(row).then(|| from_item(row)));
        hours.reverse();
        Ok(hours)
    }
}

impl Store {
    async fn add_to_hour(&self, hour: Hour) -> Result<(), PortError> {
        let mut terms = Terms::default();
        let expiry = terms.value(number(self.expiry(hour.begins)));
        let set = format!("SET {} = {expiry}", terms.name(EXPIRES_AT));
        let counted = Counted::ALL.into_iter().filter(|what| hour.count(*what) > 0);
        let add: Vec<_> = counted
            .map(|what| format!("{} {}", terms.name(what.as_str()), terms.value(number(hour.count(what)))))
            .collect();
        self.update(&Key::hour(hour.begins), format!("{set} ADD {}", add.join(", ")), terms).await
    }
}

fn from_item(item: &Item) -> Result<Hour, PortError> {
    let row = Row(item);
    let mut hour = Hour::empty(row.need(SK, |sk| format!("{}:00:00Z", as_text(sk)?).parse().ok())?);
    for what in Counted::ALL {
        hour.add(what, row.maybe(what.as_str(), as_number)?.unwrap_or_default());
    }
    Ok(hour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_another_is_written_is_taken_together() {
        let counting = Counting::default();
        let at: Timestamp = "2026-03-02T10:30:00Z".parse().unwrap();
        for _ in 0..10 {
            counting.add(at, &[Counted::Received, Counted::Processed]);
        }
        counting.add(hour_of(at), &[Counted::Received]);
        let taken: Vec<_> = counting.take().into_values().collect();
        let counts = Counted::ALL.map(|what| taken[0].count(what));
        assert_eq!((taken.len(), counts), (1, [11, 10, 0, 0, 0]));
        assert!(counting.take().is_empty(), "once");
    }
}
