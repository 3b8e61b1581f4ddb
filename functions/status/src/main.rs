//! The `status` function on AWS: one handler on the `statuses` queue.

use std::sync::Arc;
use std::time::Duration;

use aws::{client, sqs::Consumer, ssm::Parameter};
use domain::secrets::check_bearer;
use github::{Github, Tokens};
use lambda::{clock::SystemClock, meter::emf::Emf, secrets::Kept, sqs::run_sqs, start::prepare, telemetry};
use status::{Writer, settings::Settings};
use store::Store;

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "mains hand the environment to the settings")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    telemetry::init(telemetry::Lines::Json { function: "status" }, "info")?;
    let settings = Settings::from_lookup(|name| std::env::var(name).ok()).unwrap_or_else(|error| error.exit());
    let config = client::config(Duration::from_secs(8)).await;
    let clock = Arc::new(SystemClock);
    let token = settings.token_parameter.map(|name| Kept::new(Parameter::new(&config, name), clock.clone()));
    let token = token.map(|token| Arc::new(token.checked(check_bearer)));
    let tokens = token.clone().map_or_else(Tokens::none, |token| Tokens::kept(token));
    let github = Github::new(&settings.github_api_url, tokens, clock.clone())?;
    let store = Arc::new(Store::new(client::dynamodb(&config), settings.table, clock.clone()));
    let meter = Arc::new(Emf::new(settings.metrics_namespace, clock.clone()));
    let writer = Writer::new(store.clone(), store.clone(), Arc::new(github), clock.clone(), meter.clone());
    let inbox = Consumer::new(&config, settings.queue_url, settings.dead_letter_queue_url, clock.clone());
    let read = async {
        if let Some(token) = &token {
            token.fetch().await;
        }
    };
    prepare(&SystemClock, async { tokio::join!(read, store.warm()) }).await;
    run_sqs(Arc::new(writer), Arc::new(inbox), clock, meter).await
}
