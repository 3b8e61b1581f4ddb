//! The doctor: a fault only where one is proven, and what to do about each.

use serde_json::Value;
use standin::ci::{Answer, Ci, signature};
use standin::github::{Github, Token};
use testkit::story::REPOSITORY;

use super::{SHA, at};
use crate::place::{Place, plain};
use crate::yard::{Local, SERVER_SECRET, SetUp};

/// Each check and what it came to.
fn results(checks: &Value) -> Vec<(&str, &str)> {
    checks
        .as_array()
        .unwrap()
        .iter()
        .map(|check| (check["check"].as_str().unwrap(), check["result"].as_str().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_settings_it_looks_at_the_gateway_only() {
    let (place, yard) = (Place::new(), Local::start().await);
    let doctor = || at(&place, &yard, &["doctor"]);
    let ended = doctor().with("--json").run().with(0);
    let checks: Value = serde_json::from_str(&ended.out).unwrap();
    let expected = [
        ("settings", "ok"),
        ("gateway", "ok"),
        ("key", "ok"),
        ("record", "ok"),
        ("webhooks", "ok"),
        ("dead letters", "ok"),
        ("clock", "skipped"),
        ("GitHub token", "skipped"),
        ("server", "skipped"),
    ];
    assert_eq!(results(&checks), expected);
    assert!(checks.as_array().unwrap().iter().all(|check| check["fix"].is_null() && check["detail"].is_string()));

    yard.webhook("push.branch").signed_with("another secret").send().await;
    let told = doctor().run().with(0);
    plain(&told.out);
    assert!(
        told.out.contains("  ! webhooks      1 was refused since it was started: 1 signature, the last at"),
        "{}",
        told.out
    );
    assert!(
        told.out.contains("fix: make GITHUB_SECRET and the secret in the webhook's settings the same"),
        "{}",
        told.out
    );
    let quiet = doctor().with("--quiet").run().with(0);
    assert_eq!(quiet.out.lines().count(), 1, "{}", quiet.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_proven_to_be_wrong_ends_with_1() {
    let (place, yard) = (Place::new(), SetUp { api_key: Some("the-key"), ..SetUp::default() }.start().await);
    let wrong = at(&place, &yard, &["doctor"]).set("HOOKYARD_API_KEY", "hush").run().with(1);
    assert!(wrong.out.contains(&format!("✗ key           the key does not fit {}", yard.api)), "{}", wrong.out);
    assert!(!wrong.all().contains("hush"));
    yard.stop().await;
    let nobody = place.hookyard(&["doctor", "--url", "http://127.0.0.1:9"]).run().with(1);
    assert!(nobody.out.contains("✗ gateway") && nobody.out.contains("fix: start the gateway"), "{}", nobody.out);
    let settings =
        place.hookyard(&["doctor", "--url", "http://127.0.0.1:9"]).set("YOUR_SERVER_URL", "htp://ci").run().with(1);
    assert!(
        settings.out.contains("✗ settings") && settings.out.contains("YOUR_SERVER_URL \"htp://ci\" is not an address"),
        "{}",
        settings.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_tested_without_writing_anything() {
    let (place, yard) = (Place::new(), Local::start().await);
    let tokens = vec![
        Token::new("writes", "may-write"),
        Token::new("reads", "may-read").read_only(),
        Token::new("elsewhere", "sees-little").only(&["acme"]),
    ];
    let github = Github::start_with(([127, 0, 0, 1], 0).into(), tokens).await.unwrap();
    let doctor =
        |token: &str| at(&place, &yard, &["doctor"]).set("GITHUB_TOKEN", token).set("GITHUB_API_URL", &github.url());
    let unknown = doctor("may-write").run().with(0);
    assert!(
        unknown.out.contains("! GitHub token  is known to GitHub") && unknown.out.contains("--repository"),
        "{}",
        unknown.out
    );
    yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    for (token, code, told) in [
        ("may-write", 0, format!("✓ GitHub token  may write commit statuses in {REPOSITORY}")),
        ("may-read", 1, format!("✗ GitHub token  may not write commit statuses in {REPOSITORY}")),
        ("sees-little", 0, format!("! GitHub token  does not see {REPOSITORY}")),
        ("hush-hush", 1, "✗ GitHub token  is wrong, expired or revoked".to_owned()),
    ] {
        let ended = doctor(token).run().with(code);
        assert!(ended.out.contains(&told), "{told} is missing in\n{}", ended.out);
        assert!(ended.out.contains("✓ clock         ") && !ended.all().contains(token), "{}", ended.all());
    }
    doctor("sees-little").with_all(&["--repository", "acme/api"]).run().with(0);
    assert!(github.requests().iter().all(|seen| seen.method != "POST" || seen.path.ends_with(&"0".repeat(40))));
    github.stop().await;
    let down = doctor("may-write").run().with(0);
    assert!(down.out.contains("! GitHub token") && down.out.contains("– clock"), "{}", down.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_asked_with_a_right_and_a_wrong_signature() {
    let (place, yard, ci) = (Place::new(), Local::start().await, Ci::start().await.unwrap());
    let doctor = || {
        let doctor = at(&place, &yard, &["doctor"]).set("YOUR_SERVER_URL", &ci.url());
        doctor.set("YOUR_SERVER_SECRET", SERVER_SECRET).set("GITHUB_SECRET", "the webhook's secret")
    };
    for (first, second, code, told) in [
        (200, 401, 0, "✓ server        answers 200 in "),
        (204, 200, 0, "! server        took a request with a wrong signature  fix: verify `webhook-signature`"),
        (202, 503, 0, "! server        answers 202 in "),
        (
            401,
            0,
            1,
            "✗ server        refused a request that was signed as it should be: 401  fix: make YOUR_SERVER_SECRET",
        ),
        (404, 0, 0, "! server        answered 404 to a ping"),
        (302, 0, 1, "✗ server        answered with a redirect (302), which is not followed"),
    ] {
        let before = ci.calls().len();
        ci.answer(Answer::status(first));
        if second != 0 {
            ci.answer(Answer::status(second));
        }
        let ended = doctor().run().with(code);
        assert!(ended.out.contains(told), "{told} is missing in\n{}", ended.out);
        let calls = ci.calls().split_off(before);
        assert_eq!(calls.len(), if second == 0 { 1 } else { 2 });
        assert!(calls.iter().all(|call| call.header("x-github-event") == Some("ping")));
        let fits = |secret: &str, place: usize| signature::is_signed(&calls[place], secret);
        assert!(fits(SERVER_SECRET, 0) && calls.get(1).is_none_or(|_| !fits(SERVER_SECRET, 1)));
    }
    ci.stop().await;
    let down = doctor().run().with(1);
    assert!(down.out.contains("✗ server        Nothing listens at "), "{}", down.out);
    let bare = at(&place, &yard, &["doctor"]).set("YOUR_SERVER_URL", &ci.url()).run().with(0);
    assert!(bare.out.contains("– server        without the secrets nothing can be signed"), "{}", bare.out);
}
