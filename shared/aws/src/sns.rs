//! The topic that every event is published to.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::config::Config;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::error::SdkError;
use aws_sdk_sns::types::MessageAttributeValue;
use domain::envelope::Attributes;
use domain::error::PortError;
use domain::ports::EventBus;
use domain::queue;

use crate::failure::failed;
use crate::warm::OnlyConnect;

/// Attributes are for other teams' filters, and raw delivery to a queue takes at most ten: more would be lost
/// (Amazon SNS: "Message attributes").
const ATTRIBUTES: usize = 6;

/// Needs `sns:Publish` on the topic.
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    /// The topic with this ARN.
    pub fn new(config: &SdkConfig, arn: impl Into<String>) -> Self {
        Self { client: Client::new(config), arn: arn.into() }
    }

    /// Opens the connection, so that the first event finds it there. Publishes nothing and asks nobody who it is.
    pub async fn warm(&self) {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        // Without a message: SNS would refuse it if it ever saw this.
        let nothing = self.client.publish().topic_arn(&self.arn).message("");
        let connected = nothing.customize().config_override(once).interceptor(OnlyConnect).send().await;
        if let Err(SdkError::DispatchFailure(_) | SdkError::TimeoutError(_)) = connected {
            tracing::warn!("the topic could not be reached at the start");
        }
    }
}

#[async_trait]
impl EventBus for Topic {
    async fn publish(&self, body: &str, attributes: &Attributes) -> Result<(), PortError> {
        check(body, attributes)?;
        let attributes = attributes
            .iter()
            .map(|(name, value)| {
                let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
                Ok(((*name).to_owned(), value.map_err(PortError::permanent)?))
            })
            .collect::<Result<_, PortError>>()?;
        self.client
            .publish()
            .topic_arn(&self.arn)
            .message(body)
            .set_message_attributes(Some(attributes))
            .send()
            .await
            .map_err(|error| failed("publishing to the topic", &error))?;
        Ok(())
    }
}

fn check(body: &str, attributes: &Attributes) -> Result<(), PortError> {
    if attributes.len() > ATTRIBUTES {
        return Err(PortError::permanent(format!(
            "{} message attributes, {ATTRIBUTES} are the limit",
            attributes.len()
        )));
    }
    let pairs = attributes.iter().map(|(name, value)| (*name, value.as_str()));
    queue::check_message(body, pairs, queue::TOPIC_LIMIT)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::standin::Standin;

    const ARN: &str = "arn:aws:sns:us-east-1:123456789012:events";
    const TAKEN: &str = "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>";

    #[tokio::test]
    async fn body_and_attributes_go_out_as_they_are() {
        let (aws, config) = Standin::start([(200, TAKEN)]).await;
        let attributes = Attributes::from([("event", "push".to_owned())]);
        Topic::new(&config, ARN).publish(r#"{"v":"1"}"#, &attributes).await.unwrap();
        let form = String::from_utf8(aws.asked()[0].2.to_vec()).unwrap();
        for part in ["Action=Publish", "events", "Message=%7B%22v%22%3A%221%22%7D", "Name=event", "StringValue=push"] {
            assert!(form.contains(part), "{part} in {form}");
        }
    }

    #[tokio::test]
    async fn refusals_are_permanent_and_faults_pass() {
        let refusal = |code: &str| {
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>body</Message></Error></ErrorResponse>"
            )
        };
        for (status, code, transient) in [
            (400, "InvalidParameter", false),
            (404, "NotFound", false),
            (403, "AuthorizationError", false),
            (400, "Throttled", true),
            (500, "InternalError", true),
        ] {
            let (_, config) = Standin::start([(status, refusal(code))]).await;
            let error = Topic::new(&config, ARN).publish("{}", &Attributes::new()).await.unwrap_err();
            assert_eq!(error.is_transient(), transient, "{error}");
            assert_eq!(error.to_string(), format!("publishing to the topic: {code}"), "no word of the service");
        }
    }

    #[test]
    fn what_the_topic_would_refuse_is_never_sent() {
        let one = |value: &str| Attributes::from([("event", value.to_owned())]);
        let room = queue::TOPIC_LIMIT - "event".len() - "String".len() - "push".len();
        assert!(check(&"x".repeat(room), &one("push")).is_ok());
        assert!(check(&"x".repeat(room + 1), &one("push")).is_err());
        assert!(check("", &one("push")).is_err());
        assert!(check("x", &one("")).is_err());
        let many =
            |n| ["a", "b", "c", "d", "e", "f", "g"].into_iter().take(n).map(|name| (name, "x".to_owned())).collect();
        assert!(check("x", &many(6)).is_ok());
        assert!(check("x", &many(7)).is_err());
    }

    #[tokio::test]
    async fn warming_opens_the_connection_that_the_first_event_uses_and_publishes_nothing() {
        let (aws, config) = Standin::start([(302, ""), (200, TAKEN)]).await;
        let topic = Topic::new(&config, ARN);
        topic.warm().await;
        let [(method, path, body)] = &aws.asked()[..] else { panic!("{:?}", aws.asked()) };
        assert_eq!((method.as_str(), path.as_str(), body.len()), ("GET", "/", 0));
        assert!(!aws.headers().contains("authorization"), "{}", aws.headers());
        topic.publish("{}", &Attributes::new()).await.unwrap();
        assert_eq!((aws.asked().len(), aws.connections()), (2, 1));
    }

    #[tokio::test]
    async fn a_topic_that_is_not_there_is_asked_once_and_no_reason_not_to_start() {
        let (aws, config) = Standin::start([(503, ""), (200, "")]).await;
        let often = RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(1));
        Topic::new(&config.into_builder().retry_config(often).build(), ARN).warm().await;
        assert_eq!(aws.asked().len(), 1);
    }
}
