//! The `api` function on AWS: its router behind API Gateway.

use std::{sync::Arc, time::Duration};

use api::{Api, Site, settings, settings::Settings};
use aws::{client, dead_letters as dead, s3::Bucket, sns::Topic, sqs::Statuses, ssm::Parameter};
use domain::secrets::check_bearer;
use lambda::telemetry::{self, invocation::watched};
use lambda::{clock::SystemClock, http::guard::Hosts, ids::UuidIds, meter::Silent, secrets::Kept, start};

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "mains hand the environment to the settings")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(telemetry::Lines::Json { function: "api" }, "info")?;
    let settings = Settings::from_lookup(|name| std::env::var(name).ok()).unwrap_or_else(|error| error.exit());
    let (config, clock) = (client::config(Duration::from_secs(8)).await, Arc::new(SystemClock));
    let signer = Kept::new(Parameter::new(&config, settings.callback_secret_parameter), clock.clone());
    let key = Kept::new(Parameter::new(&config, settings.api_key_parameter), clock.clone()).checked(check_bearer);
    let store = Arc::new(store::Store::new(client::dynamodb(&config), settings.table, clock.clone()));
    start::prepare(&SystemClock, async { tokio::join!(signer.fetch(), key.fetch(), store.warm()) }).await;
    let settings::DeadLetterUrls { events, fanout, statuses, fanout_queue } = settings.dead_letters;
    let at = dead::Urls { events, fanout, statuses, fanout_queue, statuses_queue: settings.statuses_queue_url.clone() };
    let api = Api {
        reader: store.clone(),
        releases: store,
        bodies: Arc::new(Bucket::new(&config, settings.bodies_bucket)),
        statuses: Arc::new(Statuses::new(&config, settings.statuses_queue_url)),
        bus: Arc::new(Topic::new(&config, settings.topic_arn)),
        dead_letters: Arc::new(dead::DeadLetterQueues::new(&config, at)),
        callback_secrets: Arc::new(signer),
        api_key: Some(Arc::new(key)),
        open: false,
        refused: None,
        clock,
        ids: Arc::new(UuidIds::default()),
        site: Site::on_aws(settings.dashboard_url),
    };
    lambda_http::run(watched(api::router(Arc::new(api), Hosts::fronted()), Arc::new(Silent))).await
}
