//! A service of AWS refuses, fails, breaks off or answers into the void.

use serde_json::json;
use standin::ci::Answer;
use testkit::story::{REPOSITORY, Yard};

use crate::proxy::Fault;
use crate::stack::Stack;

const SHA: &str = "2379487d2de746adadf6da04e1309e640529de11";

/// More than the SDK tries by itself within one call.
const PERSISTENT: usize = 8;

async fn is_processed(yard: &Yard, event: &str) -> bool {
    let reply = yard.get(&format!("/v1/events/{event}")).await;
    reply.code == 200 && reply.json()["status"] == "processed"
}

/// Moves on, minute by minute, until the event is processed; ten minutes at most.
async fn in_the_end_processed(yard: &Yard, event: &str) {
    for _ in 0..10 {
        yard.idle().await;
        if is_processed(yard, event).await {
            return;
        }
        yard.advance(60);
    }
    panic!("{event} is {} after ten minutes", yard.get(&format!("/v1/events/{event}")).await.json());
}

/// The topic does not take it: 503, `Retry-After`, and nothing is half done; GitHub's redelivery goes through.
pub async fn a_topic_that_refuses_is_a_503_and_nothing_is_half_done(stack: &Stack) {
    for fault in [Fault::Throttled, Fault::Fails, Fault::Reset] {
        let yard = stack.yard().await.unwrap();
        stack.proxy.fail("SNS.Publish", fault, PERSISTENT);
        let delivery = yard.pull_request(7, SHA);
        let sent = delivery.send().await;
        sent.refused(503);
        assert!(sent.reply.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()), "{fault:?}");
        yard.idle().await;
        assert_eq!(yard.get(&format!("/v1/events/{}", delivery.id())).await.code, 404, "{fault:?}");
        assert_eq!(yard.server().calls().len(), 0, "{fault:?}");
        stack.proxy.recover();
        delivery.send().await.accepted();
        yard.idle().await;
        let event = yard.event(&delivery.id()).await;
        assert_eq!(event["receipts"].as_array().unwrap().len(), 1, "the refused one is no receipt: {fault:?}");
        assert_eq!((&event["status"], yard.server().calls().len()), (&json!("processed"), 1), "{fault:?}");
    }
}

/// The topic took it and the answer was lost: published again, and run once.
pub async fn an_event_that_is_published_twice_runs_once(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    stack.proxy.fail("SNS.Publish", Fault::Unheard, 1);
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    yard.later(40).await;
    assert_eq!(stack.proxy.seen("SNS.Publish"), 2, "the second is the one that was heard of");
    let seen = yard.event(&event).await;
    assert_eq!(
        (&seen["status"], &seen["tries"], seen["runs"].as_array().unwrap().len()),
        (&json!("processed"), &json!(1), 1)
    );
    assert_eq!(yard.server().calls().len(), 1);
}

/// The table throttles, fails, resets, or answers into the void, at every place of the line.
pub async fn a_table_that_fails_delays_and_loses_nothing(stack: &Stack) {
    for call in ["DynamoDB.GetItem", "DynamoDB.PutItem", "DynamoDB.UpdateItem", "DynamoDB."] {
        for fault in [Fault::Throttled, Fault::Fails, Fault::Reset, Fault::Unheard] {
            let yard = stack.yard().await.unwrap();
            yard.server().answer_always(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "pending" }] })));
            stack.proxy.fail(call, fault, PERSISTENT);
            let event = yard.pull_request(7, SHA).send().await.accepted();
            in_the_end_processed(&yard, &event).await;
            yard.later(120).await;
            assert_eq!(yard.told(SHA, "ci"), ["pending"], "{call} {fault:?}");
            let calls = yard.server().calls();
            assert!(calls.iter().all(|one| one.receipt == calls[0].receipt), "{call} {fault:?}");
        }
    }
}

/// The queue of statuses does not take an answer's: the server is asked again, under the same id.
pub async fn statuses_that_cannot_be_queued_are_asked_for_again(stack: &Stack) {
    for fault in [Fault::Throttled, Fault::Fails, Fault::Reset] {
        let yard = stack.yard().await.unwrap();
        yard.server().answer_always(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "success" }] })));
        stack.proxy.fail("SQS.SendMessageBatch", fault, PERSISTENT);
        let event = yard.pull_request(7, SHA).send().await.accepted();
        in_the_end_processed(&yard, &event).await;
        yard.later(60).await;
        assert_eq!(yard.told(SHA, "ci"), ["success"], "{fault:?}");
        let calls = yard.server().calls();
        assert!(calls.len() > 1 && calls.iter().all(|one| one.receipt == calls[0].receipt), "{fault:?}");
    }
}

/// A call-back that could not be queued says so, and can be repeated.
pub async fn a_call_back_that_cannot_be_queued_is_a_503(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    stack.proxy.fail("SQS.SendMessageBatch", Fault::Fails, PERSISTENT);
    let call_back = yard.call_back_by_key().about(REPOSITORY, SHA).status("ci", "success", "");
    let call_back = call_back.header("idempotency-key", "one");
    assert_eq!(call_back.send().await.code, 503);
    stack.proxy.recover();
    call_back.accepted().await;
    yard.idle().await;
    assert_eq!(yard.told(SHA, "ci"), ["success"]);
}

/// The bucket does not take a large body: 503, and nothing is published about it.
pub async fn a_bucket_that_refuses_is_a_503(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    stack.proxy.fail("S3.PUT", Fault::Throttled, PERSISTENT);
    let delivery = yard.webhook_of("push", format!(r#"{{"filler":"{}"}}"#, "x".repeat(300_000)));
    delivery.send().await.refused(503);
    assert_eq!(stack.proxy.seen("SNS.Publish"), 0);
    stack.proxy.recover();
    delivery.send().await.accepted();
    yard.idle().await;
    assert!(yard.server().next_call().await.body == delivery.bytes());
}
