//! A gateway in a process of its own that can be killed, and whose clock is in the test's hands.
//!
//! The real binary lives by the machine's clock: a lease that was cut off is over after 30 s, and so is the wait
//! before GitHub is asked what became of a POST. So the test program starts itself once more, and there runs what
//! `hookyard serve` runs, [`Gateway`], with a clock that stands still until a line on its standard input moves it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::secrets::Keyring;
use embedded::folder::DataFolder;
use embedded::queue::{FANOUT, STATUSES};
use github::Tokens;
use hookyard::gateway::{Config, Gateway, Storage, World};
use jiff::{SignedDuration, Timestamp};
use lambda::ids::UuidIds;
use serde_json::{Value, json};
use standin::ci::Ci;
use standin::github::Github;
use testkit::clock::ManualClock;
use testkit::story::{Control, Yard};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The longest wait for a word of the gateway, which may have hundreds of events to work off first. Only one that hangs
/// ever meets it.
const PATIENCE: Duration = Duration::from_secs(900);

/// Before the second process' settings among its arguments, where the harness of the tests takes them for the name of
/// one more test.
const SETTINGS: &str = "steered by ";

/// Shows a moment that no test depends on.
const BEGINNING: &str = "2026-03-02T10:00:00Z";

/// What outlives a gateway: its folder, the two ends around it, and the time.
pub struct Scene {
    folder: tempfile::TempDir,
    pub github: Arc<Github>,
    pub server: Arc<Ci>,
    now: Arc<Mutex<Timestamp>>,
}

impl Scene {
    pub async fn new() -> Self {
        let github = Arc::new(Github::start().await.unwrap());
        let server = Arc::new(Ci::start().await.unwrap());
        let now = Arc::new(Mutex::new(BEGINNING.parse().unwrap()));
        Self { folder: tempfile::tempdir().unwrap(), github, server, now }
    }

    /// Time that passes while no gateway runs.
    pub fn pass(&self, seconds: i64) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    /// Starts a gateway and returns when it is ready.
    pub async fn start(&self) -> Steered {
        self.begin().ready(self).await.expect("the gateway ended before it was ready")
    }

    /// Starts a gateway and does not wait for it.
    pub fn begin(&self) -> Starting {
        let settings = json!({
            "folder": self.folder.path(),
            "github": self.github.url(),
            "server": self.server.url(),
            "now": self.now.lock().unwrap().to_string(),
        });
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["kill::steered::the_gateway_itself", "--exact", "--nocapture", "--test-threads=1"])
            .arg(format!("{SETTINGS}{settings}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = unbounded_channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let input = child.stdin.take().unwrap();
        Starting { killer: Killer(Arc::new(Mutex::new(child))), input, lines }
    }
}

/// A gateway that has not said that it is ready.
pub struct Starting {
    pub killer: Killer,
    input: ChildStdin,
    lines: UnboundedReceiver<String>,
}

impl Starting {
    /// Waits until it is ready; none when it ends before.
    pub async fn ready(self, scene: &Scene) -> Option<Steered> {
        let Self { killer, input, mut lines } = self;
        let ready = loop {
            let line = tokio::time::timeout(PATIENCE, lines.recv()).await.expect("the gateway says nothing");
            let Some(line) = line else {
                killer.bury();
                return None;
            };
            // What the test program says of itself comes on the same stream.
            if let Some((_, addresses)) = line.split_once("ready ") {
                break addresses.to_owned();
            }
        };
        let (webhooks, api) = ready.split_once(' ').unwrap();
        let inside = Arc::new(Inside {
            killer: killer.clone(),
            input: Mutex::new(input),
            lines: tokio::sync::Mutex::new(lines),
            now: scene.now.clone(),
        });
        let (webhooks, api) = (format!("http://{webhooks}"), format!("http://{api}"));
        let yard = Yard::new(scene.github.clone(), scene.server.clone(), inside.clone(), webhooks, api);
        Some(Steered { yard, inside })
    }
}

/// Kills a process as `kill -9` does, from wherever it is called; once it is dead, does nothing.
#[derive(Clone)]
pub struct Killer(Arc<Mutex<Child>>);

impl Killer {
    pub fn kill(&self) {
        self.0.lock().unwrap().kill().unwrap();
    }

    /// Makes sure that it is gone, with every lock that it held.
    pub fn bury(&self) {
        let mut child = self.0.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A running gateway. Dropped, it is killed.
pub struct Steered {
    yard: Yard,
    inside: Arc<Inside>,
}

impl std::ops::Deref for Steered {
    type Target = Yard;
    fn deref(&self) -> &Yard {
        &self.yard
    }
}

impl Steered {
    pub fn killer(&self) -> Killer {
        self.inside.killer.clone()
    }

    /// Returns when there is nothing to do at this moment, or when it has died.
    pub async fn idle_or_dead(&self) -> Seen {
        self.inside.ask("idle").await
    }

    /// Sends back what was set aside, as an operator does; true when there was anything.
    pub async fn redrive(&self) -> bool {
        self.inside.answer("redrive").await.is_some_and(|count| count != "0")
    }

    /// Returns when it has died.
    pub async fn dead(self) {
        while self.inside.line().await.is_some() {}
        self.inside.killer.bury();
    }

    /// Kills it, and returns when it is gone.
    pub async fn kill(self) {
        self.inside.killer.kill();
        self.dead().await;
    }

    /// Tells it to stop in order; true when it said that it has, false when it died first.
    pub async fn stop(self) -> bool {
        let stopped = self.inside.ask("stop").await == Seen::Alive;
        self.dead().await;
        stopped
    }
}

/// How a gateway was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Alive,
    Dead,
}

struct Inside {
    killer: Killer,
    input: Mutex<ChildStdin>,
    lines: tokio::sync::Mutex<UnboundedReceiver<String>>,
    now: Arc<Mutex<Timestamp>>,
}

impl Inside {
    fn tell(&self, line: &str) {
        // It may be dead already; whoever waits for an answer learns that.
        let _ = writeln!(self.input.lock().unwrap(), "{line}");
    }

    async fn ask(&self, what: &str) -> Seen {
        if self.answer(what).await.is_some() { Seen::Alive } else { Seen::Dead }
    }

    /// What it says to that; none when it has died.
    async fn answer(&self, what: &str) -> Option<String> {
        self.tell(what);
        loop {
            if let Some((_, answer)) = self.line().await?.split_once(what) {
                return Some(answer.trim().to_owned());
            }
        }
    }

    async fn line(&self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.lines.lock().await.recv()).await.expect("the gateway says nothing")
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.killer.bury();
    }
}

#[async_trait]
impl Control for Inside {
    async fn idle(&self) {
        assert_eq!(self.ask("idle").await, Seen::Alive, "the gateway died while it was waited for");
    }

    fn advance(&self, seconds: i64) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        self.tell(&format!("advance {seconds}"));
    }

    fn now(&self) -> jiff::Timestamp {
        *self.now.lock().unwrap()
    }
}

/// The second process: the gateway, until its standard input ends or says so. In the first, nothing.
#[test]
fn the_gateway_itself() {
    let Some(settings) = std::env::args().find_map(|text| text.strip_prefix(SETTINGS).map(str::to_owned)) else {
        return;
    };
    let settings: Value = serde_json::from_str(&settings).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(serve(&settings));
}

async fn serve(settings: &Value) {
    let text = |name: &str| settings[name].as_str().unwrap();
    let secret = |text: &str| Keyring::new(text.into(), None).fixed();
    let clock = Arc::new(ManualClock::at(text("now")));
    let config = Config {
        host: [127, 0, 0, 1].into(),
        webhook_port: 0,
        api_port: 0,
        public_url: None,
        api_key: None,
        github_secret: secret("It's a Secret to Everybody"),
        github_tokens: Tokens::one(Github::TOKEN.into()),
        github_api_url: text("github").parse().unwrap(),
        your_server_url: Some(text("server").parse().unwrap()),
        your_server_secret: secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        callback_secret: secret("signs call-back tokens in these tests"),
        callback_ttl: Duration::from_secs(24 * 3600),
        storage: Storage::Folder(DataFolder::open(Path::new(text("folder"))).unwrap()),
    };
    let world = World { clock: clock.clone(), ids: Arc::new(UuidIds::default()), watch: None };
    let gateway = Gateway::start(config, world).await.unwrap();
    println!("\nready {} {}", gateway.webhooks(), gateway.api());

    let (sender, mut commands) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    // The end of the input is the end of the test that started us.
    while let Some(command) = commands.recv().await {
        match command.split_once(' ') {
            Some(("advance", seconds)) => clock.advance(seconds.parse().unwrap()),
            None if command == "idle" => {
                gateway.idle().await.unwrap();
                println!("idle");
            }
            None if command == "redrive" => {
                let mut count = 0;
                for name in [FANOUT, STATUSES] {
                    count += gateway.queue(name).unwrap().redrive(1000).await.unwrap();
                }
                println!("redrive {count}");
            }
            None if command == "stop" => {
                gateway.stop().await;
                println!("stop");
                break;
            }
            _ => panic!("{command:?} is no command"),
        }
    }
}
