//! `hookyard status`: what a commit shows, and reporting on one.

mod commit;
mod list;
mod set;

use clap::{Args, Subcommand};

pub(crate) use self::commit::{Commit, Named, named, statuses_of};
use crate::remote::Remote;
use crate::settings::Environment;
use crate::terminal::Color;

#[derive(Debug, Args)]
pub(crate) struct Statuses {
    #[command(subcommand)]
    deed: Deed,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// List every status of a commit and what became of it
    ///
    /// Newest first. COMMIT is owner/name@sha, or the commit's address at GitHub; of a sha, 7 or more digits do, if an
    /// event of that commit has arrived.
    #[command(after_help = "Examples:\n  \
hookyard status list acme/api@9fceb02\n  \
hookyard status list acme/api@9fceb02d0ae598e95dc970b74767f19372d61af8 --json")]
    List(list::List),
    /// Report a status on a commit
    ///
    /// As a server does by call-back, with the gateway's key. The gateway writes it to GitHub in order with all others;
    /// this waits for its acceptance only: hookyard status list shows what became of it.
    #[command(after_help = "Examples:\n  \
hookyard status set acme/api@9fceb02 --context build --state pending\n  \
hookyard status set acme/api@9fceb02 --context build --state success --description \"41 tests passed\" \\\n      \
--target-url https://ci.example/7")]
    Set(set::Set),
}

impl Statuses {
    pub(crate) async fn run(self, color: Color, environment: &Environment) -> u8 {
        let Self { deed, remote } = self;
        let quietly = || "Interrupted.".to_owned();
        match deed {
            Deed::List(list) => remote.run(color, environment, async |desk| list.run(desk).await, quietly).await,
            Deed::Set(set) => {
                let unknown = || "Interrupted: whether it was accepted, hookyard status list shows.".to_owned();
                remote.run(color, environment, async |desk| set.run(desk).await, unknown).await
            }
        }
    }
}
