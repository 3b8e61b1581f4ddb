//! What needs somebody: errored events, and behind them what GitHub refused, in one partition of one index.

use domain::error::PortError;
use domain::event::EventStatus;
use domain::query::LIMIT;
use domain::trouble::{RefusedStatus, Trouble};
use jiff::Timestamp;

use crate::Store;
use crate::attributes::{Item, Row, as_text, text};
use crate::keys::{self, AT, NEED, NEEDS_YOU, REFUSED};
use crate::read::readable;
use crate::table::{Query, Terms};
use crate::{event, head};

impl Store {
    pub(crate) async fn list_troubles(&self, since: Timestamp, limit: usize) -> Result<Vec<Trouble>, PortError> {
        let rows = self.errored_from(&keys::moment(since), limit).await?;
        let read = |row: &Item| {
            let at = Row(row).need(AT, as_text);
            Some(at.and_then(|at| {
                if at.starts_with(REFUSED) {
                    head::refused_status(row).map(Trouble::Status)
                } else {
                    event::from_item(row).map(|event| Trouble::Event(Box::new(event)))
                }
            }))
        };
        // The index may show what has changed a moment ago.
        let is_errored = |trouble: &Trouble| match trouble {
            Trouble::Event(event) => event.status == EventStatus::Errored,
            Trouble::Status(_) => true,
        };
        let found = readable(&rows, |row| self.is_alive(row).then(|| read(row)).flatten());
        Ok(found.into_iter().filter(is_errored).collect())
    }

    pub(crate) async fn list_refused(&self, limit: usize) -> Result<Vec<RefusedStatus>, PortError> {
        let rows = self.errored_from(REFUSED, limit).await?;
        Ok(readable(&rows, |row| self.is_alive(row).then(|| head::refused_status(row))))
    }

    async fn errored_from(&self, at: &str, limit: usize) -> Result<Vec<Item>, PortError> {
        let mut terms = Terms::default();
        let condition = format!(
            "{} = {} AND {} >= {}",
            terms.name(NEED),
            terms.value(text(EventStatus::Errored.as_str())),
            terms.name(AT),
            terms.value(text(at)),
        );
        let asked = Query { index: Some(NEEDS_YOU), condition, terms, after: None, newest_first: false };
        Ok(self.query(asked, limit.clamp(1, LIMIT)).await?.rows)
    }
}
