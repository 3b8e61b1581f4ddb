//! Requests as raw bytes, and answers read from the wire without a client that would tidy them up.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::Value;

use crate::place::PATIENCE;

/// Which port of which gateway a row knocks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Where webhooks come in.
    Webhooks,
    /// The API of a gateway without a key.
    Open,
    /// The API of a gateway with one.
    Keyed,
}

/// One hostile request, or several on one connection, and what must come of it.
pub struct Row {
    pub name: &'static str,
    pub port: Port,
    pub bytes: Vec<u8>,
    /// The codes of the answers in their order, each with the title of its problem; no title where the answer is
    /// none of ours (a request that is no HTTP) or no error.
    pub answers: Vec<(u16, Option<&'static str>)>,
    /// Whether the sender says that nothing more will come.
    pub ends: bool,
}

/// A row with one answer.
pub fn row(port: Port, name: &'static str, bytes: impl Into<Vec<u8>>, code: u16, title: &'static str) -> Row {
    let title = (!title.is_empty()).then_some(title);
    Row { name, port, bytes: bytes.into(), answers: vec![(code, title)], ends: false }
}

impl Row {
    /// Nothing more will come.
    pub fn ends(mut self) -> Self {
        self.ends = true;
        self
    }

    /// No answer at all: the connection closes.
    pub fn no_answer(mut self) -> Self {
        self.answers.clear();
        self.ends()
    }

    /// One more answer on the same connection.
    pub fn and(mut self, code: u16) -> Self {
        self.answers.push((code, None));
        self
    }
}

/// A request with a Host, after which the connection closes.
pub fn request(method: &str, target: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    let body = body.as_ref();
    if !body.is_empty() || method == "POST" {
        bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

pub fn get(target: &str, headers: &[&str]) -> Vec<u8> {
    request("GET", target, headers, "")
}

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The title of its problem, when it is one of ours.
    pub fn title(&self) -> Option<String> {
        let ours = self.header("content-type") == Some("application/problem+json");
        ours.then(|| self.json()["title"].as_str().unwrap_or("none").to_owned())
    }
}

/// Sends those bytes and reads until the other side closes. The answers, and every byte of them.
pub fn exchange(address: &str, bytes: &[u8], ends: bool) -> (Vec<Answer>, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may have been refused before all of it was out.
    let _ = stream.write_all(bytes);
    if ends {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut read = Vec::new();
    stream.read_to_end(&mut read).unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&read)));
    let head = bytes.starts_with(b"HEAD ");
    (answers(&read, head), read)
}

/// Splits what came into answers; panics at anything that is none.
fn answers(mut read: &[u8], head: bool) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !read.is_empty() {
        let end = find(read, b"\r\n\r\n").expect("a head");
        let text = std::str::from_utf8(&read[..end]).expect("a head in ASCII");
        read = &read[end + 4..];
        let mut lines: VecDeque<&str> = text.split("\r\n").collect();
        let status = lines.pop_front().unwrap();
        let code = status.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .into_iter()
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { code, headers, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        assert_eq!(answer.header("transfer-encoding"), None, "answers are whole");
        if !head {
            answer.body = read[..length].to_vec();
            read = &read[length..];
        }
        answers.push(answer);
    }
    answers
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
