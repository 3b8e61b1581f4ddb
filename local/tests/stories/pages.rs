//! The pages: who may see them, what they show, and that nothing from outside becomes a part of them.

use std::io::Read;

use serde_json::json;
use standin::ci::Answer;
use standin::http::{self, Reply};
use testkit::story::REPOSITORY;

use crate::yard::{Local, SetUp};

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
async fn the_button_on_the_page_replays_the_event() {
    let yard = Local::start().await;
    yard.server().answer(Answer::status(401));
    let id = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let page = text(&yard, &format!("/events/{id}")).await;
    assert!(page.contains("Your server answered 401 or 403."), "{page}");
    let to = format!("/events/{id}/replay");
    assert_eq!(post(&yard, &to, &[], "csrf=00").await.code, 400, "only from our own page");
    let pressed = post(&yard, &to, &[], &format!("csrf={}", csrf(&page))).await;
    assert_eq!((pressed.code, pressed.header("location")), (303, Some(format!("/events/{id}").as_str())));
    yard.idle().await;
    let page = text(&yard, &format!("/events/{id}")).await;
    assert!(
        page.contains("Run 2 · replayed by loopback, from the page") && page.contains("Your server took it."),
        "{page}"
    );
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
async fn without_the_key_there_is_nothing_to_see() {
    let yard = SetUp { api_key: Some("the-key"), ..SetUp::default() }.start().await;
    let asked = get(&yard, "/events?status=errored", &[]).await;
    let form = "/sign-in?next=%2Fevents%3Fstatus%3Derrored";
    assert_eq!((asked.code, asked.header("location")), (303, Some(form)));
    for path in ["/", "/releases", "/events/head?after=1-a", "/go?q=x", "/commits/o/r/abc", "/dead-letters"] {
        let reply = get(&yard, path, &[]).await;
        assert!(reply.code == 303 || reply.code == 404, "{path}: {}", reply.code);
    }
    let page = get(&yard, form, &[]).await;
    assert!(String::from_utf8_lossy(&page.body).contains("value=\"/events?status=errored\""));

    let wrong = post(&yard, "/sign-in", &[], "key=another&next=/events").await;
    assert_eq!((wrong.code, wrong.header("set-cookie")), (403, None));
    let right = post(&yard, "/sign-in", &[], "key=the-key&next=//evil.example").await;
    assert_eq!((right.code, right.header("location")), (303, Some("/")), "nobody is led elsewhere");
    let set = right.header("set-cookie").unwrap();
    assert!(set.starts_with("hookyard=") && set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
    assert!(!set.contains("the-key"));

    let session = cookie(&right);
    let read = get(&yard, "/events", &[("cookie", &session)]).await;
    assert_eq!(read.code, 200);
    let other = format!("{}0", &session[..session.len() - 1]);
    let forged = if other == session { format!("{}1", &session[..session.len() - 1]) } else { other };
    let (_, mac) = session.split_once('.').unwrap();
    for bad in [forged, format!("hookyard=99999999999.{mac}"), "hookyard=".to_owned(), "hookyard=x.y".to_owned()] {
        assert_eq!(get(&yard, "/events", &[("cookie", &bad)]).await.code, 303, "{bad}");
    }
    yard.advance(12 * 3600 - 1);
    assert_eq!(get(&yard, "/events", &[("cookie", &session)]).await.code, 200);
    yard.advance(1);
    assert_eq!(get(&yard, "/events", &[("cookie", &session)]).await.code, 303, "twelve hours are over");
}

#[tokio::test]
async fn a_session_reads_what_the_pages_link_to_and_changes_nothing() {
    let yard = SetUp { api_key: Some("the-key"), ..SetUp::default() }.start().await;
    let id = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let session = cookie(&post(&yard, "/sign-in", &[], "key=the-key").await);
    let own = ("cookie", session.as_str());
    let (event, payload) = (format!("/v1/events/{id}"), format!("/v1/events/{id}/payload"));
    let commit = format!("/v1/commits/{REPOSITORY}/{SHA}/statuses");
    for path in ["/v1/events", &event, &payload, &commit, "/v1/releases", "/v1/dead-letters"] {
        for method in ["GET", "HEAD"] {
            let url = format!("{}{path}", yard.api);
            let ask = async |headers: &[(&str, &str)]| http::send(method, &url, headers, "").await.unwrap();
            let read = ask(&[own]).await;
            assert_eq!((read.code, read.header("cache-control")), (200, Some("no-store")), "{method} {path}");
            assert_eq!(read.header("access-control-allow-origin"), None, "{method} {path}: no other page may read it");
            for strange in [vec![], vec![("cookie", "hookyard=1.00")], vec![own, ("authorization", "Bearer wrong")]] {
                assert_eq!(ask(&strange).await.code, 401, "{method} {path} with {strange:?}");
            }
        }
    }
    assert!(get(&yard, "/health", &[own]).await.json()["refused"].is_object());
    let replay = format!("{event}/replay");
    for path in ["/v1/statuses", "/pulls/status/update", &replay, "/v1/replays", "/v1/dead-letters/redrive"] {
        let origin = yard.api.clone();
        let headers = [own, ("content-type", "application/json"), ("origin", origin.as_str())];
        let reply = http::send("POST", &format!("{}{path}", yard.api), &headers, "{}").await.unwrap();
        assert_eq!(reply.code, 401, "{path}");
    }
    yard.advance(12 * 3600);
    assert_eq!(get(&yard, "/v1/events", &[own]).await.code, 401, "it is over");
}

#[tokio::test]
async fn many_are_replayed_a_hundred_at_a_time_after_a_look_at_them() {
    let yard = Local::start().await;
    yard.server().answer_always(Answer::status(401));
    for n in 0..150 {
        yard.pull_request(n, SHA).send().await.accepted();
        yard.advance(1);
    }
    yard.webhook_of("push", json!({ "repository": { "full_name": "octo-org/other" } }).to_string())
        .send()
        .await
        .accepted();
    yard.idle().await;
    let list = text(&yard, "/events?status=errored&repository=octo-org/other").await;
    assert!(
        list.contains("href=\"/events/replay?repository=octo-org%2Fother&amp;status=errored\"")
            || list.contains("/events/replay?repository=octo-org%2Fother&#38;status=errored"),
        "{list}"
    );

    yard.advance(60);
    let asked = text(&yard, "/events/replay").await;
    for words in ["151 events would run again.", "octo-org/other", ">150<", "Replay these 151 events", "The first 10"] {
        assert!(asked.contains(words), "{words} is not on {asked}");
    }
    assert_eq!(yard.server().calls().len(), 151, "a look replays nothing");
    let refused = yard.get("/events/replay?status=processed").await;
    assert_eq!(refused.code, 400);
    assert!(String::from_utf8_lossy(&refused.body).contains("It has not failed."));
    assert!(text(&yard, "/events/replay?status=processed&force=true").await.contains("No events match"));
    assert_eq!(yard.get("/events/replay?repository=nobody").await.code, 400);

    // Without script: one form after another.
    yard.advance(60);
    yard.server().answer_always(Answer::status(200));
    let form = |page: &str| {
        let (_, form) = page.split_once("action=\"/replays/").unwrap();
        let (action, fields) = form.split_once("</form>").unwrap().0.split_once('"').unwrap();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for field in fields.split("type=\"hidden\" name=\"").skip(1) {
            let (name, rest) = field.split_once("\" value=\"").unwrap();
            query.append_pair(name, rest.split('"').next().unwrap());
        }
        (format!("/replays/{action}"), query.finish())
    };
    let (to, fields) = form(&asked);
    assert_eq!(post(&yard, &to, &[], "csrf=00").await.code, 400, "only from our own page");
    let first = post(&yard, &to, &[], &fields).await;
    assert_eq!(first.code, 303, "{}", String::from_utf8_lossy(&first.body));
    yard.idle().await;
    let half = text(&yard, first.header("location").unwrap()).await;
    assert!(half.contains("100 of 151: 100 run again, 0 left as they are.") && half.contains("Continue"), "{half}");
    let (next, more) = form(&half);
    let second = post(&yard, &next, &[], &more).await;
    yard.idle().await;
    let done = text(&yard, second.header("location").unwrap()).await;
    assert!(done.contains("Done. 151 of 151: 151 run again, 0 left as they are."), "{done}");
    assert!(!done.contains("Continue"), "{done}");
    // Both once more, as by somebody who goes back and presses again.
    for (to, fields) in [(&to, &fields), (&next, &more)] {
        assert_eq!(post(&yard, to, &[], fields).await.code, 303);
        yard.idle().await;
    }
    assert_eq!(yard.server().calls().len(), 302, "each once by GitHub and once by the replay");
    let replayed = yard.get("/v1/events?limit=1").await.json();
    let story = yard.event(replayed["events"][0]["id"].as_str().unwrap()).await;
    assert_eq!(story["runs"][1]["asked_by"], "loopback, from the page");
    assert!(to.ends_with(story["runs"][1]["replay"].as_str().unwrap()));
}

#[tokio::test]
async fn a_form_counts_only_from_our_own_page() {
    let yard = SetUp { api_key: Some("the-key"), ..SetUp::default() }.start().await;
    let session = cookie(&post(&yard, "/sign-in", &[], "key=the-key").await);
    let another = cookie(&{
        yard.advance(1);
        post(&yard, "/sign-in", &[], "key=the-key").await
    });
    let page = get(&yard, "/events", &[("cookie", &session)]).await;
    let proof = csrf(&String::from_utf8_lossy(&page.body));
    for (cookie, form) in [
        (&session, "csrf=".to_owned()),
        (&session, "csrf=00".to_owned()),
        (&session, String::new()),
        (&another, format!("csrf={proof}")),
    ] {
        assert_eq!(post(&yard, "/sign-out", &[("cookie", cookie)], &form).await.code, 400, "{form}");
    }
    let foreign = [("cookie", session.as_str()), ("origin", "https://evil.example")];
    assert_eq!(post(&yard, "/sign-out", &foreign, &format!("csrf={proof}")).await.code, 403);
    let out = post(&yard, "/sign-out", &[("cookie", &session)], &format!("csrf={proof}")).await;
    assert_eq!(out.code, 303);
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
}

#[tokio::test]
async fn behind_https_the_cookie_is_for_https_only() {
    let url = Some("https://hooks.example");
    let yard = SetUp { api_key: Some("the-key"), public_url: url, ..SetUp::default() }.start().await;
    let there = [("host", "hooks.example")];
    let set = post(&yard, "/sign-in", &there, "key=the-key").await;
    let set = set.header("set-cookie").unwrap();
    assert!(set.starts_with("__Host-hookyard=") && set.contains("; Secure") && set.contains("Path=/"), "{set}");
    assert!(!set.contains("Domain"));
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

#[tokio::test]
async fn pages_and_json_travel_compressed_and_within_their_budget() {
    let yard = Local::start().await;
    yard.server().answer_always(Answer::json(&json!({ "statuses": [
        { "name": "build", "status": "pending", "message": "started", "target_url": "https://ci.example/7" },
        { "name": "lint", "status": "success", "message": "nothing to say" },
    ] })));
    let mut id = String::new();
    for n in 0..60 {
        id = yard
            .webhook("pull_request.opened")
            .guid(&format!("{n:08}-242f-11ee-81e1-c7b6966d2516"))
            .send()
            .await
            .accepted();
        yard.later(61).await;
    }
    let event = yard.event(&id).await;
    let commit = format!("/commits/{REPOSITORY}/{}", event["sha"].as_str().unwrap());
    let page = text(&yard, "/help").await;
    let asset = |end: &str| {
        let names = page.split("\"/assets/").skip(1).map(|rest| rest.split('"').next().unwrap());
        format!("/assets/{}", names.into_iter().find(|name| name.ends_with(end)).unwrap())
    };
    for (path, most) in [
        ("/events".to_owned(), 5_400),
        (format!("/events/{id}"), 8_200 + 4_000),
        (commit, 4_100 + 2_000),
        ("/events/replay?force=true".to_owned(), 5_400),
        ("/v1/events".to_owned(), 8_000),
        ("/openapi.json".to_owned(), 12_000),
        (asset(".css"), 8_192),
        (asset(".js"), 4_096),
    ] {
        let plain = get(&yard, &path, &[]).await;
        assert_eq!((plain.code, plain.header("content-encoding")), (200, None), "{path}");
        let packed = get(&yard, &path, &[("accept-encoding", "gzip, br")]).await;
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(packed.header("vary"), Some("accept-encoding"), "{path}");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed.body.as_ref()).read_to_end(&mut unpacked).unwrap();
        // Each look at a replay mints another one.
        assert!(unpacked == plain.body || path.starts_with("/events/replay"), "{path}");
        assert!(packed.body.len() <= most, "{path} has {} bytes, {} unpacked", packed.body.len(), unpacked.len());
    }
    let small = get(&yard, "/health", &[("accept-encoding", "gzip")]).await;
    assert_eq!(small.header("content-encoding"), None);
}

#[tokio::test]
async fn what_pages_load_may_be_kept_for_ever() {
    let yard = Local::start().await;
    let page = text(&yard, "/help").await;
    for (attribute, kind) in
        [("href=\"/assets/", "text/css; charset=utf-8"), ("src=\"/assets/", "text/javascript; charset=utf-8")]
    {
        let name = page.split_once(attribute).unwrap().1.split('"').next().unwrap();
        let reply = yard.get(&format!("/assets/{name}")).await;
        assert_eq!((reply.code, reply.header("content-type")), (200, Some(kind)));
        assert!(reply.header("cache-control").unwrap().contains("immutable"));
    }
    assert_eq!(yard.get("/assets/0000000000000000.css").await.code, 404);
    assert!(page.contains("server_denied") && page.contains("github_no_commit"));
}
