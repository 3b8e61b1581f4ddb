//! A working folder of its own for each test, and the real binary run in it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde_json::Value;
use standin::http::{self, Reply};
use tempfile::TempDir;

/// The longest wait for a line, on the slowest machine. Only a program that hangs ever meets it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder to run in.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names in a folder of this place, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The binary, with an environment that holds nothing but a locale and a folder for temporary files.
    pub fn hookyard(&self, arguments: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("LANG", "C.UTF-8").env("TMPDIR", self.path("tmp"));
        Program { command, input: Vec::new() }
    }

    /// `hookyard serve` on any free ports.
    pub fn serve(&self) -> Program {
        self.hookyard(&["serve"]).set("GITHUB_API_PORT", "0").set("STATUS_API_PORT", "0")
    }

    /// `hookyard send` of a sample to that gateway.
    pub fn send(&self, gateway: &Served, sample: &str, event: &str) -> Program {
        self.hookyard(&["send", &sample_path(sample), "--event", event, "--url", &gateway.webhooks])
    }
}

/// Where a file of `events/` is.
pub fn sample_path(name: &str) -> String {
    format!("{}/../events/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The binary with its arguments, not yet started.
pub struct Program {
    command: Command,
    input: Vec<u8>,
}

impl Program {
    /// With this in its environment.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With one more argument.
    pub fn with(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    /// With more arguments.
    pub fn with_all(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Run by another program, which is given this one's name and arguments behind its own.
    pub fn under(mut self, outer: &[&str]) -> Self {
        let inner = std::mem::replace(&mut self.command, Command::new(outer[0]));
        self.command.args(&outer[1..]).arg(inner.get_program()).args(inner.get_args());
        self.command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.command.current_dir(inner.get_current_dir().unwrap());
        self
    }

    /// With this on its standard input.
    pub fn input(mut self, bytes: &[u8]) -> Self {
        self.input = bytes.to_vec();
        self
    }

    pub fn start(mut self) -> Running {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = self.command.spawn().unwrap();
        let (sender, lines) = channel();
        forward(process.stdout.take().unwrap(), sender.clone(), Line::Out);
        forward(process.stderr.take().unwrap(), sender, Line::Err);
        // It may have ended without reading.
        let _ = process.stdin.take().unwrap().write_all(&self.input);
        Running { process, lines, out: String::new(), err: String::new() }
    }

    /// Runs it to its end.
    pub fn run(self) -> Ended {
        self.start().end()
    }

    /// Starts a gateway and returns as soon as it has said that it is ready.
    pub fn ready(self) -> Served {
        let mut running = self.start();
        running.until(&["Ready"]);
        let address = |end: &str| {
            let words = running.err.split_whitespace();
            let found = words.filter(|word| word.starts_with("http://")).find(|word| word.ends_with(end));
            found.unwrap_or_else(|| panic!("the banner names no address ending in {end}:\n{}", running.err)).to_owned()
        };
        // The pages are at the root of the API's port.
        let (webhooks, pages) = (address("/github"), address("/"));
        let api = pages.strip_suffix('/').unwrap().to_owned();
        Served { running, webhooks, api }
    }
}

enum Line {
    Out(String),
    Err(String),
}

fn forward(stream: impl Read + Send + 'static, sender: Sender<Line>, line: fn(String) -> Line) {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut bytes = Vec::new();
        while matches!(stream.read_until(b'\n', &mut bytes), Ok(1..)) {
            if sender.send(line(String::from_utf8_lossy(&bytes).into_owned())).is_err() {
                return;
            }
            bytes.clear();
        }
    });
}

/// A program that runs. Dropped, it is killed.
pub struct Running {
    process: Child,
    lines: Receiver<Line>,
    out: String,
    err: String,
}

impl Running {
    /// Reads on until a line holds all of `words`, and returns that line.
    pub fn until(&mut self, words: &[&str]) -> String {
        loop {
            let Some(line) = self.next() else { panic!("ended without saying {words:?}:\n{}{}", self.out, self.err) };
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }

    /// Reads to the end.
    pub fn end(mut self) -> Ended {
        while self.next().is_some() {}
        let code = self.process.wait().unwrap().code();
        Ended { code, out: std::mem::take(&mut self.out), err: std::mem::take(&mut self.err) }
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Pulls the plug, as `kill -9` does.
    pub fn kill(mut self) -> Ended {
        self.process.kill().unwrap();
        self.end()
    }

    fn next(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(Line::Out(line)) => {
                self.out.push_str(&line);
                Some(line)
            }
            Ok(Line::Err(line)) => {
                self.err.push_str(&line);
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("says nothing more:\n{}{}", self.out, self.err),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A gateway that said that it is ready.
pub struct Served {
    running: Running,
    /// Such as `http://127.0.0.1:7777/github`.
    pub webhooks: String,
    /// Such as `http://127.0.0.1:7778`.
    pub api: String,
}

impl Served {
    /// What it has said so far.
    pub fn said(&self) -> &str {
        &self.running.err
    }

    /// Reads on until a line holds all of `words`.
    pub fn until(&mut self, words: &[&str]) -> String {
        self.running.until(words)
    }

    /// What the API answers.
    pub async fn get(&self, path: &str) -> Reply {
        http::send("GET", &format!("{}{path}", self.api), &[], "").await.unwrap()
    }

    /// An event as the API shows it.
    pub async fn event(&self, id: &str) -> Value {
        let reply = self.get(&format!("/v1/events/{id}")).await;
        assert_eq!(reply.code, 200, "{}", reply.json());
        reply.json()
    }

    pub fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.running.process.id()
    }

    pub fn end(self) -> Ended {
        self.running.end()
    }

    /// Ends it in order by that signal; it must end with 0.
    pub fn stop(self, signal: &str) -> Ended {
        self.signal(signal);
        self.end().with(0)
    }

    pub fn kill(self) -> Ended {
        self.running.kill()
    }
}

/// What a program came to.
pub struct Ended {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Everything it ever printed.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// It must have ended like that.
    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }

    /// The event that a delivery became, when it was accepted.
    #[track_caller]
    pub fn accepted(&self) -> Accepted {
        assert_eq!(self.code, Some(0), "{}", self.all());
        let answer: Value = serde_json::from_str(&self.out).unwrap();
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let event = text("event");
        let guid = event.split_once('-').unwrap().1;
        Accepted { short: guid[..8].to_owned(), receipt: text("receipt"), event }
    }
}

/// The answer to a delivery that was accepted.
pub struct Accepted {
    /// The event's id.
    pub event: String,
    /// The first eight characters of its GUID, by which outcome lines name it.
    pub short: String,
    /// The receipt, which the server sees as `webhook-id`.
    pub receipt: String,
}

/// Nothing that would colour or move a cursor.
#[track_caller]
pub fn plain(text: &str) {
    let odd = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(odd, None, "in {text:?}");
}
