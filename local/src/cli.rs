//! The command line: what there is, and what each ends with.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::settings::{DOT_ENV, Environment, Settings};
use crate::terminal::{Color, Style, note, tell};
use crate::{dead_letters, demo, doctor, events, releases, secrets, send, serve, statuses, why};

/// 0 done · 1 tried and failed · 2 usage or settings · 3 not found · 4 key missing or wrong · 5 gateway not reachable ·
/// 130 interrupted
pub(crate) mod exit {
    pub(crate) const DONE: u8 = 0;
    pub(crate) const FAILED: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const NOT_FOUND: u8 = 3;
    pub(crate) const NO_KEY: u8 = 4;
    pub(crate) const UNREACHABLE: u8 = 5;
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// A gateway between GitHub's webhooks and the server that runs your checks.
#[derive(Debug, Parser)]
#[command(name = "hookyard", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Settings come from the environment, or from a .env file in this folder (see .env.example).\n\
Exit codes: 0 done, 1 tried and failed, 2 usage or settings, 3 not found, 4 key missing or wrong,\n\
5 gateway not reachable, 130 interrupted.\n\n\
First time here? Run: hookyard demo")]
pub struct Arguments {
    /// When to colour what is printed
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway on this machine
    ///
    /// Webhooks come in on GITHUB_API_PORT (7777), the API answers on STATUS_API_PORT (7778), both on loopback
    /// unless HOOKYARD_HOST says otherwise. Everything is kept in HOOKYARD_DATA (.hookyard). Without any settings
    /// it records what comes in; set YOUR_SERVER_URL to have your server called, and GITHUB_TOKEN to have statuses
    /// written. Ctrl-C stops it and loses nothing.
    #[command(after_help = "Settings, all optional:\n  \
GITHUB_SECRET              webhook secret; made once in the data folder\n  \
GITHUB_TOKEN               writes commit statuses\n  \
GITHUB_API_URL             https://HOST/api/v3 for GitHub Enterprise Server\n  \
YOUR_SERVER_URL            where events are sent\n  \
YOUR_SERVER_SECRET         signs what is sent there (whsec_…)\n  \
GITHUB_API_PORT, STATUS_API_PORT, HOOKYARD_HOST, HOOKYARD_PUBLIC_URL,\n  \
HOOKYARD_API_KEY, HOOKYARD_CALLBACK_SECRET, HOOKYARD_CALLBACK_TTL, HOOKYARD_DATA\n  \
…_PREVIOUS                 the secret before, still valid while one is changed\n  \
HOOKYARD_LOG               warn, info, debug, trace, or by part: info,fanout=debug")]
    Serve(serve::Serve),
    /// Show the whole line at work: no configuration, no network, no account
    ///
    /// Starts a gateway in a temporary folder, an example CI server and a stand-in for GitHub's API, all on
    /// loopback; sends recorded deliveries through and shows each, hop by hop. Exits with 1 if anything is not as
    /// it should be.
    Demo(demo::Demo),
    /// Sign a delivery and send it to a gateway
    ///
    /// The secret comes from --secret-file, GITHUB_SECRET, .env, or the data folder of a gateway that has run in
    /// this folder. Exits with 0 when it was accepted, 1 when it was refused, 5 when nobody answered.
    #[command(after_help = "Examples:\n  \
hookyard send events/pull_request.opened.json --event pull_request\n  \
hookyard send events/push.branch.json --event push --form\n  \
curl … | hookyard send - --event push")]
    Send(Box<send::Send>),
    /// Look at events, follow them, run them again
    ///
    /// At any gateway: the one on this machine, unless --url, --profile or HOOKYARD_URL names another. Its key comes
    /// from HOOKYARD_API_KEY, --key-file or the profile, and never stands in arguments.
    Events(Box<events::Events>),
    /// Look at releases
    Releases(Box<releases::Releases>),
    /// Look at the statuses of a commit, or report one
    #[command(name = "status")]
    Statuses(Box<statuses::Statuses>),
    /// Explain what GitHub shows for a commit
    ///
    /// One paragraph per context: what came, what became of it, what waits and until when, and who has not reported. The
    /// gateway knows what it wrote itself; what others wrote it does not count.
    #[command(after_help = "Examples:\n  \
hookyard why acme/api@9fceb02\n  \
hookyard why https://github.com/acme/api/commit/9fceb02d0ae598e95dc970b74767f19372d61af8")]
    Why(Box<why::Why>),
    /// Look at what was set aside, or send it back
    DeadLetters(Box<dead_letters::DeadLetters>),
    /// Test what can be tested from here, and say what to do
    ///
    /// The gateway by its own answers; GitHub's token by a status on a commit that no repository has, so nothing is
    /// written; your server by two pings, one of them with a wrong signature. The last two only with GITHUB_TOKEN and
    /// YOUR_SERVER_URL in the settings here. Ends with 1 only when something is proven to be wrong.
    #[command(after_help = "Examples:\n  \
hookyard doctor\n  \
hookyard doctor --repository acme/api\n  \
hookyard doctor --url https://hooks.example --key-file hooks.key --json")]
    Doctor(Box<doctor::Doctor>),
    /// Set or rotate the secrets of a stack on AWS
    ///
    /// They stand in the parameter store, and are written through the AWS command line. A gateway on one machine needs
    /// none of this: its secrets are settings, or files in its data folder.
    Secrets(Box<secrets::Secrets>),
    /// Print a completion script for your shell
    ///
    /// For bash: hookyard completions bash > ~/.local/share/bash-completion/completions/hookyard
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Runs a command and says how it ended.
pub async fn run(arguments: Arguments) -> ExitCode {
    let read = match &arguments.command {
        // These work with nothing set, so a fault in somebody's .env is no concern of theirs.
        Command::Demo(_) | Command::Secrets(_) | Command::Completions { .. } => Ok(Environment::without_file()),
        _ => Environment::read(&PathBuf::from(DOT_ENV)),
    };
    let environment = match read {
        Ok(environment) => environment,
        Err(problem) => {
            note(format_args!("error: {problem}\n hint: write NAME=value on each line; comments begin with #"));
            return exit::USAGE.into();
        }
    };
    // The demo tells its story on standard output; everything else that is coloured goes to standard error.
    let terminal = match arguments.command {
        Command::Demo(_) => std::io::stdout().is_terminal(),
        _ => std::io::stderr().is_terminal(),
    };
    let style = Style::new(arguments.color, terminal, |name| environment.get(name));
    let settings = || {
        Settings::from_lookup(|name| environment.get(name)).map_err(|error| {
            note(error);
            exit::USAGE
        })
    };
    let code = match arguments.command {
        Command::Serve(serve) => match settings() {
            Ok(settings) => serve.run(settings, style, &environment).await,
            Err(code) => code,
        },
        Command::Demo(demo) => demo.run(style).await,
        Command::Send(send) => match settings() {
            Ok(settings) => send.run(&settings, style).await,
            Err(code) => code,
        },
        Command::Events(events) => events.run(arguments.color, &environment).await,
        Command::Releases(releases) => releases.run(arguments.color, &environment).await,
        Command::Statuses(statuses) => statuses.run(arguments.color, &environment).await,
        Command::Why(why) => why.run(arguments.color, &environment).await,
        Command::DeadLetters(letters) => letters.run(arguments.color, &environment).await,
        Command::Doctor(doctor) => doctor.run(arguments.color, &environment).await,
        Command::Secrets(secrets) => secrets.run(style, &environment).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "hookyard", &mut script);
            tell(String::from_utf8_lossy(&script).trim_end());
            exit::DONE
        }
    };
    code.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
