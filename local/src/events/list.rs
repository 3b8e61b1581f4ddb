//! `hookyard events list`.

use clap::Args;

use super::filters::Filters;
use crate::failure::Failure;
use crate::remote::records::Event;
use crate::remote::{Desk, Walk};
use crate::terminal::duration;
use crate::terminal::screen::Screen;
use crate::terminal::table::{Cell, Column, Table};

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    filters: Filters,
    /// Only with this delivery GUID, or 8 or more of its first characters
    #[arg(long, value_name = "GUID")]
    delivery: Option<String>,
    /// The most events to list
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Go on where a list ended: its next_cursor, with the same filters
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl List {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let Desk { screen, gateway } = desk;
        let filters = self.filters.fix(screen)?.params().into_iter().chain([("delivery", self.delivery)]);
        let walk = Walk::new(gateway, &["v1", "events"], "events", filters, self.cursor);
        let items = walk.take(usize::try_from(self.limit).unwrap_or(usize::MAX)).await?;
        if screen.json {
            screen.json(&items.json("events"));
            return Ok(());
        }
        let events: Vec<Event> = items.read()?;
        if events.is_empty() {
            screen.say("No events match.");
            return Ok(());
        }
        screen.table(&table(&events, screen));
        if items.next_cursor.is_some() {
            screen.say("There are more: give a larger --limit.");
        }
        Ok(())
    }
}

fn table(events: &[Event], screen: &Screen) -> Table<9> {
    let mut table = Table::new([
        Column::new("Received"),
        Column::new("State"),
        Column::cut("Event"),
        Column::cut("Repository"),
        Column::cut("About"),
        Column::right("Answer"),
        Column::right("Tries"),
        Column::right("Took"),
        Column::new("Id"),
    ]);
    for event in events {
        let (mark, word) = event.word();
        let answer = match event.last_answer {
            Some(answer) => answer.code.map_or_else(|| "none".to_owned(), |code| code.to_string()),
            None => String::new(),
        };
        let ms = event.last_answer.map(|answer| answer.ms);
        table.push([
            Cell::new(screen.moment(event.received_at)),
            Cell::marked(mark, word, &event.status),
            Cell::new(event.name()),
            Cell::maybe(event.repository.as_deref()),
            Cell::maybe(event.about.as_deref()),
            Cell::new(answer),
            Cell::new(event.tries.to_string()),
            Cell::of(&ms.map(duration).unwrap_or_default(), &ms.map(|ms| ms.to_string()).unwrap_or_default()),
            Cell::of(&event.short(), &event.id.to_string()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_for_people_and_one_for_programs() {
        let event = |guid: &str, more: serde_json::Value| {
            let mut event = json!({
                "id": format!("48211900-{guid}-242f-11e5-81e1-c7b6966d2516"), "type": "pull_request", "action": "synchronize",
                "repository": "acme/api", "about": "#7 9fceb02", "status": "processed", "tries": 1,
                "received_at": "2026-11-20T14:06:31.204Z", "last_answer": { "code": 200, "ms": 96 },
            });
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<Event>(event).unwrap()
        };
        let events = [
            event("0b989ba4", json!({})),
            event(
                "77be3100",
                json!({ "type": "push", "action": null, "about": "refs/heads/main 77be310", "status": "unprocessed",
                "last_answer": { "code": null, "ms": 10_000 }, "tries": 3, "received_at": "2026-11-18T09:11:02Z" }),
            ),
            event(
                "cafe0000",
                json!({ "action": "\u{1b}[2J\u{202e}evil", "repository": null, "about": null, "status": "of-the-future",
                "last_answer": null, "tries": 0, "received_at": "2026-08-22T10:00:00Z" }),
            ),
        ];
        let mut told = String::new();
        for width in [Some(130), Some(90), None] {
            let screen = Screen::of_test(width);
            told += &table(&events, &screen).lines(screen.out, width).join("\n");
            told += "\n\n";
        }
        insta::assert_snapshot!(told);
    }
}
