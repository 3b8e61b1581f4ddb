//! Settings that cannot be: all told at once, in two lines each, and nothing is begun.

use crate::place::{Place, plain, sample_path};

#[test]
fn every_bad_setting_is_told_at_once_and_no_secret_with_it() {
    let bad = [
        ("HOOKYARD_HOST", "0.0.0.0"),
        ("GITHUB_API_PORT", "77777"),
        ("STATUS_API_PORT", "http"),
        ("HOOKYARD_PUBLIC_URL", "ftp://hooks.example"),
        ("GITHUB_SECRET", "hush-1 "),
        ("GITHUB_TOKEN", "hush-2\n"),
        ("GITHUB_API_URL", "https://me:hush-3@github.example/api/v3"),
        ("YOUR_SERVER_URL", "htp://ci/?token=hush-4"),
        ("YOUR_SERVER_SECRET", "hush-5"),
        ("HOOKYARD_CALLBACK_SECRET_PREVIOUS", "hush-6"),
        ("HOOKYARD_CALLBACK_TTL", "soon"),
    ];
    for command in [vec!["serve"], vec!["send", &sample_path("push.branch.json"), "--event", "push"]] {
        let place = Place::new();
        let program = place.hookyard(&command);
        let ended = bad.iter().fold(program, |program, (name, value)| program.set(name, value)).run().with(2);
        assert_eq!(ended.out, "");
        let lines: Vec<_> = ended.err.lines().collect();
        let mut named: Vec<_> = Vec::new();
        for pair in lines.chunks(2) {
            let [error, hint] = pair else { panic!("a line too many: {}", ended.err) };
            let error = error.strip_prefix("error: ").unwrap_or_else(|| panic!("{error}"));
            assert!(hint.starts_with(" hint: ") && !hint.ends_with('.') && !error.ends_with('.'), "{error}\n{hint}");
            named.push(error.split(' ').next().unwrap());
        }
        let mut names = bad.map(|(name, _)| name);
        names.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, names, "{}", ended.err);
        assert!(!ended.err.contains("hush"), "{}", ended.err);
        plain(&ended.err);
        assert_eq!(place.names("."), ["tmp"], "nothing was begun");
    }
}

#[test]
fn what_others_can_reach_needs_a_key() {
    for host in ["0.0.0.0", "192.0.2.1", "::"] {
        let ended = Place::new().serve().set("HOOKYARD_HOST", host).run().with(2);
        let told = format!(
            "error: HOOKYARD_HOST is {host}, which others can reach, and HOOKYARD_API_KEY is not set\n \
             hint: set HOOKYARD_API_KEY, or bind to 127.0.0.1\n"
        );
        assert_eq!(ended.err, told);
    }
    let gateway = Place::new().serve().set("HOOKYARD_HOST", "localhost").ready();
    assert!(gateway.webhooks.starts_with("http://127.0.0.1:"));
    gateway.stop("INT");
}

#[test]
fn a_file_that_cannot_be_read_is_told_by_its_line_alone() {
    let place = Place::new();
    place.write(".env", "# one\nGITHUB_API_PORT=0\nGITHUB_TOKEN='hush\n");
    for command in [vec!["serve"], vec!["send", "-", "--event", "push"]] {
        let ended = place.hookyard(&command).run().with(2);
        let told =
            "error: .env: assignment 2 cannot be read\n hint: write NAME=value on each line; comments begin with #\n";
        assert_eq!(ended.all(), told);
    }
}

#[test]
fn a_log_filter_that_cannot_be_read_is_told_before_anything_is_begun() {
    let place = Place::new();
    let ended = place.serve().set("HOOKYARD_LOG", "fanout=loud").run().with(2);
    let told = "error: HOOKYARD_LOG \"fanout=loud\" cannot be read\n hint: write warn, info, debug or trace, or by part: info,fanout=debug\n";
    assert_eq!(ended.all(), told);
    assert_eq!(place.names("."), ["tmp"]);
}
