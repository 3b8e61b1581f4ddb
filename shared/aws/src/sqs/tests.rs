use domain::ids::{Repository, Sha, StatusId};
use domain::statuses::{Accepted, Content, State, Via};
use serde_json::{Value, json};
use testkit::clock::ManualClock;

use super::*;
use crate::standin::Standin;

fn status(n: usize) -> StatusMessage {
    StatusMessage {
        id: StatusId::parse(&format!("status-{n}")).unwrap(),
        repository: Repository::parse("Octo/Repo").unwrap(),
        sha: Sha::parse(&"a".repeat(40)).unwrap(),
        content: Content { context: format!("CI {n}"), state: State::Pending, description: None, target_url: None },
        accepted: Accepted { at: "2026-03-02T10:00:00Z".parse().unwrap(), index: 0 },
        reopen: false,
        via: Via::Key,
        run: None,
        event: None,
        trace: None,
    }
}

fn statuses(count: usize) -> Vec<StatusMessage> {
    (0..count).map(status).collect()
}

fn took(places: impl IntoIterator<Item = usize>) -> Value {
    let entries: Vec<_> = places
        .into_iter()
        .map(|n| json!({ "Id": n.to_string(), "MessageId": format!("m-{n}"), "MD5OfMessageBody": "0" }))
        .collect();
    json!({ "Successful": entries, "Failed": [] })
}

fn refused(entries: &[(&str, bool)]) -> Value {
    let entries: Vec<_> = entries
        .iter()
        .enumerate()
        .map(|(n, (code, fault))| json!({ "Id": n.to_string(), "Code": code, "SenderFault": fault, "Message": "m" }))
        .collect();
    json!({ "Successful": [], "Failed": entries })
}

async fn queue(answers: Vec<Value>) -> (Standin, Statuses) {
    let (aws, config) = Standin::start(answers.into_iter().map(|answer| (200, answer.to_string()))).await;
    (aws, Statuses::new(&config, "http://sqs/statuses.fifo"))
}

#[tokio::test]
async fn statuses_go_out_in_order_in_tens_with_group_and_id() {
    let (aws, queue) = queue(vec![took(0..10), took(0..10), took(0..3)]).await;
    queue.send(&statuses(23)).await.unwrap();
    let asked = aws.json();
    assert_eq!(asked.iter().map(|batch| batch["Entries"].as_array().unwrap().len()).collect::<Vec<_>>(), [10, 10, 3]);
    let entries: Vec<_> = asked.iter().flat_map(|batch| batch["Entries"].as_array().unwrap()).collect();
    for (n, entry) in entries.iter().enumerate() {
        assert_eq!(entry["MessageDeduplicationId"], format!("status-{n}"));
        assert_eq!(entry["MessageGroupId"], status(n).key().group());
        assert_eq!(StatusMessage::decode(entry["MessageBody"].as_str().unwrap()).unwrap(), status(n));
    }
}

#[tokio::test]
async fn a_batch_that_fails_inside_is_an_error_and_ends_the_sending() {
    for (answer, expected) in [
        (refused(&[("InternalError", false)]), PortError::transient("sending a status: InternalError")),
        (
            refused(&[("InvalidMessageContents", true)]),
            PortError::permanent("sending a status: InvalidMessageContents"),
        ),
        (refused(&[("RequestThrottled", true)]), PortError::transient("sending a status: RequestThrottled")),
        (
            refused(&[("InvalidMessageContents", true), ("InternalError", false), ("InvalidId", true)]),
            PortError::transient("sending a status: InternalError"),
        ),
        (took(0..9), PortError::transient("sending statuses: the answer leaves some out")),
    ] {
        let (aws, queue) = queue(vec![answer, took(0..10)]).await;
        assert_eq!(queue.send(&statuses(20)).await, Err(expected));
        assert_eq!(aws.asked().len(), 1);
    }
}

#[tokio::test]
async fn nothing_to_send_asks_nobody() {
    let (aws, queue) = queue(vec![]).await;
    queue.send(&[]).await.unwrap();
    assert!(aws.asked().is_empty());
}

#[test]
fn batches_keep_within_count_and_size() {
    let entry = |bytes: usize| Entry { body: "x".repeat(bytes), group: "g".into(), id: "i".into() };
    let sizes = |entries: &[Entry]| {
        batches(entries, |entry| entry.body.len()).iter().map(|batch| batch.len()).collect::<Vec<_>>()
    };
    let full = queue::MESSAGE_LIMIT;
    assert_eq!(sizes(&[]), [0; 0]);
    assert_eq!(sizes(&[entry(full)]), [1]);
    assert_eq!(sizes(&[entry(full), entry(1)]), [1, 1]);
    assert_eq!(sizes(&[entry(full / 2), entry(full / 2), entry(1)]), [2, 1]);
    assert_eq!(sizes(&[entry(full), entry(full), entry(full)]), [1, 1, 1], "a batch counts its first entry too");
    assert_eq!(sizes(&[entry(full), entry(full / 2 + 1), entry(full / 2)]), [1, 1, 1]);
    assert_eq!(sizes(&std::array::from_fn::<_, 11, _>(|_| entry(1))), [10, 1]);
    assert_eq!(sizes(&std::array::from_fn::<_, 20, _>(|_| entry(1))), [10, 10]);
}

#[test]
fn a_status_that_the_queue_would_refuse_is_not_sent() {
    let mut huge = status(0);
    huge.content.target_url = Some("x".repeat(queue::MESSAGE_LIMIT));
    assert!(Entry::new(&huge).is_err_and(|error| !error.is_transient()));
}

fn message(group: Option<&str>) -> Message {
    let group = group.map(str::to_owned);
    Message { id: "m-1".into(), handle: "handle".into(), body: "{}".into(), group, receives: 1 }
}

async fn consumer(status: u16, answer: &str) -> (Standin, Consumer) {
    let (aws, config) = Standin::start([(status, answer)]).await;
    let clock = Arc::new(ManualClock::at("2026-03-02T10:00:00Z"));
    (aws, Consumer::new(&config, "http://sqs/q", "http://sqs/dead", clock))
}

#[tokio::test]
async fn deferring_hides_the_message_for_whole_seconds() {
    for (until, seconds) in [
        ("2026-03-02T10:00:30Z", 30),
        ("2026-03-02T10:00:30.001Z", 31),
        ("2026-03-02T09:00:00Z", 0),
        ("2026-03-02T10:00:00Z", 0),
        ("2026-03-05T10:00:00Z", 42_300),
    ] {
        let (aws, consumer) = consumer(200, "{}").await;
        consumer.defer(&message(None), until.parse().unwrap()).await.unwrap();
        let expected = json!({ "QueueUrl": "http://sqs/q", "ReceiptHandle": "handle", "VisibilityTimeout": seconds });
        assert_eq!(aws.json(), [expected], "{until}");
    }
}

#[tokio::test]
async fn a_dead_letter_keeps_body_group_and_reason() {
    let sent = r#"{"MessageId":"m","MD5OfMessageBody":"0"}"#;
    let (aws, fifo) = consumer(200, sent).await;
    fifo.dead_letter(&message(Some("g")), "unreadable\0").await.unwrap();
    let text = |value: &str| json!({ "DataType": "String", "StringValue": value });
    let attributes = json!({ "reason": text("unreadable"), "tries": text("1") });
    let expected = json!({
        "QueueUrl": "http://sqs/dead", "MessageBody": "{}", "MessageAttributes": attributes,
        "MessageGroupId": "g", "MessageDeduplicationId": "m-1"
    });
    assert_eq!(aws.json(), [expected]);

    let (aws, standard) = consumer(200, sent).await;
    standard.dead_letter(&message(None), "").await.unwrap();
    let asked = &aws.json()[0];
    assert_eq!((&asked["MessageGroupId"], &asked["MessageDeduplicationId"]), (&Value::Null, &Value::Null));
    assert_eq!(asked["MessageAttributes"]["reason"]["StringValue"], "none given");
}

#[tokio::test]
async fn a_full_dead_letter_goes_without_its_reason_and_a_fuller_one_not_at_all() {
    let (aws, consumer) = consumer(200, r#"{"MessageId":"m","MD5OfMessageBody":"0"}"#).await;
    let full = Message { body: "x".repeat(queue::MESSAGE_LIMIT), ..message(None) };
    consumer.dead_letter(&full, "why").await.unwrap();
    assert_eq!(aws.json()[0]["MessageAttributes"], Value::Null);
    let over = Message { body: "x".repeat(queue::MESSAGE_LIMIT + 1), ..message(None) };
    assert!(!consumer.dead_letter(&over, "why").await.unwrap_err().is_transient());
    assert_eq!(aws.asked().len(), 1);
}

#[tokio::test]
async fn refusals_are_told_without_the_services_words() {
    let refusal = r#"{"__type":"com.amazonaws.sqs#ReceiptHandleIsInvalid","message":"handle"}"#;
    let (_, consumer) = consumer(400, refusal).await;
    let error = consumer.defer(&message(None), "2026-03-02T10:00:30Z".parse().unwrap()).await.unwrap_err();
    assert_eq!(error, PortError::permanent("deferring a message: ReceiptHandleIsInvalid"));
}
