//! Following events as they come in.

use serde_json::Value;
use standin::ci::Answer;

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
