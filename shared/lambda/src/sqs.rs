//! Amazon SQS's event as the domain's messages, and the batch's outcome as Lambda wants to hear it.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::ports::{Clock, Inbox, Message};
use lambda_runtime::{Error, LambdaEvent, service_fn};

use crate::batch::{self, HandleMessage};
use crate::meter::Meter;
use crate::telemetry::invocation::Invocations;

/// Serves a queue until Lambda ends the process: what the mains of queue functions end with.
///
/// # Errors
/// When the runtime API cannot be reached.
pub async fn run_sqs(
    handler: Arc<dyn HandleMessage>,
    inbox: Arc<dyn Inbox>,
    clock: Arc<dyn Clock>,
    meter: Arc<dyn Meter>,
) -> Result<(), Error> {
    let invocations = Invocations::new(meter);
    let serve = |event| async {
        invoke(&invocations, handler.as_ref(), inbox.as_ref(), clock.as_ref(), event).await.map_err(Error::from)
    };
    lambda_runtime::run(service_fn(serve)).await
}

/// One invocation, with all that its lines say of it.
///
/// # Errors
/// As [`respond`].
pub async fn invoke(
    invocations: &Invocations,
    handler: &dyn HandleMessage,
    inbox: &dyn Inbox,
    clock: &dyn Clock,
    event: LambdaEvent<SqsEvent>,
) -> Result<SqsBatchResponse, NoId> {
    invocations.run(&event.context.request_id, respond(handler, inbox, clock, event.payload)).await
}

/// One batch.
///
/// # Errors
/// [`NoId`]; Lambda then gives the whole batch back to the queue.
pub async fn respond(
    handler: &dyn HandleMessage,
    inbox: &dyn Inbox,
    clock: &dyn Clock,
    event: SqsEvent,
) -> Result<SqsBatchResponse, NoId> {
    let kept = batch::run(handler, inbox, clock, messages(event)?).await;
    let mut response = SqsBatchResponse::default();
    response.set_failures(kept);
    Ok(response)
}

/// A record came without an id or a receipt handle, so that nothing could be said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record has no message id or no receipt handle")]
pub struct NoId;

/// The records as messages, in their order.
///
/// # Errors
/// [`NoId`].
pub fn messages(event: SqsEvent) -> Result<Vec<Message>, NoId> {
    event.records.into_iter().map(message).collect()
}

fn message(mut record: SqsMessage) -> Result<Message, NoId> {
    // On a standard queue a group id only shares the queue fairly among its senders; it keeps no order.
    let fifo = record.event_source_arn.as_deref().is_some_and(|arn| arn.ends_with(".fifo"));
    let group = record.attributes.remove("MessageGroupId").filter(|_| fifo);
    let receives = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    Ok(Message {
        id: record.message_id.ok_or(NoId)?,
        handle: record.receipt_handle.ok_or(NoId)?,
        body: record.body.unwrap_or_default(),
        group,
        receives: receives.unwrap_or(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use async_trait::async_trait;
    use domain::error::PortError;
    use jiff::Timestamp;
    use testkit::clock::ManualClock;

    use crate::batch::Verdict;

    fn event(queue: &str) -> SqsEvent {
        let record = |n: u32, receives: &str| {
            serde_json::json!({
                "messageId": format!("id-{n}"), "receiptHandle": format!("handle-{n}"), "body": format!("body-{n}"),
                "attributes": {
                    "ApproximateReceiveCount": receives, "MessageGroupId": "octo/repo",
                    "SentTimestamp": "1800000000000", "SenderId": "AIDAEXAMPLE"
                },
                "messageAttributes": { "event": { "stringValue": "push", "dataType": "String" } },
                "md5OfBody": "0", "eventSource": "aws:sqs", "awsRegion": "us-east-1",
                "eventSourceARN": format!("arn:aws:sqs:us-east-1:123456789012:{queue}")
            })
        };
        serde_json::from_value(serde_json::json!({ "Records": [record(1, "3"), record(2, "many")] })).unwrap()
    }

    #[test]
    fn records_become_messages() {
        let read = messages(event("statuses.fifo")).unwrap();
        let first = Message {
            id: "id-1".into(),
            handle: "handle-1".into(),
            body: "body-1".into(),
            group: Some("octo/repo".into()),
            receives: 3,
        };
        assert_eq!(read[0], first);
        assert_eq!((read[1].id.as_str(), read[1].receives), ("id-2", 1));
    }

    #[test]
    fn a_group_counts_on_a_fifo_queue_only() {
        assert!(messages(event("fanout")).unwrap().iter().all(|message| message.group.is_none()));
    }

    #[test]
    fn a_record_without_an_id_fails_the_batch() {
        let mut broken = event("fanout");
        broken.records[1].message_id = None;
        assert_eq!(messages(broken), Err(NoId));
    }

    struct Second;

    #[async_trait]
    impl HandleMessage for Second {
        async fn handle(&self, message: &Message, _: &[Message]) -> Result<Verdict, PortError> {
            if message.id == "id-2" { Err(PortError::transient("throttled")) } else { Ok(Verdict::Done) }
        }
    }

    #[async_trait]
    impl Inbox for Second {
        async fn defer(&self, _: &Message, _: Timestamp) -> Result<(), PortError> {
            Ok(())
        }
        async fn dead_letter(&self, _: &Message, _: &str) -> Result<(), PortError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn lambda_hears_of_what_is_not_finished() {
        let response = respond(&Second, &Second, &ManualClock::default(), event("fanout")).await.unwrap();
        let json = serde_json::to_value(response).unwrap();
        assert_eq!(json, serde_json::json!({ "batchItemFailures": [{ "itemIdentifier": "id-2" }] }));
    }
}
