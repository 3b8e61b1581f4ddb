//! `hookyard status list`.

use clap::Args;

use super::{Named, named, statuses_of};
use crate::failure::Failure;
use crate::remote::Desk;
use crate::remote::records::{Status, short};
use crate::terminal::Mark;
use crate::terminal::screen::Screen;
use crate::terminal::table::{Cell, Column, Table};
use crate::words;

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The commit: owner/name@sha
    #[arg(value_name = "COMMIT", value_parser = named)]
    commit: Named,
}

impl List {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let Desk { screen, gateway } = desk;
        let commit = self.commit.whole(gateway).await?;
        let items = statuses_of(gateway, &commit).await?;
        if screen.json {
            screen.json(&items.json("statuses"));
            return Ok(());
        }
        let statuses: Vec<Status> = items.read()?;
        if statuses.is_empty() {
            screen.say("No statuses for this commit. GitHub shows \"pending\" for a commit without any.");
            return Ok(());
        }
        screen.table(&table(&statuses, screen));
        Ok(())
    }
}

fn table(statuses: &[Status], screen: &Screen) -> Table<8> {
    let mut table = Table::new([
        Column::cut("Context"),
        Column::new("State"),
        Column::cut("Description"),
        Column::new("Accepted"),
        Column::new("Written"),
        Column::new("Outcome"),
        Column::cut("Why"),
        Column::new("Event"),
    ]);
    for status in statuses {
        let (mark, word) = status.word();
        let state = status.state().map_or(Mark::Quiet, words::of_state);
        let until = status.until.map(|at| format!("until {}", screen.moment(at)));
        let why: Vec<_> = [until, status.why.clone()].into_iter().flatten().collect();
        let event = status.event.as_ref();
        table.push([
            Cell::new(&status.context),
            Cell::marked(state, &status.state, &status.state),
            Cell::maybe(status.description.as_deref()),
            Cell::new(screen.moment(status.accepted_at)),
            Cell::maybe(status.written_at.map(|at| screen.moment(at))),
            Cell::marked(mark, word, &status.outcome),
            Cell::new(why.join(": ")),
            Cell::of(&event.map(short).unwrap_or_default(), &event.map(ToString::to_string).unwrap_or_default()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn statuses_for_people_and_for_programs() {
        let status = |context: &str, more: serde_json::Value| {
            let mut status = json!({ "context": context, "state": "success", "accepted_at": "2026-11-20T14:06:31Z",
                "outcome": "written", "event": "48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516" });
            status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<Status>(status).unwrap()
        };
        let statuses = [
            status("build", json!({ "written_at": "2026-11-20T14:06:33Z", "description": "41 tests passed" })),
            status(
                "lint",
                json!({ "state": "pending", "outcome": "waiting", "until": "2026-11-20T14:20:00Z", "why": "GitHub asked for a pause." }),
            ),
            status(
                "evil\u{1b}[2J",
                json!({ "state": "odd", "outcome": "odd", "description": "\u{202e}x", "event": null }),
            ),
        ];
        let told = [Some(120), None].map(|width| {
            let screen = Screen::of_test(width);
            table(&statuses, &screen).lines(screen.out, width).join("\n")
        });
        insta::assert_snapshot!(told.join("\n\n"));
    }
}
