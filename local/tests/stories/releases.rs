//! Releases: kept current by what GitHub says, whatever the server says, and listed for ever.

use serde_json::{Value, json};
use standin::ci::Answer;

use crate::yard::Local;

async fn releases(yard: &Local, query: &str) -> Vec<Value> {
    let reply = yard.get(&format!("/v1/releases{query}")).await;
    assert_eq!(reply.code, 200, "{query}: {}", reply.json());
    assert_eq!(reply.json()["next_cursor"], json!(null), "{query}");
    reply.json()["releases"].as_array().unwrap().clone()
}

async fn send(yard: &Local, sample: &str) -> String {
    let event = yard.webhook(sample).send().await.accepted();
    yard.idle().await;
    yard.advance(1);
    event
}

#[tokio::test]
async fn a_release_follows_what_github_says_of_it() {
    let yard = Local::start().await;
    send(&yard, "release.published").await;
    let published = json!({
        "repository": "octo-org/hello",
        "tag": "v1.2.0",
        "name": "Twelve hellos",
        "state": "published",
        "author": "tomas-vale",
        "published_at": "2026-11-18T11:02:17Z",
        "created_at": "2026-11-18T10:58:31Z",
        "url": "https://github.com/octo-org/hello/releases/tag/v1.2.0",
    });
    assert_eq!(releases(&yard, "").await, [published]);

    send(&yard, "release.edited").await;
    send(&yard, "release.prereleased").await;
    let states = async |query| {
        let all = releases(&yard, query).await;
        all.iter()
            .map(|r| format!("{} {}", r["tag"].as_str().unwrap(), r["state"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(states("").await, ["v1.3.0-rc.1 prerelease", "v1.2.0 published"]);
    assert!(releases(&yard, "?state=published").await[0]["name"].as_str().unwrap().contains("wave"));
    send(&yard, "release.deleted").await;
    assert_eq!(states("?repository=Octo-Org/Hello").await, ["v1.3.0-rc.1 deleted", "v1.2.0 published"]);
    assert_eq!(states("?since=2026-11-19T00:00:00Z&state=deleted").await, ["v1.3.0-rc.1 deleted"]);
    assert_eq!(states("?repository=octo-org/other").await, [""; 0]);
    yard.advance(200 * 86_400);
    assert_eq!(states("").await.len(), 2, "they do not expire");
}

#[tokio::test]
async fn it_is_recorded_before_the_server_is_called_and_whatever_it_answers() {
    let yard = Local::start().await;
    for (code, sample) in [(500, "release.published"), (404, "release.prereleased")] {
        yard.server().answer(Answer::status(code));
        let event = send(&yard, sample).await;
        assert_ne!(yard.event(&event).await["status"], "processed");
    }
    assert_eq!(releases(&yard, "").await.len(), 2);
    yard.server().stop().await;
    send(&yard, "release.deleted").await;
    assert_eq!(releases(&yard, "?state=deleted").await.len(), 1);
}

#[tokio::test]
async fn a_release_that_says_too_little_is_still_an_event() {
    let yard = Local::start().await;
    let whole = json!({ "action": "published", "repository": { "full_name": "o/r" }, "release": { "id": 1 } });
    let mut nameless = whole.clone();
    nameless["release"] = json!({ "tag_name": "v1" });
    let mut homeless = whole.clone();
    homeless["repository"] = json!(null);
    let bodies = [whole, nameless, homeless, json!({ "release": "gone" }), json!([])];
    for body in &bodies {
        let event = yard.webhook_of("release", body.to_string()).send().await.accepted();
        yard.idle().await;
        assert_eq!(yard.event(&event).await["status"], "processed", "{body}");
    }
    let all = releases(&yard, "").await;
    assert_eq!(all.len(), 1, "one says which release it is about");
    assert_eq!((&all[0]["tag"], &all[0]["state"]), (&json!(null), &json!("published")));
}

#[tokio::test]
async fn pages_and_parameters() {
    let yard = Local::start().await;
    for id in 1..=5 {
        let published = format!("2026-01-0{id}T00:00:00Z");
        let release = json!({ "id": id, "tag_name": format!("v{id}"), "published_at": published });
        let body = json!({ "action": "published", "repository": { "full_name": "o/r" }, "release": release });
        yard.webhook_of("release", body.to_string()).send().await.accepted();
    }
    yard.idle().await;
    let (mut cursor, mut tags) = (String::new(), Vec::new());
    loop {
        let page = yard.get(&format!("/v1/releases?limit=2&cursor={cursor}")).await.json();
        tags.extend(page["releases"].as_array().unwrap().iter().map(|r| r["tag"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(tags, ["v5", "v4", "v3", "v2", "v1"]);
    for query in [
        "limit=0",
        "limit=101",
        "state=edited",
        "since=yesterday",
        "repository=nobody",
        "until=2026-01-01",
        "cursor=e30",
    ] {
        let reply = yard.get(&format!("/v1/releases?{query}")).await;
        assert_eq!((reply.code, reply.header("content-type")), (400, Some("application/problem+json")), "{query}");
    }
    let foreign = yard.get(&format!("/v1/releases?state=draft&cursor={cursor}")).await;
    assert_eq!(foreign.code, 400, "a cursor of another list");
}

#[tokio::test]
async fn the_page_shows_what_shipped_and_how_often() {
    let yard = Local::start().await;
    let page = async |path: &str| {
        let reply = yard.get(path).await;
        (reply.code, String::from_utf8(reply.body.to_vec()).unwrap())
    };
    let (code, empty) = page("/releases").await;
    assert!(code == 200 && empty.contains("No releases seen yet.") && empty.contains("tick \"Releases\""), "{empty}");
    for day in 1..=60 {
        let published = format!("2026-{:02}-{:02}T08:00:00Z", 1 + (day - 1) / 28, 1 + (day - 1) % 28);
        let release = json!({
            "id": day, "tag_name": format!("v{day}"), "name": format!("Day {day}"), "author": { "login": "ana" },
            "created_at": published.replace("08:", "07:"), "published_at": published,
            "html_url": format!("https://github.com/o/r/releases/tag/v{day}"),
        });
        let body = json!({ "action": "published", "repository": { "full_name": "o/r" }, "release": release });
        yard.webhook_of("release", body.to_string()).send().await.accepted();
    }
    yard.idle().await;
    let (_, first) = page("/releases").await;
    assert_eq!(first.matches("role=\"rowheader\"").count(), 50);
    for words in [
        "The newest 50 releases",
        "every 24 h (median gap, n = 49)",
        "Day 60",
        "<svg class=\"chart lanes\"",
        ">ana<",
        ">1 h<",
    ] {
        assert!(first.contains(words), "{words} is not on {first}");
    }
    let (_, older) = first.split_once("rel=\"next\" href=\"").unwrap();
    let older = older.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    let (_, second) = page(&older).await;
    assert_eq!(second.matches("role=\"rowheader\"").count(), 10);
    assert!(!second.contains("<svg class=\"chart lanes\""), "the lanes are on the first page");

    send(&yard, "release.deleted").await;
    let (_, deleted) = page("/releases?state=deleted&repository=octo-org/hello").await;
    assert!(deleted.contains("v1.3.0-rc.1") && deleted.contains("> deleted</span>"), "{deleted}");
    let (_, none) = page("/releases?state=draft").await;
    assert!(none.contains("No releases match.") && none.contains("Remove state"), "{none}");
    let (code, bad) = page("/releases?repository=nobody&state=gone&since=never").await;
    assert_eq!(code, 400);
    for words in ["write it as owner/name", "there is no such state", "Published from: a time", "value=\"nobody\""] {
        assert!(bad.contains(words), "{words} is not on {bad}");
    }
}
