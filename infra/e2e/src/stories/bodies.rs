//! Bodies of every size that AWS lets through.

use serde_json::json;
use testkit::story::REPOSITORY;

use crate::stack::Stack;

/// JSON of exactly that many bytes, with text of every width in it.
fn body(length: usize) -> Vec<u8> {
    let frame = json!({ "repository": { "full_name": REPOSITORY }, "filler": "" }).to_string();
    let filler = "naïve 日本語 ".repeat(length / 18 + 1);
    let mut end = length - frame.len();
    while !filler.is_char_boundary(end) {
        end -= 1;
    }
    let filler = format!("{}{}", &filler[..end], "x".repeat(length - frame.len() - end));
    frame.replace(r#""filler":"""#, &format!(r#""filler":"{filler}""#)).into_bytes()
}

/// Lambda takes six MiB of event; what is around the body needs some of it.
pub async fn the_largest_body_arrives_byte_for_byte(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    let delivery = yard.webhook_of("push", ascii(5_600_000));
    let event = delivery.send().await.accepted();
    yard.idle().await;
    assert!(yard.server().next_call().await.body == delivery.bytes(), "by way of the bucket");
    let seen = yard.event(&event).await;
    assert_eq!((&seen["status"], &seen["body_bytes"]), (&json!("processed"), &json!(5_600_000)));
    assert!(seen["payload"].is_null() && seen["payload_url"].is_string());
    assert_eq!(stack.proxy.seen("S3.PUT"), 1);
}

/// The same without a word that is only ASCII.
fn ascii(length: usize) -> Vec<u8> {
    let frame = json!({ "repository": { "full_name": REPOSITORY }, "filler": "" }).to_string();
    frame.replace(r#""filler":"""#, &format!(r#""filler":"{}""#, "x".repeat(length - frame.len()))).into_bytes()
}

/// What Lambda does not take never reaches us: API Gateway says so to GitHub.
pub async fn what_lambda_does_not_take_is_a_413(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    let sent = yard.webhook_of("push", ascii(6_400_000)).send().await;
    assert_eq!(sent.reply.code, 413);
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 0);
}

/// Around the limit of the topic, in and out of the bucket, as JSON and as a form.
pub async fn bodies_around_the_limit_of_the_topic_arrive_byte_for_byte(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    for length in [1_000, 170_000, 184_320, 190_000, 300_000, 1_000_000] {
        for form in [false, true] {
            let delivery = yard.webhook_of("push", body(length));
            let delivery = if form { delivery.form() } else { delivery };
            delivery.send().await.accepted();
            yard.idle().await;
            assert!(yard.server().next_call().await.body == delivery.bytes(), "{length} {form}");
            let exact = yard.get(&format!("/v1/events/{}/payload", delivery.id())).await;
            assert!(exact.body == delivery.bytes(), "{length} {form}: {}", exact.code);
        }
    }
}
