//! What queues and functions do on AWS: batches, copies, functions that die, dead letters.

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use domain::delivery::ContentType;
use domain::envelope::{Body, Envelope};
use domain::event::Source;
use domain::ids::{EventId, ReceiptId};
use domain::run::AskedBy;
use serde_json::json;
use standin::ci::Answer;
use testkit::story::{REPOSITORY, Yard};

use crate::stack::Stack;

const SHA: &str = "2379487d2de746adadf6da04e1309e640529de11";

/// Longer than the queue of fanout hides a message, in seconds (`template.yaml`).
pub(super) const HIDDEN: i64 = 190;

/// A message as ingest would publish it.
fn envelope(yard: &Yard, n: usize) -> String {
    let body = json!({ "repository": { "full_name": REPOSITORY }, "after": SHA, "n": n }).to_string();
    Envelope {
        event: EventId::parse(&format!("1-{n:08}-242f-11e5-81e1-c7b6966d2516")).unwrap(),
        event_type: "push".to_owned().try_into().unwrap(),
        receipt: ReceiptId::parse(&format!("019caaaa-0000-7000-8000-0000000000{n:02}")).unwrap(),
        source: Source::Repository,
        received_at: yard.now(),
        content_type: ContentType::Json,
        headers: vec![("content-type".into(), "application/json".into())],
        body: Body::Inline(body.into_bytes().into()),
        asked_by: AskedBy::Github,
    }
    .encode()
}

/// Puts these into the queue of fanout so that they are received as one batch.
async fn as_one_batch(stack: &Stack, bodies: Vec<String>) {
    stack.hold().await;
    let entries = bodies.into_iter().enumerate().map(|(place, body)| {
        SendMessageBatchRequestEntry::builder().id(place.to_string()).message_body(body).build().unwrap()
    });
    let queue = stack.settings.resource("FanoutQueue");
    let queues = aws_sdk_sqs::Client::new(&stack.config);
    queues.send_message_batch().queue_url(queue).set_entries(Some(entries.collect())).send().await.unwrap();
    stack.go_on().await;
}

/// How many messages a queue holds, in any state.
async fn length(stack: &Stack, queue: &str) -> usize {
    let queues = aws_sdk_sqs::Client::new(&stack.config);
    let request = queues.get_queue_attributes().queue_url(stack.settings.resource(queue));
    let answer = request.attribute_names("All".into()).send().await.unwrap();
    let counts = answer.attributes.unwrap_or_default();
    let counts = counts.iter().filter(|(name, _)| name.as_str().starts_with("ApproximateNumberOfMessages"));
    counts.map(|(_, count)| count.parse::<usize>().unwrap()).sum()
}

/// Of ten messages in one batch one has to wait: it alone comes again.
pub async fn one_bad_message_in_a_batch_of_ten_comes_again_alone(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    yard.server().on_call(|call| async move {
        let bad = call.json().is_some_and(|body| body["n"] == 4) && call.number <= 10;
        Some(Answer::status(if bad { 503 } else { 200 }))
    });
    as_one_batch(stack, (0..10).map(|n| envelope(&yard, n)).collect()).await;
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 10);
    assert_eq!(length(stack, "FanoutQueue").await, 1, "nine are acknowledged");
    yard.later(60).await;
    let mut numbers: Vec<_> =
        yard.server().calls().iter().map(|call| call.json().unwrap()["n"].as_u64().unwrap()).collect();
    assert_eq!((numbers.len(), numbers[10]), (11, 4));
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 10);
    assert_eq!(length(stack, "FanoutQueue").await, 0);
}

/// Of ten messages in one batch one is no envelope: it is set aside, the others go on.
pub async fn what_cannot_be_read_is_set_aside_and_the_rest_goes_on(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    let mut bodies: Vec<_> = (0..10).map(|n| envelope(&yard, n)).collect();
    bodies[3] = "no envelope".to_owned();
    as_one_batch(stack, bodies).await;
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 9);
    assert_eq!((length(stack, "FanoutQueue").await, length(stack, "FanoutDeadLetters").await), (0, 1));
}

/// SQS delivers a batch a second time: everything has been done already.
pub async fn a_batch_that_is_delivered_twice_runs_once(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    yard.server().answer(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "pending" }] })));
    stack.deliver_twice("FanoutQueue").await;
    stack.deliver_twice("StatusQueue").await;
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    yard.later(60).await;
    assert_eq!(yard.server().calls().len(), 1);
    assert_eq!(yard.told(SHA, "ci"), ["pending"]);
    let seen = yard.event(&event).await;
    assert_eq!((&seen["status"], &seen["tries"]), (&json!("processed"), &json!(1)));
}

/// The function dies in the middle of a call: once its lease and the message's hiding are over, the run is taken up.
pub async fn a_function_that_is_killed_loses_nothing(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    yard.server().answer(Answer::status(200).hanging());
    yard.server().answer(Answer::json(&json!({ "statuses": [{ "name": "ci", "status": "success" }] })));
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.server().wait_for(1).await;
    assert_eq!(stack.kill("Fanout").await, 1);
    yard.later(HIDDEN).await;
    let calls = yard.server().calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].receipt, calls[1].receipt);
    let seen = yard.event(&event).await;
    assert_eq!(seen["status"], "processed");
    assert_eq!(seen["runs"][0]["attempts"][0]["outcome"], "cut_off");
    assert_eq!(yard.told(SHA, "ci"), ["success"]);
}

/// The function that writes statuses dies after GitHub took one: it stands there once.
pub async fn a_killed_writer_writes_nothing_twice(stack: &Stack) {
    use standin::github::{Fault, Kind};
    let yard = stack.yard().await.unwrap();
    yard.github().fail(Kind::Post, Fault::ApplyThenHang);
    yard.call_back_by_key().about(REPOSITORY, SHA).status("ci", "success", "").accepted().await;
    yard.github().wait_for_statuses(REPOSITORY, SHA, 1).await;
    assert_eq!(stack.kill("Status").await, 1);
    yard.later(2 * HIDDEN).await;
    yard.later(60).await;
    assert_eq!(yard.told(SHA, "ci"), ["success"]);
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["written"]);
}

/// A message that kills its function five times is set aside; the function is there for the next.
pub async fn a_message_that_kills_its_function_is_set_aside(stack: &Stack) {
    let yard = stack.yard().await.unwrap();
    yard.server().answer_always(Answer::status(200).hanging());
    let event = yard.pull_request(7, SHA).send().await.accepted();
    for time in 1..=5 {
        yard.server().wait_for(time).await;
        assert_eq!(stack.kill("Fanout").await, 1, "time {time}");
        yard.advance(HIDDEN);
    }
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), 5);
    assert_eq!((length(stack, "FanoutQueue").await, length(stack, "FanoutDeadLetters").await), (0, 1));
    let seen = yard.event(&event).await;
    assert_eq!((&seen["status"], &seen["failure_reason"]), (&json!("errored"), &json!("internal")));
    yard.server().answer_always(Answer::status(200));
    let next = yard.pull_request(8, SHA).send().await.accepted();
    yard.idle().await;
    assert_eq!(yard.event(&next).await["status"], "processed");
}
