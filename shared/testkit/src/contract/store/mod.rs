//! What every store has to do: the ports of the record, whatever table stands behind them.
//!
//! A store's crate calls [`crate::store_contract!`] once for each table it can stand on; every case becomes a test of
//! its own and gets a table of its own. Nothing here knows an engine, so the same cases run on DynamoDB.

pub mod events;
pub mod hours;
pub mod lists;
pub mod releases;
pub mod rows;
pub mod runs;
pub mod samples;
pub mod statuses;
pub mod troubles;

use std::any::Any;
use std::sync::Arc;

use domain::error::PortError;
use domain::ids::EventId;
use domain::ports::{
    Clock, EventLog, EventReader, EventStory, HourLog, HourReader, PauseLog, ReleaseLog, ReleaseReader, ServerLog,
    StatusLog,
};
use domain::query::{EventPage, EventQuery};
use jiff::Timestamp;

use crate::clock::ManualClock;

/// One empty table, behind its ports.
#[derive(Clone)]
pub struct Table {
    /// Events and runs.
    pub events: Arc<dyn EventLog>,
    /// What the query API reads.
    pub reader: Arc<dyn EventReader>,
    /// Releases, as fanout writes them.
    pub releases: Arc<dyn ReleaseLog>,
    /// Releases, as the query API reads them.
    pub release_reader: Arc<dyn ReleaseReader>,
    /// Counts, as fanout writes them.
    pub hours: Arc<dyn HourLog>,
    /// Counts, as the pages read them.
    pub hour_reader: Arc<dyn HourReader>,
    /// Statuses and heads.
    pub statuses: Arc<dyn StatusLog>,
    /// The user's server.
    pub servers: Arc<dyn ServerLog>,
    /// Pauses of credentials.
    pub pauses: Arc<dyn PauseLog>,
    /// The clock that the table was made with, at [`NOW`].
    pub clock: Arc<ManualClock>,
    /// What has to live as long as the table: a folder, a process.
    ground: Option<Arc<dyn Any + Send + Sync>>,
}

/// When every case begins: years ahead, so that a table which really removes expired rows removes none of ours.
pub const NOW: &str = "2036-03-02T10:00:00Z";

impl Table {
    /// A table that keeps everything in one store.
    pub fn of<S>(store: S, clock: Arc<ManualClock>) -> Self
    where
        S: EventLog + EventReader + StatusLog + ServerLog + PauseLog,
        S: ReleaseLog + ReleaseReader + HourLog + HourReader + 'static,
    {
        let store = Arc::new(store);
        Self {
            events: store.clone(),
            reader: store.clone(),
            releases: store.clone(),
            release_reader: store.clone(),
            hours: store.clone(),
            hour_reader: store.clone(),
            statuses: store.clone(),
            servers: store.clone(),
            pauses: store,
            clock,
            ground: None,
        }
    }

    /// The same, on ground that is given up with the table.
    #[must_use]
    pub fn on(mut self, ground: impl Any + Send + Sync) -> Self {
        self.ground = Some(Arc::new(ground));
        self
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The story of an event that has to be there.
    pub async fn story(&self, id: &EventId) -> EventStory {
        self.reader.event(id).await.unwrap().expect("the event has a row")
    }

    /// A question about everything there is.
    pub fn everything(&self) -> EventQuery {
        EventQuery { limit: 100, now: self.now(), ..EventQuery::default() }
    }

    /// All pages of a list, until there is no cursor.
    pub async fn walk(&self, query: &EventQuery) -> Vec<EventPage> {
        let mut query = query.clone();
        let mut pages = Vec::new();
        loop {
            let page = self.reader.events(&query).await.unwrap();
            assert!(page.events.len() <= query.limit, "a page over its limit");
            query.cursor = page.next_cursor.clone();
            pages.push(page);
            if query.cursor.is_none() {
                return pages;
            }
            assert!(pages.len() < 2000, "the list has no end");
        }
    }

    /// The ids on all pages of a list, in order.
    pub async fn ids(&self, query: &EventQuery) -> Vec<EventId> {
        self.walk(query).await.into_iter().flat_map(|page| page.events).map(|event| event.id).collect()
    }
}

/// The words of an error that has to be permanent.
pub fn permanent<T: std::fmt::Debug>(answer: Result<T, PortError>) -> String {
    match answer.unwrap_err() {
        PortError::Permanent(words) => words,
        PortError::Transient(words) => panic!("transient: {words}"),
    }
}

/// Hands every case to a macro, file by file, behind whatever else it is to be handed: `$each! { …; file: [case,] }`.
#[macro_export]
macro_rules! every_store_case {
    ($each:path $(, $more:tt)*) => {
        $each! { $($more)*; events: [
            a_new_event_is_recorded_whole,
            any_text_comes_back_as_it_was,
            a_large_body_is_named_not_held,
            a_body_too_large_for_a_row_is_refused,
            the_same_bytes_name_the_event_that_had_them_first,
            a_copy_outlives_what_it_is_a_copy_of,
            a_redelivery_takes_the_event_over,
            an_older_receipt_is_listed_but_not_shown,
            an_event_that_came_in_between_is_looked_up_again,
            what_has_expired_is_gone_and_may_come_again,
        ] }
        $each! { $($more)*; runs: [
            of_two_who_begin_one_wins,
            of_two_who_save_one_wins,
            transitions_are_those_of_the_domain,
            the_event_follows_its_run,
            an_older_run_is_saved_but_not_shown,
            a_run_nobody_began_cannot_be_saved,
        ] }
        $each! { $($more)*; lists: [
            pages_show_every_event_once_and_newest_first,
            filters_hold_on_every_page,
            long_silence_loses_nothing_and_ends_no_page,
            a_cursor_belongs_to_its_list,
            an_event_needs_you_only_while_it_does,
            lists_show_what_attempts_came_to,
            every_event_is_in_a_list_and_in_that_of_its_repository,
            an_empty_table_has_an_empty_list,
        ] }
        $each! { $($more)*; statuses: [
            a_status_comes_back_as_it_was,
            a_status_that_ended_never_waits_again,
            statuses_are_listed_newest_accepted_first,
            more_than_a_thousand_statuses_are_all_shown_once,
            a_head_is_changed_by_one_at_a_time,
            heads_of_different_contexts_are_apart,
            statuses_and_heads_expire,
        ] }
        $each! { $($more)*; releases: [
            a_release_is_as_its_newest_receipt_says,
            of_many_who_record_a_release_the_newest_wins,
            releases_are_listed_newest_published_first,
            a_page_of_releases_looks_for_a_state_within_its_keys,
            a_cursor_of_releases_belongs_to_its_list,
            releases_stand_in_no_list_of_events_and_stay,
        ] }
        $each! { $($more)*; hours: [
            counts_are_kept_by_hour,
            counts_of_many_at_once_are_all_there,
            counts_expire,
        ] }
        $each! { $($more)*; troubles: [
            what_needs_somebody_comes_oldest_first_and_events_before_statuses,
            what_needs_somebody_does_so_only_until_it_is_done,
        ] }
        $each! { $($more)*; rows: [
            a_server_is_changed_by_one_at_a_time,
            a_pause_only_grows,
            the_table_answers,
        ] }
    };
}

/// Makes a test of every case. `$fresh` is an async function that returns a new, empty [`Table`].
#[macro_export]
macro_rules! store_contract {
    ($fresh:tt) => {
        $crate::every_store_case!($crate::store_contract_tests, $fresh);
    };
}

/// What [`store_contract`](crate::store_contract) makes of a file.
#[doc(hidden)]
#[macro_export]
macro_rules! store_contract_tests {
    ($fresh:tt; $module:ident: [$($case:ident,)*]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::contract::store::$module::$case($fresh().await).await;
            }
        )*
    };
}
