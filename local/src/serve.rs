//! `hookyard serve`: the gateway, a banner that is true, and one line for each outcome.

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use domain::event::EventStatus;
use domain::ids::ReceiptId;
use domain::ports::Clock;
use domain::run::Outcome;
use domain::secrets::Keyring;
use embedded::folder::{DataFolder, FolderSecret, OpenError, SecretName};
use embedded::queue::{FANOUT, STATUSES};
use github::Tokens;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lambda::clock::SystemClock;
use lambda::ids::UuidIds;
use lambda::telemetry::{self, Lines};
use tokio::sync::mpsc;
use url::Url;

use crate::cli::exit;
use crate::gateway::{Config, Gateway, Storage, World};
use crate::line::OutcomeLine;
use crate::settings::{Environment, Settings};
use crate::terminal::{Style, duration, note, printable};
use crate::watch;
use crate::words::counted;

/// How long running calls may take to finish once we are told to stop: the server's time-out, and some.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long the server may take to accept a connection for the banner's sake.
const PROBE: Duration = Duration::from_secs(1);

/// How far back the banner counts: a week is one small query.
const DAYS: u32 = 7;

/// How often rows and bodies past their time are removed.
const SWEEP: Duration = Duration::from_secs(3600);

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Print the banner only, not a line for each event
    #[arg(long, short)]
    quiet: bool,
    /// Print the beginning of your server's answer too, when it is not the one that was hoped for
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
}

impl Serve {
    pub(crate) async fn run(self, settings: Settings, style: Style, environment: &Environment) -> u8 {
        let filter = environment.get("HOOKYARD_LOG").unwrap_or_else(|| "warn".to_owned());
        if telemetry::init(Lines::Text { color: style.color() }, &filter).is_err() {
            let what = format!("HOOKYARD_LOG {filter:?} cannot be read");
            note(format_args!("error: {what}\n hint: write warn, info, debug or trace, or by part: info,fanout=debug"));
            return exit::USAGE;
        }
        let (banner, config) = match prepare(settings) {
            Ok(prepared) => prepared,
            Err(error) => return fail(&error.to_string()),
        };
        let (sender, outcomes) = mpsc::unbounded_channel();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let watch = (!self.quiet).then_some(watch::Watcher { outcomes: sender, answers: self.verbose });
        let world = World { clock: clock.clone(), ids: Arc::new(UuidIds::default()), watch };
        // From here on a signal stops us in order, even while we are still starting.
        let stop = match signals() {
            Ok(stop) => stop,
            Err(error) => return fail(&format!("signals cannot be listened to: {error}")),
        };
        let gateway = match Gateway::start(config, world).await {
            Ok(gateway) => gateway,
            Err(error) => return fail(&format!("{error:#}")),
        };
        banner.print(&gateway, style).await;
        let printer = tokio::spawn(print(outcomes, style, clock));
        tokio::select! {
            () = stop => {}
            () = sweep_every_hour(&gateway) => {}
        }
        note("Stopping: no more is accepted, what is running is finished.");
        let finished = tokio::time::timeout(PATIENCE, gateway.stop()).await.is_ok();
        if finished {
            // Its last lines: with the gateway, whoever could still report has gone.
            let _ = printer.await;
            note("Stopped. Nothing was lost.");
        } else {
            note("Stopped. What was not finished goes on at the next start.");
        }
        exit::DONE
    }
}

/// Removes what is past its time, at the start and then every hour. Never returns.
async fn sweep_every_hour(gateway: &Gateway) {
    let mut hours = tokio::time::interval(SWEEP);
    loop {
        hours.tick().await;
        gateway.sweep().await;
    }
}

/// On this machine's clock on the wall, where the reader sits.
fn time_of_day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// What went wrong, and what to do where the error says so (after its semicolon).
fn fail(what: &str) -> u8 {
    match what.split_once("; ") {
        Some((what, hint)) => note(format_args!("error: {what}\n hint: {hint}")),
        None => note(format_args!("error: {what}")),
    }
    exit::FAILED
}

/// What the banner says beside the ports.
struct Banner {
    data: String,
    github_secret: Option<FolderSecret>,
    server_secret: Option<FolderSecret>,
    server: Option<Url>,
    has_token: bool,
    github: Url,
    needs_key: bool,
}

/// Takes the data folder, and from it every secret that the settings do not name.
fn prepare(settings: Settings) -> Result<(Banner, Config), OpenError> {
    let folder = DataFolder::open(&settings.data)?;
    let made = |configured: &Option<Keyring>, name| match configured {
        Some(_) => Ok(None),
        None => folder.secret(name).map(Some),
    };
    let github_secret = made(&settings.github_secret, SecretName::Github)?;
    let server_secret = made(&settings.your_server_secret, SecretName::YourServer)?;
    let callback_secret = made(&settings.callback_secret, SecretName::Callback)?;
    let keyring = |configured: Option<Keyring>, made: &Option<FolderSecret>| {
        let keys = configured.or_else(|| made.as_ref().map(|secret| Keyring::new(secret.value.clone(), None)));
        keys.map(Keyring::fixed)
    };
    let banner = Banner {
        data: settings.data.display().to_string(),
        server: settings.your_server_url.clone(),
        has_token: settings.github_token.is_some(),
        github: settings.github_api_url.clone(),
        needs_key: settings.api_key.is_some(),
        github_secret: github_secret.clone(),
        server_secret: server_secret.clone(),
    };
    let incomplete = || OpenError::Malformed { path: settings.data.clone(), must: "a folder with its secrets" };
    let config = Config {
        host: settings.host,
        webhook_port: settings.webhook_port,
        api_port: settings.api_port,
        public_url: settings.public_url,
        api_key: settings.api_key.map(Keyring::fixed),
        github_secret: keyring(settings.github_secret, &github_secret).ok_or_else(incomplete)?,
        github_tokens: settings.github_token.map_or_else(Tokens::none, Tokens::one),
        github_api_url: settings.github_api_url,
        your_server_url: settings.your_server_url,
        your_server_secret: keyring(settings.your_server_secret, &server_secret).ok_or_else(incomplete)?,
        callback_secret: keyring(settings.callback_secret, &callback_secret).ok_or_else(incomplete)?,
        callback_ttl: settings.callback_ttl,
        storage: Storage::Folder(folder),
    };
    Ok((banner, config))
}

impl Banner {
    async fn print(&self, gateway: &Gateway, style: Style) {
        // What cannot be counted is not said; whoever asks the store next hears why.
        let received = gateway.received(24 * DAYS).await.unwrap_or_default();
        let parts =
            [(received, format!("received in the last {DAYS} days")), (waiting(gateway).await, "waiting".to_owned())];
        let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let holds = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
        note(format_args!("Hookyard {}, data in {}{holds}", env!("CARGO_PKG_VERSION"), self.data));
        let webhooks = format!("http://{}/github", gateway.webhooks());
        let pages = format!("http://{}/", gateway.api());
        let server = self.server.as_ref().map(|url| without_query(url).to_string()).unwrap_or_default();
        let github = if self.has_token { self.github.as_str() } else { "" };
        let width = [&webhooks, &pages, &server, github].map(str::len).into_iter().max().unwrap_or_default();
        let line = |name: &str, what: &str| note(format_args!("{}  {what}", style.bold(&format!("{name:>11}"))));
        let address = |name: &str, address: &str, what: String| line(name, &format!("{address:<width$}    {what}"));
        address(
            "webhooks",
            &webhooks,
            match &self.github_secret {
                Some(secret) => format!("secret in {}, readable by you only", secret.path.display()),
                None => "secret from GITHUB_SECRET".to_owned(),
            },
        );
        let key = if self.needs_key { "sign in with HOOKYARD_API_KEY" } else { "no key needed on this machine" };
        address("pages", &pages, key.to_owned());
        match &self.server {
            None => line("server", "none: events are recorded as unhandled (set YOUR_SERVER_URL)"),
            Some(url) => {
                let secret = match &self.server_secret {
                    Some(secret) => format!("; signed with the secret in {}", secret.path.display()),
                    None => String::new(),
                };
                address("server", &server, format!("{}{secret}", reach(url).await));
            }
        }
        match self.has_token {
            false => line("GitHub", "no token: statuses are recorded here, not written (set GITHUB_TOKEN)"),
            true => address("GitHub", github, "statuses are written with GITHUB_TOKEN".to_owned()),
        }
        line("Ready", "waiting for deliveries; Ctrl-C stops and loses nothing");
    }
}

async fn waiting(gateway: &Gateway) -> u64 {
    let mut sum = 0;
    for name in [FANOUT, STATUSES] {
        if let Some(queue) = gateway.queue(name)
            && let Ok(counts) = queue.counts().await
        {
            sum += counts.ready + counts.delayed + counts.in_flight;
        }
    }
    sum
}

/// A query may hold a token of the server's own.
fn without_query(url: &Url) -> Url {
    let mut shown = url.clone();
    shown.set_query(None);
    shown
}

/// Whether something accepts connections at the server's address, and how fast. It is not called.
async fn reach(url: &Url) -> String {
    let target = (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or(80));
    let before = SystemClock.now();
    let resolved = tokio::task::spawn_blocking(move || target.to_socket_addrs().map(Vec::from_iter));
    let connected = async {
        let addresses: Vec<SocketAddr> = resolved.await.ok()?.ok()?;
        for address in addresses {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return Some(());
            }
        }
        None
    };
    match tokio::time::timeout(PROBE, connected).await {
        Ok(Some(())) => {
            let ms = SystemClock.now().duration_since(before).as_millis();
            format!("reachable, {}", duration(u64::try_from(ms).unwrap_or(0)))
        }
        _ => "not reachable now, events wait and are tried again".to_owned(),
    }
}

/// Resolves on Ctrl-C or SIGTERM; a second one ends the process at once.
pub(crate) fn signals() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            std::process::exit(exit::INTERRUPTED.into());
        });
    })
}

/// One line for each outcome, never the same twice.
async fn print(mut outcomes: mpsc::UnboundedReceiver<watch::Outcome>, style: Style, clock: Arc<dyn Clock>) {
    let mut said: HashMap<ReceiptId, (EventStatus, u32)> = HashMap::new();
    while let Some(outcome) = outcomes.recv().await {
        let state = (outcome.run.state, outcome.run.tries());
        if said.insert(outcome.run.receipt, state) == Some(state) {
            continue;
        }
        if said.len() > 10_000 {
            said.clear();
        }
        let line = line(&outcome, style, &time_of_day(clock.now()));
        // One write, so that nothing comes between the two lines.
        match failing(&outcome) {
            Some(answer) => note(format_args!("{line}\n          its answer: {}", printable(answer))),
            None => note(line),
        }
    }
}

/// What the server answered, if that was listened to, unless it took the event and was understood.
fn failing(outcome: &watch::Outcome) -> Option<&str> {
    let last = outcome.run.attempts.last()?.outcome;
    outcome.answer.as_deref().filter(|_| last != Some(Outcome::Taken))
}

fn line(outcome: &watch::Outcome, style: Style, time: &str) -> String {
    let (event, run) = (&outcome.event, &outcome.run);
    let name = match &event.action {
        Some(action) => format!("{}.{action}", event.event_type),
        None => event.event_type.to_string(),
    };
    let place = event.repository.as_ref().map(|repository| match event.pull_request {
        Some(number) => format!("{repository}#{number}"),
        None => repository.to_string(),
    });
    let last = run.attempts.last();
    let statuses = last.map_or(0, |attempt| attempt.statuses.len());
    let note = match (run.next_attempt_at, run.failure, &run.reason) {
        (Some(at), ..) => {
            let why = match last.and_then(|attempt| attempt.outcome) {
                Some(Outcome::Timeout) => "no answer, ",
                Some(Outcome::Unreachable) => "unreachable, ",
                Some(Outcome::Tls) => "certificate, ",
                _ => "",
            };
            format!("{why}again at {}", time_of_day(at))
        }
        (_, Some(failure), _) => failure.as_str().to_owned(),
        // The whole sentence stands in the record; a line has room for what to do.
        _ if run.state == EventStatus::Unhandled => "set YOUR_SERVER_URL".to_owned(),
        (_, _, Some(reason)) => reason.clone(),
        _ if statuses > 0 => counted(statuses, "status", "statuses"),
        _ => String::new(),
    };
    OutcomeLine {
        time: time.to_owned(),
        state: run.state,
        name,
        place,
        code: last.and_then(|attempt| attempt.code),
        ms: last.and_then(|attempt| attempt.ms),
        note,
        id: event.delivery().as_str().chars().take(8).collect(),
    }
    .show(style)
}
