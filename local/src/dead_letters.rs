//! `hookyard dead-letters`: what is stuck inside the gateway, and sending it back.

use std::collections::BTreeMap;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use domain::dead_letters::{DeadLetterQueue, LIMIT};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::remote::records::{DeadLetter, short};
use crate::remote::{Answer, Desk, Remote};
use crate::settings::Environment;
use crate::terminal::screen::Screen;
use crate::terminal::table::{Cell, Column, Table};
use crate::terminal::{Color, ask, tell};
use crate::words::counted;

#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    deed: Deed,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// List what was set aside, oldest first
    ///
    /// Messages that the gateway itself could not work on, at most 100. In a pipe: since, queue, event, what it is about,
    /// reason, tries, id.
    #[command(after_help = "Examples:\n  \
hookyard dead-letters list\n  \
hookyard dead-letters list --queue statuses --json")]
    List(List),
    /// Send it back to the queue that it was meant for
    ///
    /// All of it, or of one queue, or what is named by its id. Counts first and asks; where nobody can be asked, --yes
    /// has to be given. Find the cause first: what still cannot be worked on is set aside again.
    #[command(after_help = "Examples:\n  \
hookyard dead-letters redrive\n  \
hookyard dead-letters redrive --queue fanout --yes")]
    Redrive(Redrive),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    queue: Queue,
}

#[derive(Debug, Args)]
struct Queue {
    /// Only of this queue
    #[arg(long, value_name = "QUEUE", value_parser = PossibleValuesParser::new(DeadLetterQueue::ALL.map(DeadLetterQueue::as_str)))]
    queue: Option<String>,
}

#[derive(Debug, Args)]
struct Redrive {
    /// Dead letters by their ids, as the list has them
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    queue: Queue,
    /// Send back without asking
    #[arg(long, short)]
    yes: bool,
}

/// What the API lists.
#[derive(Deserialize)]
struct Page {
    dead_letters: Vec<DeadLetter>,
    #[serde(default)]
    queues: Vec<Count>,
}

#[derive(Deserialize)]
struct Count {
    queue: String,
    count: u64,
}

/// What came of sending some back.
#[derive(Deserialize)]
struct Redriven {
    redriven: usize,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default)]
    more: bool,
}

impl DeadLetters {
    pub(crate) async fn run(self, color: Color, environment: &Environment) -> u8 {
        let Self { deed, remote } = self;
        match deed {
            Deed::List(list) => {
                let quietly = || "Interrupted.".to_owned();
                remote.run(color, environment, async |desk| list.run(desk).await, quietly).await
            }
            Deed::Redrive(redrive) => {
                let some =
                    || "Interrupted: some may have been sent back; running this again sends the rest.".to_owned();
                remote.run(color, environment, async |desk| redrive.run(desk).await, some).await
            }
        }
    }
}

impl Queue {
    async fn page(&self, desk: &Desk) -> Result<Answer, Failure> {
        let params: Vec<_> = self.queue.iter().map(|queue| ("queue", queue.clone())).collect();
        desk.gateway.get(&["v1", "dead-letters"], &params).await
    }
}

impl List {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let screen = &desk.screen;
        let answer = self.queue.page(desk).await?;
        if screen.json {
            screen.json(&answer.read()?);
            return Ok(());
        }
        let Page { dead_letters, queues } = answer.read()?;
        if dead_letters.is_empty() {
            screen.say("Nothing was set aside.");
            return Ok(());
        }
        screen.table(&table(&dead_letters, screen));
        screen.say(format_args!("In all: {}", sum(&queues)));
        Ok(())
    }
}

impl Redrive {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let screen = &desk.screen;
        let Page { dead_letters, queues } = self.queue.page(desk).await?.read()?;
        let (plan, sentence) = if self.ids.is_empty() {
            let plan: Vec<_> =
                queues.iter().filter(|queue| queue.count > 0).map(|q| (q.queue.clone(), None, q.count)).collect();
            (plan, sum(&queues))
        } else {
            let named = self.named(&dead_letters)?;
            let sentence = counted(self.ids.len(), "dead letter", "dead letters");
            let plan = named.into_iter().map(|(queue, ids)| (queue, Some(ids), 0)).collect();
            (plan, sentence)
        };
        if !plan.is_empty() && !self.yes {
            match ask::yes(&format!("{sentence}. Send back?"), screen.may_ask).await {
                Some(true) => {}
                Some(false) => return Err(Failure::new("nothing was sent back", "answer y to send it back")),
                None => {
                    let what = format!("{sentence} would be sent back, and nobody can be asked");
                    return Err(Failure::usage(what, "add --yes"));
                }
            }
        }
        let (mut sent, mut missing, mut answers) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (queue, ids, count) in plan {
            // What is set aside again meanwhile is none of this call's.
            let calls = count.div_ceil(LIMIT as u64).max(1);
            for _ in 0..calls {
                let mut body = json!({ "queue": queue });
                if let Some(ids) = &ids {
                    body["ids"] = json!(ids);
                }
                let answer = desk.gateway.post(&["v1", "dead-letters", "redrive"], &[], &body).await?;
                answers.push(answer.read::<Value>()?);
                let Redriven { redriven, missing: gone, more } = answer.read()?;
                *sent.entry(queue.clone()).or_insert(0) += redriven;
                missing.extend(gone);
                if !more {
                    break;
                }
            }
        }
        let whole: usize = sent.values().sum();
        if screen.json {
            screen.json(&json!({ "redriven": whole, "missing": missing, "queues": answers }));
        } else {
            let words: Vec<_> = sent.iter().map(|(queue, count)| format!("{count} {queue}")).collect();
            let of = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
            tell(format_args!("{whole} sent back{of}"));
        }
        if missing.is_empty() {
            return Ok(());
        }
        let hint = "they were sent back before, or somebody else holds them at this moment";
        Err(Failure::not_found(format!("{} not found: {}", missing.len(), missing.join(", ")), hint))
    }

    /// The ids by their queues.
    fn named(&self, letters: &[DeadLetter]) -> Result<BTreeMap<String, Vec<String>>, Failure> {
        let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for id in &self.ids {
            let letter = letters.iter().find(|letter| letter.id == *id).ok_or_else(|| {
                Failure::not_found(format!("there is no dead letter {id}"), "see hookyard dead-letters list")
            })?;
            named.entry(letter.queue.clone()).or_default().push(id.clone());
        }
        Ok(named)
    }
}

/// `3 dead letters: 2 fanout, 1 statuses`.
fn sum(queues: &[Count]) -> String {
    let whole: u64 = queues.iter().map(|queue| queue.count).sum();
    let parts = queues.iter().filter(|queue| queue.count > 0).map(|queue| format!("{} {}", queue.count, queue.queue));
    let parts: Vec<_> = parts.collect();
    let whole = counted(usize::try_from(whole).unwrap_or(usize::MAX), "dead letter", "dead letters");
    if parts.is_empty() { whole } else { format!("{whole}: {}", parts.join(", ")) }
}

fn table(letters: &[DeadLetter], screen: &Screen) -> Table<7> {
    let mut table = Table::new([
        Column::new("Since"),
        Column::new("Queue"),
        Column::new("Event"),
        Column::cut("About"),
        Column::cut("Reason"),
        Column::right("Tries"),
        Column::new("Id"),
    ]);
    for letter in letters {
        let event = letter.event.as_ref();
        table.push([
            Cell::new(screen.moment(letter.since)),
            Cell::new(&letter.queue),
            Cell::of(&event.map(short).unwrap_or_default(), &event.map(ToString::to_string).unwrap_or_default()),
            Cell::maybe(letter.context.as_ref().or(letter.kind.as_ref())),
            Cell::maybe(letter.reason.as_deref()),
            Cell::maybe(letter.tries.map(|tries| tries.to_string())),
            Cell::new(&letter.id),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_for_people_and_for_programs() {
        let letters: Vec<DeadLetter> = serde_json::from_value(json!([
            { "id": "m-1", "queue": "fanout", "event": "48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516", "type": "push",
              "reason": "internal", "tries": 5, "since": "2026-11-20T12:00:00Z" },
            { "id": "m-2", "queue": "statuses", "context": "evil\u{1b}[2J", "since": "2026-08-20T12:00:00Z" },
        ]))
        .unwrap();
        let told = [Some(100), None].map(|width| {
            let screen = Screen::of_test(width);
            table(&letters, &screen).lines(screen.out, width).join("\n")
        });
        insta::assert_snapshot!(told.join("\n\n"));
        let queue = |queue: &str, count| Count { queue: queue.to_owned(), count };
        assert_eq!(
            sum(&[queue("events", 0), queue("fanout", 2), queue("statuses", 1)]),
            "3 dead letters: 2 fanout, 1 statuses"
        );
        assert_eq!(sum(&[]), "0 dead letters");
    }
}
