//! GitHub refuses, asks for a pause, breaks off or goes silent: each status stands there once, and the right one last.

use serde_json::json;
use standin::github::{Fault, Kind};
use standin::http;
use testkit::story::REPOSITORY;

use crate::yard::{Local, SetUp};

const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

async fn report(yard: &Local, repository: &str, state: &str) {
    yard.call_back_openly().about(repository, SHA).status("ci", state, "").accepted().await;
}

#[tokio::test]
async fn applied_but_never_answered_is_found_and_not_written_again() {
    let yard = Local::start().await;
    yard.github().fail(Kind::Post, Fault::ApplyThenHang);
    report(&yard, REPOSITORY, "success").await;
    yard.github().wait_for_statuses(REPOSITORY, SHA, 1).await;
    yard.later(10).await;
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["waiting"]);
    yard.later(40).await;
    assert_eq!(yard.told(SHA, "ci"), ["success"]);
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["written"]);
}

#[tokio::test]
async fn a_429_pauses_its_credential_and_no_other() {
    let yard = SetUp { second_owner: Some("acme"), ..SetUp::default() }.start().await;
    yard.github().fail_for("first", Kind::Post, Fault::TooMany { retry_after: 120 });
    report(&yard, REPOSITORY, "pending").await;
    yard.idle().await;
    let row = yard.rows(REPOSITORY, SHA, "ci").await.remove(0);
    assert_eq!((&row["outcome"], &row["reason"]), (&json!("waiting"), &json!("github_rate_limited")));
    assert_eq!(row["until"], "2026-03-02T10:02:00Z");

    // Another repository of the same credential waits without being tried; the other credential goes on.
    report(&yard, "octo-org/other", "success").await;
    report(&yard, "acme/api", "success").await;
    yard.idle().await;
    assert_eq!(yard.github().statuses("acme/api", SHA).len(), 1);
    assert_eq!(yard.github().statuses("octo-org/other", SHA).len(), 0);
    let first = |yard: &Local| yard.github().requests().iter().filter(|seen| seen.token == "first").count();
    assert_eq!(first(&yard), 1, "nothing is sent during the pause");

    // Newer ones make the older pointless.
    yard.advance(10);
    report(&yard, REPOSITORY, "failure").await;
    yard.idle().await;
    yard.advance(10);
    report(&yard, REPOSITORY, "success").await;
    yard.later(101).await;
    assert_eq!(yard.github().statuses("octo-org/other", SHA).len(), 1);
    assert_eq!(yard.told(SHA, "ci").last().map(String::as_str), Some("success"));
}

#[tokio::test]
async fn one_slow_credential_does_not_hold_up_another() {
    let yard = SetUp { second_owner: Some("acme"), ..SetUp::default() }.start().await;
    for _ in 0..60 {
        yard.github().fail_for("first", Kind::Post, Fault::Hang);
    }
    for n in 0..60 {
        let context = format!("slow-{n}");
        yard.call_back_openly().about(REPOSITORY, SHA).status(&context, "success", "").accepted().await;
    }
    yard.github().wait_for_in_flight("first", 8).await;
    report(&yard, "acme/api", "success").await;
    yard.github().wait_for_statuses("acme/api", SHA, 1).await;
    assert_eq!(yard.github().most_in_flight("first"), 8, "eight requests at once for one credential");
    yard.github().release();
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    use standin::github::Token;
    let table = [
        (
            "read-only",
            Token::new("x", "token-one").read_only(),
            SHA,
            "github_forbidden",
            "it needs Commit statuses: write",
        ),
        (
            "sees nothing",
            Token::new("x", "token-one").only(&["nobody"]),
            SHA,
            "github_forbidden",
            "may not write statuses in octo-org/hello",
        ),
        ("revoked", Token::new("x", "another"), SHA, "github_unauthorised", "set a new GITHUB_TOKEN"),
    ];
    for (name, token, sha, reason, words) in table {
        let yard = Local::start().await;
        yard.github().revoke("first");
        yard.github().give(token);
        yard.call_back_openly().about(REPOSITORY, sha).status("ci", "success", "").accepted().await;
        yard.idle().await;
        let row = yard.rows(REPOSITORY, sha, "ci").await.remove(0);
        assert_eq!((&row["outcome"], &row["reason"]), (&json!("refused"), &json!(reason)), "{name}");
        assert!(row["why"].as_str().unwrap().contains(words), "{name}: {}", row["why"]);
        assert_eq!(yard.github().requests().len(), 1, "{name}: refused for good is not tried again");
    }
    let yard = Local::start().await;
    yard.github().know_only(&[]);
    report(&yard, REPOSITORY, "success").await;
    yard.idle().await;
    let row = yard.rows(REPOSITORY, SHA, "ci").await.remove(0);
    assert_eq!(row["reason"], "github_no_commit");
    assert!(row["why"].as_str().unwrap().contains("No commit found"), "GitHub's own words: {}", row["why"]);
    // A refusal leaves the context open for what comes next.
    yard.github().know_only(&[SHA]);
    yard.advance(1);
    report(&yard, REPOSITORY, "failure").await;
    yard.idle().await;
    assert_eq!(yard.told(SHA, "ci"), ["failure"]);
}

#[tokio::test]
async fn the_1001st_status_of_a_context_is_refused_with_words() {
    let yard = Local::start().await;
    let url = format!("{}/repos/{REPOSITORY}/statuses/{SHA}", yard.github().url());
    let headers =
        [("authorization", "Bearer token-one"), ("user-agent", "a chatty one"), ("content-type", "application/json")];
    for n in 0..1000 {
        let body = json!({ "state": "pending", "context": "ci", "description": n.to_string() });
        assert_eq!(http::send("POST", &url, &headers, body.to_string()).await.unwrap().code, 201);
    }
    report(&yard, REPOSITORY, "success").await;
    yard.idle().await;
    let row = yard.rows(REPOSITORY, SHA, "ci").await.remove(0);
    assert_eq!((&row["outcome"], &row["reason"]), (&json!("refused"), &json!("github_status_limit")));
    assert!(row["why"].as_str().unwrap().contains("push a new commit"), "{}", row["why"]);
}
