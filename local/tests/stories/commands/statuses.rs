//! Statuses: reported, listed, explained.

use serde_json::json;
use standin::ci::Answer;
use testkit::story::REPOSITORY;

use super::{SHA, at, json, rows};
use crate::place::{Place, plain};
use crate::yard::{Local, SetUp};

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_reported_listed_and_stands_at_github() {
    let (place, yard) = (Place::new(), Local::start().await);
    yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let set = |more: &[&str]| {
        at(&place, &yard, &["status", "set", &format!("{REPOSITORY}@9fceb02"), "--context", "build"]).with_all(more)
    };
    let long = "x".repeat(200);
    let ended =
        set(&["--state", "success", "--description", &long, "--target-url", "https://ci.example/7"]).run().with(0);
    assert!(ended.err.starts_with("✓ accepted: build success (description cut to 140 characters)\n"), "{}", ended.err);
    assert!(ended.err.contains(&format!("hookyard status list {REPOSITORY}@{SHA}")), "{}", ended.err);
    yard.idle().await;
    assert_eq!(yard.told(SHA, "build"), ["success"]);
    let listed = rows(at(&place, &yard, &["status", "list", &format!("{REPOSITORY}@{SHA}")]));
    assert_eq!(
        (listed.len(), &listed[0][0][..], &listed[0][1][..], &listed[0][5][..]),
        (1, "build", "success", "written")
    );
    let by_address = format!("https://github.com/{REPOSITORY}/commit/{SHA}");
    let listed = json(at(&place, &yard, &["status", "list", &by_address]));
    let path = format!("/v1/commits/{REPOSITORY}/{SHA}/statuses");
    assert_eq!(listed, yard.get(&path).await.json());
    assert_eq!(listed["statuses"][0]["id"].as_str(), Some(ended.out.trim()), "what it printed is its id");

    yard.advance(1);
    let once = || json(set(&["--state", "failure", "--idempotency-key", "deploy-7"]));
    assert_eq!(once()["results"][0]["result"], "accepted");
    assert_eq!(once(), once());
    yard.idle().await;
    assert_eq!(yard.told(SHA, "build"), ["success", "failure"]);

    let invalid = set(&["--state", "success", "--target-url", "ftp://ci"]).run().with(1);
    assert!(invalid.err.starts_with("error: none of the statuses was accepted"), "{}", invalid.err);
    assert_eq!(invalid.err.lines().count(), 2);
    set(&["--state", "done"]).run().with(2);
    for (commit, code) in [("acme/api@9fceb02", 3), ("acme/api@main", 2), ("acme@9fceb02", 2)] {
        at(&place, &yard, &["status", "list", commit]).run().with(code);
    }
    let none = at(&place, &yard, &["status", "list", &format!("acme/api@{SHA}")]).run().with(0);
    assert!(none.out.is_empty() && none.err.contains("GitHub shows \"pending\""), "{}", none.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn why_tells_what_came_what_was_sent_and_who_is_silent() {
    let (place, yard) = (Place::new(), Local::start().await);
    let why = || at(&place, &yard, &["why", &format!("{REPOSITORY}@{SHA}")]);
    let nothing = why().run().with(3);
    assert!(
        nothing.err.starts_with(&format!("error: nothing is known of {REPOSITORY}@{SHA}\n hint: ")),
        "{}",
        nothing.err
    );

    let status = |name: &str, state: &str| json!({ "name": name, "status": state });
    yard.server().answer(Answer::json(&json!({ "statuses": [status("build", "pending"), status("lint", "success")] })));
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let short = &event.split_once('-').unwrap().1[..8];
    let told = why().run().with(0);
    plain(&told.out);
    for words in [
        "! GitHub shows pending: build has not reported since 2 Mar 2026".to_owned(),
        "! build: pending on GitHub".to_owned(),
        format!("pending came in your server's answer to pull_request.opened {short} at 2 Mar 2026."),
        "Nobody has reported since (".to_owned(),
        format!("Your server took pull_request.opened {short}: it has to report by call-back"),
        "✓ lint: success on GitHub".to_owned(),
        format!("pull_request.opened  {short}  done: your server answered 200"),
    ] {
        assert!(told.out.contains(&words), "{words} is missing in\n{}", told.out);
    }
    let answer = json(why());
    assert_eq!((&answer["repository"], &answer["sha"]), (&json!(REPOSITORY), &json!(SHA)));
    assert_eq!(
        (&answer["contexts"][0]["context"], &answer["contexts"][0]["github"]),
        (&json!("build"), &json!("pending"))
    );
    assert_eq!(answer["contexts"][1]["statuses"][0]["outcome"], "written");
    assert_eq!(answer["events"][0]["id"], json!(event));
    assert!(answer["contexts"][0]["paragraph"].as_str().unwrap().contains("Nobody has reported since"));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_nobody_reported_at_all() {
    let (place, yard) = (Place::new(), SetUp { server: false, ..SetUp::default() }.start().await);
    yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let told = at(&place, &yard, &["why", &format!("{REPOSITORY}@9fceb02")]).run().with(0);
    assert!(
        told.out.contains("GitHub shows pending where a check is required, because nobody reported"),
        "{}",
        told.out
    );
    assert!(told.out.contains("no server is configured"), "{}", told.out);
}
