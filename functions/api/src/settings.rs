//! Configuration of the `api` function on AWS.

use lambda::settings::{Lookup, SettingsError, text};

/// What the function is told by its environment.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The table.
    pub table: String,
    /// The bucket of bodies that are not kept in it.
    pub bodies_bucket: String,
    /// The FIFO queue that statuses go to.
    pub statuses_queue_url: String,
    /// SSM parameter of the secret that signs call-back tokens.
    pub callback_secret_parameter: String,
    /// SSM parameter of the API key. Beyond this machine there is none without it.
    pub api_key_parameter: String,
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
        let callback_secret_parameter =
            lookup.required("HOOKYARD_CALLBACK_SECRET_PARAMETER", "name of an SSM parameter", text);
        let api_key_parameter = lookup.required("HOOKYARD_API_KEY_PARAMETER", "name of an SSM parameter", text);
        lookup.build(|| {
            Some(Self {
                table: table?,
                bodies_bucket: bodies_bucket?,
                statuses_queue_url: statuses_queue_url?,
                callback_secret_parameter: callback_secret_parameter?,
                api_key_parameter: api_key_parameter?,
            })
        })
    }
}
