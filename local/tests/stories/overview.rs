//! The first page: is all well?

use serde_json::json;
use standin::ci::Answer;
use testkit::story::REPOSITORY;

use crate::yard::{Local, SetUp};

const SHA: &str = "9fceb02aa0f3c9d3a77be310b3c6a8e4f2d1c0b9";

async fn page(yard: &Local, path: &str) -> String {
    let reply = yard.get(path).await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert_eq!(reply.code, 200, "{path}: {text}");
    text
}

/// The four numbers, in their order.
fn numbers(page: &str) -> Vec<String> {
    let (_, list) = page.split_once("class=\"numbers\"").unwrap();
    let list = list.split("</ul>").next().unwrap();
    list.split("<b>").skip(1).map(|part| part.split("</b>").next().unwrap().to_owned()).collect()
}

fn has(page: &str, words: &[&str]) {
    for words in words {
        assert!(page.contains(words), "{words} is not on {page}");
    }
}

#[tokio::test]
async fn the_first_look_says_how_to_begin() {
    let yard = Local::start().await;
    let first = page(&yard, "/").await;
    has(&first, &["No deliveries yet.", "/github</code>", "hookyard demo", "None since this process began"]);
    yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let second = page(&yard, "/").await;
    has(&second, &["All is well: nothing failed, nothing waits.", "1 event, none failed.", "No releases seen yet."]);
    assert!(!second.contains("No deliveries yet."));
    yard.later(48 * 3600).await;
    has(&page(&yard, "/").await, &["Nothing has arrived in this time", "Nothing was counted in this time."]);
    has(&page(&yard, "/?hours=72").await, &["All is well"]);
    for wrong in ["0", "169", "-1", "a day"] {
        assert_eq!(yard.get(&format!("/?hours={}", wrong.replace(' ', "+"))).await.code, 400, "{wrong}");
    }
    assert_eq!(yard.get("/?days=1").await.code, 400);
}

#[tokio::test]
async fn trouble_comes_first() {
    let yard = Local::start().await;
    yard.pull_request(1, SHA).send().await.accepted();
    yard.idle().await;
    yard.server().answer(Answer::status(401));
    let failed = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let one = page(&yard, "/").await;
    has(&one, &["1 event needs you. The rest is fine.", "1 failed at 10:00 UTC, none since."]);
    assert_eq!(numbers(&one), ["2", "1", "0", "1"]);

    yard.advance(3600);
    yard.server().answer(Answer::status(503));
    yard.pull_request(8, SHA).send().await.accepted();
    yard.idle().await;
    let two = page(&yard, "/").await;
    has(&two, &["1 event needs you. 1 is retrying. The rest is fine."]);
    has(&two, &[&format!("href=\"/events/{failed}\""), "Your server answered 401 or 403.", "(1 h ago)"]);
    assert_eq!(numbers(&two), ["3", "1", "1", "1"]);
    let numbers_of = |hour: &str| {
        let row =
            two.split("<th scope=\"row\">").find(|row| row.contains(hour)).unwrap().split("</tr>").next().unwrap();
        row.split("class=\"n\">").skip(1).map(|cell| cell.split('<').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(numbers_of("Mon 10:00 UTC"), ["1", "0", "0", "1"], "failed, open, not sent, done");
    assert_eq!(numbers_of("Mon 11:00 UTC"), ["0", "1", "0", "0"]);
    let (_, link) = two.split_once("<svg class=\"chart\"").unwrap();
    let (_, link) = link.split_once("<a href=\"").unwrap();
    let link = link.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let hour = page(&yard, &link).await;
    assert_eq!(hour.matches("role=\"rowheader\"").count(), 2, "the bar leads to its hour");

    yard.later(3600).await;
    assert_eq!(numbers(&page(&yard, "/").await), ["3", "2", "0", "1"], "it counts in the hour in which it arrived");
    let replay = yard.post(&format!("/v1/events/{failed}/replay"), &json!({})).await;
    assert_eq!(replay.code, 202);
    yard.idle().await;
    let well = page(&yard, "/").await;
    has(&well, &["All is well"]);
    assert_eq!(numbers(&well), ["4", "3", "0", "0"], "a replay counts again");
}

#[tokio::test]
async fn a_status_that_github_refused_needs_somebody_until_the_next_one_is_written() {
    let yard = Local::start().await;
    yard.github().know_only(&[]);
    let answer = |state: &str| Answer::json(&json!({ "statuses": [{ "name": "build", "status": state }] }));
    yard.server().answer(answer("success"));
    yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let overview = page(&yard, "/").await;
    has(&overview, &["1 status needs you.", &format!("build on {REPOSITORY} 9fceb02"), "GitHub knows no such commit."]);
    has(&overview, &[&format!("href=\"/commits/{REPOSITORY}/{SHA}\"")]);
    assert_eq!(numbers(&overview)[3], "1");
    let list = page(&yard, "/events?status=errored").await;
    has(&list, &["Statuses that GitHub refused", &format!("{REPOSITORY} 9fceb02"), "GitHub knows no such commit."]);
    assert!(!page(&yard, "/events").await.contains("Statuses that GitHub refused"));
    assert_eq!(yard.get("/v1/events?status=errored").await.json()["events"], json!([]));

    yard.github().know_only(&[SHA]);
    yard.server().answer(answer("failure"));
    yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    assert_eq!(yard.told(SHA, "build"), ["failure"]);
    has(&page(&yard, "/").await, &["All is well"]);
    assert!(!page(&yard, "/events?status=errored").await.contains("Statuses that GitHub refused"));
}

#[tokio::test]
async fn refused_webhooks_are_counted_by_reason() {
    let yard = Local::start().await;
    yard.webhook("push.branch").signed_with("wrong").send().await.refused(401);
    yard.advance(60);
    yard.webhook("push.branch").signed_with("wrong").send().await.refused(401);
    let overview = page(&yard, "/").await;
    has(&overview, &["No deliveries yet.", "<code>signature</code>", "2 times", "The webhook secret at GitHub"]);
    has(&overview, &["datetime=\"2026-03-02T10:01:00.000Z\""]);
}

#[tokio::test]
async fn dead_letters_need_somebody() {
    let folder = tempfile::tempdir().unwrap();
    let yard = SetUp { folder: Some(folder.path().to_owned()), ..SetUp::default() }.start().await;
    crate::dead_letters::lose_a_body(&yard).await;
    let overview = page(&yard, "/").await;
    has(&overview, &["1 dead letter", "href=\"/dead-letters?queue=fanout\"", "1 dead letter in fanout"]);
}

#[tokio::test]
async fn the_newest_releases_are_there() {
    let yard = Local::start().await;
    yard.webhook("release.published").send().await.accepted();
    yard.idle().await;
    has(&page(&yard, "/").await, &["href=\"/releases?repository=octo-org%2Fhello\"", "v1.2.0 octo-org/hello"]);
}
