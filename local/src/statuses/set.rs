//! `hookyard status set`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{Named, named};
use crate::failure::Failure;
use crate::remote::Desk;
use crate::terminal::{Mark, printable, tell};

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The commit: owner/name@sha
    #[arg(value_name = "COMMIT", value_parser = named)]
    commit: Named,
    /// Which check reports
    #[arg(long, short, value_name = "NAME")]
    context: String,
    /// What it reports
    #[arg(long, short, value_name = "STATE", value_parser = PossibleValuesParser::new(["pending", "success", "failure", "error"]))]
    state: String,
    /// In a few words; GitHub keeps 140 characters
    #[arg(long, short, value_name = "TEXT")]
    description: Option<String>,
    /// Where its details are
    #[arg(long, value_name = "ADDRESS", value_hint = clap::ValueHint::Url)]
    target_url: Option<String>,
    /// Open the context again: a pending after a result counts, within one run
    #[arg(long)]
    reopen: bool,
    /// Makes a repeat safe: the same status under the same key is the same
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<Accepted>,
}

#[derive(Deserialize)]
struct Accepted {
    id: Option<String>,
    reason: Option<String>,
}

impl Set {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let Desk { screen, gateway } = desk;
        let commit = self.commit.whole(gateway).await?;
        let status = json!({
            "context": self.context,
            "state": self.state,
            "description": self.description,
            "target_url": self.target_url,
            "reopen": self.reopen,
        });
        let body = json!({ "repository": commit.repository, "sha": commit.sha, "statuses": [status] });
        // A repeat after a 503 must not count as another status.
        let key = self.idempotency_key.unwrap_or_else(|| Uuid::new_v4().to_string());
        let answer = gateway.post(&["v1", "statuses"], &[("idempotency-key", &key)], &body).await?;
        if screen.json {
            screen.json(&answer.read()?);
            return Ok(());
        }
        let Results { results } = answer.read()?;
        let Some(Accepted { id: Some(id), reason }) = results.into_iter().next() else {
            return Err(Failure::new("the answer names no status", "see hookyard status list"));
        };
        tell(printable(&id));
        let (context, state) = (printable(&self.context), &self.state);
        let cut = reason.map(|reason| format!(" ({})", printable(&reason))).unwrap_or_default();
        screen.say(format_args!("{} accepted: {context} {state}{cut}", screen.err.mark(Mark::Ok)));
        screen.say(format_args!("What becomes of it: hookyard status list {}", commit.name()));
        Ok(())
    }
}
