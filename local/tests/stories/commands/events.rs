//! Events: listed, shown, found.

use serde_json::json;
use standin::ci::Answer;
use testkit::story::REPOSITORY;

use super::{SHA, at, json, rows};
use crate::place::{Place, plain};
use crate::yard::Local;

const GUID: &str = "0b989ba4-242f-11e5-81e1-c7b6966d2516";

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_for_programs_with_nothing_cut() {
    let (place, yard) = (Place::new(), Local::start().await);
    let none = at(&place, &yard, &["events", "list"]).run().with(0);
    assert_eq!((none.out.as_str(), none.err.as_str()), ("", "No events match.\n"));
    assert_eq!(json(at(&place, &yard, &["events", "list"])), json!({ "events": [], "next_cursor": null }));

    let pull_request = yard.pull_request(7, SHA).guid(GUID).send().await.accepted();
    yard.idle().await;
    yard.advance(60);
    yard.server().answer(Answer::status(410));
    let push = yard.webhook("push.branch").send().await.accepted();
    yard.idle().await;

    let listed = rows(at(&place, &yard, &["events", "list"]));
    let [newest, oldest] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!(newest.len(), 9);
    assert_eq!((newest[1].as_str(), newest[2].as_str(), newest[8].as_str()), ("errored", "push", push.as_str()));
    assert_eq!(
        oldest[..7],
        ["2026-03-02T10:00:00Z", "processed", "pull_request.opened", REPOSITORY, "#7 9fceb02", "200", "1"]
    );
    assert_eq!(oldest[8], pull_request);

    let page = json(at(&place, &yard, &["events", "list", "--limit", "1"]));
    assert_eq!(page["events"].as_array().unwrap().len(), 1);
    assert_eq!(page["events"][0], yard.get("/v1/events?limit=1").await.json()["events"][0], "as the API answers");
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = rows(at(&place, &yard, &["events", "list", "--cursor", cursor]));
    assert_eq!((rest.len(), rest[0][8].as_str()), (1, pull_request.as_str()));
    let cut = at(&place, &yard, &["events", "list", "--limit", "1"]).run().with(0);
    assert_eq!(cut.err, "There are more: give a larger --limit.\n");
    let quiet = at(&place, &yard, &["events", "list", "--limit", "1", "--quiet"]).run().with(0);
    assert_eq!(quiet.err, "");

    for (filters, ids) in [
        (&["--status", "errored"][..], vec![&push]),
        (&["--type", "pull_request", "--action", "opened"], vec![&pull_request]),
        (&["--repository", "Octo-Org/Hello"], vec![&push, &pull_request]),
        (&["--since", "2026-03-02T10:00:30Z"], vec![&push]),
        (&["--until", "2026-03-02T10:00:30"], vec![&pull_request]),
        (&["--delivery", "0b989ba4"], vec![&pull_request]),
        (&["--repository", "octo-org/other"], vec![]),
    ] {
        let listed = rows(at(&place, &yard, &["events", "list"]).with_all(filters));
        let found: Vec<_> = listed.iter().map(|row| &row[8]).collect();
        assert_eq!(found, ids, "{filters:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_by_the_beginning_of_its_guid() {
    let (place, yard) = (Place::new(), Local::start().await);
    yard.server().answer(Answer::status(401));
    let sent = yard.pull_request(7, SHA).guid(GUID);
    let (event, bytes) = (sent.send().await.accepted(), sent.bytes());
    yard.idle().await;
    for id in ["0b989ba4", "0B989BA4-242F", GUID, &event] {
        let shown = at(&place, &yard, &["events", "show", id]).run().with(0);
        plain(&shown.all());
        for words in [
            "pull_request.opened  octo-org/hello  #7 9fceb02",
            "✗ failed: Your server answered 401 or 403.",
            "then replay the event.",
            "hookyard events replay 0b989ba4",
            "Run 1: delivered by GitHub",
            "attempt 1: answered 401",
        ] {
            assert!(shown.out.contains(words), "{words} is missing in\n{}", shown.out);
        }
    }
    let story = json(at(&place, &yard, &["events", "show", "0b989ba4"]));
    assert_eq!(story, yard.event(&event).await, "as the API answers");
    let payload = at(&place, &yard, &["events", "show", "0b989ba4", "--payload"]).run().with(0);
    assert_eq!(payload.out.as_bytes(), bytes, "byte for byte");

    for (id, code, words) in [
        ("deadbeef", 3, "error: no event's GUID begins with deadbeef\n hint: "),
        (
            "48211900-deadbeef-242f-11e5-81e1-c7b6966d2516",
            3,
            "error: no such event is recorded\n hint: one that was just accepted",
        ),
        ("0b989ba", 2, "error: \"0b989ba\" is too short for an id\n hint: give 8 or more"),
        ("../health", 2, "is no id\n hint: "),
    ] {
        let ended = at(&place, &yard, &["events", "show", id]).run().with(code);
        assert!(ended.err.contains(words) && ended.out.is_empty(), "{id}: {}", ended.all());
        assert_eq!(ended.err.lines().count(), 2, "{}", ended.err);
    }

    // Two hooks share a GUID.
    let other = yard.pull_request(7, SHA).guid(GUID).hook("77").send().await.accepted();
    yard.idle().await;
    let ended = at(&place, &yard, &["events", "show", "0b989ba4"]).run().with(2);
    assert!(ended.err.contains("2 events begin with 0b989ba4") && ended.err.contains(&other), "{}", ended.err);
    at(&place, &yard, &["events", "show", &other]).run().with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_are_listed() {
    let (place, yard) = (Place::new(), Local::start().await);
    let none = at(&place, &yard, &["releases", "list"]).run().with(0);
    assert!(none.out.is_empty() && none.err.starts_with("No releases seen."), "{}", none.all());
    assert_eq!(json(at(&place, &yard, &["releases", "list"])), json!({ "releases": [], "next_cursor": null }));
    yard.webhook("release.published").send().await.accepted();
    yard.idle().await;
    let listed = json(at(&place, &yard, &["releases", "list"]));
    assert_eq!(listed, yard.get("/v1/releases").await.json());
    let release = &listed["releases"][0];
    let rows = rows(at(&place, &yard, &["releases", "list", "--repository", REPOSITORY, "--state", "published"]));
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0][1].as_str(), rows[0][2].as_str()), ("published", REPOSITORY));
    assert_eq!(
        (rows[0][3].as_str(), rows[0][6].as_str()),
        (release["tag"].as_str().unwrap(), release["url"].as_str().unwrap())
    );
    let none = at(&place, &yard, &["releases", "list", "--state", "deleted"]).run().with(0);
    assert_eq!(none.out, "");
    at(&place, &yard, &["releases", "list", "--state", "lost"]).run().with(2);
}
