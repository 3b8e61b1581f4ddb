//! The moments of a request come in order, and each means what it says.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use serde_json::json;
use standin::Moment;
use standin::ci::{Answer, Ci};
use standin::github::{Fault, Github, Kind};

/// Sends a request and answers what a watcher saw at each moment: the moment, and what had come back by then.
fn seen_by(stream: &TcpStream) -> (impl Fn(Moment) + Send + Sync + 'static, Receiver<(Moment, String)>) {
    let (sender, seen) = channel();
    let stream = Mutex::new(stream.try_clone().unwrap());
    let watcher = move |moment| {
        let mut stream = stream.lock().unwrap();
        let mut bytes = vec![0; 4096];
        // What has been sent can be read now; before that, nothing can.
        stream.set_nonblocking(moment == Moment::Taken).unwrap();
        let read = stream.read(&mut bytes).unwrap_or_default();
        sender.send((moment, String::from_utf8_lossy(&bytes[..read]).into_owned())).unwrap();
    };
    (watcher, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_answer_has_left_when_that_moment_comes() {
    let ci = Ci::start().await.unwrap();
    ci.answer_always(Answer::json(&json!({ "statuses": [] })));
    let mut stream = TcpStream::connect(ci.address()).unwrap();
    let (watcher, seen) = seen_by(&stream);
    ci.watch(move |moment, call| {
        assert_eq!(call.receipt, "r-1");
        watcher(moment);
    });
    for _ in 0..2 {
        stream.write_all(b"POST /hook HTTP/1.1\r\nhost: x\r\nwebhook-id: r-1\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        assert_eq!(seen.recv().unwrap(), (Moment::Taken, String::new()));
        let (moment, answer) = seen.recv().unwrap();
        assert_eq!(moment, Moment::Answered);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{\"statuses\":[]}"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn github_has_applied_it_before_and_answered_it_behind() {
    let github = Arc::new(Github::start().await.unwrap());
    let mut stream = TcpStream::connect(github.url().strip_prefix("http://").unwrap()).unwrap();
    let (watcher, seen) = seen_by(&stream);
    let looking = Arc::downgrade(&github);
    github.watch(move |moment, request| {
        assert_eq!(request.kind, Kind::Post);
        assert_eq!(looking.upgrade().unwrap().all_statuses().len(), request.number, "what it changes has changed");
        watcher(moment);
    });
    let body = json!({ "state": "success" }).to_string();
    let request = format!(
        "POST /repos/o/r/statuses/{} HTTP/1.1\r\nhost: x\r\nuser-agent: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        "a".repeat(40),
        Github::TOKEN,
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(seen.recv().unwrap().0, Moment::Taken);
    let (moment, answer) = seen.recv().unwrap();
    assert!(moment == Moment::Answered && answer.starts_with("HTTP/1.1 201 "), "{answer}");

    github.fail(Kind::Post, Fault::ApplyThenClose);
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(seen.recv().unwrap().0, Moment::Taken);
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or_default(), 0, "closed");
    drop(github);
    assert!(seen.recv().is_err(), "what is not answered has no such moment");
}
