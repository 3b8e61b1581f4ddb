//! The `fanout` function on AWS: one handler on its queue.

use std::{sync::Arc, time::Duration};

use aws::{client, s3::Bucket, sqs::Consumer, sqs::Statuses, ssm::Parameter};
use domain::webhook;
use fanout::{CallBack, Fanout, Ports, settings::Settings};
use lambda::{clock::SystemClock, secrets::Kept, sqs::run_sqs, telemetry};
use server::YourServer;
use store::Store;

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "mains hand the environment to the settings")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    telemetry::init(telemetry::Lines::Json, "info")?;
    let settings = Settings::from_lookup(|name| std::env::var(name).ok()).unwrap_or_else(|error| error.exit());
    let config = client::config(Duration::from_secs(8)).await;
    let clock = Arc::new(SystemClock);
    let store = Arc::new(Store::new(client::dynamodb(&config), settings.table, clock.clone()));
    let server = settings.your_server_url.map(|url| YourServer::new(url, clock.clone())).transpose()?;
    let server_secrets = Kept::new(Parameter::new(&config, settings.your_server_secret_parameter), clock.clone());
    let server_secrets = Arc::new(server_secrets.checked(webhook::check_secret));
    let callback_secrets =
        Arc::new(Kept::new(Parameter::new(&config, settings.callback_secret_parameter), clock.clone()));
    tokio::join!(server_secrets.fetch(), callback_secrets.fetch());
    let ports = Ports {
        log: store.clone(),
        servers: store.clone(),
        heads: store,
        bodies: Arc::new(Bucket::new(&config, settings.bodies_bucket)),
        server: server.map(|server| Arc::new(server) as _),
        statuses: Arc::new(Statuses::new(&config, settings.statuses_queue_url)),
        server_secrets,
        callback_secrets,
        clock: clock.clone(),
    };
    let fanout = Fanout::new(ports, CallBack::under(settings.public_url.as_str(), settings.callback_ttl));
    let inbox = Consumer::new(&config, settings.queue_url, settings.dead_letter_queue_url, clock.clone());
    run_sqs(Arc::new(fanout), Arc::new(inbox), clock).await
}
