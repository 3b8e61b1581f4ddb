//! The `api` function on AWS: its router behind API Gateway.

use std::sync::Arc;
use std::time::Duration;

use api::{Api, Site, settings, settings::Settings};
use aws::dead_letters::{DeadLetterQueues, Urls};
use aws::{client, s3::Bucket, sns::Topic, sqs::Statuses, ssm::Parameter};
use lambda::telemetry::{self, invocation::watched};
use lambda::{clock::SystemClock, http::guard::Hosts, ids::UuidIds, meter::Silent};
use store::Store;

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "mains hand the environment to the settings")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(telemetry::Lines::Json { function: "api" }, "info")?;
    let settings = Settings::from_lookup(|name| std::env::var(name).ok()).unwrap_or_else(|error| error.exit());
    let config = client::config(Duration::from_secs(8)).await;
    let clock = Arc::new(SystemClock);
    let settings::DeadLetterUrls { events, fanout, statuses, fanout_queue } = settings.dead_letters;
    let statuses_queue = settings.statuses_queue_url.clone();
    let dead = Urls { events, fanout, statuses, fanout_queue, statuses_queue };
    let api = Api {
        reader: Arc::new(Store::new(client::dynamodb(&config), settings.table, clock.clone())),
        bodies: Arc::new(Bucket::new(&config, settings.bodies_bucket)),
        statuses: Arc::new(Statuses::new(&config, settings.statuses_queue_url)),
        bus: Arc::new(Topic::new(&config, settings.topic_arn)),
        dead_letters: Arc::new(DeadLetterQueues::new(&config, dead)),
        callback_secrets: Parameter::fetched(&config, settings.callback_secret_parameter, clock.clone()).await,
        api_key: Some(Parameter::fetched(&config, settings.api_key_parameter, clock.clone()).await),
        open: false,
        refused: None,
        clock,
        ids: Arc::new(UuidIds::default()),
        site: Site::on_aws(),
    };
    // Nothing here is counted yet; the lines still say which call of Lambda they belong to.
    lambda_http::run(watched(api::router(Arc::new(api), Hosts::fronted()), Arc::new(Silent))).await
}
