//! Statuses and the heads of their contexts.

use domain::ids::{EventId, Repository, Sha, StatusId};
use domain::reasons::StatusReason;
use domain::statuses::row::{StatusOutcome, StatusRow};
use domain::statuses::{Accepted, Content, ContextKey, Head, Intent, State, Via, Written};
use jiff::SignedDuration;

use super::samples::{HOSTILE, content, repository, sha, some_receipt, status};
use super::{Table, permanent};

async fn read(table: &Table, row: &StatusRow) -> Option<StatusRow> {
    table.statuses.status(&row.repository, &row.sha, &row.id).await.unwrap()
}

/// Everything on a commit, page by page.
async fn walk(table: &Table, repository: &Repository, sha: &Sha, limit: usize) -> Vec<StatusRow> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = table.reader.statuses(repository, sha, limit, cursor.as_deref()).await.unwrap();
        assert!(page.statuses.len() <= limit && rows.len() < 5000, "a page over its limit, or a list without an end");
        rows.extend(page.statuses);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return rows;
        }
    }
}

/// Every field, empty and full.
pub async fn a_status_comes_back_as_it_was(table: Table) {
    let plain = status(1, table.now());
    assert_eq!(read(&table, &plain).await, None);
    let full = StatusRow {
        id: StatusId::parse(&"z".repeat(128)).unwrap(),
        sha: Sha::parse(&"a".repeat(64)).unwrap(),
        content: Content {
            context: HOSTILE.to_owned(),
            state: State::Error,
            description: Some(String::new()),
            target_url: Some(format!("https://ci.example/{}", "x".repeat(2000))),
        },
        accepted: Accepted { at: table.now() + SignedDuration::from_nanos(1), index: u32::MAX },
        via: Via::Token,
        run: Some(some_receipt()),
        event: Some(EventId::parse("0-a").unwrap()),
        outcome: StatusOutcome::Refused,
        why: Some(HOSTILE.to_owned()),
        reason: Some(StatusReason::NoCommit),
        until: Some(table.now()),
        written_at: Some(table.now()),
        github_id: Some(u64::MAX),
        tries: u32::MAX,
        ..plain.clone()
    };
    for row in [plain, full] {
        table.statuses.save_status(&row).await.unwrap();
        assert_eq!(read(&table, &row).await, Some(row.clone()));
        assert_eq!(walk(&table, &row.repository, &row.sha, 100).await, [row]);
    }
}

/// A copy of a message that comes late.
pub async fn a_status_that_ended_never_waits_again(table: Table) {
    let mut waiting = status(1, table.now());
    table.statuses.save_status(&waiting).await.unwrap();
    waiting.tries = 1;
    table.statuses.save_status(&waiting).await.unwrap();
    assert_eq!(read(&table, &waiting).await.unwrap().tries, 1);
    let written = StatusRow { outcome: StatusOutcome::Written, github_id: Some(7), ..waiting.clone() };
    table.statuses.save_status(&written).await.unwrap();
    table.statuses.save_status(&waiting).await.unwrap();
    assert_eq!(read(&table, &waiting).await, Some(written));
}

/// By acceptance, then by the place in the list; one commit only.
pub async fn statuses_are_listed_newest_accepted_first(table: Table) {
    // The order of the ids is not the order of acceptance.
    let order = [5, 1, 12, 3, 30, 2, 11];
    for n in order {
        table.statuses.save_status(&status(n, table.now())).await.unwrap();
    }
    let mut same = status(12, table.now());
    same.id = StatusId::parse("a-first-by-id").unwrap();
    same.accepted.index = 1;
    table.statuses.save_status(&same).await.unwrap();
    let elsewhere = StatusRow { sha: Sha::parse(&"b".repeat(40)).unwrap(), ..status(40, table.now()) };
    table.statuses.save_status(&elsewhere).await.unwrap();
    let key = ContextKey::new(repository(), sha(), "build");
    assert!(table.statuses.save_head(&key, &Head::default()).await.unwrap(), "a head is no status");

    let lower = Repository::parse("octo-org/yard").unwrap();
    for limit in [1, 3, 100] {
        let ids: Vec<_> = walk(&table, &lower, &sha(), limit).await.into_iter().map(|row| row.id.to_string()).collect();
        let numbers =
            ["status-30", "a-first-by-id", "status-12", "status-11", "status-5", "status-3", "status-2", "status-1"];
        assert_eq!(ids, numbers, "limit {limit}");
    }
    let first = table.reader.statuses(&lower, &sha(), 3, None).await.unwrap().next_cursor.unwrap();
    let words = permanent(table.reader.statuses(&lower, &elsewhere.sha, 3, Some(&first)).await);
    assert!(words.starts_with("cursor"), "{words}");
}

/// More than one block of keys.
pub async fn more_than_a_thousand_statuses_are_all_shown_once(table: Table) {
    for n in 0..1050 {
        table.statuses.save_status(&status(n, table.now())).await.unwrap();
    }
    let rows = walk(&table, &repository(), &sha(), 100).await;
    let mut seen: Vec<_> = rows.iter().map(|row| row.accepted).collect();
    let falls = seen.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(falls <= 1, "each block is in order");
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((rows.len(), seen.len()), (1050, 1050));
}

/// Versions.
pub async fn a_head_is_changed_by_one_at_a_time(table: Table) {
    let key = ContextKey::new(repository(), sha(), "Build");
    assert_eq!(table.statuses.head(&key).await.unwrap(), Head::default());
    let said = Content { description: Some(HOSTILE.to_owned()), target_url: Some(String::new()), ..content("Build") };
    let last = Written {
        id: StatusId::parse("one").unwrap(),
        run: Some(some_receipt()),
        accepted: Accepted { at: table.now(), index: 3 },
        content: said,
        github_id: Some(u64::MAX),
    };
    let mut head = Head::default();
    let (one, other) = tokio::join!(table.statuses.save_head(&key, &head), table.statuses.save_head(&key, &head));
    assert!(one.unwrap() != other.unwrap(), "exactly one makes the row");
    head.version = 1;
    head = head.with_written(last.clone());
    head.intent = Some(Intent {
        status: Written { run: None, github_id: None, ..last },
        started_at: table.now() + SignedDuration::from_nanos(1),
    });
    assert!(table.statuses.save_head(&key, &head).await.unwrap());
    assert!(!table.statuses.save_head(&key, &head).await.unwrap(), "the version has moved on");
    assert!(!table.statuses.save_head(&key, &Head { version: 9, ..head.clone() }).await.unwrap());
    let lower = ContextKey::new(Repository::parse("octo-org/yard").unwrap(), sha(), "bUILD");
    assert_eq!(table.statuses.head(&lower).await.unwrap(), Head { version: 2, ..head });
}

/// Contexts are text from outside, and some are longer than a key.
pub async fn heads_of_different_contexts_are_apart(table: Table) {
    let crab = "\u{1F980}".repeat(254);
    let contexts = ["build", "build/2", "#", HOSTILE, &format!("{crab}a"), &format!("{crab}b"), &"\u{130}".repeat(255)];
    for (n, context) in contexts.iter().enumerate() {
        let key = ContextKey::new(repository(), sha(), context);
        let run = Some(super::samples::receipt(n as u64 + 1, table.now()));
        assert!(
            table.statuses.save_head(&key, &Head { newest_run: run, ..Head::default() }).await.unwrap(),
            "{context}"
        );
    }
    for (n, context) in contexts.iter().enumerate() {
        let key = ContextKey::new(repository(), sha(), context);
        let run = Some(super::samples::receipt(n as u64 + 1, table.now()));
        assert_eq!(table.statuses.head(&key).await.unwrap().newest_run, run, "{context}");
    }
}

/// 90 days after they were accepted; heads after their last write.
pub async fn statuses_and_heads_expire(table: Table) {
    let row = status(0, table.now());
    let key = ContextKey::new(repository(), sha(), "build");
    table.statuses.save_status(&StatusRow { outcome: StatusOutcome::Written, ..row.clone() }).await.unwrap();
    assert!(table.statuses.save_head(&key, &Head::default()).await.unwrap());
    table.clock.advance(3600);
    let last = Written {
        id: row.id.clone(),
        run: None,
        accepted: row.accepted,
        content: row.content.clone(),
        github_id: None,
    };
    let head = Head { version: 1, ..Head::default() }.with_written(last);
    assert!(table.statuses.save_head(&key, &head).await.unwrap());

    table.clock.advance(90 * 86_400 - 3600);
    assert_eq!(read(&table, &row).await, None);
    assert_eq!(walk(&table, &repository(), &sha(), 100).await, []);
    table.clock.advance(3599);
    assert_eq!(table.statuses.head(&key).await.unwrap().version, 2, "it was written an hour later");
    table.clock.advance(1);
    assert_eq!(table.statuses.head(&key).await.unwrap(), Head::default());
    assert!(table.statuses.save_head(&key, &Head::default()).await.unwrap(), "and it may begin again");
    table.statuses.save_status(&row).await.unwrap();
    assert_eq!(read(&table, &row).await, None, "accepted too long ago to be kept");
}
