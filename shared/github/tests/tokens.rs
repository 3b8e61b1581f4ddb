//! A token that is replaced while we run.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;

use domain::ids::{CredentialId, Repository, Sha};
use domain::ports::{Clock, GithubStatuses, PostReply, TokenNow};
use domain::statuses::{Content, State};
use github::{Github, Tokens};
use jiff::{SignedDuration, Timestamp};
use lambda::secrets::Kept;
use standin::github::{Github as Standin, Token};
use testkit::clock::ManualClock;
use testkit::secrets::Drawer;

struct Desk {
    github: Github,
    standin: Standin,
    drawer: Arc<Drawer>,
    clock: Arc<ManualClock>,
}

impl Desk {
    /// GitHub knows two tokens; the drawer holds the first.
    async fn new() -> Self {
        let given = vec![Token::new("first", "ghp_first"), Token::new("second", "ghp_second")];
        let standin = Standin::start_with("127.0.0.1:0".parse().unwrap(), given).await.unwrap();
        let (drawer, clock) = (Drawer::holding("ghp_first"), Arc::new(ManualClock::default()));
        let tokens = Tokens::kept(Arc::new(Kept::new(drawer.clone(), clock.clone())));
        let github = Github::new(&standin.url().parse().unwrap(), tokens, clock.clone()).unwrap();
        Self { github, standin, drawer, clock }
    }

    async fn credential(&self) -> CredentialId {
        self.github.credential(&repository()).await.unwrap().unwrap()
    }

    /// Posts with that credential: 201, or what GitHub answered.
    async fn post(&self, credential: &CredentialId) -> u16 {
        let content = Content { context: "ci".into(), state: State::Success, description: None, target_url: None };
        let sha = Sha::parse("6dcb09b5b57875f334f61aebed695e2e4193db5e").unwrap();
        match self.github.post(credential, &repository(), &sha, &content).await {
            PostReply::Created(_) => 201,
            PostReply::Answered(answer) => answer.code,
            other => panic!("{other:?}"),
        }
    }

    async fn token_now(&self, credential: &CredentialId) -> TokenNow {
        self.github.token_now(credential, &repository()).await
    }

    fn later(&self, seconds: i64) -> Timestamp {
        self.clock.now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
    }
}

fn repository() -> Repository {
    Repository::parse("octo/site").unwrap()
}

#[tokio::test]
async fn a_new_token_is_used_within_five_minutes_and_the_old_one_where_it_was_given_out() {
    let desk = Desk::new().await;
    let first = desk.credential().await;
    assert_eq!(desk.post(&first).await, 201);
    desk.drawer.put("ghp_second");
    desk.clock.advance(299);
    assert_eq!(desk.credential().await, first);
    desk.clock.advance(1);
    let second = desk.credential().await;
    assert_ne!(second, first);
    assert_eq!([desk.post(&second).await, desk.post(&first).await], [201, 201]);
    let used: Vec<_> = desk.standin.requests().into_iter().map(|seen| seen.token).collect();
    assert_eq!(used, ["first", "second", "first"]);
    assert_eq!(desk.drawer.asked(), 2);
}

#[tokio::test]
async fn of_several_the_first_that_has_not_run_out_writes() {
    let desk = Desk::new().await;
    desk.drawer.put(r#"[{"secret":"ghp_first","until":"2026-03-02T10:00:01Z"},{"secret":"ghp_second"}]"#);
    let first = desk.credential().await;
    desk.clock.advance(1);
    assert_ne!(desk.credential().await, first);
    assert_eq!(desk.drawer.asked(), 1);
}

#[tokio::test]
async fn a_refused_token_that_is_still_the_one_is_looked_up_once() {
    let desk = Desk::new().await;
    let first = desk.credential().await;
    desk.standin.revoke("first");
    desk.clock.advance(30);
    assert_eq!(desk.post(&first).await, 401);
    for _ in 0..50 {
        assert_eq!(desk.token_now(&first).await, TokenNow::Same);
    }
    assert_eq!(desk.drawer.asked(), 2, "the answer of one look holds for all that was refused about then");
    desk.clock.advance(30);
    assert_eq!(desk.token_now(&first).await, TokenNow::Same);
    assert_eq!(desk.drawer.asked(), 3);
    desk.drawer.put("ghp_second");
    desk.clock.advance(30);
    assert_eq!(desk.token_now(&first).await, TokenNow::Replaced);
}

#[tokio::test]
async fn a_refused_token_that_was_replaced_is_found_at_once() {
    let desk = Desk::new().await;
    let first = desk.credential().await;
    desk.clock.advance(30);
    desk.drawer.put("ghp_second");
    desk.standin.revoke("first");
    assert_eq!(desk.post(&first).await, 401);
    assert_eq!(desk.token_now(&first).await, TokenNow::Replaced);
    assert_eq!(desk.token_now(&first).await, TokenNow::Replaced);
    assert_eq!(desk.drawer.asked(), 2);
    assert_eq!(desk.post(&desk.credential().await).await, 201);
}

#[tokio::test]
async fn a_look_before_the_refusal_proves_nothing() {
    let desk = Desk::new().await;
    let first = desk.credential().await;
    // It was read a moment ago, so it may not be read again: it may have been replaced in between.
    desk.clock.advance(10);
    desk.drawer.put("ghp_second");
    desk.standin.revoke("first");
    assert_eq!(desk.post(&first).await, 401);
    assert_eq!(desk.token_now(&first).await, TokenNow::Unknown(desk.later(30)));
    assert_eq!(desk.drawer.asked(), 1);
    desk.clock.advance(30);
    assert_eq!(desk.token_now(&first).await, TokenNow::Replaced);
}

#[tokio::test]
async fn a_source_that_fails_decides_nothing() {
    let desk = Desk::new().await;
    let first = desk.credential().await;
    desk.clock.advance(60);
    for broken in ["[{", "zwei Wörter", ""] {
        desk.drawer.put(broken);
        assert_eq!(desk.token_now(&first).await, TokenNow::Unknown(desk.later(30)), "{broken}");
        desk.clock.advance(60);
    }
    desk.drawer.fail("throttled");
    assert_eq!(desk.token_now(&first).await, TokenNow::Unknown(desk.later(30)));
    let never_read = Desk::new().await;
    never_read.drawer.fail("throttled");
    let error = never_read.github.credential(&repository()).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("throttled"), "{error}");
}

#[tokio::test]
async fn a_text_that_is_no_token_is_said_and_not_quoted() {
    let desk = Desk::new().await;
    desk.drawer.put("hush hush");
    let error = desk.github.credential(&repository()).await.unwrap_err();
    assert!(error.is_transient(), "whoever mends the parameter finds the statuses waiting");
    assert!(error.to_string().contains("visible ASCII") && !error.to_string().contains("hush"), "{error}");
}

#[tokio::test]
async fn a_fixed_token_stays_the_same() {
    let clock = Arc::new(ManualClock::default());
    let url = "http://127.0.0.1:1".parse().unwrap();
    let github = Github::new(&url, Tokens::one("ghp_first".into()), clock).unwrap();
    let credential = github.credential(&repository()).await.unwrap().unwrap();
    assert_eq!(github.token_now(&credential, &repository()).await, TokenNow::Same);
}
