//! One configuration for all clients of a process.

use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::region::ProvideRegion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sqs::config::SharedCredentialsProvider;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::settings;

/// Within a region a connection stands in milliseconds; one that does not is tried again on another address.
const CONNECT: Duration = Duration::from_secs(1);

/// Attempts of one call, the first included.
const ATTEMPTS: u32 = 3;

/// Region, credentials and endpoint from the environment, as Lambda sets them.
///
/// And from nowhere else: profiles, single sign-on, containers and instances, which the SDK would search too, are a
/// tenth of a function's bytes and nothing that a function has.
///
/// `budget` bounds one call with all its attempts: an eight-second budget lets ingest answer within the ten seconds
/// that GitHub waits (GitHub: "Best practices for using webhooks"). A single attempt gets half of it, so that one
/// that hangs leaves time for another.
pub async fn config(budget: Duration) -> SdkConfig {
    let time_outs = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(budget / 2)
        .operation_timeout(budget)
        .build();
    // ring, because the other provider gathers entropy for up to a second at a cold start.
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(EnvironmentVariableRegionProvider::new().region().await)
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .http_client(http)
        .timeout_config(time_outs)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    config.set_endpoint_url(settings::endpoint());
    config.build()
}

/// The client that `store` works with.
pub fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(config)
}
