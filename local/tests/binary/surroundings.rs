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
    post(webhooks, number, &signature, body).await
}

async fn post(webhooks: &str, number: u64, signature: &str, body: String) -> Result<Reply, http::Failed> {
    let guid = format!("guid-{number}");
    let headers = [
        ("content-type", "application/json"),
        ("x-github-event", "push"),
        ("x-github-delivery", guid.as_str()),
        (signature::HEADER, signature),
    ];
    http::send("POST", webhooks, &headers, body).await
}

/// What the largest deliveries at once may make of a process, in MiB, in a build without optimisation: eight that are read
/// (25 MiB each, and what reading doubles), five that are sent on, and everything else.
#[cfg(target_os = "linux")]
const MOST_MEMORY: u64 = 512;

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_bodies_at_once_take_a_bounded_part_of_the_memory() {
    let place = Place::new();
    let ci = Ci::start().await.unwrap();
    let gateway = place.serve().set("GITHUB_SECRET", SECRET).set("YOUR_SERVER_URL", &ci.url()).ready();
    let frame = json!({ "after": "a".repeat(40), "noise": "" }).to_string().len();
    let body = json!({ "after": "a".repeat(40), "noise": "x".repeat(26_214_400 - frame) }).to_string();
    let signature = signature::sign(SECRET.as_bytes(), body.as_bytes());
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..24 {
        let (webhooks, body, signature) = (gateway.webhooks.clone(), body.clone(), signature.clone());
        sending.spawn(async move { post(&webhooks, number, &signature, body).await.map(|reply| reply.code) });
    }
    let codes: Vec<_> = sending.join_all().await.into_iter().filter_map(Result::ok).collect();
    let taken = codes.iter().filter(|code| **code == 202).count();
    // The others found no place in time, or were too slow for theirs: this machine may be a slow one.
    assert!(taken >= 5 && codes.iter().all(|code| [202, 400, 503].contains(code)), "{codes:?}");
    ci.wait_for(taken).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024;
    println!("{taken} of 24 taken, {peak} MiB at most");
    assert!(peak < MOST_MEMORY, "{peak} MiB");
    gateway.stop("TERM");
}

/// A place whose data folder holds one thing already.
fn with(name: &str, text: &str) -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path(".hookyard")).unwrap();
    place.write(&format!(".hookyard/{name}"), text);
    place
}

#[test]
fn a_folder_that_cannot_be_used_is_named_with_what_to_do() {
    let file = Place::new();
    file.write(".hookyard", "a file where the folder should be");
    let locked = Place::new();
    std::fs::create_dir_all(locked.path(".hookyard/lock")).unwrap();
    let text = "somebody's own file, which is no database at all. ".repeat(100);
    let newer = ".hookyard was written by a newer Hookyard (format 3, this one knows 2)";
    let strange = |what: &str| format!(".hookyard is no data folder of Hookyard: it holds {what:?}");
    let empty = "choose an empty folder with HOOKYARD_DATA";
    let table = [
        (with("version", "3\n"), newer.to_owned(), "start that version"),
        (
            with("version", "hello\n"),
            ".hookyard/version does not hold the version of the folder".to_owned(),
            "correct it, or delete it",
        ),
        (file, "cannot make the folder .hookyard: ".to_owned(), ""),
        (locked, "cannot lock .hookyard/lock: ".to_owned(), ""),
        (with("photos.zip", "of somebody"), strange("photos.zip"), empty),
        (with("queues.sqlite", &text), strange("queues.sqlite"), empty),
    ];
    for (place, what, hint) in table {
        let before = place.path(".hookyard").is_dir().then(|| place.names(".hookyard"));
        let ended = place.serve().run().with(1);
        let lines: Vec<_> = ended.err.lines().collect();
        assert!(lines[0].starts_with(&format!("error: {what}")), "{}", ended.err);
        assert!(lines.len() == 1 || lines.len() == 2 && lines[1].starts_with(" hint: "), "{}", ended.err);
        assert!(hint.is_empty() || lines[1].contains(hint), "{}", ended.err);
        assert_eq!(ended.out, "");
        // What somebody else put there is left alone, and nothing is put beside it but the lock.
        if let Some(before) = before {
            let after: Vec<_> = place.names(".hookyard").into_iter().filter(|name| name != "lock").collect();
            assert_eq!(after, before.into_iter().filter(|name| name != "lock").collect::<Vec<_>>());
        }
    }
}

#[test]
fn where_nothing_can_be_written_it_says_so_and_ends() {
    let place = Place::new();
    let ended = limited(place.serve(), "ulimit -f 0").run().with(1);
    assert!(ended.err.starts_with("error: cannot write .hookyard/version: File too large"), "{}", ended.err);
    assert_eq!((ended.err.lines().count(), ended.out.as_str()), (1, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_queue_file_is_replaced_by_what_can_be_read_of_it() {
    let place = Place::new();
    let ci = Ci::start().await.unwrap();
    let serve = || place.serve().set("GITHUB_SECRET", SECRET).set("YOUR_SERVER_URL", &ci.url());
    ci.stop().await;
    let gateway = serve().ready();
    for number in 0..3 {
        assert_eq!(deliver(&gateway.webhooks, number, 5_000).await.unwrap().code, 202);
    }
    gateway.stop("TERM");
    let file = place.path(".hookyard/queues.sqlite");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[..100].fill(0);
    std::fs::write(&file, &bytes).unwrap();

    let gateway = serve().ready();
    let said = gateway.said();
    assert!(
        said.contains("the queue's file was damaged; messages saved: 3, lost: 0 (and there may have been"),
        "{said}"
    );
    assert!(said.contains("(3 received in the last 7 days, 3 waiting)"), "{said}");
    assert_eq!(gateway.get("/health").await.code, 200);
    assert_eq!(deliver(&gateway.webhooks, 9, 5_000).await.unwrap().code, 202);
    gateway.stop("TERM");
    let kept: Vec<_> =
        place.names(".hookyard").into_iter().filter(|name| name.starts_with("queues.damaged-")).collect();
    assert_eq!(std::fs::read(place.path(".hookyard").join(&kept[0])).unwrap(), bytes, "as it was");
    assert!(!serve().ready().stop("TERM").err.contains("damaged"), "it is said once");
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
