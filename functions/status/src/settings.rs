//! Configuration of the `status` function on AWS.

use lambda::settings::{Lookup, SettingsError, text, url};
use url::Url;

/// GitHub's API, unless told otherwise.
pub const GITHUB_API_URL: &str = "https://api.github.com";

/// What the function is told by its environment.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The table.
    pub table: String,
    /// The function's own queue, to defer messages on it.
    pub queue_url: String,
    /// Where messages go that cannot be worked on.
    pub dead_letter_queue_url: String,
    /// SSM parameter of the token that writes statuses; none: they are only recorded.
    pub token_parameter: Option<String>,
    /// Base of GitHub's API.
    pub github_api_url: Url,
    /// Namespace of the metrics; without it there are none.
    pub metrics_namespace: Option<String>,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// All problems at once.
    pub fn from_lookup(find: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let find = |name: &str| find(name).or_else(|| (name == "GITHUB_API_URL").then(|| GITHUB_API_URL.to_owned()));
        let mut lookup = Lookup::new(find);
        let table = lookup.required("HOOKYARD_TABLE", "name of a DynamoDB table", text);
        let queue_url = lookup.required("HOOKYARD_QUEUE_URL", "URL of an SQS FIFO queue", text);
        let dead_letter_queue_url = lookup.required("HOOKYARD_DEAD_LETTER_QUEUE_URL", "URL of an SQS FIFO queue", text);
        let token_parameter = lookup.optional("GITHUB_TOKEN_PARAMETER", "name of an SSM parameter", text);
        let github_api_url = lookup.required("GITHUB_API_URL", "write it like https://github.example/api/v3", url);
        let metrics_namespace =
            lookup.optional("HOOKYARD_METRICS_NAMESPACE", "a namespace of CloudWatch metrics", text);
        lookup.build(|| {
            Some(Self {
                table: table?,
                queue_url: queue_url?,
                dead_letter_queue_url: dead_letter_queue_url?,
                token_parameter,
                github_api_url: github_api_url?,
                metrics_namespace,
            })
        })
    }
}
