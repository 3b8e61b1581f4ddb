//! `hookyard releases`: what was released?

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use domain::ids::Repository;
use domain::release::ReleaseState;

use crate::failure::Failure;
use crate::remote::records::Release;
use crate::remote::{Desk, Remote, Walk};
use crate::settings::Environment;
use crate::terminal::screen::Screen;
use crate::terminal::table::{Cell, Column, Table};
use crate::terminal::{Color, Mark, moment};

#[derive(Debug, Args)]
pub(crate) struct Releases {
    #[command(subcommand)]
    deed: Deed,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// List releases, newest first
    ///
    /// As GitHub reported them: tick "Releases" in the webhook's events. Deleted ones stay listed. In a pipe: published,
    /// state, repository, tag, name, author, address.
    #[command(after_help = "Examples:\n  \
hookyard releases list\n  \
hookyard releases list --repository acme/api --state published --since 90d\n  \
hookyard releases list --json | jq -r '.releases[] | .repository + \" \" + .tag'")]
    List(List),
}

#[derive(Debug, Args)]
struct List {
    /// Only of this repository
    #[arg(long, value_name = "OWNER/NAME", value_parser = repository)]
    repository: Option<String>,
    /// Only in this state
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(ReleaseState::ALL.map(ReleaseState::as_str)))]
    state: Option<String>,
    /// Published at or after: 30m, 2h or 7d ago, a date, or a moment
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// The most releases to list
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Go on where a list ended: its next_cursor, with the same filters
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl Releases {
    pub(crate) async fn run(self, color: Color, environment: &Environment) -> u8 {
        let Self { deed: Deed::List(list), remote } = self;
        remote.run(color, environment, async |desk| list.run(desk).await, || "Interrupted.".to_owned()).await
    }
}

impl List {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let Desk { screen, gateway } = desk;
        let since = self.since.map(|text| {
            moment::read(&text, screen.now(), &screen.zone)
                .map(|at| at.to_string())
                .map_err(|hint| Failure::usage(format!("--since {text:?} is no moment"), hint))
        });
        let filters = [("repository", self.repository), ("state", self.state), ("since", since.transpose()?)];
        let walk = Walk::new(gateway, &["v1", "releases"], "releases", filters, self.cursor);
        let items = walk.take(usize::try_from(self.limit).unwrap_or(usize::MAX)).await?;
        if screen.json {
            screen.json(&items.json("releases"));
            return Ok(());
        }
        let releases: Vec<Release> = items.read()?;
        if releases.is_empty() {
            screen.say("No releases seen. GitHub reports them where \"Releases\" is ticked in the webhook's events.");
            return Ok(());
        }
        screen.table(&table(&releases, screen));
        if items.next_cursor.is_some() {
            screen.say("There are more: give a larger --limit.");
        }
        Ok(())
    }
}

fn table(releases: &[Release], screen: &Screen) -> Table<7> {
    let mut table = Table::new([
        Column::new("Published"),
        Column::new("State"),
        Column::cut("Repository"),
        Column::cut("Tag"),
        Column::cut("Name"),
        Column::cut("Author"),
        Column::cut("Address"),
    ]);
    for release in releases {
        let mark = if release.state == "published" { Mark::Ok } else { Mark::Quiet };
        table.push([
            Cell::maybe(release.published_at.map(|at| screen.moment(at))),
            Cell::marked(mark, &release.state, &release.state),
            Cell::new(&release.repository),
            Cell::maybe(release.tag.as_deref()),
            Cell::maybe(release.name.as_deref()),
            Cell::maybe(release.author.as_deref()),
            Cell::maybe(release.url.as_deref()),
        ]);
    }
    table
}

fn repository(text: &str) -> Result<String, String> {
    Repository::parse(text).map(|_| text.to_owned()).map_err(|bad| format!("it must be {}", bad.must))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn releases_for_people_and_for_programs() {
        let releases: Vec<Release> = serde_json::from_value(json!([
            { "repository": "acme/api", "tag": "v2.4.0", "name": "Two point four", "state": "published", "author": "ana",
              "published_at": "2026-11-20T12:00:00Z", "url": "https://github.com/acme/api/releases/tag/v2.4.0" },
            { "repository": "acme/cli", "tag": null, "name": "evil\u{1b}[2J\u{202e}", "state": "draft", "author": null,
              "published_at": null, "url": null },
        ]))
        .unwrap();
        let told = [Some(100), None].map(|width| {
            let screen = Screen::of_test(width);
            table(&releases, &screen).lines(screen.out, width).join("\n")
        });
        insta::assert_snapshot!(told.join("\n\n"));
    }
}
