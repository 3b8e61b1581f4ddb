//! The `api` function on AWS: its router behind API Gateway.

use std::sync::Arc;
use std::time::Duration;

use api::{Api, settings::Settings};
use aws::{client, s3::Bucket, sqs::Statuses, ssm::Parameter};
use domain::secrets::check_bearer;
use lambda::{clock::SystemClock, http::guard::Hosts, ids::UuidIds, secrets::Kept, telemetry};
use store::Store;

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "mains hand the environment to the settings")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(telemetry::Lines::Json, "info")?;
    let settings = Settings::from_lookup(|name| std::env::var(name).ok()).unwrap_or_else(|error| error.exit());
    let config = client::config(Duration::from_secs(8)).await;
    let clock = Arc::new(SystemClock);
    let callback_secrets =
        Arc::new(Kept::new(Parameter::new(&config, settings.callback_secret_parameter), clock.clone()));
    let api_key = Kept::new(Parameter::new(&config, settings.api_key_parameter), clock.clone());
    let api_key = Arc::new(api_key.checked(check_bearer));
    tokio::join!(callback_secrets.fetch(), api_key.fetch());
    let api = Api {
        reader: Arc::new(Store::new(client::dynamodb(&config), settings.table, clock.clone())),
        bodies: Arc::new(Bucket::new(&config, settings.bodies_bucket)),
        statuses: Arc::new(Statuses::new(&config, settings.statuses_queue_url)),
        callback_secrets,
        api_key: Some(api_key),
        open: false,
        clock,
        ids: Arc::new(UuidIds::default()),
    };
    lambda_http::run(api::router(Arc::new(api), Hosts::fronted())).await
}
