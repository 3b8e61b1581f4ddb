//! What came from a webhook, from the server or from GitHub may hold anything. None of it acts on a terminal.

use serde_json::json;
use standin::ci::Answer;
use testkit::story::REPOSITORY;

use super::{SHA, at};
use crate::place::Place;
use crate::yard::Local;

/// A screen that is cleared, a title that is set, C1, overrides, isolates, separators, a tag, a line of its own.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{2066}\u{2028}\u{e0041}\rA\nB\u{7f}\u{200b}";

/// Nothing that would move a cursor, colour, or turn the direction of writing.
#[track_caller]
fn inert(text: &str) {
    let acts = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200b}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
    };
    assert_eq!(text.chars().find(|c| acts(*c)), None, "in {text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_from_outside_acts_on_a_terminal() {
    let (place, yard) = (Place::new(), Local::start().await);
    // The name of a check may hold no control character, but all else.
    let status = json!({ "name": "ci \u{202e}x", "status": "pending", "message": format!("soon {EVIL}") });
    yard.server().answer_always(Answer::json(&json!({ "statuses": [status, { "name": "x", "status": EVIL }] })));
    let body = json!({
        "action": format!("opened {EVIL}"),
        "repository": { "full_name": REPOSITORY },
        "sender": { "login": format!("ana {EVIL}") },
        "pull_request": { "number": 7, "title": EVIL, "head": { "sha": SHA, "ref": EVIL } },
        "ref": EVIL,
    });
    let event = yard.webhook_of("pull_request", body.to_string()).send().await.accepted();
    let release = json!({
        "action": "published",
        "repository": { "full_name": REPOSITORY },
        "release": { "id": 1, "tag_name": format!("v1{EVIL}"), "name": EVIL, "draft": false, "prerelease": false,
            "html_url": format!("https://github.com/{EVIL}"), "author": { "login": EVIL },
            "created_at": "2026-03-01T00:00:00Z", "published_at": "2026-03-02T00:00:00Z" },
    });
    yard.webhook_of("release", release.to_string()).send().await.accepted();
    yard.idle().await;

    let commit = format!("{REPOSITORY}@{SHA}");
    let mut shown = String::new();
    for command in [
        &["events", "list"][..],
        &["events", "show", &event],
        &["status", "list", &commit],
        &["why", &commit],
        &["releases", "list"],
        &["events", "replay", &event, "--force", "--by", "ana"],
        &["doctor"],
    ] {
        for more in [&[][..], &["--json"]] {
            let ended = at(&place, &yard, command).with_all(more).run();
            assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.all());
            inert(&ended.out);
            inert(&ended.err);
            shown += &ended.out;
        }
    }
    let mut tail = at(&place, &yard, &["events", "tail"]).start();
    tail.until(&["Following"]);
    tail.signal("INT");
    let ended = tail.end();
    inert(&ended.out);
    assert!(ended.out.contains("pull_request.opened \u{fffd}[2J"), "{}", ended.out);
    assert!(shown.contains("ci \u{fffd}x") && shown.contains("\\u202e"), "it is shown, as what it is");

    // To a file, the payload is what it was.
    let payload = at(&place, &yard, &["events", "show", &event, "--payload"]).run().with(0);
    assert_eq!(payload.out, body.to_string());
    // What the API answers, JSON says all the same.
    let told = at(&place, &yard, &["events", "show", &event, "--json"]).run().with(0);
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["sender"], yard.event(&event).await["sender"]);
    assert_eq!(told["payload"], body);
}

#[tokio::test(flavor = "multi_thread")]
async fn colour_only_where_it_was_asked_for_and_letters_without_utf8() {
    let (place, yard) = (Place::new(), Local::start().await);
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let show = |color: &str| at(&place, &yard, &["events", "show", &event, "--color", color]);
    assert!(!show("auto").run().with(0).out.contains('\u{1b}'), "nobody looks");
    assert!(!show("never").run().with(0).out.contains('\u{1b}'));
    assert!(show("always").run().with(0).out.contains("\u{1b}[32m✓\u{1b}[0m"));
    assert!(!show("auto").set("NO_COLOR", "1").run().with(0).out.contains('\u{1b}'));
    let plain = show("auto").set("LANG", "C").run().with(0);
    assert!(plain.out.is_ascii() && plain.out.contains("ok done"), "{}", plain.out);
}
