//! Hundreds of hostile requests to the real binary, byte by byte: each has its answer, and none leaves a panic, a
//! hang, a leak or a growing process behind.

mod api;
mod deliveries;
mod raw;
mod wire;

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};

use serde_json::value::RawValue;
use standin::github::{Github, Token};

use self::raw::{Port, Row, exchange, get};
use crate::place::{PATIENCE, Place, Program, Served, plain};

const TOKEN: &str = "ghp_5eed5eed";

/// How often what was refused is sent again, to see whether memory grows with it.
const ROUNDS: usize = 8;

/// What a process may grow by in some thousands of requests, in MiB. One body that is kept by mistake, at a few
/// hundred kilobytes each, would be several times as much.
const GROWTH: u64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn each_hostile_request_has_its_answer_and_leaves_nothing_behind() {
    let github = Github::start_with((Ipv4Addr::LOCALHOST, 0).into(), vec![Token::new("writer", TOKEN)]).await.unwrap();
    let (place, keyed_place) = (Place::new(), Place::new());
    let set = |program: Program| program.set("HOOKYARD_LOG", "info").set("GITHUB_SECRET", deliveries::SECRET);
    let mut open = set(place.serve()).set("GITHUB_TOKEN", TOKEN).set("GITHUB_API_URL", &github.url()).ready();
    let keyed = set(keyed_place.serve()).set("HOOKYARD_API_KEY", api::KEY).ready();
    let [webhooks, of_open, of_keyed] = [&open.webhooks, &open.api, &keyed.api].map(|url| authority(url).to_owned());
    let address = |port: Port| match port {
        Port::Webhooks => webhooks.as_str(),
        Port::Open => &of_open,
        Port::Keyed => &of_keyed,
    };
    // All the while, some say half of what they have to say and no more.
    let half = [&b"POST /github HTTP/1.1\r\nhost: loc"[..], b"POST /github HTTP/1.1\r\ncontent-length: 9000\r\n\r\n{"];
    let slow: Vec<TcpStream> = (0..100).map(|n| say(address(Port::Webhooks), half[n % 2])).collect();

    let rows: Vec<Row> = wire::rows().into_iter().chain(deliveries::rows()).chain(api::rows()).collect();
    assert!(rows.len() > 300, "{}", rows.len());
    let secrets = [deliveries::SECRET, api::KEY, TOKEN, deliveries::INSIDE, "panicked", ".rs:", "passwd"];
    let folders = [place.path("").display().to_string(), keyed_place.path("").display().to_string()];
    let check = |row: &Row| check(row, address(row.port), secrets.iter().copied().chain(folders.iter().map(|f| &**f)));
    let wrong: Vec<String> = rows.iter().filter_map(|row| check(row).err()).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    drop(slow);

    let before = [memory(&open), memory(&keyed)];
    for row in (0..ROUNDS).flat_map(|_| &rows).filter(|row| row.answers.first().is_none_or(|(code, _)| *code >= 400)) {
        exchange(address(row.port), &row.bytes, row.ends);
    }
    for (before, after) in before.into_iter().zip([memory(&open), memory(&keyed)]) {
        assert!(after < before + GROWTH, "{before} MiB have become {after}");
    }

    // It works as before, and shows what it took.
    let sent = deliveries::signed(r#"{"action":"usual"}"#, &["x-github-delivery: the-last"]);
    let (answers, _) = exchange(address(Port::Webhooks), &sent, false);
    assert_eq!(answers[0].code, 202);
    let taken: HashSet<String> = rows.iter().filter(|row| row.port == Port::Webhooks).filter_map(delivery).collect();
    assert!(taken.len() > 15);
    for delivery in &taken {
        // The line of its outcome ends in the beginning of its GUID.
        let line = format!(" {}\n", delivery.chars().take(8).collect::<String>());
        if !open.said().contains(&line) {
            open.until(&[&line]);
        }
        shown(address(Port::Open), &format!("/v1/events/0-{delivery}"));
    }
    let strange: usize = rows.iter().filter(|row| row.port == Port::Open && row.answers[..] == [(202, None)]).count();
    let written = tokio::time::timeout(PATIENCE, github.wait_for(strange)).await.unwrap();
    assert_eq!(written.len(), strange);
    for status in written {
        let text = format!("{status:?}");
        assert!(!text.contains("\\r") && !text.contains("\\u{1b}") && !text.contains("\\0"), "{text}");
    }
    for ended in [open.stop("TERM"), keyed.stop("TERM")] {
        assert!(ended.err.ends_with("Stopped. Nothing was lost.\n"), "no connection was left: {}", ended.err);
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
        plain(&ended.err);
        for secret in [deliveries::SECRET, api::KEY, TOKEN, deliveries::INSIDE] {
            assert!(!ended.err.contains(secret), "{secret} was logged");
        }
    }
}

/// Sends the row; what came, unless it is what must come.
fn check<'a>(row: &Row, address: &str, mut never: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let (answers, read) = exchange(address, &row.bytes, row.ends);
    let came: Vec<_> = answers.iter().map(|answer| (answer.code, answer.title())).collect();
    let text = String::from_utf8_lossy(&read);
    let wanted: Vec<_> = row.answers.iter().map(|(code, title)| (*code, title.map(str::to_owned))).collect();
    let fail = |why: String| {
        let sent: String = String::from_utf8_lossy(&row.bytes).chars().take(150).collect();
        Err(format!(
            "{} at {:?}: {why}\n    sent {sent:?}\n    came {:?}",
            row.name,
            row.port,
            text.chars().take(400).collect::<String>()
        ))
    };
    if came != wanted {
        return fail(format!("{came:?} instead of {wanted:?}"));
    }
    if let Some(word) = never.find(|word| text.contains(word)) {
        return fail(format!("it holds {word:?}"));
    }
    let injected = |name: &str| name == "x-injected" || name.starts_with("access-control-");
    if answers.iter().flat_map(|answer| &answer.headers).any(|(name, _)| injected(name)) {
        return fail("a header too many".to_owned());
    }
    Ok(())
}

/// Reads what the API has to say there; it must be JSON.
fn shown(address: &str, path: &str) {
    let (answers, _) = exchange(address, &get(path, &[]), false);
    assert_eq!(answers[0].code, 200, "{path}: {answers:?}");
    // A number may be beyond what this reader can hold, and stands there as GitHub sent it.
    let object: HashMap<String, Box<RawValue>> = serde_json::from_slice(&answers[0].body).unwrap();
    assert_eq!(object["status"].get(), r#""unhandled""#, "{path}");
}

/// The GUID of a delivery that is taken.
fn delivery(row: &Row) -> Option<String> {
    let head = String::from_utf8_lossy(&row.bytes);
    let taken = row.answers.last().is_some_and(|(code, _)| *code == 202);
    let name = head.split("x-github-delivery: ").nth(1)?.split("\r\n").next()?;
    taken.then(|| name.to_owned())
}

fn say(address: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

fn authority(url: &str) -> &str {
    url.strip_prefix("http://").unwrap().trim_end_matches("/github")
}

/// What the process holds in memory, in MiB; nothing where there is no `/proc`.
fn memory(gateway: &Served) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    resident.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
