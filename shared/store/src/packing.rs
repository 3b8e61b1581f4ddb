//! Bodies and headers made small: deflate (RFC 1951) with a preset dictionary of what GitHub says in every payload.
//!
//! A write unit is a KB, and nine tenths of a payload are the same names and addresses each time. The dictionary
//! holds them; its gaps are filled with the event's own repository and sender, because they stand in every address.
//! What a row was packed with is kept with it, so a later dictionary changes nothing about rows that are there.

use bytes::Bytes;
use domain::delivery::BODY_LIMIT;
use domain::event::GithubEvent;
use domain::ids::Repository;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The dictionary that new rows are packed with; also the attribute that holds them.
pub(crate) const NEWEST: &str = "github-1";

/// Its text. Lines are only there to be read; what is nearest to the end is cheapest to refer to.
const GITHUB_1: &str = include_str!("packing/github-1.txt");

/// The farthest that deflate refers back, in bytes (RFC 1951, section 2).
const WINDOW: usize = 32 * 1024;

/// The longest sender that is filled in; GitHub's logins have 39 characters, and `[bot]`.
const SENDER_LIMIT: usize = 64;

/// The most bytes that a row may unfold to: the largest body, and headers of what an HTTP server takes.
pub(crate) const PLAIN_LIMIT: usize = BODY_LIMIT + (1 << 20);

/// What a body starts out with when it is unfolded, in bytes.
const FIRST_ROOM: usize = 16 * 1024;

/// Headers by name and value, as they were received.
pub(crate) type Headers = Vec<(String, String)>;

/// What fills the gaps of the dictionary for this event: `owner/name sender`, either may be empty.
pub(crate) fn fill(event: &GithubEvent) -> String {
    let repository = event.repository.as_ref().map_or("", Repository::as_str);
    let sender = event.sender.as_deref().filter(|sender| sender.len() <= SENDER_LIMIT).unwrap_or_default();
    format!("{repository} {sender}")
}

/// Headers and body in one piece. What every level makes is read the same way.
///
/// # Errors
/// When the headers cannot be written as JSON, or the compressor fails: neither depends on what is packed.
pub(crate) fn pack(
    level: Compression,
    fill: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Vec<u8>, String> {
    // JSON has no line break outside of its own escapes, so the first one ends the headers.
    let mut plain = serde_json::to_vec(headers).map_err(|error| error.to_string())?;
    plain.push(b'\n');
    plain.extend_from_slice(body);
    let mut compress = Compress::new(level, false);
    compress.set_dictionary(&filled(GITHUB_1, fill)).map_err(|error| error.to_string())?;
    let mut packed = Vec::with_capacity(plain.len() / 4 + 256);
    loop {
        let read = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        let rest = plain.get(read..).unwrap_or_default();
        match compress.compress_vec(rest, &mut packed, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => return Ok(packed),
            Ok(Status::Ok | Status::BufError) => packed.reserve(packed.capacity()),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Reads it again; none when it is not whole, unfolds to more than [`PLAIN_LIMIT`], or the dictionary is not known.
pub(crate) fn unpack(dictionary: &str, fill: &str, packed: &[u8]) -> Option<(Headers, Bytes)> {
    let text = match dictionary {
        NEWEST => GITHUB_1,
        _ => return None,
    };
    let plain = inflate(&filled(text, fill), packed, PLAIN_LIMIT)?;
    let end = plain.iter().position(|byte| *byte == b'\n')?;
    let headers = serde_json::from_slice(plain.get(..end)?).ok()?;
    Some((headers, Bytes::from(plain).slice(end + 1..)))
}

fn inflate(dictionary: &[u8], packed: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut inflate = Decompress::new(false);
    inflate.set_dictionary(dictionary).ok()?;
    let mut plain = Vec::with_capacity(FIRST_ROOM);
    loop {
        let read = usize::try_from(inflate.total_in()).ok()?;
        let before = (read, plain.len());
        let status = inflate.decompress_vec(packed.get(read..)?, &mut plain, FlushDecompress::None).ok()?;
        let read = usize::try_from(inflate.total_in()).ok()?;
        if plain.len() > limit {
            return None;
        }
        if status == Status::StreamEnd {
            return (read == packed.len()).then_some(plain);
        }
        if plain.len() < plain.capacity() && (read, plain.len()) == before {
            // Room and nothing to put into it: the end is missing.
            return None;
        }
        if plain.len() == plain.capacity() {
            // One more than allowed, so that what goes on is told from what ends there.
            plain.reserve_exact(plain.capacity().min(limit + 1 - plain.len()));
        }
    }
}

/// The dictionary with its gaps filled; no more of it than deflate can refer to.
fn filled(text: &str, fill: &str) -> Vec<u8> {
    let (repository, sender) = fill.split_once(' ').unwrap_or((fill, ""));
    let (owner, name) = repository.split_once('/').unwrap_or_default();
    let mut whole = String::with_capacity(WINDOW);
    for line in text.lines() {
        let mut rest = line;
        while let Some(at) = rest.find('<') {
            let (before, gap) = rest.split_at(at);
            whole.push_str(before);
            let known = [("<repo>", repository), ("<owner>", owner), ("<name>", name), ("<sender>", sender)];
            let (length, value) = known
                .into_iter()
                .find(|(mark, _)| gap.starts_with(mark))
                .map_or((1, "<"), |(mark, value)| (mark.len(), value));
            whole.push_str(value);
            rest = &gap[length..];
        }
        whole.push_str(rest);
    }
    let mut whole = whole.into_bytes();
    whole.drain(..whole.len().saturating_sub(WINDOW));
    whole
}

#[cfg(test)]
mod tests;
