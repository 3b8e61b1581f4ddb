//! Help, completions, usage and colours.

use clap::CommandFactory;
use hookyard::cli::Arguments;

use crate::place::{Place, plain};

#[test]
fn every_help_ends_with_0_and_names_every_flag() {
    let place = Place::new();
    let root = Arguments::command();
    let top = place.hookyard(&["--help"]).run().with(0).out;
    for command in root.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_name();
        assert!(top.lines().any(|line| line.starts_with(&format!("  {name} "))), "{name} is missing in {top}");
        helps(&place, &[name], command);
        for deed in command.get_subcommands() {
            helps(&place, &[name, deed.get_name()], deed);
        }
    }
    for code in
        ["0 done", "1 tried and failed", "2 usage", "3 not found", "4 key missing", "5 gateway not reachable", "130"]
    {
        assert!(top.contains(code), "{code} is missing in {top}");
    }
    assert_eq!(place.hookyard(&["--version"]).run().with(0).out, format!("hookyard {}\n", env!("CARGO_PKG_VERSION")));
}

/// Three ways to ask for it, and what each must have.
#[track_caller]
fn helps(place: &Place, path: &[&str], command: &clap::Command) {
    for help in [[path, &["--help"]].concat(), [path, &["-h"]].concat(), [&["help"], path].concat()] {
        let ended = place.hookyard(&help).run().with(0);
        assert_eq!(ended.err, "");
        plain(&ended.out);
        for flag in command.get_arguments().filter(|flag| !flag.is_hide_set()) {
            let shown = match flag.get_long() {
                Some(long) => format!("--{long}"),
                None => flag
                    .get_value_names()
                    .map_or_else(|| flag.get_id().as_str().to_uppercase(), |names| names[0].to_string()),
            };
            assert!(ended.out.contains(&shown), "{shown} is missing in {help:?}");
        }
        assert!(ended.out.lines().all(|line| line.chars().count() <= 100), "{}", ended.out);
    }
    let teaches = command.has_subcommands() || matches!(path[0], "serve" | "demo" | "completions");
    let long = place.hookyard(&[path, &["--help"]].concat()).run().out;
    assert!(teaches || long.contains("Example"), "{path:?} has no example");
}

#[test]
fn serve_names_every_setting() {
    let help = Place::new().hookyard(&["serve", "--help"]).run().with(0).out;
    for name in [
        "GITHUB_SECRET",
        "GITHUB_TOKEN",
        "GITHUB_API_URL",
        "YOUR_SERVER_URL",
        "YOUR_SERVER_SECRET",
        "GITHUB_API_PORT",
        "STATUS_API_PORT",
        "HOOKYARD_HOST",
        "HOOKYARD_PUBLIC_URL",
        "HOOKYARD_API_KEY",
        "HOOKYARD_CALLBACK_SECRET",
        "HOOKYARD_CALLBACK_TTL",
        "HOOKYARD_DATA",
        "HOOKYARD_LOG",
        "_PREVIOUS",
    ] {
        assert!(help.contains(name), "{name} is missing");
    }
}

#[test]
fn what_nobody_knows_ends_with_2() {
    let place = Place::new();
    for arguments in [
        &["serve", "--bogus"][..],
        &["demo", "--bogus"],
        &["send", "--bogus"],
        &["completions", "--bogus"],
        &["completions", "cmd"],
        &["bogus"],
        &["--color", "red", "demo"],
        &[],
    ] {
        let ended = place.hookyard(arguments).run().with(2);
        assert_eq!(ended.out, "");
        assert!(ended.err.contains("--help"), "{}", ended.err);
        plain(&ended.err);
    }
}

#[test]
fn completions_for_the_usual_shells() {
    let place = Place::new();
    place.write(".env", "somebody's 'notes\n");
    for (shell, has) in
        [("bash", "complete -F _hookyard"), ("zsh", "#compdef hookyard"), ("fish", "complete -c hookyard")]
    {
        let ended = place.hookyard(&["completions", shell]).run().with(0);
        assert_eq!(ended.err, "");
        for word in [has, "secret-file", "dead-letters", "redrive", "doctor", "idempotency-key", "reprocessing"] {
            assert!(ended.out.contains(word), "{shell} knows no {word}");
        }
    }
}

#[test]
fn colours_only_where_they_were_asked_for() {
    let place = Place::new();
    for (colour, set, coloured) in
        [("auto", "", false), ("never", "", false), ("always", "", true), ("auto", "1", false)]
    {
        let serve = place.serve().with("--color").with(colour).set("HOOKYARD_LOG", "info").set("NO_COLOR", set);
        let mut gateway = serve.ready();
        let accepted = place.send(&gateway, "push.branch.json", "push").run().accepted();
        gateway.until(&[&accepted.short, "no server"]);
        let said = gateway.stop("TERM").err;
        assert_eq!(said.contains('\u{1b}'), coloured, "--color {colour}, NO_COLOR={set}:\n{said}");
    }
}

#[test]
fn without_utf8_the_marks_are_letters() {
    let place = Place::new();
    let mut gateway = place.serve().set("LANG", "C").ready();
    let sent = place.send(&gateway, "push.branch.json", "push").set("LANG", "C").run();
    let accepted = sent.accepted();
    assert!(sent.err.starts_with("ok accepted: 202"), "{}", sent.err);
    let line = gateway.until(&[&accepted.short]);
    assert!(line.is_ascii() && line.contains("  -  no server push "), "{line}");
    gateway.stop("TERM");
}
