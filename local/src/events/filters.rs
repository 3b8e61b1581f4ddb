//! Which events.

use clap::Args;
use clap::builder::PossibleValuesParser;
use domain::event::EventStatus;
use domain::ids::{EventType, Repository};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::terminal::moment;
use crate::terminal::screen::Screen;

/// As they are given.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Filters {
    /// Only of this repository
    #[arg(long, value_name = "OWNER/NAME", value_parser = repository)]
    repository: Option<String>,
    /// Only of this type, as in X-GitHub-Event
    #[arg(long = "type", id = "type", value_name = "TYPE", value_parser = event_type)]
    kind: Option<String>,
    /// Only with this action, such as opened
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only in this state
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(EventStatus::ALL.map(EventStatus::as_str)))]
    status: Option<String>,
    /// Received at or after: 30m, 2h or 7d ago, a date, or a moment
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Received before
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

/// As the API takes them: every moment is one, wherever and whenever it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fixed {
    pub(crate) repository: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

impl Filters {
    /// Whether nothing is filtered.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { repository, kind, action, status, since, until } = self;
        [repository, kind, action, status, since, until].into_iter().all(Option::is_none)
    }

    /// Counts relative times back from the present.
    pub(crate) fn fix(&self, screen: &Screen) -> Result<Fixed, Failure> {
        let read = |flag: &str, text: &Option<String>| {
            let read = |text: &String| {
                moment::read(text, screen.now(), &screen.zone)
                    .map_err(|hint| Failure::usage(format!("{flag} {text:?} is no moment"), hint))
            };
            text.as_ref().map(read).transpose()
        };
        let (since, until) = (read("--since", &self.since)?, read("--until", &self.until)?);
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            return Err(Failure::usage("--since is not before --until", "swap them"));
        }
        Ok(Fixed {
            repository: self.repository.clone(),
            kind: self.kind.clone(),
            action: self.action.clone(),
            status: self.status.clone(),
            since,
            until,
        })
    }
}

impl Fixed {
    /// As query parameters.
    pub(crate) fn params(&self) -> [(&'static str, Option<String>); 6] {
        let Self { repository, kind, action, status, since, until } = self;
        [
            ("repository", repository.clone()),
            ("type", kind.clone()),
            ("action", action.clone()),
            ("status", status.clone()),
            ("since", since.map(|at| at.to_string())),
            ("until", until.map(|at| at.to_string())),
        ]
    }

    /// As the body of a replay.
    pub(crate) fn body(&self) -> Value {
        let Self { repository, kind, action, status, since, until } = self;
        let filter = json!({ "repository": repository, "type": kind, "action": action, "status": status });
        json!({ "filter": filter, "since": since, "until": until })
    }

    /// As somebody would give them.
    pub(crate) fn flags(&self) -> String {
        let given = self.params().into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.map(|(name, value)| format!(" --{name} {}", word(&value))).collect()
    }
}

/// A value as a shell takes it for one word.
fn word(value: &str) -> String {
    let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b));
    if plain && !value.is_empty() { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

fn repository(text: &str) -> Result<String, String> {
    Repository::parse(text).map(|_| text.to_owned()).map_err(|bad| format!("it must be {}", bad.must))
}

fn event_type(text: &str) -> Result<String, String> {
    EventType::parse(text).map(|_| text.to_owned()).map_err(|bad| format!("it must be {}", bad.must))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_relative_is_fixed_and_can_be_given_again() {
        let filters = Filters {
            repository: Some("acme/api".to_owned()),
            action: Some("it's one".to_owned()),
            since: Some("2h".to_owned()),
            ..Filters::default()
        };
        let fixed = filters.fix(&Screen::of_test(None)).unwrap();
        assert_eq!(fixed.flags(), r" --repository acme/api --action 'it'\''s one' --since 2026-11-20T12:10:00Z");
        assert_eq!(fixed.body()["since"], "2026-11-20T12:10:00Z");
        assert!(fixed.body()["filter"]["type"].is_null() && !filters.is_empty() && Filters::default().is_empty());
    }

    #[test]
    fn a_range_that_cannot_be() {
        for (since, until) in
            [("1h", "2h"), ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"), ("soon", "1h"), ("2h", "x")]
        {
            let filters =
                Filters { since: Some(since.to_owned()), until: Some(until.to_owned()), ..Filters::default() };
            assert_eq!(filters.fix(&Screen::of_test(None)).unwrap_err().code(), 2, "{since} {until}");
        }
    }
}
