//! Configuration of the `api` function on AWS.

use lambda::settings::{Lookup, SettingsError, text};

/// The dead-letter queues, and the queue that events and receipts go back to. Statuses go back to the queue that they
/// are sent to anyway.
#[derive(Debug, Clone)]
pub struct DeadLetterUrls {
    /// What the topic could not hand over.
    pub events: String,
    /// What fanout could not work on.
    pub fanout: String,
    /// What status could not work on, FIFO.
    pub statuses: String,
    /// Fanout's queue.
    pub fanout_queue: String,
}

/// What the function is told by its environment.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The table.
    pub table: String,
    /// The bucket of bodies that are not kept in it.
    pub bodies_bucket: String,
    /// The topic that replays go to.
    pub topic_arn: String,
    /// The FIFO queue that statuses go to.
    pub statuses_queue_url: String,
    /// Where dead letters lie, and where they go back to.
    pub dead_letters: DeadLetterUrls,
    /// SSM parameter of the secret that signs call-back tokens.
    pub callback_secret_parameter: String,
    /// SSM parameter of the API key. Beyond this machine there is none without it.
    pub api_key_parameter: String,
    /// CloudWatch's dashboard of this stack, for the link on the Overview: refused deliveries are counted there.
    pub dashboard_url: Option<String>,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// All problems at once.
    pub fn from_lookup(find: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut lookup = Lookup::new(find);
        let table = lookup.required("HOOKYARD_TABLE", "name of a DynamoDB table", text);
        let bodies_bucket = lookup.required("HOOKYARD_BODIES_BUCKET", "name of an S3 bucket", text);
        let topic_arn = lookup.required("HOOKYARD_TOPIC_ARN", "ARN of an SNS topic", text);
        let statuses_queue_url = lookup.required("HOOKYARD_STATUSES_QUEUE_URL", "URL of an SQS FIFO queue", text);
        let mut queue = |name| lookup.required(name, "URL of an SQS queue", text);
        let events = queue("HOOKYARD_EVENTS_DEAD_LETTER_QUEUE_URL");
        let fanout = queue("HOOKYARD_FANOUT_DEAD_LETTER_QUEUE_URL");
        let statuses = queue("HOOKYARD_STATUSES_DEAD_LETTER_QUEUE_URL");
        let fanout_queue = queue("HOOKYARD_FANOUT_QUEUE_URL");
        let callback_secret_parameter =
            lookup.required("HOOKYARD_CALLBACK_SECRET_PARAMETER", "name of an SSM parameter", text);
        let api_key_parameter = lookup.required("HOOKYARD_API_KEY_PARAMETER", "name of an SSM parameter", text);
        let dashboard_url = lookup.optional("HOOKYARD_DASHBOARD_URL", "address of a CloudWatch dashboard", text);
        lookup.build(|| {
            Some(Self {
                table: table?,
                bodies_bucket: bodies_bucket?,
                topic_arn: topic_arn?,
                statuses_queue_url: statuses_queue_url?,
                dead_letters: DeadLetterUrls {
                    events: events?,
                    fanout: fanout?,
                    statuses: statuses?,
                    fanout_queue: fanout_queue?,
                },
                callback_secret_parameter: callback_secret_parameter?,
                api_key_parameter: api_key_parameter?,
                dashboard_url,
            })
        })
    }
}
