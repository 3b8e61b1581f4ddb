//! The stand-in for GitHub answers, refuses and breaks as GitHub does.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use standin::github::{Fault, Github, Kind, Token};

const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

struct Answer {
    code: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn send(method: &str, url: &str, token: &str, agent: &str, body: &str) -> Option<Answer> {
    let mut request = Request::builder().method(method).uri(url);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if !agent.is_empty() {
        request = request.header("user-agent", agent);
    }
    let request = request.body(Full::<Bytes>::from(body.to_owned())).unwrap();
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.ok()?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&body)));
    Some(Answer { code: parts.status.as_u16(), headers: parts.headers, body })
}

async fn post(github: &Github, body: &Value) -> Option<Answer> {
    let url = format!("{}/repos/octo/site/statuses/{SHA}", github.url());
    send("POST", &url, Github::TOKEN, "test", &body.to_string()).await
}

async fn get(github: &Github, path: &str) -> Answer {
    send("GET", &format!("{}{path}", github.url()), Github::TOKEN, "test", "").await.unwrap()
}

#[tokio::test]
async fn a_status_is_answered_with_everything_that_github_tells() {
    let github = Github::start().await.unwrap();
    let said =
        json!({"state": "pending", "context": "Build", "description": "…", "target_url": "https://ci.example/1"});
    let first = post(&github, &said).await.unwrap();
    assert_eq!(first.code, 201);
    for (name, value) in said.as_object().unwrap() {
        assert_eq!(&first.body[name], value);
    }
    assert_eq!(first.body["creator"]["login"], "default");
    assert_eq!(first.header("x-ratelimit-limit"), "5000");
    assert_eq!(first.header("x-ratelimit-remaining"), "4999");
    let second = post(&github, &json!({"state": "success"})).await.unwrap();
    assert_eq!(second.body["context"], "default");
    assert_eq!(second.body["description"], Value::Null);
    assert!(second.body["id"].as_u64() > first.body["id"].as_u64());
    assert!(first.body["id"].as_u64() > Some(u64::from(u32::MAX)), "ids do not fit 32 bits");
}

#[tokio::test]
async fn who_may_not_is_told_so_in_githubs_words() {
    let tokens = vec![
        Token::new("writer", "w"),
        Token::new("reader", "r").read_only(),
        Token::new("stranger", "s").only(&["octo/other", "else"]),
        Token::new("friend", "f").only(&["OCTO"]),
    ];
    let github = Github::start_with("127.0.0.1:0".parse().unwrap(), tokens).await.unwrap();
    let url = format!("{}/repos/octo/site/statuses/{SHA}", github.url());
    let body = json!({"state": "success"}).to_string();
    for (token, agent, code, words) in [
        ("w", "", 403, "Request forbidden by administrative rules."),
        ("", "test", 401, "Bad credentials"),
        ("wrong", "test", 401, "Bad credentials"),
        ("s", "test", 404, "Not Found"),
        ("r", "test", 403, "Resource not accessible by personal access token"),
    ] {
        let answer = send("POST", &url, token, agent, &body).await.unwrap();
        assert_eq!(answer.code, code, "{words}");
        assert!(answer.body["message"].as_str().unwrap().starts_with(words), "{}", answer.body);
        assert!(!answer.header("x-ratelimit-remaining").is_empty());
    }
    assert_eq!(github.all_statuses(), []);
    assert_eq!(send("POST", &url, "f", "test", &body).await.unwrap().code, 201);
    let list = format!("{}/repos/octo/site/commits/{SHA}/statuses", github.url());
    assert_eq!(send("GET", &list, "r", "test", "").await.unwrap().code, 200, "reading needs no right to write");
    github.revoke("writer");
    assert_eq!(send("POST", &url, "w", "test", &body).await.unwrap().code, 401);
    let labels: Vec<String> = github.requests().into_iter().map(|seen| seen.token).collect();
    assert_eq!(labels, ["writer", "none", "unknown", "stranger", "reader", "friend", "reader", "unknown"]);
}

#[tokio::test]
async fn what_github_does_not_take_is_422_or_400() {
    let github = Github::start().await.unwrap();
    let long = "é".repeat(141);
    for (body, place, words) in [
        (
            json!({"state": "success", "description": long}),
            "/errors/0/message",
            "description is too long (maximum is 140 characters)",
        ),
        (json!({"state": "done"}), "/errors/0/field", "state"),
        (json!({"state": "success", "target_url": "ftp://x"}), "/errors/0/field", "target_url"),
        (json!({"context": "x"}), "/message", "Invalid request.\n\n\"state\" wasn't supplied."),
        (json!({"state": 1}), "/message", "Invalid request.\n\nFor 'properties/state', that is not a string."),
        (json!([]), "/message", "Invalid request.\n\nThat is not an object."),
    ] {
        let answer = post(&github, &body).await.unwrap();
        assert_eq!((answer.code, answer.body.pointer(place)), (422, Some(&Value::from(words))));
    }
    assert_eq!(post(&github, &json!({"state": "success", "description": "é".repeat(140)})).await.unwrap().code, 201);
    let url = format!("{}/repos/octo/site/statuses/{SHA}", github.url());
    let answer = send("POST", &url, Github::TOKEN, "test", "{").await.unwrap();
    assert_eq!((answer.code, answer.body["message"].as_str()), (400, Some("Problems parsing JSON")));
    github.know_only(&["abc"]);
    let answer = post(&github, &json!({"state": "success"})).await.unwrap();
    assert_eq!((answer.code, &answer.body["message"]), (422, &Value::from(format!("No commit found for SHA: {SHA}"))));
    assert_eq!(github.all_statuses().len(), 1);
}

#[tokio::test]
async fn a_commit_takes_a_thousand_statuses_of_a_context() {
    let github = Github::start().await.unwrap();
    for number in 0..1000 {
        let context = if number % 2 == 0 { "ci" } else { "CI" };
        assert_eq!(post(&github, &json!({"state": "pending", "context": context})).await.unwrap().code, 201);
    }
    let answer = post(&github, &json!({"state": "success", "context": "ci"})).await.unwrap();
    assert_eq!((answer.code, answer.body["message"].as_str()), (422, Some("Validation Failed")));
    assert_eq!(post(&github, &json!({"state": "success", "context": "other"})).await.unwrap().code, 201);
}

#[tokio::test]
async fn lists_are_newest_first_and_paged() {
    let github = Github::start().await.unwrap();
    for number in 0..5 {
        post(&github, &json!({"state": "pending", "description": number.to_string()})).await.unwrap();
    }
    let path = format!("/api/v3/repos/OCTO/site/commits/{SHA}/statuses");
    let told = |answer: &Answer| -> Vec<String> {
        answer.body.as_array().unwrap().iter().map(|s| s["description"].as_str().unwrap().to_owned()).collect()
    };
    let first = get(&github, &format!("{path}?per_page=2")).await;
    assert_eq!(told(&first), ["4", "3"]);
    let link = first.header("link");
    assert!(link.contains("page=2>; rel=\"next\"") && link.contains("page=3>; rel=\"last\""), "{link}");
    let next = link.split(['<', '>']).nth(1).unwrap().strip_prefix(&github.url()).unwrap().to_owned();
    assert!(next.starts_with("/api/v3/"));
    assert_eq!(told(&get(&github, &next).await), ["2", "1"]);
    let last = get(&github, &format!("{path}?per_page=2&page=3")).await;
    assert_eq!(told(&last), ["0"]);
    let link = last.header("link");
    assert!(link.contains("page=2>; rel=\"prev\"") && link.contains("page=1>; rel=\"first\""), "{link}");
    assert!(!link.contains("next") && !link.contains("last"), "{link}");
    assert_eq!(get(&github, &path).await.header("link"), "");
    assert_eq!(told(&get(&github, &format!("{path}?page=9")).await), Vec::<String>::new());
}

#[tokio::test]
async fn the_combined_status_counts_the_newest_of_each_context() {
    let github = Github::start().await.unwrap();
    let path = format!("/repos/octo/site/commits/{SHA}/status");
    assert_eq!(get(&github, &path).await.body["state"], "pending");
    for (context, state, combined, contexts) in [
        ("a", "success", "success", 1),
        ("b", "pending", "pending", 2),
        ("c", "error", "failure", 3),
        ("C", "success", "pending", 3),
        ("b", "failure", "failure", 3),
        ("B", "success", "success", 3),
    ] {
        post(&github, &json!({"state": state, "context": context})).await.unwrap();
        let answer = get(&github, &path).await;
        assert_eq!(
            (&answer.body["state"], &answer.body["total_count"]),
            (&json!(combined), &json!(contexts)),
            "{context}"
        );
    }
    assert_eq!(github.newest_of("octo/site", SHA, "b").unwrap().context, "B");
    assert_eq!(github.statuses("octo/site", SHA).len(), 6);
}

#[tokio::test]
async fn planned_answers_say_what_github_says_at_a_limit() {
    let github = Github::start().await.unwrap();
    let success = json!({"state": "success"});
    github.fail(Kind::Post, Fault::TooMany { retry_after: 7 });
    github.fail(Kind::Post, Fault::RateLimited { reset: 1_800_000_000 });
    github.fail(Kind::Post, Fault::SecondaryLimit { retry_after: None });
    github.fail(Kind::Post, Fault::Fails(502));
    github.fail(Kind::Post, Fault::Fails(500));
    assert_eq!(get(&github, &format!("/repos/octo/site/commits/{SHA}/statuses")).await.code, 200, "another kind");
    let answer = post(&github, &success).await.unwrap();
    assert_eq!((answer.code, answer.header("retry-after")), (429, "7"));
    let answer = post(&github, &success).await.unwrap();
    assert_eq!(
        (answer.code, answer.header("x-ratelimit-remaining"), answer.header("x-ratelimit-reset")),
        (403, "0", "1800000000")
    );
    let answer = post(&github, &success).await.unwrap();
    assert_eq!((answer.code, answer.header("retry-after")), (403, ""));
    assert!(answer.body["message"].as_str().unwrap().contains("secondary rate limit"));
    let answer = post(&github, &success).await.unwrap();
    assert_eq!((answer.code, answer.header("content-type")), (502, "text/html"));
    assert_eq!(post(&github, &success).await.unwrap().body["message"], "Server Error");
    assert_eq!(github.all_statuses(), []);
    assert_eq!(post(&github, &success).await.unwrap().code, 201);
    github.fail_always(Kind::Post, Fault::Fails(503));
    for _ in 0..3 {
        assert_eq!(post(&github, &success).await.unwrap().code, 503);
    }
    github.recover();
    assert_eq!(post(&github, &success).await.unwrap().code, 201);
}

#[tokio::test]
async fn a_failure_of_one_token_leaves_the_others_alone() {
    let github = Github::start().await.unwrap();
    github.give(Token::new("b", "b"));
    github.fail(Kind::Post, Fault::Fails(500));
    github.fail_for("b", Kind::Post, Fault::TooMany { retry_after: 1 });
    let url = format!("{}/repos/octo/site/statuses/{SHA}", github.url());
    assert_eq!(send("POST", &url, "b", "test", "{}").await.unwrap().code, 429);
    assert_eq!(post(&github, &json!({"state": "success"})).await.unwrap().code, 500);
}

#[tokio::test]
async fn an_applied_status_stands_whatever_became_of_the_answer() {
    let github = Github::start().await.unwrap();
    for (fault, code, applied) in [
        (Fault::ApplyThenFail(502), Some(502), 1),
        (Fault::ApplyThenClose, None, 2),
        (Fault::ApplyThenCutShort, None, 3),
        (Fault::Close, None, 3),
    ] {
        github.fail(Kind::Post, fault.clone());
        let answer = post(&github, &json!({"state": "success"})).await;
        assert_eq!(answer.map(|answer| answer.code), code, "{fault:?}");
        assert_eq!(github.all_statuses().len(), applied, "{fault:?}");
    }
}

#[tokio::test]
async fn what_hangs_goes_on_when_released() {
    for (fault, before, after, code) in
        [(Fault::ApplyThenHang, 1, 1, Some(201)), (Fault::HangThenApply, 0, 1, Some(201)), (Fault::Hang, 0, 0, None)]
    {
        let github = Github::start().await.unwrap();
        github.fail(Kind::Post, fault.clone());
        let said = json!({"state": "success"});
        let (answer, ()) = tokio::join!(post(&github, &said), async {
            assert_eq!(github.next_request().await.kind, Kind::Post);
            assert_eq!(github.all_statuses().len(), before, "{fault:?}");
            github.release();
        });
        assert_eq!(answer.map(|answer| answer.code), code, "{fault:?}");
        assert_eq!(github.all_statuses().len(), after, "{fault:?}");
    }
}

#[tokio::test]
async fn late_work_is_done_although_the_caller_has_gone() {
    let github = Github::start().await.unwrap();
    github.fail(Kind::Post, Fault::HangThenApply);
    let said = json!({"state": "success"});
    tokio::select! {
        _ = post(&github, &said) => panic!("answered"),
        _ = github.next_request() => {}
    }
    github.wait_for_in_flight("default", 0).await;
    assert_eq!(github.all_statuses(), []);
    github.release();
    assert_eq!(github.next_status().await.state, "success");
}

#[tokio::test]
async fn requests_that_are_held_are_counted_at_once() {
    let github = Github::start().await.unwrap();
    github.hold();
    let said = json!({"state": "success"});
    let (a, b, c, ()) = tokio::join!(post(&github, &said), post(&github, &said), post(&github, &said), async {
        github.wait_for_in_flight("default", 3).await;
        assert_eq!(github.all_statuses(), []);
        github.release();
    });
    assert_eq!([a, b, c].map(|answer| answer.unwrap().code), [201; 3]);
    assert_eq!(post(&github, &said).await.unwrap().code, 201);
    assert_eq!(github.most_in_flight("default"), 3);
    assert_eq!(github.wait_for_statuses("octo/site", SHA, 4).await.len(), 4);
}

#[tokio::test]
async fn it_goes_down_and_comes_back_on_its_port() {
    let github = Github::start().await.unwrap();
    let said = json!({"state": "success"});
    post(&github, &said).await.unwrap();
    github.stop().await;
    assert!(post(&github, &said).await.is_none());
    github.restart().await.unwrap();
    assert_eq!(post(&github, &said).await.unwrap().code, 201);
    assert_eq!((github.requests().len(), github.all_statuses().len()), (2, 2));
}

#[tokio::test]
async fn no_token_is_remembered() {
    let github = Github::start().await.unwrap();
    post(&github, &json!({"state": "success"})).await.unwrap();
    let seen = github.next_request().await;
    assert_eq!(
        (seen.header("user-agent"), seen.path.as_str()),
        (vec!["test"], &*format!("/repos/octo/site/statuses/{SHA}"))
    );
    assert!(!format!("{seen:?}{:?}", Token::new("a", Github::TOKEN)).contains(Github::TOKEN));
}
