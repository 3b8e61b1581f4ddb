use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use testkit::clock::ManualClock;
use tokio::sync::Barrier;

use super::*;

/// What the fake does with a message, told by its body.
struct Script {
    /// Ids with the ids of `later`, in the order in which they were begun.
    seen: Mutex<Vec<(String, Vec<String>)>>,
    /// `meet` bodies wait here for each other.
    meeting: Barrier,
}

impl Script {
    fn new() -> Self {
        Self { seen: Mutex::default(), meeting: Barrier::new(2) }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(id, _)| id.clone()).collect()
    }
}

#[async_trait]
impl HandleMessage for Script {
    async fn handle(&self, message: &Message, later: &[Message]) -> Result<Verdict, PortError> {
        let later = later.iter().map(|m| m.id.clone()).collect();
        self.seen.lock().unwrap().push((message.id.clone(), later));
        match message.body.as_str() {
            "done" => Ok(Verdict::Done),
            "defer" => Ok(Verdict::Defer { until: at(60), why: "the credential rests".into() }),
            "dead" => Ok(Verdict::DeadLetter { reason: "unreadable".into() }),
            "transient" => Err(PortError::transient("throttled")),
            "permanent" => Err(PortError::permanent("denied")),
            "meet" => {
                self.meeting.wait().await;
                Ok(Verdict::Done)
            }
            body => panic!("{body}"),
        }
    }
}

#[derive(Default)]
struct FakeInbox {
    deferred: Mutex<BTreeMap<String, Timestamp>>,
    dead: Mutex<Vec<(String, String)>>,
    broken: bool,
}

#[async_trait]
impl Inbox for FakeInbox {
    async fn defer(&self, message: &Message, until: Timestamp) -> Result<(), PortError> {
        if self.broken {
            return Err(PortError::transient("no connection"));
        }
        self.deferred.lock().unwrap().insert(message.id.clone(), until);
        Ok(())
    }

    async fn dead_letter(&self, message: &Message, reason: &str) -> Result<(), PortError> {
        if self.broken {
            return Err(PortError::transient("no connection"));
        }
        self.dead.lock().unwrap().push((message.id.clone(), reason.to_owned()));
        Ok(())
    }
}

fn at(seconds: i64) -> Timestamp {
    "2026-03-02T10:00:00Z".parse::<Timestamp>().unwrap().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

/// `a:defer g/b:done` is a message `a` without a group, and `b` of the group `g`.
fn batch(text: &str) -> Vec<Message> {
    text.split_whitespace()
        .map(|word| {
            let (name, body) = word.split_once(':').unwrap();
            let (group, id) = name.split_once('/').map_or((None, name), |(group, id)| (Some(group.to_owned()), id));
            Message { id: id.into(), handle: format!("handle-{id}"), body: body.into(), group, receives: 1 }
        })
        .collect()
}

async fn outcome(text: &str, inbox: &FakeInbox) -> (Vec<String>, Script) {
    let script = Script::new();
    let kept = run(&script, inbox, &ManualClock::default(), batch(text)).await;
    (kept, script)
}

#[tokio::test]
async fn what_is_acknowledged_deferred_and_set_aside() {
    // batch | not acknowledged | deferred | dead letters | handled, in order
    let table = [
        ("a:done b:done", "", "", "", "a b"),
        ("a:defer b:done", "a", "a", "", "a b"),
        ("a:transient b:done", "a", "a", "", "a b"),
        ("a:boom b:done", "a", "a", "", "a b"),
        ("a:dead b:permanent c:done", "", "", "a b", "a b c"),
        ("g/a:done g/b:done", "", "", "", "a b"),
        ("g/a:done g/b:defer g/c:done", "b c", "b c", "", "a b"),
        ("g/a:transient g/b:done", "a b", "a b", "", "a"),
        ("g/a:boom g/b:done", "a b", "a b", "", "a"),
        ("g/a:permanent g/b:done", "", "", "a", "a b"),
        ("g/a:dead g/b:defer g/c:done", "b c", "b c", "a", "a b"),
        ("g/a:defer h/x:done g/b:done h/y:done", "a b", "a b", "", "a x y"),
        ("x:done g/a:defer y:defer g/b:done", "a y b", "a b y", "", "x a y"),
    ];
    for (text, kept, deferred, dead, handled) in table {
        let inbox = FakeInbox::default();
        let (got, script) = outcome(text, &inbox).await;
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(got, words(kept), "not acknowledged of {text}");
        assert_eq!(inbox.deferred.lock().unwrap().keys().cloned().collect::<Vec<_>>(), words(deferred), "{text}");
        let dead_ids: Vec<_> = inbox.dead.lock().unwrap().iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(dead_ids, words(dead), "dead letters of {text}");
        assert_eq!(script.seen(), words(handled), "handled of {text}");
    }
}

#[tokio::test]
async fn the_rest_of_a_group_waits_exactly_as_long() {
    let inbox = FakeInbox::default();
    outcome("g/a:defer g/b:done g/c:done", &inbox).await;
    assert_eq!(inbox.deferred.lock().unwrap().values().copied().collect::<BTreeSet<_>>(), [at(60)].into());

    let inbox = FakeInbox::default();
    outcome("g/a:transient g/b:done", &inbox).await;
    let times: BTreeSet<_> = inbox.deferred.lock().unwrap().values().copied().collect();
    assert_eq!(times.len(), 1);
    assert!(times.iter().all(|until| *until >= at(1) && *until <= at(2)), "{times:?}");
}

#[tokio::test]
async fn a_handler_sees_what_follows_in_its_group() {
    let (_, script) = outcome("g/a:done x:done g/b:done h/c:done g/d:done", &FakeInbox::default()).await;
    let mut seen = script.seen.into_inner().unwrap();
    seen.sort();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let expected = [("a", "b d"), ("b", "d"), ("c", ""), ("d", ""), ("x", "")];
    assert_eq!(seen, expected.map(|(id, later)| (id.to_owned(), words(later))));
}

#[tokio::test]
async fn single_messages_and_groups_run_side_by_side() {
    for text in ["a:meet b:meet", "g/a:meet h/b:meet", "a:meet g/b:meet"] {
        let meeting = async { outcome(text, &FakeInbox::default()).await.0 };
        assert_eq!(meeting.await, Vec::<String>::new(), "{text}");
    }
}

#[tokio::test]
async fn a_broken_inbox_acknowledges_nothing_that_is_not_finished() {
    for (text, kept) in [
        ("a:defer b:done", vec!["a"]),
        ("a:transient b:done", vec!["a"]),
        ("a:dead b:permanent c:done", vec!["a", "b"]),
        ("g/a:dead g/b:done", vec!["a", "b"]),
    ] {
        let inbox = FakeInbox { broken: true, ..FakeInbox::default() };
        assert_eq!(outcome(text, &inbox).await.0, kept, "{text}");
    }
}

#[tokio::test]
async fn the_reason_goes_with_the_dead_letter() {
    let inbox = FakeInbox::default();
    outcome("a:dead b:permanent", &inbox).await;
    assert_eq!(*inbox.dead.lock().unwrap(), [("a".into(), "unreadable".into()), ("b".into(), "denied".into())]);
}

#[test]
fn waits_grow_from_a_second_to_five_minutes_and_differ() {
    let wait_of = |id: &str, receives| {
        let message = Message { id: id.into(), handle: String::new(), body: String::new(), group: None, receives };
        wait(&message)
    };
    let second = SignedDuration::from_secs(1);
    for receives in 0..2000 {
        let wait = wait_of("m", receives);
        assert!(wait >= second && wait <= second * 300, "{wait} after {receives}");
    }
    assert!(wait_of("m", 1) < second * 2);
    assert!(wait_of("m", u32::MAX) >= second * 180);
    assert!(wait_of("m", 6) > wait_of("m", 4));
    let waits: BTreeSet<_> = (0..50).map(|n| wait_of(&format!("{n:08x}-0b98-9ba4"), 8)).collect();
    assert!(waits.len() > 30, "only {} different waits", waits.len());
}
