//! Configuration of the `fanout` function on AWS.

use std::time::Duration;

use lambda::settings::{Lookup, SettingsError, text};
use url::Url;

/// How long a call-back token is good for, by default.
pub const CALLBACK_TTL: Duration = Duration::from_secs(24 * 3600);

/// What the function is told by its environment.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The table.
    pub table: String,
    /// The bucket of bodies that were too large for the bus.
    pub bodies_bucket: String,
    /// The FIFO queue that statuses go to.
    pub statuses_queue_url: String,
    /// The function's own queue, to defer messages on it.
    pub queue_url: String,
    /// Where messages go that cannot be worked on.
    pub dead_letter_queue_url: String,
    /// The user's server; none: events are only recorded.
    pub your_server_url: Option<Url>,
    /// SSM parameter of the secret that signs what is sent to it.
    pub your_server_secret_parameter: String,
    /// SSM parameter of the secret that signs call-back tokens.
    pub callback_secret_parameter: String,
    /// Life of a call-back token.
    pub callback_ttl: Duration,
    /// Base of the call-back address.
    pub public_url: Url,
    /// Namespace of the metrics; without it there are none.
    pub metrics_namespace: Option<String>,
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
        let statuses_queue_url = lookup.required("HOOKYARD_STATUSES_QUEUE_URL", "URL of an SQS FIFO queue", text);
        let queue_url = lookup.required("HOOKYARD_QUEUE_URL", "URL of an SQS queue", text);
        let dead_letter_queue_url = lookup.required("HOOKYARD_DEAD_LETTER_QUEUE_URL", "URL of an SQS queue", text);
        let your_server_url = lookup.url("YOUR_SERVER_URL");
        let your_server_secret_parameter =
            lookup.required("YOUR_SERVER_SECRET_PARAMETER", "name of an SSM parameter", text);
        let callback_secret_parameter =
            lookup.required("HOOKYARD_CALLBACK_SECRET_PARAMETER", "name of an SSM parameter", text);
        let callback_ttl = lookup.duration("HOOKYARD_CALLBACK_TTL").unwrap_or(CALLBACK_TTL);
        let public_url =
            lookup.required("HOOKYARD_PUBLIC_URL", "write it like https://hooks.example", lambda::settings::url);
        let metrics_namespace =
            lookup.optional("HOOKYARD_METRICS_NAMESPACE", "a namespace of CloudWatch metrics", text);
        lookup.build(|| {
            Some(Self {
                table: table?,
                bodies_bucket: bodies_bucket?,
                statuses_queue_url: statuses_queue_url?,
                queue_url: queue_url?,
                dead_letter_queue_url: dead_letter_queue_url?,
                your_server_url,
                your_server_secret_parameter: your_server_secret_parameter?,
                callback_secret_parameter: callback_secret_parameter?,
                callback_ttl,
                public_url: public_url?,
                metrics_namespace,
            })
        })
    }
}
