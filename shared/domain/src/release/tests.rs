//! Releases by table: every action on every state, and payloads that say too little or too much.

use uuid::Uuid;

use super::*;
use crate::facts::release_event;

fn event(action: &str, draft: bool, prerelease: bool) -> ReleaseEvent {
    let json = format!(
        r#"{{"action":"{action}","release":{{"id":1,"tag_name":"v1","draft":{draft},"prerelease":{prerelease},
        "created_at":"2026-03-01T00:00:00Z","published_at":"2026-03-02T00:00:00Z"}}}}"#
    );
    release_event(json.as_bytes()).unwrap()
}

fn after(before: Option<&Release>, event: &ReleaseEvent, receipt: u128) -> Option<Release> {
    let repository = Repository::parse("octo-org/hello").unwrap();
    let now = "2026-03-03T00:00:00Z".parse().unwrap();
    Release::after(before, &repository, event, ReceiptId(Uuid::from_u128(receipt)), now)
}

#[test]
fn states_are_exactly_this_table() {
    use ReleaseState::{Deleted, Draft, Prerelease, Published, Unpublished};
    // Columns: before nothing, draft, prerelease, published, unpublished, deleted.
    let (d, r, p, u, x) = (Draft, Prerelease, Published, Unpublished, Deleted);
    let table = [
        ("created", true, false, [d, d, d, d, u, x]),
        ("created", false, false, [p, p, p, p, p, x]),
        ("published", false, false, [p, p, p, p, p, x]),
        ("published", false, true, [r, r, r, r, r, x]),
        ("prereleased", false, true, [r, r, r, r, r, x]),
        ("released", false, false, [p, p, p, p, p, x]),
        ("edited", false, false, [p, p, p, p, p, x]),
        ("edited", false, true, [r, r, r, r, r, x]),
        ("edited", true, false, [d, d, d, d, u, x]),
        ("unpublished", true, false, [u, u, u, u, u, x]),
        ("deleted", false, false, [x, x, x, x, x, x]),
        ("entangled", false, true, [r, r, r, r, r, x]),
    ];
    for (action, draft, prerelease, row) in table {
        let befores = [None].into_iter().chain(ReleaseState::ALL.map(Some));
        for (before, expected) in befores.zip(row) {
            let event = event(action, draft, prerelease);
            let known = before.map(|state| Release { state, ..after(None, &event, 1).unwrap() });
            let state = after(known.as_ref(), &event, 2).unwrap().state;
            assert_eq!(state, expected, "{action}, draft {draft}, prerelease {prerelease}, before {before:?}");
        }
    }
}

#[test]
fn only_a_newer_receipt_counts() {
    let first = after(None, &event("published", false, false), 2).unwrap();
    let deleted = event("deleted", false, false);
    assert_eq!(after(Some(&first), &deleted, 1), None, "an older one");
    assert_eq!(after(Some(&first), &deleted, 2), None, "the same again");
    assert_eq!(after(Some(&first), &deleted, 3).unwrap().state, ReleaseState::Deleted);
}

#[test]
fn the_place_in_lists() {
    let at = |action, draft| after(None, &event(action, draft, false), 1).unwrap().at().to_string();
    assert_eq!(at("published", false), "2026-03-02T00:00:00Z");
    assert_eq!(at("deleted", false), "2026-03-02T00:00:00Z");
    assert_eq!(at("created", true), "2026-03-01T00:00:00Z", "a draft has not been published");
    assert_eq!(at("unpublished", true), "2026-03-01T00:00:00Z", "not any more");
    let bare = release_event(br#"{"release":{"id":1}}"#).unwrap();
    assert_eq!(after(None, &bare, 1).unwrap().at().to_string(), "2026-03-03T00:00:00Z");
}

#[test]
fn what_is_missing_or_odd_is_left_out() {
    let nothing = ReleaseEvent { id: 1, ..ReleaseEvent::default() };
    for odd in [
        r#"{"release":{"id":1}}"#,
        r#"{"action":7,"release":{"id":1,"tag_name":[],"name":null,"draft":"yes","prerelease":0,"author":"x"}}"#,
        r#"{"release":{"id":1,"created_at":"0001-01-01T00:00:00Z","published_at":"9999-12-31T00:00:00Z"}}"#,
        r#"{"release":{"id":1,"created_at":"soon","published_at":1,"html_url":"javascript:alert(1)"}}"#,
        r#"{"release":{"id":1,"html_url":"https://github.com/\"onmouseover="}}"#,
    ] {
        assert_eq!(release_event(odd.as_bytes()).unwrap(), nothing, "{odd}");
    }
    for no_release in [
        "",
        "[]",
        "{}",
        r#"{"release":null}"#,
        r#"{"release":[1]}"#,
        r#"{"release":{}}"#,
        r#"{"release":{"id":-1}}"#,
        r#"{"release":{"id":"1"}}"#,
        r#"{"release":{"id":18446744073709551616}}"#,
    ] {
        assert_eq!(release_event(no_release.as_bytes()), None, "{no_release}");
    }
    let long = format!(
        r#"{{"action":"{a}","release":{{"id":1,"tag_name":"{a}","name":"{a}","author":{{"login":"{a}"}},"html_url":"https://{a}"}}}}"#,
        a = "\u{1F980}".repeat(5000)
    );
    let long = release_event(long.as_bytes()).unwrap();
    for text in [Some(long.action), long.facts.tag, long.facts.name, long.facts.author] {
        assert_eq!(text.unwrap().chars().count(), 255);
    }
    assert_eq!(long.facts.url, None);
}
