//! Tells the stories of the gateway through a deployed stack. Started by `infra/e2e/run`.

use std::process::ExitCode;

use e2e::{settings::Settings, tell};

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "mains hand the environment to the settings")]
async fn main() -> anyhow::Result<ExitCode> {
    let settings = Settings::from_lookup(|name| std::env::var(name).ok())?;
    let only = std::env::args().nth(1).unwrap_or_default();
    Ok(if tell::all(settings, &only).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
