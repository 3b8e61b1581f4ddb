//! `hookyard events show`.

use std::io::{IsTerminal, Write};

use clap::Args;

use super::{find, story};
use crate::failure::Failure;
use crate::remote::Desk;
use crate::remote::records::{Event, Story};
use crate::terminal::{printable_json, printable_lines, tell};

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The event's id, its delivery GUID, or 8 or more of that one's first characters
    #[arg(value_name = "ID")]
    id: String,
    /// Print the payload and nothing else, byte for byte unless it goes to a terminal
    #[arg(long, conflicts_with = "json")]
    payload: bool,
}

impl Show {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let Desk { screen, gateway } = desk;
        let id = find(gateway, &self.id).await?.to_string();
        if self.payload {
            let answer = gateway.follow(gateway.get(&["v1", "events", &id, "payload"], &[]).await?).await?;
            let mut out = std::io::stdout();
            // Whoever has stopped reading is no reason to fail.
            let _ = match out.is_terminal() {
                true => writeln!(out, "{}", printable_lines(&answer.text())),
                false => out.write_all(&answer.body).and_then(|()| out.flush()),
            };
            return Ok(());
        }
        let answer = gateway.get(&["v1", "events", &id], &[]).await?;
        if screen.json {
            // As it came: the payload in it may hold numbers and names that no reader of ours would keep as they are.
            tell(printable_json(answer.text().trim_end()));
            return Ok(());
        }
        let (event, story): (Event, Story) = (answer.read()?, answer.read()?);
        for line in story::lines(&event, &story, screen) {
            tell(line.show(screen.out));
        }
        Ok(())
    }
}
