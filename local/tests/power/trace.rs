//! What the process asked of the system, in order, as `strace -f -y -xx` wrote it down.

use std::collections::HashMap;

/// A system call that changed a file, made one durable, or sent something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// An entry of a folder was made, unless it was there.
    Create {
        path: String,
    },
    /// Bytes were put at that offset; none: at the end.
    Write {
        path: String,
        at: Option<usize>,
        bytes: Vec<u8>,
    },
    /// The file was cut, or filled up with zeros.
    Resize {
        path: String,
        length: usize,
    },
    /// `fsync` or `fdatasync` of a file or a folder.
    Sync {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        path: String,
    },
    /// To somebody else.
    Send {
        bytes: Vec<u8>,
    },
}

/// The two ends of a call: in between, others may have begun and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edge {
    Begin(usize),
    End(usize),
}

/// The calls that succeeded, and their edges in the order in which they came.
pub struct Trace {
    pub calls: Vec<Call>,
    pub edges: Vec<Edge>,
}

/// What a call came to during which the process was killed.
const UNKNOWN: &str = "= ?";

impl Trace {
    pub fn read(text: &str) -> Self {
        let mut trace = Self { calls: Vec::new(), edges: Vec::new() };
        // By thread: the call that has begun and not ended, and its place among the edges.
        let mut open: HashMap<&str, (String, usize)> = HashMap::new();
        for line in text.lines() {
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let rest = rest.trim_start();
            if let Some(start) = rest.strip_suffix("<unfinished ...>") {
                trace.edges.push(Edge::Begin(usize::MAX));
                open.insert(thread, (start.trim_end().to_owned(), trace.edges.len() - 1));
            } else if let Some((_, end)) = rest.strip_prefix("<... ").and_then(|rest| rest.split_once("resumed>")) {
                let Some((start, at)) = open.remove(thread) else { continue };
                if end.trim_end().ends_with(UNKNOWN) {
                    open.insert(thread, (start, at));
                } else if let Some(call) = parse(&format!("{start}{end}")) {
                    trace.edges[at] = Edge::Begin(trace.calls.len());
                    trace.edges.push(Edge::End(trace.calls.len()));
                    trace.calls.push(call);
                }
            } else if let Some((start, _)) =
                rest.trim_end().strip_suffix(UNKNOWN).and_then(|rest| rest.rsplit_once(')'))
            {
                trace.edges.push(Edge::Begin(usize::MAX));
                open.insert(thread, (start.to_owned(), trace.edges.len() - 1));
            } else if let Some(call) = parse(rest) {
                trace.edges.extend([Edge::Begin(trace.calls.len()), Edge::End(trace.calls.len())]);
                trace.calls.push(call);
            }
        }
        // The end came during these. What was being sent may have arrived.
        for (start, at) in open.into_values() {
            if let Some(call @ Call::Send { .. }) = parse(&format!("{start}) = {}", i32::MAX)) {
                trace.edges[at] = Edge::Begin(trace.calls.len());
                trace.calls.push(call);
            }
        }
        // What failed, or was of no interest.
        trace.edges.retain(|edge| *edge != Edge::Begin(usize::MAX));
        trace
    }
}

/// One whole line; none when the call failed or is none of those above.
fn parse(line: &str) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") ")?;
    let result: i64 = result.trim().strip_prefix("= ")?.split([' ', '<']).next()?.parse().ok()?;
    if result < 0 {
        return None;
    }
    let length = usize::try_from(result).ok()?;
    let path = || on_path(arguments);
    let last = || arguments.rsplit(", ").next()?.parse::<usize>().ok();
    let data = |arguments: &str| {
        let mut bytes: Vec<u8> = strings(arguments).into_iter().flatten().collect();
        bytes.truncate(length);
        bytes
    };
    match name {
        "openat" if arguments.contains("O_CREAT") => {
            Some(Call::Create { path: String::from_utf8(hex(line.rsplit_once('<')?.1)).ok()? })
        }
        "pwrite64" => Some(Call::Write { path: path()?, at: Some(last()?), bytes: data(arguments) }),
        "write" | "writev" | "sendto" => {
            let (path, bytes) = (path()?, data(arguments));
            Some(if path.starts_with('/') { Call::Write { path, at: None, bytes } } else { Call::Send { bytes } })
        }
        "ftruncate" => Some(Call::Resize { path: path()?, length: last()? }),
        "fsync" | "fdatasync" => Some(Call::Sync { path: path()? }),
        "rename" | "renameat" | "renameat2" => {
            let mut paths = strings(arguments).into_iter().map(String::from_utf8);
            Some(Call::Rename { from: paths.next()?.ok()?, to: paths.next()?.ok()? })
        }
        "unlink" | "unlinkat" => Some(Call::Remove { path: String::from_utf8(strings(arguments).pop()?).ok()? }),
        _ => None,
    }
}

/// What the descriptor in the first argument stands for.
fn on_path(arguments: &str) -> Option<String> {
    let (_, rest) = arguments.split_once('<')?;
    String::from_utf8(hex(rest.split_once('>')?.0)).ok()
}

/// Every string among the arguments.
fn strings(arguments: &str) -> Vec<Vec<u8>> {
    arguments.split('"').skip(1).step_by(2).map(hex).collect()
}

/// `\x48\x79` and so on, as far as it goes.
fn hex(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1).map_while(|part| u8::from_str_radix(part.get(..2)?, 16).ok());
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_their_edges_are_read() {
        let text = "\
7 openat(AT_FDCWD<\\x2f\\x74>, \"\\x61\", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3<\\x2f\\x74\\x2f\\x61>
7 pwrite64(3<\\x2f\\x61>, \"\\x68\\x69\\x22\", 3, 24) = 2
8 fsync(3<\\x2f\\x61> <unfinished ...>
7 write(4<\\x73\\x6f>, \"\\x68\", 1) = 1
7 write(5<\\x2f\\x62>, \"\\x68\", 1 <unfinished ...>
8 <... fsync resumed>)             = 0
7 ftruncate(3<\\x2f\\x61>, 0) = -1 EINVAL (Invalid argument)
7 writev(4<\\x73\\x6f>, [{iov_base=\"\\x48\", iov_len=1}, {iov_base=\"\\x49\\x4a\", iov_len=2}], 2) = 3
7 renameat(AT_FDCWD<\\x2f>, \"\\x61\", AT_FDCWD<\\x2f>, \"\\x62\") = 0
8 writev(4<\\x73\\x6f>, [{iov_base=\"\\x4b\", iov_len=1}], 1 <unfinished ...>
9 fsync(3<\\x2f\\x61> <unfinished ...>
9 +++ killed by SIGKILL +++
";
        let trace = Trace::read(text);
        let text = |text: &str| text.to_owned();
        assert_eq!(
            trace.calls,
            [
                Call::Create { path: text("/t/a") },
                Call::Write { path: text("/a"), at: Some(24), bytes: b"hi".to_vec() },
                Call::Send { bytes: b"h".to_vec() },
                Call::Sync { path: text("/a") },
                Call::Send { bytes: b"HIJ".to_vec() },
                Call::Rename { from: text("a"), to: text("b") },
                Call::Send { bytes: b"K".to_vec() },
            ]
        );
        // The sync began before something was sent, and ended after that.
        assert_eq!(trace.edges[4..8], [Edge::Begin(3), Edge::Begin(2), Edge::End(2), Edge::End(3)]);
        assert_eq!(trace.edges.last(), Some(&Edge::Begin(6)), "it never ended");
    }
}
