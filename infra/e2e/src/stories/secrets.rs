//! Secrets change while deliveries come in.

use aws_config::SdkConfig;
use aws_sdk_ssm::types::ParameterType;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

use crate::stack::{GITHUB_SECRET, Stack};

const PARAMETER: &str = "/hookyard/github-secret";
const NEW: &str = "the secret after it";
const SHA: &str = "2379487d2de746adadf6da04e1309e640529de11";

/// No sooner than this does a function look for secrets again because a signature fits none, in seconds.
const BETWEEN_LOOKS: i64 = 30;

/// Writes the parameter as an operator would.
pub(crate) async fn write(config: &SdkConfig, value: &str) {
    let parameters = aws_sdk_ssm::Client::new(config);
    let request = parameters.put_parameter().name(PARAMETER).value(value).overwrite(true);
    request.r#type(ParameterType::SecureString).send().await.unwrap();
}

/// GitHub is told the new secret some time after the parameter was: nothing that it signs is refused meanwhile.
pub async fn a_rotation_under_load_loses_no_delivery(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    let until = yard.now() + SignedDuration::from_hours(1);
    let both = json!([{ "secret": NEW }, { "secret": GITHUB_SECRET, "until": until }]).to_string();
    let deliver = |secret: &'static str, number: u64| {
        let yard = &yard;
        async move { yard.pull_request(number, SHA).signed_with(secret).send().await.accepted() }
    };
    // Several at once, so that more than one process of ingest knows the old secret.
    let mut events = join_all((0..8).map(|n| deliver(GITHUB_SECRET, n))).await;
    let (during, ()) = tokio::join!(join_all((8..40).map(|n| deliver(GITHUB_SECRET, n))), write(&stack.config, &both));
    events.extend(during);
    yard.advance(BETWEEN_LOOKS + 1);
    // A redelivery of the past is signed with the old, everything else with the new.
    events.extend(join_all((40..80).map(|n| deliver(if n % 4 == 0 { GITHUB_SECRET } else { NEW }, n))).await);
    yard.idle().await;
    yard.later(60).await;
    for event in &events {
        assert_eq!(yard.event(event).await["status"], "processed");
    }
    assert_eq!(events.len(), 80);
    yard.advance(3600);
    yard.pull_request(7, SHA).signed_with(GITHUB_SECRET).send().await.refused(401);
    deliver(NEW, 7).await;
    yard.idle().await;
}

/// Signatures that fit nothing cannot make the functions ask for secrets all the time.
pub async fn forged_deliveries_do_not_hammer_the_parameter_store(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let before = stack.proxy.seen("SSM.GetParameter");
    for _ in 0..50 {
        yard.pull_request(7, SHA).signed_with("a guess").send().await.refused(401);
    }
    assert!(stack.proxy.seen("SSM.GetParameter") - before <= 1);
    yard.advance(BETWEEN_LOOKS + 1);
    for _ in 0..50 {
        yard.pull_request(7, SHA).signed_with("a guess").send().await.refused(401);
    }
    assert!(stack.proxy.seen("SSM.GetParameter") - before <= 2);
    assert_eq!(yard.server().calls().len(), 1);
}
