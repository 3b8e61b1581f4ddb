//! Who may see the pages, and which forms count.

use standin::http;
use testkit::story::REPOSITORY;

use super::{SHA, cookie, csrf, get, post};
use crate::yard::SetUp;

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
