//! The `fanout` function on AWS: one handler on its queue.

use std::{sync::Arc, time::Duration};

use aws::{client, s3::Bucket, sqs::Consumer, sqs::Statuses, ssm::Parameter};
use fanout::{CallBack, Fanout, Ports, settings::Settings};
use lambda::{clock::SystemClock, meter::emf::Emf, secrets::Kept, sqs::run_sqs, start::prepare, telemetry};

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "mains hand the environment to the settings")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    telemetry::init(telemetry::Lines::Json { function: "fanout" }, "info")?;
    let settings = Settings::from_lookup(|name| std::env::var(name).ok()).unwrap_or_else(|error| error.exit());
    let (config, clock) = (client::config(Duration::from_secs(8)).await, Arc::new(SystemClock));
    let store = Arc::new(store::Store::new(client::dynamodb(&config), settings.table, clock.clone()));
    let server = settings.your_server_url.map(|url| server::YourServer::new(url, clock.clone())).transpose()?;
    let signer = Kept::new(Parameter::new(&config, settings.your_server_secret_parameter), clock.clone());
    let signer = signer.checked(domain::webhook::check_secret);
    let tokens = Kept::new(Parameter::new(&config, settings.callback_secret_parameter), clock.clone());
    prepare(&SystemClock, async { tokio::join!(signer.fetch(), tokens.fetch(), store.warm()) }).await;
    let ports = Ports {
        log: store.clone(),
        releases: store.clone(),
        hours: store.clone(),
        servers: store.clone(),
        heads: store,
        bodies: Arc::new(Bucket::new(&config, settings.bodies_bucket)),
        server: server.map(|server| Arc::new(server) as _),
        statuses: Arc::new(Statuses::new(&config, settings.statuses_queue_url)),
        server_secrets: Arc::new(signer),
        callback_secrets: Arc::new(tokens),
        clock: clock.clone(),
    };
    let meter = Arc::new(Emf::new(settings.metrics_namespace, clock.clone()));
    let call_back = CallBack::under(settings.public_url.as_str(), settings.callback_ttl);
    let fanout = Arc::new(Fanout::new(ports, call_back, meter.clone()));
    let inbox = Consumer::new(&config, settings.queue_url, settings.dead_letter_queue_url, clock.clone());
    run_sqs(fanout, Arc::new(inbox), clock, meter).await
}
