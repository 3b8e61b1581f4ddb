//! The topic, the bucket and the parameters.

use std::sync::Arc;

use aws::s3::Bucket;
use aws::sns::Topic;
use aws::ssm::Parameter;
use domain::envelope::Attributes;
use domain::ports::{Clock, EventBus, Secrets};
use jiff::SignedDuration;
use lambda::clock::SystemClock;
use lambda::secrets::Kept;
use serde_json::json;
use testkit::contract::bodies;

use crate::stack::{GITHUB_SECRET, Stack};
use crate::stories::secrets::write;

/// What every store of bodies holds, the bucket holds.
pub async fn the_bucket_holds_bodies(stack: &Stack) {
    let bucket = Bucket::new(&stack.config, stack.settings.resource("Bodies"));
    bodies::holds(&bucket, &stack.unique("suite/")).await;
}

/// What is published comes out of the queue as it was, with its attributes, and nothing around it.
pub async fn the_topic_hands_on_what_it_took(stack: &Stack) {
    stack.yard().await.unwrap();
    stack.hold().await;
    let body = format!(r#"{{"v":"1","text":"{}"}}"#, "\\u00e9 <&> ".repeat(20_000));
    let attributes = Attributes::from([("event", "push".to_owned()), ("repository", "octo-org/hello".to_owned())]);
    let topic = Topic::new(&stack.config, stack.settings.resource("Events"));
    topic.publish(&body, &attributes).await.unwrap();
    let queues = aws_sdk_sqs::Client::new(&stack.config);
    let queue = stack.settings.resource("FanoutQueue");
    let receive = queues.receive_message().queue_url(queue).message_attribute_names("All");
    let came = receive.send().await.unwrap().messages.unwrap_or_default();
    assert_eq!(came.len(), 1);
    assert!(came[0].body.as_deref() == Some(body.as_str()), "as it was");
    let said = came[0].message_attributes.clone().unwrap_or_default();
    for (name, value) in &attributes {
        assert_eq!(said[*name].string_value.as_deref(), Some(value.as_str()));
    }
    let handle = came[0].receipt_handle.as_deref().unwrap_or_default();
    queues.delete_message().queue_url(queue).receipt_handle(handle).send().await.unwrap();
    stack.go_on().await;
}

/// One secret, or a list with times; a new value is seen when it is asked for.
pub async fn the_parameter_holds_one_secret_or_several(stack: &Stack) {
    stack.yard().await.unwrap();
    let clock = Arc::new(SystemClock);
    let in_an_hour = clock.now() + SignedDuration::from_hours(1);
    let an_hour_ago = clock.now() - SignedDuration::from_hours(1);
    let list = json!([{ "secret": "new" }, { "secret": "old", "until": in_an_hour }, { "secret": "gone", "until": an_hour_ago }]);
    for (value, secrets) in [(GITHUB_SECRET.to_owned(), vec![GITHUB_SECRET]), (list.to_string(), vec!["new", "old"])] {
        write(&stack.config, &value).await;
        let parameter = Kept::new(Parameter::new(&stack.config, "/hookyard/github-secret"), clock.clone());
        let keys = parameter.current().await.unwrap();
        assert_eq!(keys.keys().collect::<Vec<_>>(), secrets.iter().map(|one| one.as_bytes()).collect::<Vec<_>>());
    }
    let nowhere = Kept::new(Parameter::new(&stack.config, "/hookyard/nothing-here"), clock);
    assert!(!nowhere.current().await.unwrap_err().is_transient());
}
