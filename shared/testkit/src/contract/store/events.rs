//! Events: recorded once, whole, and taken over by newer receipts.

use bytes::Bytes;
use domain::event::{EventStatus, GithubEvent, Source};
use domain::ids::{BodyKey, StatusId};
use domain::ports::{EventStory, KeptBody, Recorded};
use domain::reasons::FailureReason;
use domain::run::{AskedBy, Attempt, Outcome, Run};
use jiff::SignedDuration;

use super::samples::{HOSTILE, begin, body, event, first_run, later_run, receipt, save};
use super::{Table, permanent};

/// Row, run, body and headers of a first delivery, and what is known of it before and after.
pub async fn a_new_event_is_recorded_whole(table: Table) {
    let event = event(1, table.now());
    let mut run = first_run(&event, table.now());
    let nothing = Recorded { run: None, redelivery: false };
    assert_eq!(table.events.look_up(&event.id, run.receipt).await.unwrap(), nothing);
    assert_eq!(table.reader.event(&event.id).await.unwrap(), None);

    let headers = vec![("x-github-event".to_owned(), "pull_request".to_owned())];
    let body = KeptBody::Inline(Bytes::from_static(b"{\"exact\" : 1.0}\r\n\xff"));
    assert!(table.events.begin(&event, &run, &headers, &body).await.unwrap());
    run.version = 1;

    let known = Recorded { run: Some(run.clone()), redelivery: false };
    assert_eq!(table.events.look_up(&event.id, run.receipt).await.unwrap(), known);
    let shown = GithubEvent { receipts: vec![run.receipt], ..event.clone() };
    assert_eq!(table.story(&event.id).await, EventStory { event: shown, runs: vec![run], body: Some(body), headers });
}

/// Every field that holds text from outside, and every optional one.
pub async fn any_text_comes_back_as_it_was(table: Table) {
    let mut event = event(1, table.now() + SignedDuration::from_nanos(123_456_789));
    event.action = Some(HOSTILE.to_owned());
    event.sender = Some(String::new());
    event.about = Some(HOSTILE.repeat(20));
    event.source = Source::Unknown;
    event.installation_id = Some(u64::MAX);
    event.pull_request = Some(u64::MAX);
    let mut run = first_run(&event, table.now());
    run.asked_by = AskedBy::Replay { replay: HOSTILE.to_owned(), by: String::new() };
    run.reason = Some(HOSTILE.to_owned());
    run.cut_offs = 3;
    run.lease_until = Some(table.now() + SignedDuration::from_nanos(1));
    run.next_attempt_at = Some(table.now() + SignedDuration::from_nanos(2));
    run.state = EventStatus::Unprocessed;
    let ids = ["a", "b"].map(|id| StatusId::parse(id).unwrap());
    run.attempts = vec![
        Attempt {
            sha: Some(super::samples::sha()),
            ended_at: Some(table.now()),
            outcome: Some(Outcome::Unreachable),
            code: Some(599),
            ms: Some(u64::MAX),
            note: Some(HOSTILE.to_owned()),
            statuses: ids.to_vec(),
            ..Attempt::open(table.now())
        },
        Attempt::open(table.now()),
    ];
    let every_byte: String = (0..=255u8).map(char::from).collect();
    let headers = vec![(HOSTILE.to_owned(), every_byte), (String::new(), String::new())];
    assert!(table.events.begin(&event, &run, &headers, &body()).await.unwrap());

    let story = table.story(&event.id).await;
    assert_eq!(story.headers, headers);
    let written = Run { version: 1, ..run };
    assert_eq!(story.runs, std::slice::from_ref(&written));
    let shown = GithubEvent {
        receipts: vec![written.receipt],
        status: EventStatus::Unprocessed,
        reason: written.reason.clone(),
        tries: 2,
        last_answer: written.last_answer(),
        next_attempt_at: written.next_attempt_at,
        ..event
    };
    assert_eq!(story.event, shown);
    assert_eq!(table.reader.events(&table.everything()).await.unwrap().events, [shown], "a list says the same");
}

/// A body in the body store.
pub async fn a_large_body_is_named_not_held(table: Table) {
    let event = event(1, table.now());
    let run = first_run(&event, table.now());
    let stored = KeptBody::Stored(BodyKey::parse("bodies/2036/one").unwrap());
    assert!(table.events.begin(&event, &run, &[], &stored).await.unwrap());
    assert_eq!(table.story(&event.id).await.body, Some(stored));
}

/// 300 KB compressed is the end, and nothing is half written.
pub async fn a_body_too_large_for_a_row_is_refused(table: Table) {
    let event = event(1, table.now());
    let mut run = first_run(&event, table.now());
    // A xorshift generator: bytes in which no compressor finds a pattern.
    let noise = std::iter::successors(Some(1u64), |x| {
        let x = x ^ (x << 13);
        let x = x ^ (x >> 7);
        Some(x ^ (x << 17))
    });
    let noise = noise.take(40 * 1024).flat_map(u64::to_be_bytes);
    let noise = KeptBody::Inline(noise.collect());
    let words = permanent(table.events.begin(&event, &run, &[], &noise).await);
    assert!(words.contains("body store"), "{words}");
    assert_eq!(table.reader.event(&event.id).await.unwrap(), None);
    begin(&table, &event, &mut run).await;
}

/// The claim on a hash.
pub async fn the_same_bytes_name_the_event_that_had_them_first(table: Table) {
    let first = event(1, table.now());
    let mut copy = event(2, table.now());
    copy.body_sha256.clone_from(&first.body_sha256);
    for event in [&first, &copy] {
        begin(&table, event, &mut first_run(event, table.now())).await;
    }
    assert_eq!(table.story(&copy.id).await.event.same_body_as, Some(first.id.clone()));

    table.clock.advance(60);
    for event in [&first, &copy] {
        begin(&table, event, &mut later_run(event, table.now())).await;
    }
    assert_eq!(table.story(&first.id).await.event.same_body_as, None, "a redelivery is no copy of itself");
    assert_eq!(table.story(&copy.id).await.event.same_body_as, Some(first.id));
}

/// Each has a body and headers of its own, as long as it lives itself.
pub async fn a_copy_outlives_what_it_is_a_copy_of(table: Table) {
    let first = event(1, table.now());
    let header = |value: &str| vec![("x-github-hook-id".to_owned(), value.to_owned())];
    assert!(table.events.begin(&first, &first_run(&first, table.now()), &header("one"), &body()).await.unwrap());
    table.clock.advance(86_400);
    let mut copy = event(2, table.now());
    copy.body_sha256.clone_from(&first.body_sha256);
    assert!(table.events.begin(&copy, &first_run(&copy, table.now()), &header("two"), &body()).await.unwrap());
    for (id, value) in [(&first.id, "one"), (&copy.id, "two")] {
        let story = table.story(id).await;
        assert_eq!((story.body, story.headers), (Some(body()), header(value)));
    }
    table.clock.advance(89 * 86_400);
    assert_eq!(table.reader.event(&first.id).await.unwrap(), None);
    let story = table.story(&copy.id).await;
    assert_eq!((story.body, story.headers), (Some(body()), header("two")));
}

/// A new receipt of a known event.
pub async fn a_redelivery_takes_the_event_over(table: Table) {
    let event = event(1, table.now());
    let mut first = first_run(&event, table.now());
    begin(&table, &event, &mut first).await;
    first.finish(EventStatus::Errored, Some(FailureReason::ServerGone), table.now());
    save(&table, &mut first).await;

    table.clock.advance(60);
    let mut second = later_run(&event, table.now());
    let recorded = table.events.look_up(&event.id, second.receipt).await.unwrap();
    assert_eq!(recorded, Recorded { run: None, redelivery: true });
    let again = GithubEvent { received_at: table.now(), body_sha256: "f".repeat(64), ..event.clone() };
    let other = KeptBody::Inline(Bytes::from_static(b"[]"));
    assert!(table.events.begin(&again, &second, &[], &other).await.unwrap());
    second.version = 1;

    let story = table.story(&event.id).await;
    assert_eq!(story.event.status, EventStatus::Reprocessing);
    assert_eq!(story.event.receipts, [first.receipt, second.receipt]);
    assert_eq!(story.event.received_at, event.received_at, "the first receipt's time stays");
    assert_eq!(story.event.failure_reason, None, "an event that runs has not failed");
    assert_eq!(story.runs, [first.clone(), second]);
    assert_eq!(story.body, Some(body()), "the first body stays");
    let recorded = table.events.look_up(&event.id, first.receipt).await.unwrap();
    assert_eq!(recorded, Recorded { run: Some(first), redelivery: false });
}

/// Queues change the order: the newer receipt may be recorded first.
pub async fn an_older_receipt_is_listed_but_not_shown(table: Table) {
    let event = event(1, table.now());
    let mut older = first_run(&event, table.now());
    table.clock.advance(60);
    let mut newer = first_run(&event, table.now());
    newer.state = EventStatus::Unhandled;
    begin(&table, &event, &mut newer).await;
    begin(&table, &event, &mut older).await;

    let story = table.story(&event.id).await;
    assert_eq!(story.event.status, EventStatus::Unhandled);
    assert_eq!(story.event.receipts, [older.receipt, newer.receipt]);
    assert_eq!(story.runs, [older.clone(), newer.clone()]);
    assert!(!table.events.look_up(&event.id, older.receipt).await.unwrap().redelivery);
    assert!(table.events.look_up(&event.id, newer.receipt).await.unwrap().redelivery);
}

/// Two receipts look up at once and both believe to be the first.
pub async fn an_event_that_came_in_between_is_looked_up_again(table: Table) {
    let event = event(1, table.now());
    begin(&table, &event, &mut first_run(&event, table.now())).await;
    let mut second = first_run(&event, table.now());
    second.receipt = receipt(2, table.now());
    let error = table.events.begin(&event, &second, &[], &body()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(table.story(&event.id).await.runs.len(), 1);
    let recorded = table.events.look_up(&event.id, second.receipt).await.unwrap();
    assert_eq!(recorded, Recorded { run: None, redelivery: true });
}

/// 90 days later, whether or not the table has removed anything.
pub async fn what_has_expired_is_gone_and_may_come_again(table: Table) {
    let event = event(1, table.now());
    let mut run = first_run(&event, table.now());
    begin(&table, &event, &mut run).await;
    table.clock.advance(90 * 86_400 - 1);
    assert_eq!(table.ids(&table.everything()).await, std::slice::from_ref(&event.id));
    assert!(table.reader.event(&event.id).await.unwrap().is_some());

    table.clock.advance(1);
    assert_eq!(table.ids(&table.everything()).await, []);
    assert_eq!(table.reader.event(&event.id).await.unwrap(), None);
    let recorded = table.events.look_up(&event.id, run.receipt).await.unwrap();
    assert_eq!(recorded, Recorded { run: None, redelivery: false });

    let mut copy = super::samples::event(2, table.now());
    copy.body_sha256.clone_from(&event.body_sha256);
    begin(&table, &copy, &mut first_run(&copy, table.now())).await;
    assert_eq!(table.story(&copy.id).await.event.same_body_as, None, "a claim expires with its event");
    let again = GithubEvent { received_at: table.now(), ..event };
    begin(&table, &again, &mut first_run(&again, table.now())).await;
    let story = table.story(&again.id).await;
    assert_eq!((story.event.received_at, story.runs.len()), (table.now(), 1));
}
