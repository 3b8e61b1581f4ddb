//! What pages weigh, packed and unpacked, and what they load.

use std::io::Read;

use jiff::SignedDuration;
use serde_json::json;
use standin::ci::Answer;
use testkit::story::REPOSITORY;

use super::{get, text};
use crate::yard::Local;

/// Sixty releases of six repositories in 90 days, with names, authors and times as they are out there.
async fn releases(yard: &Local) {
    let repositories = ["api", "cli", "web", "docs-site", "terraform-modules", "billing-worker"];
    let authors = ["ana", "github-actions[bot]", "mwolf", "j-okafor", "release-please[bot]"];
    let words =
        ["Fix", "retry", "of", "webhooks", "after", "a", "rotated", "secret", "Faster", "lists", "Drop", "Node 18"];
    for n in 0..60_usize {
        yard.advance(35 * 3600 + 1_733);
        let repository = format!("acme-corporation/{}", repositories[(n * n + n / 3) % 6]);
        let tag = format!("v{}.{}.{}", n % 4, n / 4, n * 7 % 10);
        let name = match n % 3 {
            0 => tag.clone(),
            1 => format!("Release {tag}"),
            _ => (0..5).map(|word| words[(n * 5 + word * 7) % words.len()]).collect::<Vec<_>>().join(" "),
        };
        let commit = yard.now() - SignedDuration::from_mins(i64::try_from(30 + n * n * 11).unwrap());
        let release = json!({
            "id": 140_000_000 + n, "tag_name": tag, "name": name, "draft": n % 13 == 5, "prerelease": n % 7 == 2,
            "author": { "login": authors[n * 3 % authors.len()] }, "published_at": yard.now().to_string(),
            "created_at": (n % 9 != 4).then(|| commit.to_string()),
            "html_url": format!("https://github.com/{repository}/releases/tag/{tag}"),
        });
        let body = json!({ "action": "published", "repository": { "full_name": repository }, "release": release });
        yard.webhook_of("release", body.to_string()).send().await.accepted();
    }
    yard.idle().await;
}

/// A day in which something came, failed and waited in every hour, and deliveries were refused.
async fn day(yard: &Local) {
    for n in 0..72_u64 {
        yard.server().answer(Answer::status(if n % 3 == 0 { 401 } else { 200 }));
        let repository = format!("acme-corporation/{}", ["api", "terraform-modules", "web"][(n % 3) as usize]);
        yard.pull_request_in(&repository, 1_200 + n, &format!("{:040x}", n * 0x1234_5678_9abc)).send().await.accepted();
        yard.idle().await;
        yard.advance(1_200);
    }
    yard.server().answer_always(Answer::status(503));
    for n in 0..7 {
        yard.pull_request(n, "9fceb02aa0f3c9d3a77be310b3c6a8e4f2d1c0b9").send().await.accepted();
    }
    yard.idle().await;
    yard.webhook("push.branch").signed_with("another secret").send().await.refused(401);
    yard.webhook("push.branch").header("content-type", "text/plain").send().await.refused(415);
}

/// Packed and unpacked bytes of a page.
async fn weight(yard: &Local, path: &str) -> (usize, usize) {
    let packed = get(yard, path, &[("accept-encoding", "gzip")]).await;
    assert_eq!((packed.code, packed.header("content-encoding")), (200, Some("gzip")), "{path}");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_ref()).read_to_end(&mut unpacked).unwrap();
    (packed.body.len(), unpacked.len())
}

#[tokio::test]
async fn full_pages_keep_to_their_budget() {
    let yard = Local::start().await;
    releases(&yard).await;
    day(&yard).await;
    let list = text(&yard, "/releases").await;
    assert_eq!(list.matches("<tr role=\"row\" id=\"r").count(), 50);
    assert!(list.contains("median") && list.contains("Releases per week") && list.contains("not known"), "{list}");
    let overview = text(&yard, "/").await;
    assert!(overview.contains("7 are retrying"), "{overview}");
    let bars = overview.matches("class=\"hatched\"").count();
    assert!(bars >= 23 && overview.contains("All that need you"), "{bars} bars: {overview}");
    // Why the list of releases is larger unpacked: docs/benchmarks.md.
    for (path, packed, whole) in [("/", 6_150, 25_000), ("/?hours=168", 6_150, 25_000), ("/releases", 6_150, 42_000)] {
        let (gz, raw) = weight(&yard, path).await;
        assert!(gz <= packed && raw <= whole, "{path} has {gz} bytes, {raw} unpacked");
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
