//! Configuration of the `ingest` function on AWS.

use lambda::settings::{Lookup, SettingsError, text};
use url::Url;

/// What the function is told by its environment.
#[derive(Debug, Clone)]
pub struct Settings {
    /// SSM parameter that holds the webhook secret, or several.
    pub secret_parameter: String,
    /// The topic that events are published to.
    pub topic_arn: String,
    /// The bucket for bodies that are too large for it.
    pub bodies_bucket: String,
    /// Base of the pages; the request's own domain when absent.
    pub public_url: Option<Url>,
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
        let secret_parameter = lookup.required("GITHUB_SECRET_PARAMETER", "name of an SSM parameter", text);
        let topic_arn = lookup.required("HOOKYARD_TOPIC_ARN", "ARN of an SNS topic", text);
        let bodies_bucket = lookup.required("HOOKYARD_BODIES_BUCKET", "name of an S3 bucket", text);
        let public_url = lookup.url("HOOKYARD_PUBLIC_URL");
        let metrics_namespace =
            lookup.optional("HOOKYARD_METRICS_NAMESPACE", "a namespace of CloudWatch metrics", text);
        lookup.build(|| {
            Some(Self {
                secret_parameter: secret_parameter?,
                topic_arn: topic_arn?,
                bodies_bucket: bodies_bucket?,
                public_url,
                metrics_namespace,
            })
        })
    }
}
