//! `hookyard secrets`: what it tells the AWS command line, and where a secret never appears.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use domain::ports::Clock;
use jiff::{SignedDuration, Timestamp};
use lambda::clock::SystemClock;
use serde_json::{Value, json};

use crate::place::{Ended, Place, Program, plain};

/// Stands for `aws`: notes what it is told, by arguments, environment and file, and answers what the test has put there.
const AWS: &str = r#"#!/bin/sh
home=$(cd "$(dirname "$0")/.." && pwd)
printf '%s\n' "$@" >>"$home/arguments"
env >"$home/environment"
case $2 in
get-parameter)
  if [ -f "$home/parameter" ]; then cat "$home/parameter"; exit; fi
  echo "An error occurred (ParameterNotFound) when calling the GetParameter operation: " >&2
  exit 254 ;;
put-parameter)
  file=${4#file://}
  stat -c %a "$file" >"$home/mode"
  cp "$file" "$home/input"
  if [ -p "$home/pipe" ]; then echo $$ >"$home/pipe"; exec sleep 600; fi
  if [ -f "$home/complaint" ]; then cat "$home/complaint" >&2; exit 254; fi
  echo '{"Version": 8, "Tier": "Standard"}' ;;
esac
"#;

struct Desk {
    place: Place,
}

impl Desk {
    fn new() -> Self {
        let place = Place::new();
        std::fs::create_dir(place.path("bin")).unwrap();
        place.write("bin/aws", AWS);
        std::fs::set_permissions(place.path("bin/aws"), Permissions::from_mode(0o755)).unwrap();
        Self { place }
    }

    /// `hookyard secrets …`, with that `aws` and nothing of its own in the environment.
    fn secrets(&self, arguments: &[&str]) -> Program {
        let path = format!("{}:/usr/bin:/bin", self.place.path("bin").display());
        self.place.hookyard(&["secrets"]).with_all(arguments).set("PATH", &path)
    }

    /// What stands in the parameter.
    fn holds(&self, kind: &str, value: &str, version: u64) {
        let found = json!({ "Parameter": { "Name": "/x", "Type": kind, "Value": value, "Version": version } });
        self.place.write("parameter", &found.to_string());
    }

    fn arguments(&self) -> Vec<String> {
        self.place.read("arguments").lines().map(str::to_owned).collect()
    }

    /// What was in the file that it was given.
    fn input(&self) -> Value {
        assert_eq!(self.place.read("mode"), "600\n");
        serde_json::from_str(&self.place.read("input")).unwrap()
    }

    fn was_asked(&self) -> bool {
        self.place.path("arguments").exists()
    }

    /// The files that are left among the temporary ones.
    fn left(&self) -> Vec<String> {
        self.place.names("tmp")
    }

    /// The secret stands in no argument, in no environment and on no screen.
    #[track_caller]
    fn hides(&self, secret: &str, ended: &Ended) {
        plain(&ended.all());
        for (place, text) in [
            ("arguments", self.place.read("arguments")),
            ("environment", self.place.read("environment")),
            ("output", ended.all()),
        ] {
            assert!(!text.contains(secret), "a secret in the {place}: {text}");
        }
    }
}

#[test]
fn a_new_secret_goes_through_a_file_and_nowhere_else() {
    for (name, starts, length, copied) in [
        ("github-secret", "", 64, true),
        ("server-secret", "whsec_", 50, true),
        ("callback-secret", "", 64, false),
        ("api-key", "", 64, true),
    ] {
        let desk = Desk::new();
        let ended = desk.secrets(&["set", name]).run().with(0);
        assert_eq!(ended.out, format!("/hookyard/{name} version 8\n"));
        let input = desk.input();
        let secret = input["Value"].as_str().unwrap().to_owned();
        assert!(secret.starts_with(starts) && secret.len() == length, "{name}");
        let expected = json!({
            "Name": format!("/hookyard/{name}"), "Value": secret, "Type": "SecureString", "Overwrite": false,
            "Tier": "Intelligent-Tiering",
        });
        assert_eq!(input, expected);
        let arguments = desk.arguments();
        assert_eq!(arguments[..3], ["ssm", "put-parameter", "--cli-input-json"]);
        assert!(arguments[3].starts_with("file:///") && arguments[4..] == ["--output", "json"], "{arguments:?}");
        desk.hides(&secret, &ended);
        // What is left is the copy for the other side, where there is one.
        let left = desk.left();
        assert_eq!(left.len(), usize::from(copied), "{left:?}");
        if let [copy] = left.as_slice() {
            let copy = format!("tmp/{copy}");
            assert_eq!(desk.place.read(&copy), format!("{secret}\n"));
            let mode = std::fs::metadata(desk.place.path(&copy)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let path = desk.place.path(&copy).display().to_string();
            assert!(ended.err.contains(&format!("new in {path}, readable by you only")), "{}", ended.err);
            assert!(ended.err.contains(&format!(", and remove {path}")), "{}", ended.err);
        }
    }
}

#[test]
fn two_secrets_are_never_the_same() {
    let desk = Desk::new();
    let secret = || {
        desk.secrets(&["set", "github-secret", "--show"]).run().with(0);
        desk.input()["Value"].as_str().unwrap().to_owned()
    };
    assert_ne!(secret(), secret());
}

#[test]
fn a_copy_goes_where_it_is_wanted() {
    let desk = Desk::new();
    let shown = desk.secrets(&["set", "api-key", "--show"]).run().with(0);
    let secret = desk.input()["Value"].as_str().unwrap().to_owned();
    assert_eq!(shown.out, format!("/hookyard/api-key version 8\n{secret}\n"));
    assert!(!shown.err.contains(&secret) && desk.left().is_empty(), "{}", shown.err);

    desk.secrets(&["set", "api-key", "--out", "mine"]).run().with(0);
    let secret = desk.input()["Value"].as_str().unwrap().to_owned();
    assert_eq!(desk.place.read("mine"), format!("{secret}\n"));
    assert_eq!(std::fs::metadata(desk.place.path("mine")).unwrap().permissions().mode() & 0o777, 0o600);

    let desk = Desk::new();
    desk.place.write("mine", "precious");
    let ended = desk.secrets(&["set", "api-key", "--out", "mine"]).run().with(2);
    assert!(ended.err.starts_with("error: mine cannot be made: "), "{}", ended.err);
    assert!(desk.place.read("mine") == "precious" && !desk.was_asked());

    std::fs::create_dir(desk.place.path("session")).unwrap();
    let session = desk.place.path("session").display().to_string();
    desk.secrets(&["set", "api-key"]).set("XDG_RUNTIME_DIR", &session).run().with(0);
    assert_eq!((desk.left().len(), desk.place.names("session").len()), (0, 1), "it goes with the log-in");
}

#[test]
fn a_given_secret_is_taken_as_it_is_without_its_line_end() {
    let desk = Desk::new();
    desk.place.write("token", "ghp_given\r\n");
    for (arguments, input) in [(["--from-file", "token"], ""), (["--from-file", "-"], "ghp_given\n")] {
        let program = desk.secrets(&["set", "github-token"]).with_all(&arguments).input(input.as_bytes());
        let ended = program.run().with(0);
        assert_eq!(desk.input()["Value"], "ghp_given");
        desk.hides("ghp_given", &ended);
        assert!(desk.left().is_empty(), "whoever gave it has it");
    }
    let all =
        ["--prefix", "/team/hooks", "--profile", "work", "--region", "eu-central-1", "--force", "--key-id", "alias/k"];
    let program = desk.secrets(&["set", "server-secret", "--endpoint-url", "http://127.0.0.1:4566"]).with_all(&all);
    program.run().with(0);
    let (input, arguments) = (desk.input(), desk.arguments());
    assert_eq!(
        [&input["Name"], &input["Overwrite"], &input["KeyId"]],
        [&json!("/team/hooks/server-secret"), &json!(true), &json!("alias/k")]
    );
    let passed = ["--profile", "work", "--region", "eu-central-1", "--endpoint-url", "http://127.0.0.1:4566"];
    assert_eq!(arguments[arguments.len() - 6..], passed);
}

#[test]
fn what_cannot_work_ends_with_2_before_anybody_is_asked() {
    let bad = "hush hush";
    for (arguments, says) in [
        (&["set", "github-tokens"][..], "\"github-tokens\" is no secret"),
        (&["set", "/a b"], "\"/a b\" is no secret"),
        (&["set", "api-key", "--prefix", "hookyard"], "\"api-key\" is no secret"),
        (&["set", "github-token"], "this secret cannot be made here"),
        (&["set", "/hooks/other"], "this secret cannot be made here"),
        (&["set", "github-token", "--prompt"], "there is no terminal to ask on"),
        (&["set", "github-token", "--from-file", "nowhere"], "nowhere cannot be read"),
        (
            &["set", "github-token", "--from-file", "-"],
            "what was given for /hookyard/github-token is not visible ASCII",
        ),
        (&["set", "server-secret", "--from-file", "-"], "what was given for /hookyard/server-secret is not whsec_"),
        (&["set", "github-secret", "--from-file", "empty"], "is empty"),
        (&["set", "github-secret", "--from-file", "long"], "bytes are more than the 8192 of a parameter"),
        (&["set", "api-key", "--show", "--out", "x"], "cannot be used with"),
        (&["rotate", "api-key", "--keep", "soon"], "write it like 30m, 24h or 7d"),
        (&["rotate"], "NAME"),
        (&[], "Usage"),
    ] {
        let desk = Desk::new();
        desk.place.write("empty", "\n");
        desk.place.write("long", &"x".repeat(9000));
        let ended = desk.secrets(arguments).input(bad.as_bytes()).run().with(2);
        assert!(ended.err.contains(says), "{arguments:?}: {}", ended.err);
        assert!(!ended.all().contains(bad) && !desk.was_asked() && desk.left().is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_rotation_keeps_the_present_secret_for_a_while() {
    let desk = Desk::new();
    desk.holds("SecureString", "the-one-so-far", 7);
    let before = SystemClock.now();
    let ended = desk.secrets(&["rotate", "github-secret"]).run().with(0);
    let after = SystemClock.now();
    assert_eq!(
        desk.arguments()[..5],
        ["ssm", "get-parameter", "--name", "/hookyard/github-secret", "--with-decryption"]
    );
    let input = desk.input();
    assert_eq!((&input["Overwrite"], &input["Type"]), (&json!(true), &json!("SecureString")));
    let list: Vec<Value> = serde_json::from_str(input["Value"].as_str().unwrap()).unwrap();
    let [new, old] = list.as_slice() else { panic!("{} secrets", list.len()) };
    let new_secret = new["secret"].as_str().unwrap();
    assert!(new_secret.len() == 64 && new.get("until").is_none() && old["secret"] == "the-one-so-far");
    let until: Timestamp = old["until"].as_str().unwrap().parse().unwrap();
    let kept = until.checked_sub(SignedDuration::from_hours(24)).unwrap();
    assert!((before..=after).contains(&kept), "{kept}");
    for secret in ["the-one-so-far", new_secret] {
        desk.hides(secret, &ended);
    }
    assert_eq!(desk.place.read(&format!("tmp/{}", desk.left()[0])).trim(), new_secret);
    for words in ["the one before is good until", "wait until", "then every function knows it", "enter it at GitHub"] {
        assert!(ended.err.contains(words), "{words} is missing in {}", ended.err);
    }

    // Again within the day: three are good, none of the older two for longer than before.
    desk.holds("SecureString", input["Value"].as_str().unwrap(), 8);
    let ended = desk.secrets(&["rotate", "github-secret", "--keep", "7d", "--show"]).run().with(0);
    let list: Vec<Value> = serde_json::from_str(desk.input()["Value"].as_str().unwrap()).unwrap();
    assert_eq!((list.len(), &list[1]["secret"], &list[2]), (3, &new["secret"], old));
    assert!(ended.err.contains("somebody else wrote it meanwhile"), "8 after 8: {}", ended.err);
}

#[test]
fn a_call_back_secret_outlives_the_tokens_that_are_signed_with_it() {
    let desk = Desk::new();
    desk.holds("SecureString", "the-one-so-far", 7);
    let before = SystemClock.now();
    desk.secrets(&["rotate", "callback-secret"]).run().with(0);
    let list: Vec<Value> = serde_json::from_str(desk.input()["Value"].as_str().unwrap()).unwrap();
    let until: Timestamp = list[1]["until"].as_str().unwrap().parse().unwrap();
    assert!(until >= before.checked_add(SignedDuration::from_hours(25)).unwrap(), "{until}");
}

#[test]
fn of_githubs_token_only_the_new_one_is_kept() {
    let desk = Desk::new();
    desk.holds("SecureString", "ghp_old", 7);
    let ended = desk.secrets(&["rotate", "github-token", "--from-file", "-"]).input(b"ghp_new\n").run().with(0);
    assert_eq!(desk.input()["Value"], "ghp_new");
    for token in ["ghp_old", "ghp_new"] {
        desk.hides(token, &ended);
    }
    assert!(ended.err.contains("revoke the one before") && !ended.err.contains("meanwhile"), "{}", ended.err);
}

#[test]
fn what_is_there_decides_what_a_rotation_does() {
    for (kind, value, given, code, says) in [
        ("", "", "x", 3, "error: there is no /hookyard/api-key\n hint: make it with hookyard secrets set"),
        ("String", "open", "x", 1, "is no SecureString"),
        ("SecureString", "[hush", "x", 1, "is no list of"),
        ("SecureString", "hush", "hush", 2, "the new secret is the present one"),
    ] {
        let desk = Desk::new();
        if !kind.is_empty() {
            desk.holds(kind, value, 1);
        }
        let ended = desk.secrets(&["rotate", "api-key", "--from-file", "-"]).input(given.as_bytes()).run().with(code);
        assert!(ended.err.contains(says) && !ended.err.contains("hush"), "{}", ended.err);
        assert!(!desk.place.path("input").exists() && desk.left().is_empty(), "{says}");
    }
}

#[test]
fn a_refusal_is_told_and_leaves_nothing_behind() {
    for (complaint, says) in [
        ("An error occurred (ParameterAlreadyExists) when calling the PutParameter operation: x", "is there already"),
        ("An error occurred (ValidationException) when calling: Value 'SECRET' at 'value'", "does not take"),
        ("Error parsing parameter: Invalid JSON: SECRET", "aws: Error parsing parameter: Invalid JSON: …"),
        ("Unable to locate credentials.", "run aws configure"),
        ("You must specify a region.", "give --region"),
    ] {
        let desk = Desk::new();
        desk.place.write("complaint", &complaint.replace("SECRET", "ghp_given"));
        let ended = desk.secrets(&["set", "github-token", "--from-file", "-"]).input(b"ghp_given").run().with(1);
        assert!(ended.err.contains(says) && ended.err.lines().count() == 2, "{}", ended.err);
        desk.hides("ghp_given", &ended);
        assert!(desk.left().is_empty(), "{complaint}");
        desk.secrets(&["set", "api-key"]).run().with(1);
        assert!(desk.left().is_empty(), "a copy of what was not written");
    }
    let desk = Desk::new();
    let ended = desk.secrets(&["set", "api-key"]).set("PATH", "/nowhere").run().with(1);
    assert!(ended.err.contains("there is no aws on the PATH") && ended.err.contains("install"), "{}", ended.err);
    assert!(desk.left().is_empty());
}

#[test]
fn an_interruption_leaves_neither_files_nor_aws_behind() {
    for signal in ["INT", "TERM"] {
        let desk = Desk::new();
        let pipe = desk.place.path("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let running = desk.secrets(&["set", "github-secret"]).start();
        let mut aws = String::new();
        // Blocks until it is there, with the file in its hands.
        std::fs::File::open(&pipe).unwrap().read_to_string(&mut aws).unwrap();
        assert_eq!(desk.left().len(), 2, "the input and the copy");
        running.signal(signal);
        let ended = running.end().with(130);
        assert!(ended.err.contains("Interrupted") && desk.left().is_empty(), "{}", ended.err);
        let alive = Command::new("sh").args(["-c", "kill -0 $0", aws.trim()]).stderr(Stdio::null()).status().unwrap();
        assert!(!alive.success(), "aws goes on without us");
        desk.hides(desk.input()["Value"].as_str().unwrap(), &ended);
    }
}

/// `script` gives the program a terminal of its own.
#[cfg(target_os = "linux")]
#[test]
fn what_is_typed_is_not_shown() {
    let desk = Desk::new();
    let path = format!("{}:/usr/bin:/bin", desk.place.path("bin").display());
    let line = format!("{} secrets set github-token", env!("CARGO_BIN_EXE_hookyard"));
    let mut terminal = Command::new("script")
        .args(["-qefc", &line, "/dev/null"])
        .env_clear()
        .envs([("PATH", path.as_str()), ("LANG", "C.UTF-8"), ("SHELL", "/bin/sh")])
        .env("TMPDIR", desk.place.path("tmp"))
        .current_dir(desk.place.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut screen = terminal.stdout.take().unwrap();
    let mut shown = Vec::new();
    while !shown.ends_with(b"Enter):") {
        let mut byte = [0];
        screen.read_exact(&mut byte).unwrap();
        shown.push(byte[0]);
    }
    let mut keys = terminal.stdin.take().unwrap();
    keys.write_all(b"ghp_typed\n").unwrap();
    screen.read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(terminal.wait().unwrap().success(), "{shown}");
    assert_eq!(desk.input()["Value"], "ghp_typed");
    assert!(shown.contains("is set") && !shown.contains("ghp_typed"), "{shown}");
}
