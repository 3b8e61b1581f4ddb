//! Bad surroundings: one clear sentence and an end, or a gateway that says what is wrong with it. Nothing that was
//! acknowledged is lost.

use std::sync::Arc;
use std::time::Duration;

use domain::envelope::Envelope;
use domain::signature;
use embedded::queue::{FANOUT, Queues};
use lambda::clock::SystemClock;
use serde_json::json;
use standin::ci::Ci;
use standin::http::{self, Reply};

use crate::place::{Place, Program};

const SECRET: &str = "signs deliveries in this test";

const HIDDEN: Duration = Duration::from_secs(60);

/// The same program with less of something than it would like: `limits` are the shell's.
fn limited(program: Program, limits: &str) -> Program {
    // A file that grows too large is an error for the program to see, and no signal.
    program.under(&["sh", "-c", &format!("trap '' XFSZ; {limits}; exec \"$0\" \"$@\"")])
}

/// A delivery with that many letters without a pattern, about a commit of its own.
async fn deliver(webhooks: &str, number: u64, size: usize) -> Result<Reply, http::Failed> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + u8::try_from(state % 26).unwrap())
    };
    let noise: String = (0..size).map(|_| letter()).collect();
    let body = json!({ "after": format!("{number:040x}"), "noise": noise }).to_string();
    let signature = signature::sign(SECRET.as_bytes(), body.as_bytes());
    let guid = format!("guid-{number}");
    let headers = [
        ("content-type", "application/json"),
        ("x-github-event", "push"),
        ("x-github-delivery", guid.as_str()),
        (signature::HEADER, &signature),
    ];
    http::send("POST", webhooks, &headers, body).await
}

#[test]
fn a_folder_that_cannot_be_used_is_named_with_what_to_do() {
    let version = |text: &str| {
        let place = Place::new();
        std::fs::create_dir(place.path(".hookyard")).unwrap();
        place.write(".hookyard/version", text);
        place
    };
    let file = Place::new();
    file.write(".hookyard", "a file where the folder should be");
    let foreign = Place::new();
    std::fs::create_dir(foreign.path(".hookyard")).unwrap();
    foreign.write(".hookyard/queues.sqlite", &"somebody's own file, which is no database at all. ".repeat(100));
    let table = [
        (
            version("3\n"),
            ".hookyard was written by a newer Hookyard (format 3, this one knows 2)",
            "start that version",
        ),
        (version("hello\n"), ".hookyard/version does not hold the version of the folder", "correct it, or delete it"),
        (file, "cannot make the folder .hookyard: ", ""),
        (foreign, "cannot open .hookyard/queues.sqlite: ", ""),
    ];
    for (place, what, hint) in table {
        let before = place.path(".hookyard").is_dir().then(|| place.names(".hookyard"));
        let ended = place.serve().run().with(1);
        let lines: Vec<_> = ended.err.lines().collect();
        assert!(lines[0].starts_with(&format!("error: {what}")), "{}", ended.err);
        assert!(lines.len() == 1 || lines.len() == 2 && lines[1].starts_with(" hint: "), "{}", ended.err);
        assert!(hint.is_empty() || lines[1].contains(hint), "{}", ended.err);
        assert_eq!(ended.out, "");
        // What somebody else put there is left alone.
        for name in before.into_iter().flatten() {
            assert!(place.path(".hookyard").join(&name).exists(), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_disk_is_full_nothing_new_is_taken_and_nothing_old_is_lost() {
    let place = Place::new();
    let ci = Ci::start().await.unwrap();
    let serve = || place.serve().set("GITHUB_SECRET", SECRET).set("YOUR_SERVER_URL", &ci.url());
    serve().ready().stop("TERM");
    ci.stop().await;

    // No file may grow beyond 512 KiB (in the shell's blocks of 512 bytes).
    let gateway = limited(serve(), "ulimit -f 1024").ready();
    let mut accepted = Vec::new();
    let refused = loop {
        let reply = deliver(&gateway.webhooks, accepted.len() as u64, 50_000).await.unwrap();
        if reply.code != 202 {
            break reply;
        }
        accepted.push(reply.json()["event"].as_str().unwrap().to_owned());
        assert!(accepted.len() < 100, "a disk that is never full");
    };
    assert_eq!(refused.code, 503, "{}", refused.json());
    assert_eq!(deliver(&gateway.webhooks, 999, 50_000).await.unwrap().code, 503);
    assert!(refused.header("retry-after").is_some() && !accepted.is_empty());
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    for base in [gateway.webhooks.strip_suffix("/github").unwrap(), &gateway.api] {
        let health = http::send("GET", &format!("{base}/health"), &[], "").await.unwrap();
        assert_eq!(health.code, 503, "{base}: {}", health.json());
        let detail = health.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("the queue file cannot be read or written, its disk may be full"), "{detail}");
    }
    let ended = gateway.kill();
    let said = ended.err.matches("the queue's file fails").count();
    assert_eq!(said, 1, "once, however many senders hear it: {}", ended.err);

    let queues = Queues::open(&place.path(".hookyard/queues.sqlite"), Arc::new(SystemClock)).unwrap();
    let mut kept = Vec::new();
    for message in queues.queue(FANOUT).unwrap().receive(1000, HIDDEN).await.unwrap() {
        kept.push(Envelope::decode(&message.body).unwrap().event.to_string());
    }
    // Those that wait for their next attempt.
    let delayed = queues.queue(FANOUT).unwrap().counts().await.unwrap().delayed;
    assert!(kept.iter().all(|event| accepted.contains(event)), "{kept:?} of {accepted:?}");
    assert_eq!(kept.len() as u64 + delayed, accepted.len() as u64);
    drop(queues);

    let gateway = serve().ready();
    let reply = deliver(&gateway.webhooks, 1000, 50_000).await.unwrap();
    assert_eq!(reply.code, 202, "there is room again");
    assert_eq!(gateway.get("/health").await.code, 200);
    gateway.stop("TERM");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_file_descriptors_it_waits_for_some() {
    let place = Place::new();
    let gateway = limited(place.serve().set("GITHUB_SECRET", SECRET), "ulimit -n 48").ready();
    let address = gateway.webhooks.strip_prefix("http://").unwrap().strip_suffix("/github").unwrap().to_owned();
    let held: Vec<_> = (0..60).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    drop(held);
    // They are closed one by one; this one comes behind them.
    let reply = deliver(&gateway.webhooks, 1, 100).await.unwrap();
    assert_eq!(reply.code, 202, "{}", reply.json());
    gateway.stop("TERM");
}
