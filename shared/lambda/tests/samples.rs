//! The sample events of SQS, read as Lambda hands them over, hold what their functions read.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use aws_lambda_events::event::sqs::SqsEvent;
use domain::envelope::Envelope;
use domain::ports::Message;
use domain::statuses::message::StatusMessage;

fn sample(file: &str) -> Vec<Message> {
    let path = format!("{}/../../events/lambda/{file}", env!("CARGO_MANIFEST_DIR"));
    let event: SqsEvent = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    lambda::sqs::messages(event).unwrap()
}

#[test]
fn fanout_gets_envelopes_from_a_standard_queue() {
    let messages = sample("fanout.sqs.json");
    assert_eq!(messages.len(), 3);
    for message in messages {
        Envelope::decode(&message.body).unwrap();
        assert_eq!(message.group, None);
    }
}

#[test]
fn status_gets_statuses_in_the_groups_of_their_contexts() {
    let messages = sample("status.sqs.json");
    assert_eq!(messages.len(), 3);
    for message in messages {
        let status = StatusMessage::decode(&message.body).unwrap();
        assert_eq!(message.group, Some(status.key().group()));
    }
}
