//! A queue file whose bytes are wrong, anywhere: what can be read goes on, what cannot is counted, and nothing that was never
//! sent comes out.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use embedded::queue::{FANOUT, Outgoing, Queues, STATUSES, Salvage};
use tempfile::TempDir;
use testkit::clock::ManualClock;

const HIDDEN: Duration = Duration::from_secs(3600);

/// SQLite's.
const PAGE: usize = 4096;

const EVENTS: usize = 60;
const GROUPS: usize = 5;
const STEPS: usize = 8;
const DEAD: usize = 4;

/// Letters without a pattern, as long as an event's body and longer than a page.
fn noise(seed: usize, length: usize) -> String {
    let mut state = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + u8::try_from(state % 26).unwrap())
    };
    (0..length).map(|_| letter()).collect()
}

fn event(number: usize) -> String {
    format!("event {number} {}", noise(number, 40 + number % 3 * 5000))
}

fn status(group: usize, step: usize) -> String {
    format!("status {group} {step:02} {}", noise(group * 100 + step, 300))
}

/// A file with events, statuses in groups and dead letters, closed in order.
async fn filled(path: &Path, clock: &Arc<ManualClock>) {
    let queues = Queues::open(path, clock.clone()).unwrap();
    let (fanout, statuses) = (queues.queue(FANOUT).unwrap(), queues.queue(STATUSES).unwrap());
    for number in 0..DEAD {
        fanout.send(Outgoing { body: &format!("dead {number}"), ..Outgoing::default() }).await.unwrap();
        let dead = fanout.receive(1, HIDDEN).await.unwrap().remove(0);
        fanout.dead_letter(&dead.handle, "broken").await.unwrap();
    }
    for number in 0..EVENTS {
        fanout.send(Outgoing { body: &event(number), ..Outgoing::default() }).await.unwrap();
    }
    for step in 0..STEPS {
        for group in 0..GROUPS {
            let (name, body) = (format!("g{group}"), status(group, step));
            let id = format!("id-{group}-{step}");
            statuses.send(Outgoing { body: &body, attributes: &[], fifo: Some((&name, &id)) }).await.unwrap();
        }
    }
}

/// What came out of a file in the end.
struct Emptied {
    events: BTreeSet<String>,
    statuses: Vec<String>,
    dead: Vec<String>,
    salvages: Vec<Salvage>,
}

impl Emptied {
    fn count(&self) -> usize {
        self.events.len() + self.statuses.len() + self.dead.len()
    }
}

/// Takes everything out, as a gateway does that is started again whenever it says that it has to be.
async fn empty(path: &Path, clock: &Arc<ManualClock>) -> Emptied {
    let mut emptied = Emptied { events: BTreeSet::new(), statuses: Vec::new(), dead: Vec::new(), salvages: Vec::new() };
    for life in 0.. {
        assert!(life < 4, "it is damaged again and again");
        let queues = Queues::open(path, clock.clone()).unwrap();
        emptied.salvages.extend(queues.salvaged().cloned());
        let (fanout, statuses) = (queues.queue(FANOUT).unwrap(), queues.queue(STATUSES).unwrap());
        let mut fine = true;
        for queue in [&fanout, &statuses] {
            loop {
                let Ok(came) = queue.receive(10, HIDDEN).await else {
                    fine = false;
                    break;
                };
                if came.is_empty() {
                    break;
                }
                for message in came {
                    match queue.ack(&[&message.handle]).await {
                        Ok(done) if done[0].is_ok() => {}
                        // Whatever stands behind it in its group has to wait.
                        _ => {
                            fine = false;
                            break;
                        }
                    }
                    if message.group.is_some() {
                        emptied.statuses.push(message.body);
                    } else if message.body != "new" {
                        assert!(emptied.events.insert(message.body), "an event came twice");
                    }
                }
                if !fine {
                    break;
                }
            }
        }
        let letters = fanout.dead_letters(1000, None).await;
        let again = fanout.send(Outgoing { body: "new", ..Outgoing::default() }).await;
        let trouble = queues.trouble().await;
        if let (None, Ok((letters, _)), Ok(_)) = (&trouble, letters, again) {
            assert!(fine, "what failed is told");
            assert_eq!(fanout.receive(10, HIDDEN).await.unwrap()[0].body, "new", "and it goes on");
            let broken = letters.into_iter().filter(|letter| letter.reason == "broken");
            emptied.dead = broken.map(|letter| letter.body).collect();
            return emptied;
        }
        assert!(trouble.as_ref().is_some_and(|why| why.contains("damaged; restart")), "{trouble:?}");
    }
    unreachable!()
}

/// Everything that came was sent, and of each group in order.
fn check(emptied: &Emptied, what: &str) {
    let sent: BTreeSet<_> = (0..EVENTS).map(event).collect();
    assert!(emptied.events.is_subset(&sent), "{what}: an event that was never sent");
    for group in 0..GROUPS {
        let prefix = format!("status {group} ");
        let came: Vec<_> = emptied.statuses.iter().filter(|body| body.starts_with(&prefix)).collect();
        let sent: Vec<_> = (0..STEPS).map(|step| status(group, step)).collect();
        let mut left = sent.iter();
        assert!(came.iter().all(|body| left.any(|sent| sent == *body)), "{what}: group {group} out of order");
    }
    let known: BTreeSet<_> = (0..DEAD).map(|number| format!("dead {number}")).collect();
    assert!(emptied.dead.iter().all(|body| known.contains(body)), "{what}: {:?}", emptied.dead);
}

const ALL: usize = EVENTS + GROUPS * STEPS + DEAD;

#[tokio::test]
async fn whichever_page_is_damaged_the_rest_is_kept_and_the_loss_is_told() {
    let clock = Arc::new(ManualClock::default());
    let whole = TempDir::new().unwrap();
    let origin = whole.path().join("queues.sqlite");
    filled(&origin, &clock).await;
    let bytes = fs::read(&origin).unwrap();
    let pages = bytes.len() / PAGE;
    assert!(pages > 50, "{pages} pages");
    let (mut damaged, mut told, mut roots) = (0, 0, 0);
    // All of the first, where the tables and indexes begin, and some of the others.
    for page in (0..pages).filter(|page| *page < 12 || page % 4 == 0) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("queues.sqlite");
        let mut wrong = bytes.clone();
        for (at, byte) in wrong[page * PAGE..(page + 1) * PAGE].iter_mut().enumerate() {
            *byte = u8::try_from((at * 7 + page * 13) % 251).unwrap() | 0x80;
        }
        fs::write(&path, &wrong).unwrap();
        let emptied = empty(&path, &clock).await;
        let what = format!("page {page} of {pages}");
        check(&emptied, &what);
        let lost = ALL - emptied.count();
        // The one that leads to all the others costs them; any other costs what stands on it.
        roots += usize::from(lost > 15);
        if lost > 0 {
            damaged += 1;
            let salvage = emptied.salvages.first().unwrap_or_else(|| panic!("{what}: {lost} lost and nothing said"));
            told += usize::from(salvage.lost as usize == lost || salvage.incomplete);
            assert!(salvage.kept.exists(), "{what}");
        }
    }
    assert!(damaged > 10 && roots <= 1, "{damaged} pages cost messages, {roots} many of them");
    assert_eq!(told, damaged, "each loss was counted, or said to be without a count");
}

#[tokio::test]
async fn without_its_head_or_its_end_or_altogether() {
    let clock = Arc::new(ManualClock::default());
    let whole = TempDir::new().unwrap();
    let origin = whole.path().join("queues.sqlite");
    filled(&origin, &clock).await;
    let bytes = fs::read(&origin).unwrap();
    let headless = [vec![0; 100], bytes[100..].to_vec()].concat();
    let half = bytes[..bytes.len() / 2 / PAGE * PAGE].to_vec();
    let text = "no database at all, however long it may be. ".repeat(500).into_bytes();
    for (what, wrong, least) in [("headless", headless, ALL), ("half", half, 10), ("text", text, 0)] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("queues.sqlite");
        fs::write(&path, &wrong).unwrap();
        let emptied = empty(&path, &clock).await;
        check(&emptied, what);
        assert!(emptied.count() >= least, "{what}: {} of {ALL}, {:?}", emptied.count(), emptied.salvages);
        let [salvage] = &emptied.salvages[..] else { panic!("{what}: {:?}", emptied.salvages) };
        assert_eq!((salvage.saved as usize, salvage.incomplete), (emptied.count(), true), "{what}");
        assert_eq!(fs::read(&salvage.kept).unwrap(), wrong, "{what}: kept as it was");
        let said = salvage.to_string();
        assert!(said.contains(&format!("messages saved: {}, lost: ", emptied.count())), "{said}");
        assert!(said.contains(" (and there may have been others); the damaged file is kept as "), "{said}");
    }
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_stands_in_the_log_only_is_saved_as_well_and_nothing_is_left_lying_about() {
    let (folder, clock) = (TempDir::new().unwrap(), Arc::new(ManualClock::default()));
    let path = folder.path().join("queues.sqlite");
    // As after a kill: nothing has been moved from the log into the file.
    let busy = TempDir::new().unwrap();
    let queues = Queues::open(&busy.path().join("queues.sqlite"), clock.clone()).unwrap();
    let fanout = queues.queue(FANOUT).unwrap();
    fanout.send(Outgoing { body: "in the log", ..Outgoing::default() }).await.unwrap();
    for end in ["", "-wal"] {
        fs::copy(busy.path().join(format!("queues.sqlite{end}")), folder.path().join(format!("queues.sqlite{end}")))
            .unwrap();
    }
    assert!(fs::metadata(folder.path().join("queues.sqlite-wal")).unwrap().len() > 0);
    // It was found to be damaged while it ran.
    fs::write(folder.path().join("queues.sqlite-damaged"), "").unwrap();
    let queues = Queues::open(&path, clock).unwrap();
    let salvage = queues.salvaged().unwrap().clone();
    assert_eq!((salvage.saved, salvage.lost, salvage.incomplete), (1, 0, false));
    assert_eq!(queues.queue(FANOUT).unwrap().receive(9, HIDDEN).await.unwrap()[0].body, "in the log");
    drop(queues);
    let kept = "queues.damaged-20260302T100000Z.sqlite";
    assert_eq!(names(folder.path()), [kept.to_owned(), format!("{kept}-wal"), "queues.sqlite".to_owned()]);
}

/// Copies a folder's files, and answers where.
fn copied(from: &Path) -> (TempDir, PathBuf) {
    let to = TempDir::new().unwrap();
    for name in names(from) {
        fs::copy(from.join(&name), to.path().join(&name)).unwrap();
    }
    let path = to.path().join("queues.sqlite");
    (to, path)
}

/// The name that a damaged file was to get when its saving was cut off.
const NAME: &str = "queues.damaged-1.sqlite";

/// What to call it, and how it leaves the folder.
type Moment = (&'static str, fn(&Path));

fn moved(folder: &Path) {
    fs::rename(folder.join("queues.sqlite"), folder.join(NAME)).unwrap();
}

#[tokio::test]
async fn cut_off_while_it_saves_it_goes_on_where_it_was() {
    let (whole, clock) = (TempDir::new().unwrap(), Arc::new(ManualClock::default()));
    filled(&whole.path().join("queues.sqlite"), &clock).await;
    let moments: [Moment; 4] = [
        ("named", |_| {}),
        ("moved", moved),
        ("moved, and an empty file made by the start", |folder| {
            moved(folder);
            fs::write(folder.join("queues.sqlite"), "").unwrap();
        }),
        ("half written", |folder| {
            moved(folder);
            fs::write(folder.join("queues.sqlite-fresh"), "half a file").unwrap();
            fs::write(folder.join("queues.sqlite-fresh-wal"), "half a log").unwrap();
        }),
    ];
    for (what, cut) in moments {
        let (folder, path) = copied(whole.path());
        fs::write(folder.path().join("queues.sqlite-damaged"), NAME).unwrap();
        cut(folder.path());
        let emptied = empty(&path, &clock).await;
        check(&emptied, what);
        assert_eq!(emptied.count(), ALL, "{what}: {:?}", emptied.salvages);
        assert_eq!(names(folder.path()), [NAME, "queues.sqlite"], "{what}");
    }
}
