//! A disk that forgets, when the power goes, everything that nobody had synced.
//!
//! Harsher than most: a write that was not synced is gone as a whole, and so is a folder's entry whose folder was
//! not. What a real disk may do besides, keep some of that in any order, SQLite's checksums are for.

use std::collections::HashMap;
use std::path::Path;

use super::trace::{Call, Edge, Trace};

/// What happened to a file or a folder and has not been synced.
#[derive(Debug, Clone)]
enum Change {
    Write { at: Option<usize>, bytes: Vec<u8> },
    Resize(usize),
    Enter { name: String, file: usize },
    Leave { name: String },
}

#[derive(Debug, Default)]
pub struct Disk {
    /// By number: contents that would survive.
    files: Vec<Vec<u8>>,
    /// What the running system sees: which file a path is.
    names: HashMap<String, usize>,
    /// Entries that would survive.
    entries: HashMap<String, usize>,
    /// By file number, or by folder: changes that would not.
    of_file: HashMap<usize, Vec<Change>>,
    of_folder: HashMap<String, Vec<Change>>,
    /// How many of those a sync that has begun will have covered.
    covered: HashMap<usize, usize>,
}

impl Disk {
    /// Replays a trace. `cut` is called whenever something is about to be sent: with the disk as the power would
    /// leave it at that moment.
    pub fn replay(trace: &Trace, mut cut: impl FnMut(&Self, &[u8])) {
        let mut disk = Self::default();
        for edge in &trace.edges {
            match edge {
                Edge::Begin(at) => match &trace.calls[*at] {
                    Call::Send { bytes } => cut(&disk, bytes),
                    Call::Sync { path } => {
                        let waiting = disk.waiting(path).len();
                        disk.covered.insert(*at, waiting);
                    }
                    _ => {}
                },
                Edge::End(at) => disk.done(*at, &trace.calls[*at]),
            }
        }
    }

    /// Writes what would be left of that folder into another one.
    pub fn salvage(&self, folder: &str, into: &Path) {
        for (path, file) in &self.entries {
            if let Some(name) = path.strip_prefix(folder) {
                let to = into.join(name.trim_start_matches('/'));
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::write(to, &self.files[*file]).unwrap();
            }
        }
    }

    fn done(&mut self, at: usize, call: &Call) {
        match call {
            Call::Create { path } => {
                if !self.names.contains_key(path) {
                    self.files.push(Vec::new());
                    let file = self.files.len() - 1;
                    self.names.insert(path.clone(), file);
                    self.in_folder(path, Change::Enter { name: path.clone(), file });
                }
            }
            Call::Write { path, at, bytes } => self.in_file(path, Change::Write { at: *at, bytes: bytes.clone() }),
            Call::Resize { path, length } => self.in_file(path, Change::Resize(*length)),
            Call::Rename { from, to } => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                    self.in_folder(from, Change::Leave { name: from.clone() });
                    self.in_folder(to, Change::Enter { name: to.clone(), file });
                }
            }
            Call::Remove { path } => {
                self.names.remove(path);
                self.in_folder(path, Change::Leave { name: path.clone() });
            }
            Call::Sync { path } => {
                let covered = self.covered.remove(&at).unwrap_or_default();
                let waiting = self.waiting(path);
                let changes: Vec<_> = waiting.drain(..covered.min(waiting.len())).collect();
                let file = self.names.get(path).copied();
                for change in changes {
                    self.keep(file, change);
                }
            }
            Call::Send { .. } => {}
        }
    }

    fn keep(&mut self, file: Option<usize>, change: Change) {
        match (change, file) {
            (Change::Write { at, bytes }, Some(file)) => {
                let content = &mut self.files[file];
                let at = at.unwrap_or(content.len());
                if content.len() < at + bytes.len() {
                    content.resize(at + bytes.len(), 0);
                }
                content[at..at + bytes.len()].copy_from_slice(&bytes);
            }
            (Change::Resize(length), Some(file)) => self.files[file].resize(length, 0),
            (Change::Enter { name, file }, _) => {
                self.entries.insert(name, file);
            }
            (Change::Leave { name }, _) => {
                self.entries.remove(&name);
            }
            _ => {}
        }
    }

    fn waiting(&mut self, path: &str) -> &mut Vec<Change> {
        match self.names.get(path) {
            Some(file) => self.of_file.entry(*file).or_default(),
            None => self.of_folder.entry(path.to_owned()).or_default(),
        }
    }

    fn in_file(&mut self, path: &str, change: Change) {
        if let Some(file) = self.names.get(path) {
            self.of_file.entry(*file).or_default().push(change);
        }
    }

    fn in_folder(&mut self, path: &str, change: Change) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        self.of_folder.entry(folder).or_default().push(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left in `/d` when the power goes at each thing that is sent.
    fn left(calls: &[Call]) -> Vec<Vec<(String, Vec<u8>)>> {
        let edges = (0..calls.len()).flat_map(|at| [Edge::Begin(at), Edge::End(at)]).collect();
        let mut seen = Vec::new();
        Disk::replay(&Trace { calls: calls.to_vec(), edges }, |disk, _| {
            let folder = tempfile::tempdir().unwrap();
            disk.salvage("/d", folder.path());
            let mut files: Vec<_> = std::fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| {
                    let entry = entry.unwrap();
                    (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
                })
                .collect();
            files.sort();
            seen.push(files);
        });
        seen
    }

    #[test]
    fn only_what_was_synced_is_left() {
        let file = || "/d/f".to_owned();
        let (create, sent) = (Call::Create { path: file() }, Call::Send { bytes: Vec::new() });
        let write = |at, text: &str| Call::Write { path: file(), at, bytes: text.as_bytes().to_vec() };
        let (sync, folder) = (Call::Sync { path: file() }, Call::Sync { path: "/d".to_owned() });
        let rename = Call::Rename { from: file(), to: "/d/g".to_owned() };
        let calls = [
            create,
            write(None, "ab"),
            sync.clone(),
            sent.clone(),
            folder.clone(),
            sent.clone(),
            write(Some(3), "cd"),
            sent.clone(),
            sync,
            sent.clone(),
            rename,
            sent.clone(),
            folder,
            sent,
        ];
        let one = |name: &str, text: &[u8]| vec![(name.to_owned(), text.to_vec())];
        assert_eq!(
            left(&calls),
            [vec![], one("f", b"ab"), one("f", b"ab"), one("f", b"ab\0cd"), one("f", b"ab\0cd"), one("g", b"ab\0cd")]
        );
    }

    #[test]
    fn what_is_written_while_a_sync_runs_is_not_covered_by_it() {
        let file = || "/d/f".to_owned();
        let write = |text: &str| Call::Write { path: file(), at: None, bytes: text.as_bytes().to_vec() };
        let calls = vec![
            Call::Create { path: file() },
            Call::Sync { path: "/d".to_owned() },
            write("a"),
            Call::Sync { path: file() },
            write("b"),
            Call::Send { bytes: Vec::new() },
        ];
        let edges = [
            (0, true),
            (0, false),
            (1, true),
            (1, false),
            (2, true),
            (2, false),
            (3, true),
            (4, true),
            (4, false),
            (3, false),
            (5, true),
            (5, false),
        ]
        .map(|(at, begins)| if begins { Edge::Begin(at) } else { Edge::End(at) });
        Disk::replay(&Trace { calls, edges: edges.to_vec() }, |disk, _| {
            let folder = tempfile::tempdir().unwrap();
            disk.salvage("/d", folder.path());
            assert_eq!(std::fs::read(folder.path().join("f")).unwrap(), b"a");
        });
    }
}
