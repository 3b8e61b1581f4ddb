//! The pages: what they show, who may see them, and that nothing from outside becomes a part of them.

mod access;
mod replay;
mod sizes;

use serde_json::json;
use standin::ci::Answer;
use standin::http::{self, Reply};
use testkit::story::REPOSITORY;

use crate::yard::Local;

const SHA: &str = "9fceb02aa0f3c9d3a77be310b3c6a8e4f2d1c0b9";

async fn text(yard: &Local, path: &str) -> String {
    let reply = yard.get(path).await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert_eq!(reply.code, 200, "{path}: {text}");
    text
}

async fn post(yard: &Local, path: &str, headers: &[(&str, &str)], form: &str) -> Reply {
    let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
    all.extend_from_slice(headers);
    http::send("POST", &format!("{}{path}", yard.api), &all, form.to_owned()).await.unwrap()
}

async fn get(yard: &Local, path: &str, headers: &[(&str, &str)]) -> Reply {
    http::send("GET", &format!("{}{path}", yard.api), headers, "").await.unwrap()
}

/// `name=value` of the cookie that an answer sets.
fn cookie(reply: &Reply) -> String {
    reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn csrf(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_event_tells_its_story() {
    let yard = Local::start().await;
    yard.server().answer(Answer::status(503));
    yard.server().answer(Answer::json(&json!({ "statuses": [{ "name": "build", "status": "pending" }] })));
    let id = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let retrying = text(&yard, &format!("/events/{id}")).await;
    for words in ["Your server answered 5xx.", "Attempt 1:", "answered 503", "Waiting: attempt 2", "data-moving"] {
        assert!(retrying.contains(words), "{words} is not on {retrying}");
    }
    yard.later(60).await;
    let done = text(&yard, &format!("/events/{id}")).await;
    for words in
        ["Your server took it.", "Attempt 2:", "1 status in its answer", "<code>build</code> pending is on GitHub"]
    {
        assert!(done.contains(words), "{words} is not on {done}");
    }
    assert!(!done.contains("data-moving") && !done.contains("sha256="), "neither moving nor a signature");
    let list = text(&yard, "/events").await;
    assert!(list.contains(&format!("href=\"/events/{id}\"")) && list.contains("pull_request · opened"));
    let commit = text(&yard, &format!("/commits/{REPOSITORY}/{SHA}")).await;
    assert!(commit.contains("GitHub shows PENDING.") && commit.contains("has not reported since"));
    assert_eq!(yard.get("/events/1-00000000").await.code, 404);
    assert_eq!(yard.get("/events/nonsense").await.code, 400);
}

#[tokio::test]
async fn the_list_filters_counts_and_turns_pages() {
    let yard = Local::start().await;
    let empty = text(&yard, "/events").await;
    assert!(empty.contains("No deliveries yet.") && empty.contains("/github</code>"), "{empty}");
    let mut ids = Vec::new();
    for n in 0..60u64 {
        ids.push(yard.pull_request(n, &format!("{n:040x}")).send().await.accepted());
        yard.later(1).await;
    }
    let page = text(&yard, "/events?status=processed").await;
    assert_eq!(page.matches("role=\"rowheader\"").count(), 50);
    let (_, older) = page.split_once("rel=\"next\" href=\"").unwrap();
    let older = older.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    assert_eq!(text(&yard, &older).await.matches("role=\"rowheader\"").count(), 10);
    assert!(text(&yard, "/events?status=errored").await.contains("No events match"));
    let bad = yard.get("/events?repository=nobody&since=never").await;
    assert_eq!(bad.code, 400);
    let bad = String::from_utf8_lossy(&bad.body).into_owned();
    assert!(bad.contains("value=\"nobody\"") && bad.contains("write it as owner/name") && bad.contains("From: a time"));

    let head = format!("/events/head?after={}", ids[57]);
    let counted = yard.get(&head).await;
    assert_eq!(counted.json(), json!({ "new": 2 }));
    let tag = counted.header("etag").unwrap().to_owned();
    let again = get(&yard, &head, &[("if-none-match", &tag)]).await;
    assert_eq!((again.code, again.body.len()), (304, 0));
    assert_eq!(yard.get("/events/head?after=none").await.code, 400);
}

#[tokio::test]
async fn one_field_finds_everything() {
    let yard = Local::start().await;
    let id = yard.pull_request(7, SHA).guid("0b989ba4-242f-11ee-81e1-c7b6966d2516").send().await.accepted();
    yard.webhook("release.published").send().await.accepted();
    yard.idle().await;
    for (asked, to) in [
        ("0b989ba4-242f-11ee-81e1-c7b6966d2516", format!("/events/{id}")),
        ("0B989BA4", format!("/events/{id}")),
        (id.as_str(), format!("/events/{id}")),
        (SHA, format!("/commits/{REPOSITORY}/{SHA}")),
        ("9fceb02", format!("/commits/{REPOSITORY}/{SHA}")),
        ("octo-org/hello", "/events?repository=octo-org%2Fhello".to_owned()),
        ("octo-org/hello#7", format!("/events/{id}")),
        ("v1.2.0", "/releases?repository=octo-org%2Fhello".to_owned()),
        (&format!("octo-org/hello@{SHA}"), format!("/commits/{REPOSITORY}/{SHA}")),
    ] {
        let query: String = url::form_urlencoded::byte_serialize(asked.as_bytes()).collect();
        let reply = yard.get(&format!("/go?q={query}")).await;
        assert_eq!((reply.code, reply.header("location")), (303, Some(to.as_str())), "{asked}");
    }
    for asked in ["", "octo-org/hello#8", "77be310", "<script>", "\0"] {
        let query: String = url::form_urlencoded::byte_serialize(asked.as_bytes()).collect();
        assert_eq!(yard.get(&format!("/go?q={query}")).await.code, 404, "{asked}");
    }
}

#[tokio::test]
async fn markup_from_a_webhook_stays_text() {
    let yard = Local::start().await;
    let evil = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>`";
    yard.github().know_only(&[]);
    yard.server().answer(Answer::json(&json!({ "statuses": [
        { "name": evil, "status": "failure", "message": evil, "target_url": "https://ci.example/\"><script>" },
    ] })));
    let body = json!({
        "action": evil,
        "repository": { "full_name": REPOSITORY, "name": evil },
        "sender": { "login": evil },
        "pull_request": { "number": 7, "title": evil, "head": { "sha": SHA } },
    });
    let delivery = yard.webhook_of("pull_request", body.to_string()).header("user-agent", evil);
    let id = delivery.send().await.accepted();
    for (n, at) in ["2026-03-02T09:00:00Z", "soon"].into_iter().enumerate() {
        let release = json!({
            "id": n, "tag_name": evil, "name": evil, "author": { "login": evil }, "published_at": at,
            "html_url": "https://github.com/\"><script>alert(3)</script>",
        });
        let body = json!({ "action": evil, "repository": { "full_name": REPOSITORY }, "release": release });
        yard.webhook_of("release", body.to_string()).send().await.accepted();
    }
    yard.idle().await;
    let query: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
    for path in [
        format!("/events/{id}"),
        "/".to_owned(),
        "/events".to_owned(),
        "/releases".to_owned(),
        format!("/releases?repository={query}&state={query}&since={query}"),
        "/events?status=errored".to_owned(),
        format!("/events?action={query}"),
        format!("/commits/{REPOSITORY}/{SHA}"),
        format!("/sign-in?next={query}"),
    ] {
        let reply = yard.get(&path).await;
        let page = String::from_utf8(reply.body.to_vec()).unwrap();
        let own = page.matches("<script src=\"/assets/").count();
        assert_eq!((page.matches("<script").count(), own), (1, 1), "{path}: {page}");
        assert!(!page.contains("<img") && !page.contains("javascript:"), "{path}: {page}");
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}
