//! The commands' way to a gateway, on this machine or anywhere: which one, with what key, and what it answers.

mod address;
mod client;
mod lists;
mod profiles;
pub(crate) mod records;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::tz::TimeZone;
use lambda::clock::SystemClock;

pub(crate) use self::client::{Answer, Gateway};
pub(crate) use self::lists::{Items, Walk};
use crate::cli::exit;
use crate::failure::Failure;
use crate::serve::signals;
use crate::settings::Environment;
use crate::terminal::screen::{Screen, width};
use crate::terminal::{Color, Style, note};

/// Which gateway to talk to, and in what manner.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Gateway and output")]
pub(crate) struct Remote {
    /// The gateway's address [default: HOOKYARD_URL, else the one on this machine]
    #[arg(long, global = true, value_name = "URL", value_hint = clap::ValueHint::Url)]
    url: Option<String>,
    /// File that holds the gateway's key, readable by you only [default: HOOKYARD_API_KEY]
    #[arg(long, global = true, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    key_file: Option<PathBuf>,
    /// A gateway by its name in profiles.toml: url and key_file
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "url")]
    profile: Option<String>,
    /// Print JSON, as the API answers
    #[arg(long, global = true)]
    json: bool,
    /// Print results and errors only
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Never ask; where a yes is needed, --yes has to be given
    #[arg(long, global = true)]
    no_input: bool,
}

/// What a command is given to work with.
pub(crate) struct Desk {
    pub(crate) screen: Screen,
    pub(crate) gateway: Gateway,
}

impl Remote {
    /// What it prints to.
    pub(crate) fn screen(&self, color: Color, environment: &Environment) -> Screen {
        let width = width();
        let live = std::io::stderr().is_terminal();
        let style = |terminal| Style::new(color, terminal, |name| environment.get(name));
        Screen {
            out: style(width.is_some()),
            err: style(live),
            width,
            live,
            json: self.json,
            quiet: self.quiet,
            may_ask: !self.no_input,
            zone: TimeZone::system(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The gateway that is meant. Nothing is asked of it yet.
    pub(crate) fn gateway(&self, environment: &Environment, screen: &Screen) -> Result<Gateway, Failure> {
        address::gateway(self, environment, screen)
    }

    /// Does a deed at the gateway, and says how it ended. Interrupted, it is dropped where it is: `state` then tells
    /// how things stand.
    pub(crate) async fn run(
        &self,
        color: Color,
        environment: &Environment,
        deed: impl AsyncFnOnce(&Desk) -> Result<(), Failure>,
        state: impl Fn() -> String,
    ) -> u8 {
        let screen = self.screen(color, environment);
        let gateway = match self.gateway(environment, &screen) {
            Ok(gateway) => gateway,
            Err(failure) => return failure.tell(),
        };
        let desk = Desk { screen, gateway };
        until_interrupted(deed(&desk), state).await
    }
}

/// Runs to the end, or to the first signal.
pub(crate) async fn until_interrupted(
    deed: impl Future<Output = Result<(), Failure>>,
    state: impl Fn() -> String,
) -> u8 {
    let stop = match signals() {
        Ok(stop) => stop,
        Err(error) => return Failure::new(format!("signals cannot be listened to: {error}"), "try again").tell(),
    };
    let done = tokio::select! {
        biased;
        () = stop => None,
        done = deed => Some(done),
    };
    match done {
        Some(Ok(())) => exit::DONE,
        Some(Err(failure)) => failure.tell(),
        None => {
            note(state());
            exit::INTERRUPTED
        }
    }
}
