//! The `ingest` function on AWS: its router behind API Gateway.

use std::{sync::Arc, time::Duration};

use aws::{client, s3::Bucket, sns::Topic, ssm::Parameter};
use axum::middleware::map_request;
use ingest::{Ingest, front::public_base, settings::Settings};
use lambda::telemetry::{self, invocation::watched};
use lambda::{clock::SystemClock, http::guard::Hosts, ids::UuidIds, meter::emf::Emf, secrets::Kept, start::prepare};

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "mains hand the environment to the settings")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init(telemetry::Lines::Json { function: "ingest" }, "info")?;
    let settings = Settings::from_lookup(|name| std::env::var(name).ok()).unwrap_or_else(|error| error.exit());
    // GitHub waits ten seconds for an answer.
    let config = client::config(Duration::from_secs(8)).await;
    let meter = Arc::new(Emf::new(settings.metrics_namespace, Arc::new(SystemClock)));
    let secrets = Kept::new(Parameter::new(&config, settings.secret_parameter), Arc::new(SystemClock));
    let topic = Topic::new(&config, settings.topic_arn);
    prepare(&SystemClock, async { tokio::join!(secrets.fetch(), topic.warm()) }).await;
    let ingest = Ingest {
        secrets: Arc::new(secrets),
        bus: Arc::new(topic),
        bodies: Arc::new(Bucket::new(&config, settings.bodies_bucket)),
        clock: Arc::new(SystemClock),
        ids: Arc::new(UuidIds::default()),
        public_url: settings.public_url.map(String::from),
        meter: meter.clone(),
        refused: None,
    };
    let router = ingest::router(Arc::new(ingest), Hosts::fronted()).layer(map_request(public_base));
    lambda_http::run(watched(router, meter)).await
}
