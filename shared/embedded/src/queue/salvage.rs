//! A damaged file: what can still be read of it goes into a fresh one, and it is kept beside that, as it was.
//!
//! Which messages there were is told by the two indexes that list all of them, and by the table itself; each is then read
//! by its id. So one page that cannot be read costs the messages on it and no others, and they can be counted.

mod rows;

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::ledger;
use crate::folder::{OpenError, own, sync_folder, write_durably};

/// SQLite's page, which is also the largest part of a file that [`reheaded`] replaces.
const PAGE: usize = 4096;

/// What became of a damaged queue file. Shown, it is one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvage {
    /// The damaged file, under the name it has now.
    pub kept: PathBuf,
    /// Messages that were saved, dead letters among them.
    pub saved: u64,
    /// Messages that were there and could not be read.
    pub lost: u64,
    /// Whether there may have been others: what lists them all could not be read to its end.
    pub incomplete: bool,
}

impl fmt::Display for Salvage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, saved, lost, incomplete } = self;
        let others = if *incomplete { " (and there may have been others)" } else { "" };
        let kept = kept.display();
        write!(f, "messages saved: {saved}, lost: {lost}{others}; the damaged file is kept as {kept}")
    }
}

/// Whether a failure means that the file's own bytes are wrong.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether a failure to open a file means that. Then a table that is missing does, too.
pub(super) fn is_damage_at_open(error: &OpenError) -> bool {
    let OpenError::Database { source, .. } = error else { return false };
    is_damage(source) || source.sqlite_error_code() == Some(ErrorCode::Unknown)
}

/// Where it is noted that a file is damaged, until it has been seen to. Once the file is being replaced, this holds the name
/// that it gets.
pub(super) fn mark(path: &Path) -> PathBuf {
    beside(path, "-damaged")
}

/// Puts a fresh file in the place of a damaged one, with all that can be read of that. Cut off at any moment, it goes on where
/// it was when it is called again.
///
/// # Errors
/// [`OpenError`] when the folder cannot be written.
pub(super) fn run(path: &Path, now: Timestamp) -> Result<Salvage, OpenError> {
    let kept = set_aside(path, now)?;
    let fresh = beside(path, "-fresh");
    for stale in [fresh.clone(), beside(&fresh, "-wal")] {
        remove(&stale)?;
    }
    own(&fresh)?;
    let salvage = copy(&kept, &fresh)?;
    fs::rename(&fresh, path).map_err(|source| OpenError::io("replace", path, source))?;
    sync(path)?;
    remove(&mark(path))?;
    Ok(salvage)
}

/// Moves the damaged file, and the log that belongs to it, out of the way. Answers where it is.
fn set_aside(path: &Path, now: Timestamp) -> Result<PathBuf, OpenError> {
    let mark = mark(path);
    let named = fs::read_to_string(&mark).unwrap_or_default();
    let kept = match named.trim() {
        "" => {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let moment = now.strftime("%Y%m%dT%H%M%SZ");
            let names = (1..).map(|n| match n {
                1 => format!("{stem}.damaged-{moment}.sqlite"),
                n => format!("{stem}.damaged-{moment}-{n}.sqlite"),
            });
            let mut free = names.map(|name| path.with_file_name(name)).filter(|name| !name.exists());
            // There is always another number.
            let kept = free.next().unwrap_or_else(|| beside(path, ".damaged"));
            let name = kept.file_name().unwrap_or_default().to_string_lossy().into_owned();
            write_durably(&mark, name.as_bytes()).map_err(|source| OpenError::io("write", &mark, source))?;
            kept
        }
        name => path.with_file_name(name),
    };
    // The file itself last: when that has gone, all has.
    if !kept.exists() {
        for end in ["-wal", ""] {
            let from = beside(path, end);
            match fs::rename(&from, beside(&kept, end)) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(OpenError::io("set aside", &from, source));
                }
                _ => {}
            }
        }
        sync(path)?;
    }
    remove(&beside(path, "-shm"))?;
    Ok(kept)
}

/// Fills `fresh` with what can be read.
fn copy(kept: &Path, fresh: &Path) -> Result<Salvage, OpenError> {
    let failed = |source| OpenError::database(fresh, source);
    let to = Connection::open(fresh).map_err(failed)?;
    ledger::prepare(&to).map_err(failed)?;
    // A fresh file has no version that could be too new.
    let _ = ledger::migrate(&to).map_err(failed)?;

    let reheaded = beside(fresh, "-reheaded");
    let log = beside(kept, "-wal");
    let has_log = log.exists();
    let (found, patched) = match read_only(kept) {
        Ok(from) => (rows::copy(&from, &to), false),
        Err(_) => (read_reheaded(kept, &reheaded, fresh, &to)?, true),
    };
    let found = found.map_err(failed)?;
    to.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(failed)?;
    to.close().map_err(|(_, source)| failed(source))?;
    for left in [beside(kept, "-shm"), reheaded.clone(), beside(&reheaded, "-wal"), beside(&reheaded, "-shm")] {
        remove(&left)?;
    }
    if !has_log {
        // Reading has made one, and left it empty.
        remove(&log)?;
    }
    let incomplete = found.incomplete || patched;
    Ok(Salvage { kept: kept.to_owned(), saved: found.saved, lost: found.lost, incomplete })
}

/// Opens it so that nothing in it changes; fails when its head cannot be read.
fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.execute_batch("PRAGMA cell_size_check = ON")?;
    conn.prepare(ledger::LOAD)?;
    Ok(conn)
}

/// Reads a copy that has a head like that of `fresh`: our tables are always made in the same order, so they begin on the same
/// pages in every file.
fn read_reheaded(
    kept: &Path,
    copy: &Path,
    fresh: &Path,
    to: &Connection,
) -> Result<rusqlite::Result<rows::Found>, OpenError> {
    let failed = |source| OpenError::io("copy", kept, source);
    fs::copy(kept, copy).map_err(failed)?;
    match fs::copy(beside(kept, "-wal"), beside(copy, "-wal")) {
        Err(source) if source.kind() != ErrorKind::NotFound => return Err(failed(source)),
        _ => {}
    }
    to.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(|source| OpenError::database(fresh, source))?;
    rehead(copy, fresh).map_err(failed)?;
    Ok(match read_only(copy) {
        Ok(from) => rows::copy(&from, to),
        // Nothing in it is ours.
        Err(_) => Ok(rows::Found { incomplete: true, ..rows::Found::default() }),
    })
}

/// Gives `copy` the first page of `fresh`, with its own count of pages in it (SQLite: "Database File Format", 1.3.8).
fn rehead(copy: &Path, fresh: &Path) -> std::io::Result<()> {
    let mut head = fs::read(fresh)?;
    head.resize(PAGE, 0);
    let mut copy = File::options().write(true).open(copy)?;
    let pages = copy.metadata()?.len().div_ceil(PAGE as u64);
    head[28..32].copy_from_slice(&u32::try_from(pages).unwrap_or(u32::MAX).to_be_bytes());
    copy.seek(SeekFrom::Start(0))?;
    copy.write_all(&head)
}

/// The file of that name with something behind it.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(OpenError::io("remove", path, source)),
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_folder(folder).map_err(|source| OpenError::io("sync", folder, source))
}
