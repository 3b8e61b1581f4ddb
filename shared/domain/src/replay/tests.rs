use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::event::Source;
use crate::ids::{BodyKey, EventType};

const MINTED: u64 = 1_772_445_600_000;

fn replay() -> ReplayId {
    ReplayId(uuid::Builder::from_unix_timestamp_millis(MINTED, &[7; 10]).into_uuid())
}

fn event(n: usize) -> EventId {
    EventId::parse(&format!("1-{n:08}")).unwrap()
}

fn at(ms: u64) -> Timestamp {
    millisecond(ms)
}

fn newer(ms: u64) -> ReceiptId {
    ReceiptId(uuid::Builder::from_unix_timestamp_millis(ms, &[0; 10]).into_uuid())
}

fn story(status: EventStatus, receipts: Vec<ReceiptId>) -> EventStory {
    let event = GithubEvent {
        id: event(1),
        event_type: EventType::parse("push").unwrap(),
        action: None,
        source: Source::Organization,
        installation_id: None,
        repository: None,
        sender: None,
        sha: None,
        pull_request: None,
        about: None,
        body_sha256: "aa".into(),
        body_bytes: 2,
        same_body_as: None,
        receipts,
        received_at: at(MINTED - 5000),
        status,
        reason: None,
        failure_reason: None,
        processed_at: None,
        tries: 0,
        last_answer: None,
        next_attempt_at: None,
    };
    let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    EventStory { event, runs: vec![], body: Some(KeptBody::Inline("{}".into())), headers }
}

#[test]
fn an_id_is_read_as_it_was_written_and_nothing_else_is() {
    let id = replay();
    assert_eq!(ReplayId::parse(&id.to_string()), Ok(id));
    assert_eq!(id.minted_at(), at(MINTED));
    let text = id.to_string();
    let v4 = text.replacen("-7", "-4", 1);
    for bad in ["", "r-", &text[2..], &text.to_uppercase(), &text.replace("r-", "r"), &text.replace('-', ""), &v4] {
        assert!(ReplayId::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn it_is_minted_after_everything_that_has_happened() {
    let now = at(MINTED) + SignedDuration::from_micros(900);
    assert_eq!(moment(now, None), at(MINTED + 1));
    assert_eq!(moment(now, Some(newer(MINTED - 9))), at(MINTED + 1));
    assert_eq!(moment(now, Some(newer(MINTED + 9))), at(MINTED + 10), "another process' clock is ahead");
}

#[test]
fn a_receipt_belongs_to_its_replay_and_event_for_ever() {
    let first = replay().receipt(&event(1), at(MINTED - 5000));
    assert_eq!(first.to_string(), "019cadfd-8900-7672-adfd-757861d2b057", "pinned: a repeat may come months later");
    let other = ReplayId(uuid::Builder::from_unix_timestamp_millis(MINTED, &[8; 10]).into_uuid());
    let all = [
        first,
        replay().receipt(&event(2), at(MINTED - 5000)),
        replay().receipt(&event(1), at(MINTED - 4999)),
        other.receipt(&event(1), at(MINTED - 5000)),
    ];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 4);
}

proptest! {
    #[test]
    fn receipts_of_a_replay_are_ordered_as_their_events_and_after_everything_before_it(
        first in 0..MINTED, second in 0..MINTED, n in 0..1000_usize, m in 0..1000_usize,
    ) {
        let [a, b] = [(first, n), (second, m)].map(|(ms, n)| replay().receipt(&event(n), at(ms)));
        if first != second {
            prop_assert_eq!(a < b, first < second);
        }
        prop_assert_eq!(a.0.get_version_num(), 7);
        prop_assert_eq!(a.0.get_variant(), uuid::Variant::RFC4122);
        let before = ReceiptId(uuid::Builder::from_unix_timestamp_millis(MINTED - 1, &[0xff; 10]).into_uuid());
        prop_assert!(a > before);
    }
}

#[test]
fn which_events_run_again() {
    use EventStatus as S;
    let old = newer(MINTED - 5000);
    let mine = replay().receipt(&event(1), at(MINTED - 5000));
    let run = Decision::Run(mine);
    let leave = Decision::Leave;
    for (status, plain, forced) in [
        (S::Errored, run, run),
        (S::Processed, leave(Refusal::NotErrored), run),
        (S::Ignored, leave(Refusal::NotErrored), run),
        (S::Unhandled, leave(Refusal::NotErrored), run),
        (S::Processing, leave(Refusal::UnderWay), leave(Refusal::UnderWay)),
        (S::Reprocessing, leave(Refusal::UnderWay), leave(Refusal::UnderWay)),
        (S::Unprocessed, leave(Refusal::UnderWay), leave(Refusal::UnderWay)),
    ] {
        let mut story = story(status, vec![old]);
        assert_eq!(decide(&replay(), &story, false), plain, "{status:?}");
        assert_eq!(decide(&replay(), &story, true), forced, "{status:?} by force");
        story.event.receipts.push(newer(MINTED + 1));
        assert_eq!(decide(&replay(), &story, true), leave(Refusal::RunSince), "{status:?}");
        story.event.receipts.push(mine);
        assert_eq!(decide(&replay(), &story, true), Decision::Already(mine), "{status:?}");
        assert_eq!(decide(&replay(), &story, false), Decision::Already(mine), "{status:?}");
    }
    let mut expired = story(S::Errored, vec![old]);
    expired.body = None;
    assert_eq!(decide(&replay(), &expired, true), leave(Refusal::BodyExpired));
}

#[test]
fn the_envelope_is_the_delivery_under_another_receipt() {
    let mut story = story(EventStatus::Errored, vec![newer(1)]);
    let receipt = newer(MINTED);
    let sent = envelope(&story, receipt, &replay(), "key").unwrap();
    assert_eq!((&sent.event, &sent.headers, sent.receipt), (&story.event.id, &story.headers, receipt));
    assert_eq!((sent.content_type, sent.source), (ContentType::Form, Source::Organization));
    assert_eq!((sent.received_at, &sent.body), (story.event.received_at, &Body::Inline("{}".into())));
    assert_eq!(sent.asked_by, AskedBy::Replay { replay: replay().to_string(), by: "key".into() });

    let key = BodyKey::parse("bodies/x").unwrap();
    story.body = Some(KeptBody::Stored(key.clone()));
    let sent = envelope(&story, receipt, &replay(), "key").unwrap();
    assert_eq!(sent.body, Body::Stored { key, sha256: "aa".into(), bytes: 2 }, "by its key, not copied");
    story.body = None;
    assert_eq!(envelope(&story, receipt, &replay(), "key"), None);
}
