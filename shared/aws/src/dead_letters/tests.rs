use serde_json::{Value, json};

use super::*;
use crate::standin::Standin;

fn urls() -> Urls {
    Urls {
        events: "http://sqs/events-dead".into(),
        fanout: "http://sqs/fanout-dead".into(),
        statuses: "http://sqs/statuses-dead.fifo".into(),
        fanout_queue: "http://sqs/fanout".into(),
        statuses_queue: "http://sqs/statuses.fifo".into(),
    }
}

async fn queues(answers: impl IntoIterator<Item = (u16, Value)>) -> (Standin, DeadLetterQueues) {
    let answers = answers.into_iter().map(|(status, answer)| (status, answer.to_string()));
    let (aws, config) = Standin::start(answers).await;
    (aws, DeadLetterQueues::new(&config, urls()))
}

fn letter(n: usize, body: &str) -> Value {
    json!({
        "MessageId": format!("m-{n}"), "ReceiptHandle": format!("h-{n}"), "Body": body,
        "Attributes": { "SentTimestamp": (1_800_000_000_000_u64 - n as u64).to_string(), "MessageGroupId": "g" },
        "MessageAttributes": {
            "reason": { "DataType": "String", "StringValue": "unreadable" },
            "tries": { "DataType": "String", "StringValue": "3" },
        },
    })
}

fn letters(numbers: impl IntoIterator<Item = usize>) -> (u16, Value) {
    (200, json!({ "Messages": numbers.into_iter().map(|n| letter(n, "{}")).collect::<Vec<_>>() }))
}

fn count(visible: u32, hidden: u32) -> (u16, Value) {
    let visible = visible.to_string();
    let attributes =
        json!({ "ApproximateNumberOfMessages": visible, "ApproximateNumberOfMessagesNotVisible": hidden.to_string() });
    (200, json!({ "Attributes": attributes }))
}

fn all(places: usize) -> (u16, Value) {
    let entries: Vec<_> = (0..places)
        .map(|n| json!({ "Id": n.to_string(), "MessageId": format!("new-{n}"), "MD5OfMessageBody": "0" }))
        .collect();
    (200, json!({ "Successful": entries, "Failed": [] }))
}

fn asked(aws: &Standin) -> Vec<Value> {
    aws.json()
}

fn places<'a>(asked: &'a Value, field: &'a str) -> Vec<&'a str> {
    asked["Entries"].as_array().unwrap().iter().map(|entry| entry[field].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_look_tells_everything_and_puts_all_of_it_back() {
    let (aws, queues) = queues([count(11, 1), letters(0..10), letters(10..12), all(10), all(2)]).await;
    let page = queues.list(DeadLetterQueue::Fanout, 100).await.unwrap();
    assert_eq!((page.count, page.letters.len()), (12, 12));
    let newest = page.letters.last().unwrap();
    assert_eq!((newest.id.as_str(), newest.reason.as_deref(), newest.tries), ("m-0", Some("unreadable"), Some(3)));
    assert_eq!(newest.since.as_millisecond(), 1_800_000_000_000);
    assert!(page.letters.is_sorted_by_key(|letter| letter.since), "oldest first");

    let asked = asked(&aws);
    assert_eq!(asked.len(), 5, "the count spares an empty look at the end");
    assert!(asked.iter().all(|asked| asked["QueueUrl"] == "http://sqs/fanout-dead"));
    assert_eq!((&asked[1]["VisibilityTimeout"], &asked[1]["WaitTimeSeconds"]), (&json!(30), &json!(1)));
    let back: Vec<_> = asked[3..].iter().flat_map(|asked| places(asked, "ReceiptHandle")).collect();
    assert_eq!(back, (0..12).map(|n| format!("h-{n}")).collect::<Vec<_>>());
    assert!(asked[3]["Entries"].as_array().unwrap().iter().all(|entry| entry["VisibilityTimeout"] == 0));
}

#[tokio::test]
async fn a_look_goes_no_further_than_its_limit_and_does_not_believe_a_count_of_none() {
    let (aws, queues) = queues([count(0, 0), letters(0..3), all(3)]).await;
    let page = queues.list(DeadLetterQueue::Statuses, 3).await.unwrap();
    assert_eq!((page.count, page.letters.len()), (3, 3));
    assert_eq!(asked(&aws)[1]["MaxNumberOfMessages"], 3);

    let (aws, queues) = self::queues([count(0, 0), letters([])]).await;
    assert_eq!(queues.list(DeadLetterQueue::Events, 100).await.unwrap(), DeadLetterPage::default());
    assert_eq!(aws.asked().len(), 2);
}

#[tokio::test]
async fn a_look_that_fails_puts_back_what_it_had() {
    let (aws, queues) = queues([count(20, 0), letters(0..10), (503, json!({})), all(10)]).await;
    assert!(queues.list(DeadLetterQueue::Fanout, 100).await.unwrap_err().is_transient());
    assert_eq!(places(&asked(&aws)[3], "ReceiptHandle").len(), 10);
}

#[tokio::test]
async fn what_is_redriven_is_sent_first_and_deleted_afterwards() {
    let (aws, queues) = queues([letters(0..2), all(2), all(2), letters([])]).await;
    let redriven = queues.redrive(DeadLetterQueue::Statuses, &Which::Any(100)).await.unwrap();
    assert_eq!(redriven, Redriven { ids: vec!["m-0".into(), "m-1".into()], missing: vec![], more: false });
    let asked = asked(&aws);
    assert_eq!(asked[1]["QueueUrl"], "http://sqs/statuses.fifo");
    assert_eq!(places(&asked[1], "MessageGroupId"), ["g", "g"]);
    assert_eq!(places(&asked[1], "MessageDeduplicationId"), ["m-0", "m-1"], "sent twice, it arrives once");
    assert_eq!(asked[2]["QueueUrl"], "http://sqs/statuses-dead.fifo");
    assert_eq!(places(&asked[2], "ReceiptHandle"), ["h-0", "h-1"]);
}

#[tokio::test]
async fn events_and_receipts_go_to_the_queue_of_fanout_as_they_were_published() {
    let wrapped = json!({ "Type": "Notification", "Message": "published" }).to_string();
    for queue in [DeadLetterQueue::Events, DeadLetterQueue::Fanout] {
        let came = (200, json!({ "Messages": [letter(0, &wrapped)] }));
        let (aws, queues) = queues([came, all(1), all(1), letters([])]).await;
        queues.redrive(queue, &Which::Any(100)).await.unwrap();
        let sent = &asked(&aws)[1];
        assert_eq!((&sent["QueueUrl"], places(sent, "MessageBody")), (&json!("http://sqs/fanout"), vec!["published"]));
        assert_eq!(sent["Entries"][0]["MessageGroupId"], Value::Null, "a standard queue");
    }
}

#[tokio::test]
async fn only_those_that_were_asked_for_go_and_the_others_are_put_back() {
    let (aws, queues) = queues([letters(0..10), all(1), all(1), letters(10..12), all(1), all(1), all(10)]).await;
    let which = Which::These(vec!["m-3".into(), "m-11".into()]);
    let redriven = queues.redrive(DeadLetterQueue::Fanout, &which).await.unwrap();
    assert_eq!(redriven, Redriven { ids: vec!["m-3".into(), "m-11".into()], missing: vec![], more: false });
    let asked = asked(&aws);
    let back = places(&asked[6], "ReceiptHandle");
    assert_eq!((back.len(), back.contains(&"h-3")), (10, false), "and it looks no further once it has them all");

    let (_, queues) = self::queues([letters(0..2), letters([]), all(2)]).await;
    let which = Which::These(vec!["m-9".into()]);
    let redriven = queues.redrive(DeadLetterQueue::Fanout, &which).await.unwrap();
    assert_eq!(redriven, Redriven { ids: vec![], missing: vec!["m-9".into()], more: false });
}

#[tokio::test]
async fn no_more_go_than_one_call_may_send() {
    let (aws, queues) = queues([letters(0..3), all(3), all(3)]).await;
    let redriven = queues.redrive(DeadLetterQueue::Fanout, &Which::Any(3)).await.unwrap();
    assert_eq!((redriven.ids.len(), redriven.more), (3, true));
    assert_eq!((aws.asked().len(), &asked(&aws)[0]["MaxNumberOfMessages"]), (3, &json!(3)));
}

#[tokio::test]
async fn what_was_not_taken_stays() {
    let refused = json!({
        "Successful": [{ "Id": "0", "MessageId": "n", "MD5OfMessageBody": "0" }],
        "Failed": [{ "Id": "1", "Code": "InternalError", "SenderFault": false }],
    });
    // One of two went: it is deleted, the other put back, and the caller is told of the one.
    let (aws, queues) = queues([letters(0..2), (200, refused), all(1), all(1)]).await;
    let redriven = queues.redrive(DeadLetterQueue::Fanout, &Which::Any(100)).await.unwrap();
    assert_eq!(redriven, Redriven { ids: vec!["m-0".into()], missing: vec![], more: true });
    let asked = asked(&aws);
    assert_eq!((places(&asked[2], "ReceiptHandle"), places(&asked[3], "ReceiptHandle")), (vec!["h-0"], vec!["h-1"]));

    // None went: nothing is deleted, and that is an error.
    let (aws, queues) = self::queues([letters(0..2), (503, json!({})), all(2)]).await;
    assert!(queues.redrive(DeadLetterQueue::Fanout, &Which::Any(100)).await.unwrap_err().is_transient());
    assert_eq!(places(&self::asked(&aws)[2], "ReceiptHandle"), ["h-0", "h-1"]);
    assert_eq!(self::asked(&aws)[2]["Entries"][0]["VisibilityTimeout"], 0);
}

#[tokio::test]
async fn what_cannot_be_deleted_is_not_sent_over_and_over() {
    let denied = json!({ "Successful": [], "Failed": [{ "Id": "0", "Code": "AccessDenied", "SenderFault": true }] });
    let (aws, queues) = queues([letters(0..1), all(1), (200, denied), all(1)]).await;
    let error = queues.redrive(DeadLetterQueue::Fanout, &Which::Any(100)).await.unwrap_err();
    assert_eq!(error, PortError::permanent("deleting a dead letter: AccessDenied"));
    assert_eq!(aws.asked().len(), 4, "one try, and put back");
}

#[test]
fn a_letter_of_the_queues_own_says_no_more_than_is_known() {
    let message = |attributes: &[(&str, &str)]| {
        let value = |text: &str| {
            aws_sdk_sqs::types::MessageAttributeValue::builder().data_type("String").string_value(text).build().unwrap()
        };
        let attributes = attributes.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect();
        let message = aws_sdk_sqs::types::Message::builder().message_id("m").receipt_handle("h").body("{}");
        Held::of(message.set_message_attributes(Some(attributes)).build()).unwrap().letter(DeadLetterQueue::Fanout)
    };
    let bare = message(&[]);
    assert_eq!((bare.reason, bare.tries, bare.about), (None, None, About::default()));
    let of_topic = message(&[("ErrorMessage", &"é".repeat(400))]).reason.unwrap();
    assert!(of_topic.starts_with("the topic could not deliver it: é") && of_topic.chars().count() == REASON);
}
