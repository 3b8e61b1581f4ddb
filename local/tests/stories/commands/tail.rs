//! Following events as they come in.

use serde_json::{Value, json};
use standin::ci::{Answer, Ci};

use super::{SHA, at};
use crate::place::{Place, plain};
use crate::yard::Local;

#[tokio::test(flavor = "multi_thread")]
async fn every_outcome_is_told_once_replays_among_them() {
    let (place, yard) = (Place::new(), Local::start().await);
    yard.server().answer(Answer::status(401));
    let old = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let short = |event: &str| event.split_once('-').unwrap().1[..8].to_owned();
    let tail = |more: &[&str]| at(&place, &yard, &["events", "tail", "--interval", "1s"]).with_all(more).start();
    let (mut lines, mut objects) = (tail(&[]), tail(&["--json", "--lines", "0"]));
    let first = lines.until(&[&short(&old)]);
    assert!(first.contains("✗ failed    pull_request.opened") && first.contains("server_denied"), "{first}");
    lines.until(&["Following", &yard.api]);
    objects.until(&["Following"]);

    let new = yard.webhook("push.branch").send().await.accepted();
    let told = lines.until(&[&short(&new)]);
    assert!(told.contains("✓ done      push ") && told.contains(" 200 "), "{told}");
    let object: Value = serde_json::from_str(&objects.until(&[&new])).unwrap();
    yard.idle().await;
    let mut row = yard.get("/v1/events?limit=1").await.json()["events"][0].clone();
    assert_eq!(object, row.take(), "as it stands in the list");

    at(&place, &yard, &["events", "replay", &old]).run().with(0);
    let told = lines.until(&[&short(&old), "done"]);
    assert!(told.contains("run 2"), "{told}");
    objects.until(&[&old, "\"processed\""]);
    lines.signal("INT");
    objects.signal("TERM");
    let ended = lines.end().with(130);
    assert!(ended.err.ends_with("Stopped. The gateway goes on.\n"), "{}", ended.err);
    plain(&ended.all());
    let ended = objects.end().with(130);
    let kinds = ended.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let kinds: Vec<_> = kinds.map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, [new, old], "one object for each outcome, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_and_runs_again_is_told_too() {
    let (place, yard) = (Place::new(), Local::start().await);
    let mut events = Vec::new();
    for n in 0..220 {
        events.push(yard.pull_request(n, SHA).send().await.accepted());
        yard.advance(1);
    }
    yard.idle().await;
    let mut tail = at(&place, &yard, &["events", "tail", "--interval", "1s", "--json", "--lines", "0"]).start();
    tail.until(&["Following"]);
    // None of them has failed, and the first two pages do not hold the first of them.
    for old in [&events[1], &events[100]] {
        at(&place, &yard, &["events", "replay", old, "--force"]).run().with(0);
        let told: Value = serde_json::from_str(&tail.until(&[old])).unwrap();
        assert_eq!((&told["status"], told["receipts"].as_array().unwrap().len()), (&"processed".into(), 2), "{told}");
    }
    tail.signal("INT");
    let ended = tail.end().with(130);
    assert_eq!(ended.out.lines().count(), 2, "once each, and nothing that ran before: {}", ended.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_a_filter_lets_through_the_old_is_no_news_and_no_page_is_lost() {
    let (place, gateway) = (Place::new(), Ci::start().await.unwrap());
    let receipt = |n: u8| format!("019aa1b2-0000-7000-8000-00000000000{n}");
    let event = |kind: &str, id: &str, receipts: &[u8]| {
        let receipts: Vec<_> = receipts.iter().map(|n| receipt(*n)).collect();
        json!({ "id": id, "type": kind, "status": "processed", "received_at": "2026-03-02T10:00:00Z", "tries": 1,
            "receipts": receipts })
    };
    let page = |events: &[&Value], next: Option<&str>| {
        gateway.answer(Answer::json(&json!({ "events": events, "next_cursor": next })));
    };
    let (other, old) = (event("pull_request", "1-0b989ba4-0001", &[5]), event("push", "1-0b989ba4-0002", &[1]));
    let (again, newer) = (event("push", "1-0b989ba4-0003", &[2, 6]), event("push", "1-0b989ba4-0004", &[3]));
    // Pushes are so few that the first page has none of them, but there are other events.
    let first = || page(&[], Some("a"));
    let none_needs_anybody = || {
        page(&[], None);
        page(&[], None);
    };
    first();
    page(&[&other], None);
    none_needs_anybody();
    for rest in [Some((vec![&old], Some("b"))), None, Some((vec![&newer, &again], None))] {
        first();
        none_needs_anybody();
        match rest {
            Some((events, next)) => page(&events, next),
            None => gateway.answer(Answer::status(500)),
        }
    }
    gateway.answer_always(Answer::json(&json!({ "events": [], "next_cursor": null })));
    let url = format!("http://{}", gateway.address());
    let mut tail =
        place.hookyard(&["events", "tail", "--type", "push", "--interval", "1s", "--json", "--url", &url]).start();
    tail.until(&["1-0b989ba4-0003"]);
    tail.signal("INT");
    let ended = tail.end();
    let told: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told, [again], "what was before is no news");
    let asked = gateway.calls().into_iter().filter_map(|call| Some(call.path.split_once("cursor=")?.1.to_owned()));
    assert_eq!(asked.collect::<Vec<_>>(), ["a", "b", "b"], "the page that failed comes again");
}
