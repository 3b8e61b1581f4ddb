//! What is sent to GitHub, and what every way of answering or not answering is taken for.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;

use domain::ids::{Repository, Sha};
use domain::ports::{GithubAnswer, GithubStatuses, ListReply, PostReply};
use domain::statuses::{Content, State};
use github::{Github, SetUpError, Tokens};
use secrecy::SecretString;
use serde_json::json;
use standin::ci::{Answer, Ci};
use standin::github::{Fault, Github as Standin, Kind, Token};
use testkit::clock::ManualClock;
use url::Url;

const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

struct Desk {
    github: Github,
    clock: Arc<ManualClock>,
}

impl Desk {
    fn at(url: &str) -> Self {
        let clock = Arc::new(ManualClock::default());
        let tokens = Tokens::one(SecretString::from(Standin::TOKEN));
        Self { github: Github::new(&Url::parse(url).unwrap(), tokens, clock.clone()).unwrap(), clock }
    }

    async fn post(&self, content: &Content) -> PostReply {
        let credential = self.github.credential(&repository()).await.unwrap().unwrap();
        self.github.post(&credential, &repository(), &sha(), content).await
    }

    async fn list(&self, page: u32) -> ListReply {
        let credential = self.github.credential(&repository()).await.unwrap().unwrap();
        self.github.list(&credential, &repository(), &sha(), page).await
    }
}

fn repository() -> Repository {
    Repository::parse("octo/site").unwrap()
}

fn sha() -> Sha {
    Sha::parse(SHA).unwrap()
}

fn success() -> Content {
    Content { context: "ci/build".into(), state: State::Success, description: None, target_url: None }
}

#[tokio::test]
async fn a_status_is_posted_as_github_documents_it() {
    let standin = Standin::start().await.unwrap();
    let content = Content {
        context: "ci/build".into(),
        state: State::Failure,
        description: Some("2 of 9 tests failed: „naïve“".into()),
        target_url: Some("https://ci.example/7".into()),
    };
    let PostReply::Created(id) = Desk::at(&standin.url()).post(&content).await else { panic!("not created") };
    assert_eq!(standin.newest_of("octo/site", SHA, "ci/build").unwrap().id, id);
    let seen = standin.next_request().await;
    assert_eq!((seen.method.as_str(), seen.path), ("POST", format!("/repos/octo/site/statuses/{SHA}")));
    let body = json!({
        "state": "failure", "context": "ci/build",
        "description": "2 of 9 tests failed: „naïve“", "target_url": "https://ci.example/7",
    });
    assert_eq!(seen.body, Some(body.clone()));
    let mut headers = seen.headers;
    headers.sort();
    let host = standin.url().replace("http://", "");
    let length = body.to_string().len().to_string();
    let agent = format!("hookyard/{}", env!("CARGO_PKG_VERSION"));
    let expected = [
        ("accept", "application/vnd.github+json"),
        ("content-length", &*length),
        ("content-type", "application/json"),
        ("host", &*host),
        ("user-agent", &*agent),
        ("x-github-api-version", "2022-11-28"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn what_is_not_said_is_not_sent() {
    let standin = Standin::start().await.unwrap();
    assert!(matches!(Desk::at(&standin.url()).post(&success()).await, PostReply::Created(_)));
    assert_eq!(standin.next_request().await.body, Some(json!({"state": "success", "context": "ci/build"})));
}

#[tokio::test]
async fn an_enterprise_base_keeps_its_path() {
    let standin = Standin::start().await.unwrap();
    for base in ["/api/v3", "/api/v3/"] {
        let desk = Desk::at(&format!("{}{base}", standin.url()));
        assert!(matches!(desk.post(&success()).await, PostReply::Created(_)));
        assert!(matches!(desk.list(1).await, ListReply::Listed(..)));
    }
    let paths: Vec<String> = standin.requests().into_iter().map(|seen| seen.path).collect();
    assert!(paths.iter().all(|path| path.starts_with("/api/v3/repos/octo/site/")), "{paths:?}");
}

#[tokio::test]
async fn each_owner_has_its_own_token() {
    let given = vec![Token::new("a", "token-a").only(&["octo"]), Token::new("b", "token-b").only(&["else"])];
    let standin = Standin::start_with("127.0.0.1:0".parse().unwrap(), given).await.unwrap();
    let tokens = Tokens::none()
        .and("octo/*", SecretString::from("token-a"))
        .and_then(|tokens| tokens.and("else/*", SecretString::from("token-b")))
        .unwrap();
    let url = Url::parse(&standin.url()).unwrap();
    let github = Github::new(&url, tokens, Arc::new(ManualClock::default())).unwrap();
    for (name, label) in [("octo/site", "a"), ("else/site", "b")] {
        let repository = Repository::parse(name).unwrap();
        let credential = github.credential(&repository).await.unwrap().unwrap();
        let reply = github.post(&credential, &repository, &sha(), &success()).await;
        assert!(matches!(reply, PostReply::Created(_)), "{reply:?}");
        assert_eq!(standin.next_request().await.token, label);
    }
    assert_eq!(github.credential(&Repository::parse("third/site").unwrap()).await, Ok(None));
    let foreign = domain::ids::CredentialId::parse("tok-0").unwrap();
    assert!(matches!(github.post(&foreign, &repository(), &sha(), &success()).await, PostReply::NotSent(_)));
    assert!(matches!(github.list(&foreign, &repository(), &sha(), 1).await, ListReply::Failed(_)));
    assert_eq!(standin.requests().len(), 2);
}

#[tokio::test]
async fn an_answer_is_handed_on_with_githubs_words_and_limits() {
    let standin = Standin::start().await.unwrap();
    let desk = Desk::at(&standin.url());
    let answered = |reply| match reply {
        PostReply::Answered(answer) => answer,
        other => panic!("{other:?}"),
    };
    standin.fail(Kind::Post, Fault::TooMany { retry_after: 17 });
    let answer = answered(desk.post(&success()).await);
    assert_eq!((answer.code, answer.retry_after.as_deref()), (429, Some("17")));
    standin.fail(Kind::Post, Fault::RateLimited { reset: 1_800_000_000 });
    let expected = GithubAnswer {
        code: 403,
        words: "API rate limit exceeded for user ID 1.".into(),
        retry_after: None,
        remaining: Some("0".into()),
        reset: Some("1800000000".into()),
    };
    assert_eq!(answered(desk.post(&success()).await), expected);
    standin.fail(Kind::Post, Fault::Fails(502));
    let answer = answered(desk.post(&success()).await);
    assert_eq!((answer.code, answer.words.as_str()), (502, ""), "a proxy's page is no words of GitHub");
    let long = Content { description: Some("x".repeat(141)), ..success() };
    let answer = answered(desk.post(&long).await);
    assert_eq!(answer.code, 422);
    assert_eq!(answer.words, "Validation Failed: description is too long (maximum is 140 characters)");
    standin.know_only(&[]);
    let answer = answered(desk.post(&success()).await);
    assert_eq!((answer.code, answer.words), (422, format!("No commit found for SHA: {SHA}")));
    standin.revoke("default");
    let answer = answered(desk.post(&success()).await);
    assert_eq!((answer.code, answer.words.as_str()), (401, "Bad credentials"));
    assert!(matches!(desk.list(1).await, ListReply::Answered(GithubAnswer { code: 401, .. })));
    assert_eq!(standin.requests().len(), 7, "nothing is repeated");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let server = Ci::start().await.unwrap();
    server.answer_always(Answer::status(307).with("location", server.url()));
    let reply = Desk::at(&server.url()).post(&success()).await;
    assert!(matches!(reply, PostReply::Answered(GithubAnswer { code: 307, .. })), "{reply:?}");
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn no_connection_is_certainly_not_sent() {
    let standin = Standin::start().await.unwrap();
    let desk = Desk::at(&standin.url());
    standin.stop().await;
    let PostReply::NotSent(why) = desk.post(&success()).await else { panic!("sent") };
    assert!(why.starts_with("No connection to 127.0.0.1: ") && why.contains("refused"), "{why}");
    assert!(matches!(desk.list(1).await, ListReply::Failed(_)));
    standin.restart().await.unwrap();
    assert!(matches!(desk.post(&success()).await, PostReply::Created(_)));
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_the_outcome_unknown() {
    let standin = Standin::start().await.unwrap();
    for (fault, applied, why) in [
        (Fault::ApplyThenClose, 1, "The connection closed before an answer."),
        (Fault::Close, 1, "The connection closed before an answer."),
        (Fault::ApplyThenCutShort, 2, "GitHub's answer (201) broke off."),
    ] {
        standin.fail(Kind::Post, fault.clone());
        let reply = Desk::at(&standin.url()).post(&success()).await;
        assert_eq!(reply, PostReply::Unknown(why.into()), "{fault:?}");
        assert_eq!(standin.all_statuses().len(), applied, "{fault:?}");
    }
    assert_eq!(standin.requests().len(), 3);
}

#[tokio::test]
async fn a_post_is_never_repeated_on_a_connection_that_was_kept() {
    let standin = Standin::start().await.unwrap();
    let desk = Desk::at(&standin.url());
    assert!(matches!(desk.post(&success()).await, PostReply::Created(_)));
    for fault in [Fault::ApplyThenClose, Fault::Close] {
        let before = standin.requests();
        standin.fail(Kind::Post, fault);
        assert!(matches!(desk.post(&success()).await, PostReply::Unknown(_)));
        let after = standin.requests();
        assert_eq!(after.len(), before.len() + 1);
        assert_eq!(after.last().unwrap().peer, before.last().unwrap().peer, "the connection was kept");
        assert!(matches!(desk.post(&success()).await, PostReply::Created(_)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_arrives_at_most_once_when_the_other_side_closes_at_any_moment() {
    let standin = Standin::start().await.unwrap();
    let desk = Desk::at(&standin.url());
    for _ in 0..40 {
        assert!(matches!(desk.post(&success()).await, PostReply::Created(_)));
        let before = standin.requests().len();
        standin.restart().await.unwrap();
        let reply = desk.post(&success()).await;
        let arrived = standin.requests().len() - before;
        assert!(arrived <= 1, "{reply:?} after {arrived}");
        assert_eq!(matches!(reply, PostReply::Created(_)), arrived == 1, "{reply:?}");
    }
}

#[tokio::test]
async fn ten_seconds_without_an_answer_leave_the_outcome_unknown() {
    let standin = Standin::start().await.unwrap();
    let desk = Desk::at(&standin.url());
    standin.fail(Kind::Post, Fault::ApplyThenHang);
    standin.fail(Kind::List, Fault::Hang);
    let content = success();
    let mut post = Box::pin(desk.post(&content));
    tokio::select! {
        biased;
        reply = &mut post => panic!("{reply:?}"),
        _ = standin.next_request() => {}
    }
    desk.clock.advance(9);
    tokio::select! {
        biased;
        reply = &mut post => panic!("too early: {reply:?}"),
        () = std::future::ready(()) => {}
    }
    desk.clock.advance(1);
    assert_eq!(post.await, PostReply::Unknown("No answer within 10 s.".into()));
    assert_eq!(standin.all_statuses().len(), 1);
    let (reply, ()) = tokio::join!(desk.list(1), async {
        standin.next_request().await;
        desk.clock.advance(10);
    });
    assert_eq!(reply, ListReply::Failed("No answer within 10 s.".into()));
}

#[tokio::test]
async fn the_time_out_covers_the_body_too() {
    let server = Ci::start().await.unwrap();
    server.answer(Answer::status(201).body("{\"id\": 7, \"state\": \"success\"}").slowly());
    let desk = Desk::at(&server.url());
    let content = success();
    let (reply, ()) = tokio::join!(desk.post(&content), async {
        server.next_call().await;
        desk.clock.advance(10);
    });
    assert_eq!(reply, PostReply::Unknown("No answer within 10 s.".into()));
}

#[tokio::test]
async fn a_201_without_an_id_is_unknown() {
    let server = Ci::start().await.unwrap();
    let desk = Desk::at(&server.url());
    for body in ["", "created", "{}", "{\"id\": null}", "{\"id\": \"7\"}", "{\"id\": -7}", "[7]"] {
        server.answer(Answer::status(201).body(body));
        assert_eq!(
            desk.post(&success()).await,
            PostReply::Unknown("GitHub answered 201 without an id.".into()),
            "{body}"
        );
    }
    server.answer(Answer::status(201).body("{\"id\": 18446744073709551615}"));
    assert_eq!(desk.post(&success()).await, PostReply::Created(u64::MAX));
    server.answer(Answer::status(200).body("{\"id\": 7}"));
    assert!(matches!(desk.post(&success()).await, PostReply::Answered(GithubAnswer { code: 200, .. })));
    server.answer(Answer::status(201).huge(5 * 1024 * 1024));
    assert_eq!(desk.post(&success()).await, PostReply::Unknown("GitHub's answer (201) broke off.".into()));
}

#[tokio::test]
async fn statuses_are_listed_newest_first_a_hundred_a_page() {
    let standin = Standin::start().await.unwrap();
    let desk = Desk::at(&standin.url());
    let mut ids = Vec::new();
    for number in 0..101 {
        let description = (number > 0).then(|| number.to_string());
        let target_url = (number == 100).then(|| "https://ci.example/100".to_owned());
        let PostReply::Created(id) = desk.post(&Content { description, target_url, ..success() }).await else {
            panic!()
        };
        ids.push(id);
    }
    let ListReply::Listed(first, true) = desk.list(1).await else { panic!("no second page") };
    assert!(first.iter().map(|status| status.id).eq(ids[1..].iter().rev().copied()));
    let newest =
        Content { description: Some("100".into()), target_url: Some("https://ci.example/100".into()), ..success() };
    assert_eq!(first[0].content, newest);
    let ListReply::Listed(last, false) = desk.list(2).await else { panic!("a third page") };
    assert_eq!((last.len(), last[0].id, &last[0].content), (1, ids[0], &success()));
    let path = format!("/repos/octo/site/commits/{SHA}/statuses?per_page=100&page=2");
    assert_eq!(standin.requests().last().unwrap().path, path);
}

#[tokio::test]
async fn a_list_that_is_none_fails_and_a_state_of_the_future_is_left_out() {
    let server = Ci::start().await.unwrap();
    let desk = Desk::at(&server.url());
    for body in ["{}", "[{\"id\": 1}]", "<html>"] {
        server.answer(Answer::status(200).body(body));
        assert!(matches!(desk.list(1).await, ListReply::Failed(_)), "{body}");
    }
    let entry = |id: u64, state: &str| json!({"id": id, "state": state, "context": "a", "description": null, "target_url": null});
    server.answer(Answer::json(&json!([entry(3, "skipped"), entry(2, "error")])));
    let ListReply::Listed(listed, false) = desk.list(1).await else { panic!() };
    assert_eq!(listed.iter().map(|status| status.id).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn several_statuses_travel_at_once() {
    let standin = Standin::start().await.unwrap();
    let desk = Arc::new(Desk::at(&standin.url()));
    standin.hold();
    let posts: Vec<_> = (0..8)
        .map(|_| {
            let desk = desk.clone();
            tokio::spawn(async move { desk.post(&success()).await })
        })
        .collect();
    standin.wait_for_in_flight("default", 8).await;
    standin.release();
    for post in posts {
        assert!(matches!(post.await.unwrap(), PostReply::Created(_)));
    }
}

#[tokio::test]
async fn no_token_is_ever_shown() {
    let clock = Arc::new(ManualClock::default());
    let standin = Standin::start().await.unwrap();
    let desk = Desk::at(&standin.url());
    standin.stop().await;
    let shown = format!("{:?} {:?}", desk.github, desk.post(&success()).await);
    assert!(!shown.contains(Standin::TOKEN), "{shown}");
    let url = Url::parse("http://127.0.0.1:1").unwrap();
    for token in ["", "two words", "line\nend", "naïve"] {
        let error = Github::new(&url, Tokens::one(SecretString::from(token)), clock.clone()).unwrap_err();
        assert!(matches!(error, SetUpError::Token), "{error:?}");
        assert!(token.is_empty() || !format!("{error} {error:?}").contains(token));
    }
}

#[test]
fn outside_a_runtime_is_an_error_and_no_panic() {
    let url = Url::parse("http://127.0.0.1:1").unwrap();
    let made = Github::new(&url, Tokens::one(SecretString::from("t")), Arc::new(ManualClock::default()));
    assert!(matches!(made, Err(SetUpError::NoRuntime)));
}
