//! Replays from the command line: counted first, followed to the end, safe to repeat.

use serde_json::{Value, json};
use standin::ci::Answer;

use super::{SHA, at, json};
use crate::place::{Place, plain};
use crate::yard::Local;

/// Pull requests that the server refuses for good.
async fn errored(yard: &Local, numbers: &[u64]) -> Vec<String> {
    let mut events = Vec::new();
    for number in numbers {
        yard.server().answer(Answer::status(401));
        events.push(yard.pull_request(*number, SHA).send().await.accepted());
        yard.idle().await;
    }
    events
}

fn asked_by(event: &Value) -> Vec<&str> {
    event["runs"].as_array().unwrap().iter().map(|run| run["asked_by"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_matches_is_counted_then_replayed_then_followed() {
    let (place, yard) = (Place::new(), Local::start().await);
    let events = errored(&yard, &[7, 8]).await;
    yard.webhook("push.branch").send().await.accepted();
    yard.idle().await;
    let replay = |more: &[&str]| {
        at(&place, &yard, &["events", "replay", "--status", "errored"]).with_all(more).set("USER", "ana")
    };

    let counted = replay(&["--dry-run"]).run().with(0);
    let sentence = format!("2 events at {}: 2 pull_request, oldest 2 Mar 2026", yard.api);
    assert_eq!((counted.out, counted.err), (format!("{sentence}\n"), String::new()));
    let refused = replay(&[]).run().with(2);
    assert_eq!(
        refused.all(),
        format!("error: {sentence} would be replayed, and nobody can be asked\n hint: add --yes\n")
    );
    replay(&["--no-input"]).run().with(2);
    assert_eq!(yard.server().calls().len(), 3, "nothing has run again");

    let done = replay(&["--yes"]).run().with(0);
    assert_eq!((done.out.as_str(), done.err), ("2 replayed: 2 done\n", format!("{sentence}\n")));
    for event in &events {
        assert_eq!(asked_by(&yard.event(event).await), ["github", "loopback: ana, command line"]);
    }
    let nothing = replay(&["--yes"]).run().with(0);
    assert_eq!(nothing.all(), "0 events match\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_is_told_with_what_to_do() {
    let (place, yard) = (Place::new(), Local::start().await);
    errored(&yard, &[7, 8]).await;
    yard.server().answer_always(Answer::status(403));
    let replay = || at(&place, &yard, &["events", "replay", "--repository", "octo-org/hello", "--yes"]);
    let earlier = json(replay().with("--dry-run"))["replay"].as_str().unwrap().to_owned();
    yard.advance(1);
    let ended = replay().run().with(1);
    assert_eq!(ended.out, "2 replayed: 2 failed\n");
    let told: Vec<_> = ended.err.lines().skip(1).collect();
    assert_eq!(told[0], "error: 2 of 2 failed again: server_denied (403)");
    assert!(
        told[1].starts_with(" hint: hookyard events show ") && told[1].ends_with("sends only what still fails"),
        "{told:?}"
    );
    plain(&ended.all());

    // A replay that is older than the runs of this one.
    let left = replay().with("--resume").with(&earlier).run().with(1);
    assert_eq!(left.out, "0 replayed: 2 left alone (run since)\n");
    assert!(
        left.err.contains("error: 2 of 2 left alone: it has run again since this replay was begun\n hint: "),
        "{}",
        left.err
    );

    yard.advance(1);
    let ended = replay().with("--json").run().with(1);
    let answer: Value = serde_json::from_str(&ended.out).unwrap();
    assert!(answer["replay"].as_str().unwrap().starts_with("r-"));
    for (name, count) in [("matched", 2), ("replayed", 2), ("left", 0), ("done", 0), ("failed", 2), ("retrying", 0)] {
        assert_eq!(answer[name], json!(count), "{name}");
    }
    assert_eq!(
        (&answer["results"][0]["state"], &answer["results"][1]["failure_reason"]),
        (&json!("errored"), &json!("server_denied"))
    );

    yard.advance(1);
    yard.server().answer_always(Answer::status(503));
    let waits = replay().run().with(0);
    assert_eq!(waits.out, "2 replayed: 2 retrying\n");
    assert!(waits.err.contains("hookyard events list --status unprocessed"), "{}", waits.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_by_its_id() {
    let (place, yard) = (Place::new(), Local::start().await);
    let event = errored(&yard, &[7]).await.remove(0);
    let short = &event.split_once('-').unwrap().1[..8];
    let replay = |more: &[&str]| at(&place, &yard, &["events", "replay", short]).with_all(more);
    assert_eq!(replay(&["--by", "deploy script"]).run().with(0).out, "1 replayed: 1 done\n");
    assert_eq!(asked_by(&yard.event(&event).await)[1], "loopback: deploy script");
    let refused = replay(&[]).run().with(1);
    assert_eq!(refused.all(), "error: it has not failed\n hint: add --force to replay it all the same\n");
    let detached = json(replay(&["--force", "--detach"]));
    assert_eq!((&detached["replayed"], &detached["done"]), (&json!(1), &json!(0)));
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 3);

    let other = errored(&yard, &[8]).await.remove(0);
    let both = at(&place, &yard, &["events", "replay", short, &other]).run().with(1);
    assert_eq!(both.out, "1 replayed: 1 done, 1 left alone (refused)\n", "the other one is none the worse");
    assert!(both.err.contains(&format!("! {event}: it has not failed\n")), "{}", both.err);

    at(&place, &yard, &["events", "replay", "deadbeef"]).run().with(3);
    for bad in [
        &["--status", "errored", "0b989ba4"][..],
        &["--status", "bogus"],
        &[],
        &["--resume", "r-1"],
        &["--since", "soon"],
    ] {
        let ended = at(&place, &yard, &["events", "replay"]).with_all(bad).run().with(2);
        assert!(ended.out.is_empty() && ended.err.starts_with("error: "), "{bad:?}: {}", ended.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_it_says_how_to_go_on_and_nothing_runs_twice() {
    let (place, yard) = (Place::new(), Local::start().await);
    let events = errored(&yard, &[7, 8]).await;
    yard.server().answer(Answer::status(200).hanging());
    yard.server().answer(Answer::status(200).hanging());
    let running =
        at(&place, &yard, &["events", "replay", "--status", "errored", "--since", "2026-03-01", "--yes"]).start();
    yard.server().wait_for(4).await;
    running.signal("INT");
    let ended = running.end().with(130);
    assert!(ended.err.contains("Interrupted: 2 events are on the way"), "{}", ended.err);
    let way_on = ended.err.lines().last().unwrap().trim();
    let flags = way_on.strip_prefix("hookyard ").unwrap_or_else(|| panic!("{way_on}"));
    assert!(flags.contains("--status errored --since 2026-03-01T00:00:00Z --resume r-"), "{flags}");

    // The whole command as it was printed, and again with everything let in: the same runs are followed.
    let words: Vec<_> = flags.split(' ').collect();
    at(&place, &yard, &words).run().with(0);
    yard.server().release();
    let words: Vec<_> = words.into_iter().filter(|word| !matches!(*word, "--status" | "errored")).collect();
    let again = at(&place, &yard, &words).with("--force").run().with(0);
    assert_eq!(again.out, "2 replayed: 2 done\n");
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 4, "each once by GitHub, once by the replay");
    for event in &events {
        assert_eq!(yard.event(event).await["receipts"].as_array().unwrap().len(), 2);
    }
}
