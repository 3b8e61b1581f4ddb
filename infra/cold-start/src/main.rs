//! How long a function takes from the start of its process to its first answer, beside the least that a function can be.
//!
//! `cold-start FOLDER [STARTS [DELAY]]`: starts each program of the folder that way, one after the other in turns,
//! against a stand-in of Lambda's runtime API and of AWS on loopback, the latter over TLS. DELAY, in milliseconds, is
//! how long that AWS takes for each answer.

mod aws;
mod runtime;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use serde_json::Value;

use crate::aws::Aws;
use crate::runtime::{Runtime, Seen};

/// The longest that a start may take before it counts as one that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program, what it is told first, and what its answer has to hold.
const PROGRAMS: [(&str, &str, &str); 5] = [
    ("hello", "ingest.github-json.json", "hello"),
    ("ingest", "ingest.github-json.json", "\"statusCode\":202"),
    ("fanout", "fanout.sqs.json", "batchItemFailures"),
    ("status", "status.sqs.json", "batchItemFailures"),
    ("api", "api.events.json", "\"statusCode\":200"),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("usage: cold-start FOLDER [STARTS [DELAY]]")?);
    let starts: usize = arguments.next().map_or(Ok(21), |text| text.parse()).context("STARTS is a number")?;
    let delay: u64 = arguments.next().map_or(Ok(0), |text| text.parse()).context("DELAY is in milliseconds")?;
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let aws = Aws::start(&events, Duration::from_millis(delay)).await?;
    let programs: Vec<_> = PROGRAMS.into_iter().filter(|(name, ..)| folder.join(name).is_file()).collect();
    ensure!(programs.first().is_some_and(|(name, ..)| *name == "hello"), "{} has no hello", folder.display());

    let mut taken = vec![(Vec::new(), Vec::new()); programs.len()];
    // The first round warms the file cache, and does not count.
    for round in 0..=starts {
        for ((name, event, holds), (ready, answered)) in programs.iter().zip(&mut taken) {
            let event = std::fs::read(events.join("lambda").join(event))?;
            let start = start(&folder.join(name), event.into(), &aws).await.with_context(|| (*name).to_owned())?;
            ensure!(start.answer.contains(holds), "{name} answered {}", start.answer);
            if round > 0 {
                ready.push(start.ready);
                answered.push(start.answered);
            }
        }
    }
    println!("medians of {starts} starts each, in turns; AWS answers over TLS on loopback after {delay} ms");
    println!("{:8} {:>9} {:>7} {:>9} {:>7} {:>9}", "", "first", "beside", "first", "beside", "");
    println!("{:8} {:>9} {:>7} {:>9} {:>7} {:>9}", "", "/next", "hello", "answer", "hello", "bytes");
    let base = (median(&mut taken[0].0), median(&mut taken[0].1));
    for ((name, ..), (ready, answered)) in programs.iter().zip(&mut taken) {
        let (ready, answered) = (median(ready), median(answered));
        let bytes = std::fs::metadata(folder.join(name))?.len();
        let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
        println!(
            "{name:8} {:>6.2} ms {:>5.2} x {:>6.2} ms {:>5.2} x {bytes:>9}",
            ready.as_secs_f64() * 1000.0,
            ratio(ready, base.0),
            answered.as_secs_f64() * 1000.0,
            ratio(answered, base.1),
        );
    }
    Ok(())
}

/// One start.
struct Start {
    ready: Duration,
    answered: Duration,
    answer: String,
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
async fn start(program: &Path, event: Bytes, aws: &Aws) -> anyhow::Result<Start> {
    let mut runtime = Runtime::start(event).await?;
    let mut command = Command::new(program);
    command.env_clear().envs(aws.environment()).envs(runtime.environment()).envs(settings());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let _running = Running(command.spawn()?);
    let mut ready = None;
    loop {
        match tokio::time::timeout(PATIENCE, runtime.seen.recv()).await? {
            Some(Seen::Ready(at)) => ready = Some(at - began),
            Some(Seen::Answered(at, answer)) => {
                let ready = ready.context("it answered before it asked")?;
                return Ok(Start {
                    ready,
                    answered: at - began,
                    answer: String::from_utf8_lossy(&answer).into_owned(),
                });
            }
            Some(Seen::Failed(what)) => bail!("it failed: {what}"),
            None => bail!("the runtime API is gone"),
        }
    }
}

/// Ends with its value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the template gives each function, all in one.
fn settings() -> [(&'static str, &'static str); 18] {
    [
        ("GITHUB_SECRET_PARAMETER", "/hookyard/github-secret"),
        ("YOUR_SERVER_SECRET_PARAMETER", "/hookyard/server-secret"),
        ("HOOKYARD_CALLBACK_SECRET_PARAMETER", "/hookyard/callback-secret"),
        ("HOOKYARD_API_KEY_PARAMETER", "/hookyard/api-key"),
        ("HOOKYARD_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:events"),
        ("HOOKYARD_BODIES_BUCKET", "bodies"),
        ("HOOKYARD_TABLE", "hookyard"),
        ("HOOKYARD_STATUSES_QUEUE_URL", "https://localhost/123456789012/statuses.fifo"),
        ("HOOKYARD_QUEUE_URL", "https://localhost/123456789012/fanout"),
        ("HOOKYARD_DEAD_LETTER_QUEUE_URL", "https://localhost/123456789012/dead"),
        ("HOOKYARD_FANOUT_QUEUE_URL", "https://localhost/123456789012/fanout"),
        ("HOOKYARD_EVENTS_DEAD_LETTER_QUEUE_URL", "https://localhost/123456789012/dead"),
        ("HOOKYARD_FANOUT_DEAD_LETTER_QUEUE_URL", "https://localhost/123456789012/dead"),
        ("HOOKYARD_STATUSES_DEAD_LETTER_QUEUE_URL", "https://localhost/123456789012/dead.fifo"),
        ("HOOKYARD_PUBLIC_URL", "https://hooks.example"),
        ("HOOKYARD_CALLBACK_TTL", "24h"),
        ("HOOKYARD_METRICS_NAMESPACE", "Hookyard/bench"),
        ("GITHUB_API_URL", "https://api.github.com"),
    ]
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What the samples say of themselves: the secret that they are signed with, the key that they bring.
fn of_samples(events: &Path, name: &str) -> anyhow::Result<String> {
    let index: Value = serde_json::from_slice(&std::fs::read(events.join("index.json"))?)?;
    Ok(index[name].as_str().with_context(|| format!("events/index.json names no {name}"))?.to_owned())
}
