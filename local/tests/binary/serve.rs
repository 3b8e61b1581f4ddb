//! `hookyard serve`: what it says, when, and how it ends.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use standin::ci::{Answer, Ci};
use standin::http;

use crate::place::{Place, plain};

const SECRETS: [&str; 3] = [".hookyard/github-secret", ".hookyard/your-server-secret", ".hookyard/callback-secret"];

#[tokio::test]
async fn with_nothing_set_it_takes_a_delivery_and_still_has_it_after_a_restart() {
    let place = Place::new();
    let mut gateway = place.serve().ready();
    for port in [gateway.webhooks.strip_suffix("/github").unwrap(), &gateway.api] {
        let health = http::send("GET", &format!("{port}/health"), &[], "").await.unwrap();
        assert_eq!(health.code, 200, "both ports answer as soon as it says so");
    }
    let (webhooks, pages) = (gateway.webhooks.as_str(), format!("{}/", gateway.api));
    let width = webhooks.len().max(pages.len());
    assert_eq!(
        gateway.said(),
        format!(
            "Hookyard {}, data in .hookyard\n\
             \x20  webhooks  {webhooks:<width$}    secret in .hookyard/github-secret, readable by you only\n\
             \x20     pages  {pages:<width$}    no key needed on this machine\n\
             \x20    server  none: events are recorded as unhandled (set YOUR_SERVER_URL)\n\
             \x20    GitHub  no token: statuses are recorded here, not written (set GITHUB_TOKEN)\n\
             \x20     Ready  waiting for deliveries; Ctrl-C stops and loses nothing\n",
            env!("CARGO_PKG_VERSION")
        )
    );
    let mode = |name: &str| std::fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(".hookyard"), 0o700);
    assert_eq!(SECRETS.map(mode), [0o600; 3]);

    // Beside it, in the same folder, nothing has to be said about the secret.
    let sent = place.send(&gateway, "pull_request.opened.json", "pull_request").run();
    let accepted = sent.accepted();
    let line = gateway.until(&[&accepted.short]);
    assert!(line.contains("– no server pull_request.opened      octo-org/hello#7"), "{line}");
    let event = gateway.event(&accepted.event).await;
    assert_eq!((&event["status"], &event["receipts"]), (&json!("unhandled"), &json!([accepted.receipt])));

    let before = gateway.stop("TERM");
    let lines: Vec<_> = before.err.lines().filter(|line| line.ends_with(&accepted.short)).collect();
    assert_eq!(lines.len(), 1, "one line for one outcome: {}", before.err);
    assert!(before.err.ends_with("Stopped. Nothing was lost.\n"));

    let gateway = place.serve().ready();
    assert_eq!(gateway.event(&accepted.event).await, event, "the record outlives the process");
    let first = gateway.said().lines().next();
    let held = "data in .hookyard (1 received in the last 7 days)";
    assert_eq!(first, Some(format!("Hookyard {}, {held}", env!("CARGO_PKG_VERSION")).as_str()));
    let second = gateway.stop("INT");
    for secret in SECRETS.map(|name| place.read(name)) {
        let secret = secret.trim();
        assert!(secret.len() >= 32);
        assert!(!format!("{}{}{}", before.all(), sent.all(), second.all()).contains(secret), "a secret was printed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_for_every_outcome_and_none_when_asked_to_be_quiet() {
    let ci = Ci::start().await.unwrap();
    let status = |name: &str| json!({ "name": name, "status": "pending", "message": "soon" });
    let statuses = Answer::json(&json!({ "statuses": [status("build"), status("lint")] }));
    ci.on_call(move |call| {
        let answer = match call.header("x-github-event") {
            Some("push") => Answer::status(503),
            Some("star") => Answer::status(410),
            _ => statuses.clone(),
        };
        async move { Some(answer) }
    });
    let place = Place::new();
    let serve = || place.serve().set("YOUR_SERVER_URL", &format!("{}?key=of-its-own", ci.url()));
    let mut gateway = serve().ready();
    let server = gateway.said().lines().find(|line| line.starts_with("     server  ")).unwrap().to_owned();
    assert!(server.contains(&format!("{}  ", ci.url())) && server.contains("    reachable, "), "{server}");
    assert!(server.ends_with("; signed with the secret in .hookyard/your-server-secret"), "{server}");
    assert!(!gateway.said().contains("of-its-own"), "a query may hold a key");
    let mut told = Vec::new();
    for (sample, event) in [
        ("pull_request.opened.json", "pull_request"),
        ("push.branch.json", "push"),
        ("star.created.json", "star"),
        ("ping.repository-hook.json", "ping"),
    ] {
        let accepted = place.send(&gateway, sample, event).run().accepted();
        told.push(gateway.until(&[&format!(" {}\n", accepted.short)]));
    }
    for (line, words) in told.iter().zip([
        ["✓ done", "pull_request.opened", "octo-org/hello#7", " 200 ", "2 statuses"],
        ["! retrying", "push", "octo-org/hello", " 503 ", "again at "],
        ["✗ failed", "star.created", "octo-org/hello", " 410 ", "server_gone"],
        ["– ignored", "ping", " - ", " - ", "set-up check"],
    ]) {
        assert!(words.iter().all(|word| line.contains(word)), "{words:?} in {line}");
        plain(line);
    }
    // Every column begins where it does in the first line.
    let ends: Vec<_> = told.iter().map(|line| line.chars().count()).collect();
    assert_eq!(ends, [ends[0]; 4], "{told:#?}");
    gateway.stop("TERM");

    let gateway = serve().with("--quiet").set("HOOKYARD_DATA", "quiet").ready();
    let send = place.send(&gateway, "release.published.json", "release").set("HOOKYARD_DATA", "quiet");
    let accepted = send.run().accepted();
    while ci.next_call().await.header("x-github-event") != Some("release") {}
    assert!(!gateway.stop("TERM").err.contains(&accepted.short));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_v_the_beginning_of_a_failing_answer_follows_on_the_next_line() {
    let ci = Ci::start().await.unwrap();
    ci.on_call(|call| {
        let sent = |name: &str| call.header(name).unwrap_or_default().to_owned();
        let answer = match call.header("x-github-event") {
            Some("push") => {
                Answer::status(200).with("content-type", "application/json").body("{\"statuses\": nonsense")
            }
            Some("star") => Answer::json(&json!({ "statuses": [], "words": "thanks" })),
            _ => Answer::status(500).body(format!(
                "panic: \u{1b}[2Jno such table\r\n  token {}\tsignature {} {}",
                sent("x-hookyard-callback-token"),
                sent("webhook-signature"),
                "x".repeat(500)
            )),
        };
        async move { Some(answer) }
    });
    let place = Place::new();
    let mut gateway = place.serve().with("-v").set("YOUR_SERVER_URL", &ci.url()).ready();
    let mut told = |sample: &str, event: &str, words: &[&str]| {
        place.send(&gateway, sample, event).run().accepted();
        gateway.until(words)
    };
    let failed = told("pull_request.opened.json", "pull_request", &["its answer: "]);
    let wanted =
        "          its answer: panic: \u{fffd}[2Jno such table token hy1.[removed].[removed] signature v1,[removed]=";
    assert!(failed.starts_with(wanted) && failed.ends_with("x\u{2026}\n"), "{failed}");
    assert_eq!(failed.trim().chars().count(), "its answer: ".len() + 201, "{failed}");
    assert_eq!(told("push.branch.json", "push", &["its answer: "]).trim(), "its answer: {\"statuses\": nonsense");
    told("star.created.json", "star", &["star.created"]);
    let ended = gateway.stop("TERM");
    assert!(!ended.err.contains("thanks"), "nothing of an answer that was taken: {}", ended.err);

    let mut quiet = place.serve().set("YOUR_SERVER_URL", &ci.url()).ready();
    place.send(&quiet, "pull_request.opened.json", "pull_request").run().accepted();
    quiet.until(&["retrying", " 500 "]);
    assert!(!quiet.stop("TERM").err.contains("no such table"), "only when asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_takes_no_more_and_finishes_what_is_running() {
    let ci = Ci::start().await.unwrap();
    ci.answer(Answer::status(200).hanging());
    let place = Place::new();
    let mut gateway = place.serve().set("YOUR_SERVER_URL", &ci.url()).ready();
    let accepted = place.send(&gateway, "push.branch.json", "push").run().accepted();
    ci.next_call().await;
    gateway.signal("TERM");
    gateway.until(&["Stopping: no more is accepted, what is running is finished."]);
    ci.release();
    let ended = gateway.end().with(0);
    let [.., line, last] = &ended.err.lines().collect::<Vec<_>>()[..] else { panic!("{}", ended.err) };
    assert!(line.contains("✓ done") && line.ends_with(&accepted.short), "its outcome is told: {}", ended.err);
    assert_eq!(*last, "Stopped. Nothing was lost.");
    let gateway = place.serve().ready();
    assert_eq!(gateway.event(&accepted.event).await["status"], "processed");
    gateway.stop("INT");
}

#[tokio::test]
async fn a_dot_env_is_read_with_comments_after_its_values_and_the_environment_wins() {
    let place = Place::new();
    place.write(
        ".env",
        "# where it listens\n\
         GITHUB_API_PORT=0 # any\n\
         STATUS_API_PORT=0\t# any\n\
         HOOKYARD_DATA=of-the-file # not used below\n\
         GITHUB_SECRET=\"with a # in it\" # quoted\n\
         export HOOKYARD_API_KEY='the key' # exported\n\n",
    );
    let mut gateway = place.hookyard(&["serve"]).set("HOOKYARD_DATA", "of-the-environment").ready();
    assert!(gateway.said().contains("data in of-the-environment\n"));
    assert!(gateway.said().contains("    secret from GITHUB_SECRET\n"));
    assert!(gateway.said().contains("    sign in with HOOKYARD_API_KEY\n"));
    assert!(!place.path("of-the-file").exists() && !place.path("of-the-environment/github-secret").exists());
    let accepted = place.send(&gateway, "push.tag.json", "push").run().accepted();
    gateway.until(&[&accepted.short]);
    place.send(&gateway, "push.tag.json", "push").set("GITHUB_SECRET", "with a").run().with(1);
    let url = format!("{}/v1/events/{}", gateway.api, accepted.event);
    assert_eq!(http::send("GET", &url, &[], "").await.unwrap().code, 401);
    let key = [("authorization", "Bearer the key")];
    assert_eq!(http::send("GET", &url, &key, "").await.unwrap().code, 200);
    gateway.stop("INT");
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for name in ["GITHUB_API_PORT", "STATUS_API_PORT"] {
        let ended = Place::new().serve().set(name, &port).run().with(1);
        let sentence =
            format!("error: 127.0.0.1:{port} is in use by another program\n hint: set {name} to a free port\n");
        assert_eq!((ended.err, ended.out.as_str()), (sentence, ""));
    }
}

#[tokio::test]
async fn a_folder_in_use_is_named_with_what_to_do_and_its_owner_goes_on() {
    let place = Place::new();
    let gateway = place.serve().ready();
    let ended = place.serve().run().with(1);
    let sentence = "error: .hookyard is in use by another Hookyard\n hint: stop that one, or choose another folder with HOOKYARD_DATA\n";
    assert_eq!((ended.err.as_str(), ended.out.as_str()), (sentence, ""));
    assert_eq!(gateway.get("/health").await.code, 200);
    place.send(&gateway, "push.branch.json", "push").run().accepted();
    gateway.stop("TERM");
}
