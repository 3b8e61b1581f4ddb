//! Lists of events: which index serves a question, and how its pages follow each other.
//!
//! One page reads at most [`KEYS_PER_PAGE`] keys of one index and applies the other filters to them. A list over
//! everything goes back month by month; [`EMPTY_MONTHS_PER_PAGE`] months without an event end a page too, so that no
//! page takes long, however little there is. Indexes follow the table with a delay, so a row may show the state of a
//! moment ago; one that no longer fits its index's state is left out.

use std::ops::ControlFlow;

use domain::error::PortError;
use domain::event::EventStatus;
use domain::query::{EventPage, EventQuery, KEYS_PER_PAGE, LIMIT};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::attributes::{Item, Row, as_owned, text};
use crate::keys::{self, AT, BY_REPOSITORY, BY_TIME, NEED, NEEDS_YOU, PK, REPO, SK, SPAN};
use crate::read::readable;
use crate::table::{Query, Terms};
use crate::{cursor, event};

/// How many months without an event one page looks through: more than there are, with the usual retention.
const EMPTY_MONTHS_PER_PAGE: usize = 13;

/// Where a page ended.
#[derive(Serialize, Deserialize)]
struct Position {
    /// A day of the month being read, in lists that go by month.
    month: Option<Date>,
    /// The sort key of the last row looked at; none at the top of a partition.
    after: Option<String>,
}

/// How a question is answered.
struct Plan {
    index: &'static str,
    /// The index's partition key, and its value; none when it is the month.
    partition: (&'static str, Option<String>),
    /// Received at or after: never before what is kept.
    since: Timestamp,
    /// Received before.
    until: Timestamp,
    /// Whether filters are left that the index does not apply.
    filtered: bool,
}

impl Plan {
    fn of(query: &EventQuery, oldest: Timestamp) -> Self {
        let narrow = query.event_type.is_some() || query.action.is_some() || query.delivery.is_some();
        let needs = query.status.filter(|s| matches!(s, EventStatus::Errored | EventStatus::Unprocessed));
        let (index, partition, filtered) = match (&query.repository, needs) {
            (Some(repository), _) => (BY_REPOSITORY, (REPO, Some(repository.key())), narrow || query.status.is_some()),
            (None, Some(status)) => (NEEDS_YOU, (NEED, Some(status.as_str().to_owned())), narrow),
            (None, None) => (BY_TIME, (SPAN, None), narrow || query.status.is_some()),
        };
        let since = query.since.unwrap_or(oldest).max(oldest);
        Self { index, partition, since, until: query.until.unwrap_or(Timestamp::MAX), filtered }
    }

    fn start(&self, now: Timestamp) -> Position {
        let month = self.partition.1.is_none().then(|| day_of(self.until.min(now)).first_of_month());
        Position { month, after: None }
    }

    /// The month before, unless nothing that old is asked for.
    fn before(&self, month: Option<Date>) -> Option<Date> {
        month?.checked_sub(1.month()).ok().filter(|month| *month >= day_of(self.since).first_of_month())
    }

    fn asked(&self, position: &Position) -> Query {
        let (attribute, value) = &self.partition;
        let value = value.clone().or(position.month.map(keys::month_of)).unwrap_or_default();
        let mut terms = Terms::default();
        let condition = format!(
            "{} = {} AND {} BETWEEN {} AND {}",
            terms.name(attribute),
            terms.value(text(&value)),
            terms.name(AT),
            terms.value(text(keys::moment(self.since))),
            // The sort key goes on after the moment, so what was received in that very moment sorts behind.
            terms.value(text(keys::moment(self.until))),
        );
        let after = position.after.as_ref().and_then(|at| {
            let (_, id) = keys::parse_at(at)?;
            let names = [(AT, at.clone()), (attribute, value), (PK, keys::event_partition(&id)), (SK, "event".into())];
            Some(names.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect::<Item>())
        });
        Query { index: Some(self.index), condition, terms, after, newest_first: true }
    }
}

impl Store {
    pub(crate) async fn list_events(&self, query: &EventQuery) -> Result<EventPage, PortError> {
        let oldest = query.now.checked_sub(self.retention).unwrap_or(Timestamp::MIN);
        let plan = Plan::of(query, oldest);
        let list = description(plan.index, query);
        let mut position = match &query.cursor {
            Some(cursor) => cursor::open(&list, cursor)?,
            None => plan.start(query.now),
        };
        let mut page = Page { query, limit: query.limit.clamp(1, LIMIT), events: EventPage::default() };
        let (mut keys, mut empty_months) = (0, 0);
        // DynamoDB refuses a range that ends before it begins.
        if plan.since >= plan.until {
            return Ok(page.events);
        }
        loop {
            let wanted = if plan.filtered { KEYS_PER_PAGE } else { page.limit + 1 - page.events.events.len() };
            let found = self.query(plan.asked(&position), wanted.min(KEYS_PER_PAGE - keys)).await?;
            keys += found.keys;
            let nothing = found.keys == 0;
            if page.take(&found.rows, &mut position)?.is_break() {
                return page.goes_on(&list, position);
            }
            if found.after.is_none() {
                let Some(month) = plan.before(position.month) else { return Ok(page.events) };
                position = Position { month: Some(month), after: None };
                empty_months += usize::from(nothing);
            }
            if keys >= KEYS_PER_PAGE || empty_months >= EMPTY_MONTHS_PER_PAGE {
                return page.goes_on(&list, position);
            }
        }
    }
}

struct Page<'a> {
    query: &'a EventQuery,
    limit: usize,
    events: EventPage,
}

impl Page<'_> {
    /// Takes what the filters let through, and breaks before the first row that is too many.
    fn take(&mut self, rows: &[Item], position: &mut Position) -> Result<ControlFlow<()>, PortError> {
        for row in rows {
            let at = Row(row).need(AT, as_owned)?;
            let event = readable(std::slice::from_ref(row), |row| self.is_shown(row).then(|| event::from_item(row)));
            for event in event.into_iter().filter(|event| self.query.lets_through(event)) {
                if self.events.events.len() == self.limit {
                    return Ok(ControlFlow::Break(()));
                }
                self.events.events.push(event);
            }
            position.after = Some(at);
        }
        Ok(ControlFlow::Continue(()))
    }

    fn is_shown(&self, row: &Item) -> bool {
        crate::table::expiry(row).is_none_or(|end| end > self.query.now.as_second())
    }

    fn goes_on(mut self, list: &str, position: Position) -> Result<EventPage, PortError> {
        self.events.next_cursor = Some(cursor::seal(list, position)?);
        Ok(self.events)
    }
}

fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// What a cursor belongs to: the index and every filter. Not the limit, which may change from page to page.
fn description(index: &str, query: &EventQuery) -> String {
    let EventQuery {
        repository,
        event_type,
        action,
        status,
        delivery,
        sha,
        pull_request,
        since,
        until,
        limit: _,
        cursor: _,
        now: _,
    } = query;
    let repository = repository.as_ref().map(|repository| repository.key());
    let status = status.map(EventStatus::as_str);
    let pull = pull_request;
    serde_json::json!(["events", index, repository, event_type, action, status, delivery, sha, pull, since, until])
        .to_string()
}
