//! What needs somebody: errored events, and what GitHub refused.

use domain::event::EventStatus;
use domain::ids::EventId;
use domain::reasons::StatusReason;
use domain::statuses::{Accepted, ContextKey, Head, Refused, State, Written};
use domain::trouble::{RefusedStatus, Trouble};
use jiff::{SignedDuration, Timestamp};

use super::Table;
use super::samples::{HOSTILE, begin, content, event, first_run, later_run, repository, save, sha};

async fn errored(table: &Table, n: u64, at: Timestamp) -> EventId {
    let event = event(n, at);
    let mut run = first_run(&event, at);
    run.finish(EventStatus::Errored, None, at);
    begin(table, &event, &mut run).await;
    event.id
}

fn key(context: &str) -> ContextKey {
    ContextKey::new(repository(), sha(), context)
}

async fn refuse(table: &Table, context: &str, at: Timestamp) -> (Head, RefusedStatus) {
    let reason = StatusReason::NoCommit;
    let refused = Refused { context: context.to_owned(), state: State::Failure, reason, why: HOSTILE.to_owned(), at };
    let before = table.statuses.head(&key(context)).await.unwrap();
    let head = before.with_refused(refused.clone());
    assert!(table.statuses.save_head(&key(context), &head).await.unwrap());
    let head = Head { version: head.version + 1, ..head };
    (head, RefusedStatus { repository: repository(), sha: sha(), refused })
}

async fn named(table: &Table, since: Timestamp, limit: usize) -> Vec<String> {
    let troubles = table.reader.needs_you(since, limit).await.unwrap();
    let name = |trouble| match trouble {
        Trouble::Event(event) => event.id.to_string(),
        Trouble::Status(status) => status.refused.context,
    };
    troubles.into_iter().map(name).collect()
}

/// Events of the time that is asked for; statuses as long as they do.
pub async fn what_needs_somebody_comes_oldest_first_and_events_before_statuses(table: Table) {
    let at = |hours: i64| table.now() - SignedDuration::from_hours(hours);
    assert_eq!(table.reader.needs_you(Timestamp::MIN, 100).await.unwrap(), []);
    let mut ids = Vec::new();
    for (n, hours) in [(1, 50), (2, 3), (3, 1)] {
        ids.push(errored(&table, n, at(hours)).await.to_string());
    }
    begin(&table, &event(4, at(0)), &mut first_run(&event(4, at(0)), at(0))).await;
    let (_, lint) = refuse(&table, "Lint", at(2)).await;
    let (_, build) = refuse(&table, "Build", at(70)).await;
    let all = [&ids[0], &ids[1], &ids[2], "Build", "Lint"];
    assert_eq!(named(&table, Timestamp::MIN, 100).await, all);
    assert_eq!(named(&table, at(3), 100).await, all[1..], "of that very moment, and every status");
    assert_eq!(named(&table, at(3), 3).await, all[1..4]);
    assert_eq!(table.reader.refused_statuses(100).await.unwrap(), [build.clone(), lint]);
    assert_eq!(table.reader.refused_statuses(1).await.unwrap(), [build]);
    let errored = domain::query::EventQuery { status: Some(EventStatus::Errored), ..table.everything() };
    assert_eq!(table.ids(&errored).await.len(), 3, "statuses stand in no list of events");
    assert_eq!(table.ids(&table.everything()).await.len(), 4);
}

/// An event until it runs again, a context until something is written in it, both at most as long as they are kept.
pub async fn what_needs_somebody_does_so_only_until_it_is_done(table: Table) {
    let id = errored(&table, 1, table.now()).await;
    let (head, status) = refuse(&table, "build", table.now()).await;
    assert_eq!(table.statuses.head(&key("BUILD")).await.unwrap(), head);
    assert_eq!(named(&table, Timestamp::MIN, 100).await, [id.to_string(), "build".to_owned()]);

    let again = Head { intent: None, ..head.clone() }.without_intent();
    assert!(table.statuses.save_head(&key("build"), &again).await.unwrap());
    assert_eq!(table.reader.refused_statuses(9).await.unwrap(), [status], "nothing has been written yet");
    let written = Written {
        id: domain::ids::StatusId::parse("one").unwrap(),
        run: None,
        accepted: Accepted { at: table.now(), index: 0 },
        content: content("build"),
        github_id: Some(7),
    };
    let head = Head { version: again.version + 1, ..again }.with_written(written);
    assert!(table.statuses.save_head(&key("build"), &head).await.unwrap());
    assert_eq!(table.statuses.head(&key("build")).await.unwrap(), Head { version: head.version + 1, ..head.clone() });
    assert_eq!(named(&table, Timestamp::MIN, 100).await, [id.to_string()]);

    let event = table.story(&id).await.event;
    let mut run = later_run(&event, table.now() + SignedDuration::from_secs(1));
    begin(&table, &event, &mut run).await;
    run.finish(EventStatus::Processed, None, table.now());
    save(&table, &mut run).await;
    assert_eq!(table.reader.needs_you(Timestamp::MIN, 100).await.unwrap(), []);

    errored(&table, 2, table.now()).await;
    refuse(&table, "build", table.now()).await;
    table.clock.advance(90 * 86_400);
    assert_eq!(table.reader.needs_you(Timestamp::MIN, 100).await.unwrap(), []);
    assert_eq!(table.reader.refused_statuses(9).await.unwrap(), []);
}
