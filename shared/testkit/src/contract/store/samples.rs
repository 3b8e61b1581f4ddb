//! Events, runs and statuses to put into a table.

use bytes::Bytes;
use domain::event::{EventStatus, GithubEvent, Source};
use domain::ids::{DeliveryGuid, EventId, EventType, HookId, ReceiptId, Repository, Sha, StatusId};
use domain::ports::{Ids, KeptBody};
use domain::run::{AskedBy, Ending, Outcome, Run};
use domain::statuses::row::{StatusOutcome, StatusRow};
use domain::statuses::{Accepted, Content, State, Via};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Table;
use crate::clock::CountingIds;

/// Text that something between here and the table could stumble over: quotes, controls, a byte order mark, an
/// emoji of several code points, right-to-left, expression placeholders, and the key separators.
pub const HOSTILE: &str =
    "\u{0}\u{1}\"'\\\r\n\u{feff}\u{2028}\u{1F469}\u{200D}\u{1F680}\u{5D0} #pk :v0 {} <b> ${x} %s \u{fffd}\u{10ffff}";

/// The n-th event, received then.
pub fn event(n: u64, received_at: Timestamp) -> GithubEvent {
    GithubEvent {
        id: EventId::new(
            HookId::parse("48211900").unwrap(),
            DeliveryGuid::parse(&format!("{n:08x}-242f-11e5-81e1-c7b6966d2516")).unwrap(),
        ),
        event_type: EventType::parse("pull_request").unwrap(),
        action: Some("opened".to_owned()),
        source: Source::Repository,
        installation_id: None,
        repository: Some(repository()),
        sender: Some("octocat".to_owned()),
        sha: Some(sha()),
        pull_request: Some(7),
        about: Some("#7 9fceb02".to_owned()),
        body_sha256: format!("{n:064x}"),
        body_bytes: 2,
        same_body_as: None,
        receipts: Vec::new(),
        received_at,
        status: EventStatus::Processing,
        reason: None,
        failure_reason: None,
        processed_at: None,
        tries: 0,
        last_answer: None,
        next_attempt_at: None,
    }
}

/// `Octo-Org/Yard`, in a case of its own.
pub fn repository() -> Repository {
    Repository::parse("Octo-Org/Yard").unwrap()
}

/// A commit.
pub fn sha() -> Sha {
    Sha::parse("9fceb02d0ae598e95dc970b74767f19372d61af8").unwrap()
}

/// The n-th receipt of that moment.
pub fn receipt(n: u64, at: Timestamp) -> ReceiptId {
    let ids = CountingIds::default();
    for _ in 1..n {
        ids.next(at);
    }
    ReceiptId(ids.next(at))
}

/// The first run of an event.
pub fn first_run(event: &GithubEvent, at: Timestamp) -> Run {
    Run::new(event.id.clone(), receipt(1, at), AskedBy::Github, false, at)
}

/// A run of a later receipt.
pub fn later_run(event: &GithubEvent, at: Timestamp) -> Run {
    Run::new(event.id.clone(), receipt(1, at), AskedBy::Github, true, at)
}

/// The shortest JSON there is.
pub fn body() -> KeptBody {
    KeptBody::Inline(Bytes::from_static(b"{}"))
}

/// A sample of `events/` as GitHub sends it: the same without the line breaks between its parts.
pub fn delivered(file: &std::path::Path) -> Bytes {
    let (mut quoted, mut escaped) = (false, false);
    let text = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let kept = text.into_iter().filter(|byte| {
        let kept = quoted || !byte.is_ascii_whitespace();
        quoted ^= *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
        kept
    });
    kept.collect()
}

/// The samples of `events/` that are JSON objects of their own.
pub fn samples() -> Vec<std::path::PathBuf> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "json") && !file.ends_with("index.json"))
        .collect();
    files.sort();
    files
}

/// Closes the open attempt of a run.
pub fn end(run: &mut Run, outcome: Outcome, code: Option<u16>, now: Timestamp) {
    let ending = Ending { outcome, code, ms: 12, note: None, statuses: Vec::new(), sha: None, retry_after: None };
    run.end_attempt(ending, now, 1);
}

/// Begins a run that has to be new, and counts its write.
pub async fn begin(table: &Table, event: &GithubEvent, run: &mut Run) {
    assert!(table.events.begin(event, run, &[], &body()).await.unwrap(), "somebody else began {}", run.receipt);
    run.version += 1;
}

/// Saves a run that has to be current, and counts its write.
pub async fn save(table: &Table, run: &mut Run) {
    assert!(table.events.save(run).await.unwrap(), "somebody else saved {}", run.receipt);
    run.version += 1;
}

/// The n-th status of the commit, accepted n seconds after the present.
pub fn status(n: u32, now: Timestamp) -> StatusRow {
    StatusRow {
        id: StatusId::parse(&format!("status-{n}")).unwrap(),
        repository: repository(),
        sha: sha(),
        content: content("build"),
        accepted: Accepted { at: now + SignedDuration::from_secs(n.into()), index: 0 },
        via: Via::Answer,
        run: None,
        event: None,
        outcome: StatusOutcome::Waiting,
        why: None,
        reason: None,
        until: None,
        written_at: None,
        github_id: None,
        tries: 0,
    }
}

/// What a status says.
pub fn content(context: &str) -> Content {
    Content { context: context.to_owned(), state: State::Success, description: None, target_url: None }
}

/// A receipt that is not of any moment in the cases.
pub fn some_receipt() -> ReceiptId {
    ReceiptId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001))
}
