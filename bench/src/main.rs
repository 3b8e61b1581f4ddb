//! How fast the gateway is, beside what it could be at best and what others are. `docs/benchmarks.md` has the table
//! and says how to read it.

mod around;
mod contender;
mod load;
mod process;
mod sample;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::process::Command;
use tokio::time::{Instant, sleep_until};

use self::around::Around;
use self::load::Connection;
use self::process::Served;
use self::sample::{Delivery, deliveries};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Durable acknowledgements a second, in turns with the contenders
    Acks {
        /// The gateway's release build
        binary: PathBuf,
        /// Seconds for each turn
        #[arg(long, default_value_t = 4)]
        seconds: u64,
        /// Turns of each
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Without the contenders, to compare two builds of the gateway, or to look into one
        #[arg(long)]
        alone: bool,
    },
    /// Events a second through a server and its status to GitHub
    Flow {
        /// The gateway's release build
        binary: PathBuf,
        /// Events
        #[arg(long, default_value_t = 5000)]
        count: usize,
    },
    /// From a webhook to its status at GitHub, at a hundred a second
    Latency {
        /// The gateway's release build
        binary: PathBuf,
        /// Seconds
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// From the start over a backlog to the first webhook that is taken; and memory
    Start {
        /// The gateway's release build
        binary: PathBuf,
        /// Events that wait
        #[arg(long, default_value_t = 100_000)]
        backlog: usize,
    },
    /// A contender: verifies, stores nothing or only the bytes
    #[command(hide = true)]
    Contender {
        /// The file that gets the bytes
        #[arg(long)]
        file: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().what {
        What::Acks { binary, seconds, rounds, alone } => {
            acks(&found(&binary)?, Duration::from_secs(seconds), rounds, alone).await
        }
        What::Flow { binary, count } => flow(&found(&binary)?, count).await,
        What::Latency { binary, seconds } => latency(&found(&binary)?, seconds).await,
        What::Start { binary, backlog } => start(&found(&binary)?, backlog).await,
        What::Contender { file } => contender::serve(file.as_deref()).await,
    }
}

/// Its whole path: it is started in another folder.
fn found(binary: &Path) -> anyhow::Result<PathBuf> {
    std::fs::canonicalize(binary).with_context(|| format!("there is no {}; build it first", binary.display()))
}

const NAMES: [&str; 4] =
    ["the same bytes in a file", "hyper and HMAC, nothing stored", "@octokit/webhooks", "hookyard"];

async fn acks(binary: &Path, time: Duration, rounds: usize, alone: bool) -> anyhow::Result<()> {
    let deliveries = Arc::new(deliveries(4096)?);
    for connections in [16, 256] {
        let mut rates: [Vec<f64>; 4] = Default::default();
        let mut most = 0;
        for round in 0..rounds {
            for turn in 0..NAMES.len() {
                // Every round begins with another, so that nobody always follows the same one.
                let who = (round + turn) % NAMES.len();
                if alone && who != 3 {
                    continue;
                }
                let folder = tempfile::tempdir_in(".")?;
                let Some(served) = begin(who, binary, folder.path()).await? else { continue };
                rates[who].push(load::rate(served.address, connections, time, &deliveries).await?);
                if who == 3 {
                    most = most.max(served.memory()?.1);
                }
                served.kill().await?;
            }
        }
        println!("{connections} connections, {} bytes, medians of {rounds}", sample::BYTES);
        let medians = rates.map(median);
        for (name, rate) in NAMES.iter().zip(medians) {
            let ratio = |to: f64| if to > 0.0 { format!("{:.2} x", rate / to) } else { "-".to_owned() };
            println!(
                "  {name:<32} {rate:>8.0} /s   {:>7} the file   {:>7} octokit",
                ratio(medians[0]),
                ratio(medians[2])
            );
        }
        println!("  hookyard held at most {most} MiB");
    }
    Ok(())
}

/// Starts a contender; none where Node's modules are not installed.
async fn begin(who: usize, binary: &Path, folder: &Path) -> anyhow::Result<Option<Served>> {
    let ours = || std::env::current_exe().map(Command::new);
    let command = match who {
        0 => {
            let mut command = ours()?;
            command.arg("contender").arg("--file").arg(folder.join("segment"));
            command
        }
        1 => {
            let mut command = ours()?;
            command.arg("contender");
            command
        }
        2 => {
            let node = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
            if !node.join("node_modules").exists() {
                return Ok(None);
            }
            let mut command = Command::new("node");
            command.arg(node.join("server.mjs")).env("NODE_ENV", "production");
            command
        }
        _ => return Served::gateway(binary, &folder.join("data"), &[]).await.map(Some),
    };
    Served::contender(command).await.map(Some)
}

async fn flow(binary: &Path, count: usize) -> anyhow::Result<()> {
    let (around, served, _folder) = with_server(binary).await?;
    let deliveries = Arc::new(deliveries(u32::try_from(count)?)?);
    let before = Instant::now();
    load::send_all(served.address, 16, count, &deliveries).await?;
    let taken = before.elapsed();
    println!("{count} events taken in {taken:.2?}, {} statuses written by then", around.count());
    around.written(count).await;
    let all = before.elapsed();
    println!("all {count} written after {all:.2?}: {:.0} events/s", count as f64 / all.as_secs_f64());
    println!("memory: at most {} MiB", served.memory()?.1);
    Ok(())
}

async fn latency(binary: &Path, seconds: u64) -> anyhow::Result<()> {
    let (around, served, _folder) = with_server(binary).await?;
    let count = usize::try_from(seconds * 100)?;
    let deliveries = deliveries(u32::try_from(count)?)?;
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(Arc::new(tokio::sync::Mutex::new(Connection::open(served.address).await?)));
    }
    let begin = Instant::now();
    let mut sent = Vec::with_capacity(count);
    let mut tasks = tokio::task::JoinSet::new();
    for (number, delivery) in deliveries.into_iter().enumerate() {
        sleep_until(begin + Duration::from_millis(10) * u32::try_from(number)?).await;
        sent.push((delivery.sha.clone(), Instant::now()));
        let connection = Arc::clone(&connections[number % 8]);
        tasks.spawn(async move { connection.lock().await.deliver(&delivery).await });
    }
    while let Some(delivered) = tasks.join_next().await {
        delivered??;
    }
    around.written(count).await;
    let took = sent.iter().map(|(sha, at)| around.at(sha).map(|seen| (seen - *at).as_secs_f64() * 1000.0));
    let mut took = took.collect::<Option<Vec<f64>>>().context("a status is missing")?;
    took.sort_by(f64::total_cmp);
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    println!(
        "webhook to status at 100/s, {count} of them: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms",
        at(50),
        at(90),
        at(99)
    );
    Ok(())
}

async fn start(binary: &Path, backlog: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(".")?;
    let data = folder.path().join("data");
    let deliveries = Arc::new(deliveries(4096)?);
    let empty = Served::gateway(binary, &data, &[]).await?;
    println!("memory, nothing done yet: {} MiB", empty.memory()?.0);
    empty.kill().await?;
    // A server that nobody listens at: everything waits.
    let nobody = [("YOUR_SERVER_URL", "http://127.0.0.1:9/")];
    let served = Served::gateway(binary, &data, &nobody).await?;
    let before = Instant::now();
    load::send_all(served.address, 64, backlog, &deliveries).await?;
    println!("{backlog} taken in {:.1?}; memory {:?} MiB (now, at most)", before.elapsed(), served.memory()?);
    served.kill().await?;
    let before = Instant::now();
    let served = Served::gateway(binary, &data, &nobody).await?;
    let ready = before.elapsed();
    Connection::open(served.address).await?.deliver(&deliveries[0]).await?;
    println!("start over them: ready after {ready:.2?}, first webhook taken after {:.2?}", before.elapsed());
    println!("memory then: {} MiB", served.memory()?.0);
    served.kill().await
}

async fn with_server(binary: &Path) -> anyhow::Result<(Around, Served, tempfile::TempDir)> {
    let around = Around::start().await?;
    let url = format!("http://{}", around.address);
    let folder = tempfile::tempdir_in(".")?;
    let settings = [("YOUR_SERVER_URL", &*format!("{url}/hook")), ("GITHUB_API_URL", &*url), ("GITHUB_TOKEN", "bench")];
    let served = Served::gateway(binary, &folder.path().join("data"), &settings).await?;
    // One through the whole line, so that every connection stands.
    let warm: Vec<Delivery> = deliveries(1)?;
    Connection::open(served.address).await?.deliver(&warm[0]).await?;
    around.written(1).await;
    around.forget();
    Ok((around, served, folder))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
