//! `hookyard events`: did it arrive, what became of it, and once more please.

mod filters;
mod find;
mod list;
mod progress;
mod replay;
mod show;
mod story;
mod tail;

use clap::{Args, Subcommand};

pub(crate) use self::find::find;
use crate::remote::Remote;
use crate::settings::Environment;
use crate::terminal::Color;

#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(subcommand)]
    deed: Deed,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// List events, newest first
    ///
    /// A table on a terminal. In a pipe: one line per event without a header, columns with tabs between them, nothing
    /// cut; received, state, event, repository, about, answer, tries, milliseconds, id.
    #[command(after_help = "Examples:\n  \
hookyard events list --status errored --since 24h\n  \
hookyard events list --repository acme/api --type pull_request --limit 20\n  \
hookyard events list --json --since 2026-03-02 | jq -r '.events[].id'")]
    List(list::List),
    /// Tell the whole story of one event
    ///
    /// Every run with every attempt, what your server answered, and what became of its statuses. ID is the event's id,
    /// its delivery GUID, or 8 or more of that one's first characters, as every line shows them.
    #[command(after_help = "Examples:\n  \
hookyard events show 0b989ba4\n  \
hookyard events show 0b989ba4 --payload > delivery.json\n  \
hookyard events show 48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516 --json")]
    Show(show::Show),
    /// Follow events as they come in
    ///
    /// One line for each outcome, until Ctrl-C: of new events, of redeliveries and replays, and of what had failed or
    /// waits for its next attempt. With --json, one event per line.
    #[command(after_help = "Examples:\n  \
hookyard events tail\n  \
hookyard events tail --repository acme/api --lines 50\n  \
hookyard events tail --json | jq -r 'select(.status == \"errored\") | .id'")]
    Tail(tail::Tail),
    /// Run events again: one, or all that match
    ///
    /// They go through the gateway like any delivery, so they show in tail and on the pages. Without --force only what
    /// has failed is replayed. Counts first and asks; where nobody can be asked, --yes has to be given. May be
    /// interrupted and repeated at any moment: nothing runs twice.
    #[command(after_help = "Examples:\n  \
hookyard events replay 0b989ba4\n  \
hookyard events replay --repository acme/api --since 2h --dry-run\n  \
hookyard events replay --status errored --since 24h --yes\n\n\
Ends with 0 when all went well, with 1 when some failed again.")]
    Replay(Box<replay::Replay>),
}

impl Events {
    pub(crate) async fn run(self, color: Color, environment: &Environment) -> u8 {
        let Self { deed, remote } = self;
        let quietly = || "Interrupted.".to_owned();
        match deed {
            Deed::List(list) => remote.run(color, environment, async |desk| list.run(desk).await, quietly).await,
            Deed::Show(show) => remote.run(color, environment, async |desk| show.run(desk).await, quietly).await,
            Deed::Tail(tail) => {
                let goes_on = || "Stopped. The gateway goes on.".to_owned();
                remote.run(color, environment, async |desk| tail.run(desk).await, goes_on).await
            }
            Deed::Replay(replay) => {
                let progress = progress::Progress::default();
                let name = environment.outside("USER");
                let deed = async |desk: &_| replay.run(desk, &progress, name.as_deref()).await;
                remote.run(color, environment, deed, || progress.interrupted()).await
            }
        }
    }
}
