//! Log lines: readable for people on a terminal, JSON with queryable fields on Lambda.
//!
//! One line per outcome, at info or above: whoever knows the outcome writes it, with a field `outcome`. What it is
//! about, how long it took and which call of Lambda it belongs to come from the spans around it ([`subject`],
//! [`invocation`]).

pub mod invocation;
mod json;
mod subject;

use std::sync::Arc;

use domain::ports::Clock;
use tracing::{Level, Subscriber};
pub use tracing_subscriber::filter::ParseError;
use tracing_subscriber::filter::{FilterExt, FilterFn, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

pub use self::subject::{about, subject};
use crate::clock::SystemClock;

/// The crates that never log a body, a secret or a signature, at any level. The DynamoDB client does: below info its
/// lines repeat whole rows.
const OURS: [&str; 12] = [
    "hookyard", "ingest", "fanout", "status", "api", "lambda", "domain", "store", "aws", "github", "server", "embedded",
];

/// How lines look, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// One object per line on standard output, where Lambda takes it.
    Json {
        /// Which function says it.
        function: &'static str,
    },
    /// Text on standard error.
    Text {
        /// Whether somebody sees colours there.
        color: bool,
    },
}

/// Starts logging for this process, once, and keeps the text of panics out of the log: it may hold anything, a
/// body too, so only the place is told.
///
/// `filter` is in the manner of `info` or `warn,fanout=debug`; other people's crates stay at info, whatever it says.
///
/// # Errors
/// When the filter cannot be read; nothing is logged then.
pub fn init(lines: Lines, filter: &str) -> Result<(), ParseError> {
    let layer = match lines {
        Lines::Json { function } => json(function, Arc::new(SystemClock), std::io::stdout).boxed(),
        Lines::Text { color } => tracing_subscriber::fmt::layer().with_ansi(color).with_writer(std::io::stderr).boxed(),
    };
    let read: Targets = filter.parse()?;
    let harmless = FilterFn::new(|line| *line.level() <= Level::INFO || is_ours(line.target()));
    // A second call finds a subscriber in place: the first one stays.
    let started = tracing_subscriber::registry().with(layer.with_filter(read.and(harmless))).try_init();
    if started.is_ok() {
        panics_without_their_text();
    }
    Ok(())
}

/// From now on a panic of this process is one line that says where, and what was being worked on.
pub fn panics_without_their_text() {
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => tracing::error!(file = place.file(), line = place.line(), "panicked"),
        None => tracing::error!("panicked"),
    }));
}

/// What a function on Lambda logs with at info, to any place that takes lines and by any clock: for tests.
pub fn lines_of<W>(function: &'static str, clock: Arc<dyn Clock>, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let most = tracing_subscriber::filter::LevelFilter::INFO;
    tracing_subscriber::registry().with(json(function, clock, writer).with_filter(most))
}

fn json<W>(function: &'static str, clock: Arc<dyn Clock>, writer: W) -> impl Layer<Registry>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    json::JsonLines { function, clock, writer }
}

fn is_ours(target: &str) -> bool {
    OURS.contains(&target.split("::").next().unwrap_or_default())
}
