//! The command line against a gateway: the real binary, run as a person or a script runs it, with a yard behind the
//! address that it is given.

mod access;
mod doctor;
mod events;
mod hostile;
mod odd;
mod replay;
mod statuses;
mod stuck;
mod tail;

use serde_json::Value;

use crate::place::{Place, Program, plain};
use crate::yard::Local;

/// A commit of the stories.
const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

/// The command, told where the yard is.
fn at(place: &Place, yard: &Local, arguments: &[&str]) -> Program {
    place.hookyard(arguments).set("HOOKYARD_URL", &yard.api).set("TZ", "UTC")
}

/// What it prints as JSON on one line, when it went well.
#[track_caller]
fn json(program: Program) -> Value {
    let ended = program.with("--json").run().with(0);
    plain(&ended.all());
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
    serde_json::from_str(&ended.out).unwrap()
}

/// Its lines, when it went well: each cut at its tabs.
#[track_caller]
fn rows(program: Program) -> Vec<Vec<String>> {
    let ended = program.run().with(0);
    ended.out.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}
