//! The user's own server, on loopback: it records what it is called with and answers as planned.

mod answer;
pub mod signature;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::listener::{self, Body, Closed, LOOPBACK, Listener};
use crate::moment::{self, Moment, Watcher};
use crate::watched::Watched;

pub use answer::Answer;

/// One request as it arrived.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// From 1.
    pub number: usize,
    /// Such as `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Where it came from: the same for calls over one connection.
    pub peer: SocketAddr,
    /// Names in lower case, values byte for byte, in the order of arrival.
    pub headers: Vec<(String, Bytes)>,
    /// Byte for byte.
    pub body: Bytes,
    /// `webhook-id`, by which repeats of one delivery are recognised; empty without one.
    pub receipt: String,
}

impl Call {
    /// The first value of a header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .filter(|(present, _)| present == name)
            .find_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Headers and body stay out: they hold signatures, tokens, and whatever the repository holds.
impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("number", &self.number)
            .field("method", &self.method)
            .field("receipt", &self.receipt)
            .field("headers", &self.headers.len())
            .field("body", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Looks at a call and may answer it.
type Hook = Arc<dyn Fn(Call) -> BoxFuture<'static, Option<Answer>> + Send + Sync>;

struct Record {
    calls: Vec<Call>,
    told: usize,
    planned: VecDeque<Answer>,
    default: Answer,
    hook: Option<Hook>,
    watcher: Option<Watcher<Call>>,
    in_flight: usize,
    most_in_flight: usize,
    /// Counts the releases: who hangs waits for the next.
    releases: u64,
}

/// A running stand-in. It ends when this is dropped.
pub struct Ci {
    record: Arc<Watched<Record>>,
    listener: Listener,
}

impl Ci {
    /// Starts on a free port of this machine. It answers 200 with an empty body until told otherwise.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::start_at(LOOPBACK).await
    }

    /// Starts at `address` (port 0: any).
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        let record = Arc::new(Watched::new(Record {
            calls: Vec::new(),
            told: 0,
            planned: VecDeque::new(),
            default: Answer::status(200),
            hook: None,
            watcher: None,
            in_flight: 0,
            most_in_flight: 0,
            releases: 0,
        }));
        let serving = record.clone();
        let listener = Listener::start(address, move |request| Box::pin(serve(serving.clone(), request))).await?;
        Ok(Self { record, listener })
    }

    /// Where to send events, such as `http://127.0.0.1:49152/hook`.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.listener.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Goes down: connections are closed, new ones refused.
    pub async fn stop(&self) {
        self.listener.stop().await;
    }

    /// Comes back on the same port, with everything it knew.
    ///
    /// # Errors
    /// When somebody else took the port meanwhile.
    pub async fn restart(&self) -> io::Result<()> {
        self.listener.restart().await
    }

    /// Plans the answer to the next call that has none planned yet.
    pub fn answer(&self, answer: Answer) {
        self.record.change(|record| record.planned.push_back(answer));
    }

    /// The answer to every call without a planned one.
    pub fn answer_always(&self, answer: Answer) {
        self.record.change(|record| record.default = answer);
    }

    /// Runs `hook` on every call, after it is recorded and before it is answered. What the hook answers counts;
    /// when it answers nothing, the planned answer does.
    pub fn on_call<F, R>(&self, hook: F)
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Option<Answer>> + Send + 'static,
    {
        let hook: Hook = Arc::new(move |call| Box::pin(hook(call)));
        self.record.change(|record| record.hook = Some(hook));
    }

    /// Runs `watcher` on every call, at each [`Moment`] of it that comes: once it is recorded, before its hook and
    /// its answer; and once it is answered. The answer waits for it.
    pub fn watch(&self, watcher: impl Fn(Moment, &Call) + Send + Sync + 'static) {
        self.record.change(|record| record.watcher = Some(Arc::new(watcher)));
    }

    /// Lets every answer go on that hangs or is half sent.
    pub fn release(&self) {
        self.record.change(|record| record.releases += 1);
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.record.read(|record| record.calls.clone())
    }

    /// The next call that this has not returned yet; waits for it.
    pub async fn next_call(&self) -> Call {
        self.record
            .wait(|record| {
                let next = record.calls.get(record.told).cloned()?;
                record.told += 1;
                Some(next)
            })
            .await
    }

    /// Waits until there have been at least `count` calls in all; every one so far.
    pub async fn wait_for(&self, count: usize) -> Vec<Call> {
        self.record.wait(|record| (record.calls.len() >= count).then(|| record.calls.clone())).await
    }

    /// Waits until exactly `count` calls are being answered. One whose caller has gone away is not.
    pub async fn wait_for_in_flight(&self, count: usize) {
        self.record.wait(|record| (record.in_flight == count).then_some(())).await;
    }

    /// The most calls that were ever being answered at once.
    pub fn most_in_flight(&self) -> usize {
        self.record.read(|record| record.most_in_flight)
    }
}

/// Counts a call as being answered for as long as somebody waits for it.
struct InFlight(Arc<Watched<Record>>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.change(|record| record.in_flight = record.in_flight.saturating_sub(1));
    }
}

async fn serve(record: Arc<Watched<Record>>, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
    let (parts, body) = request.into_parts();
    let body = listener::read(body).await.ok_or(Closed)?;
    let headers: Vec<(String, Bytes)> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), Bytes::copy_from_slice(value.as_bytes())))
        .collect();
    let mut call = Call {
        number: 0,
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        peer: listener::peer(&parts),
        headers,
        body,
        receipt: String::new(),
    };
    call.receipt = call.header("webhook-id").unwrap_or_default().to_owned();
    let (call, planned, hook, watcher, releases) = record.change(|record| {
        call.number = record.calls.len() + 1;
        record.calls.push(call.clone());
        record.in_flight += 1;
        record.most_in_flight = record.most_in_flight.max(record.in_flight);
        let planned = record.planned.pop_front().unwrap_or_else(|| record.default.clone());
        (call, planned, record.hook.clone(), record.watcher.clone(), record.releases)
    });
    let in_flight = InFlight(record.clone());
    moment::watch(watcher, &parts, &call);
    let answer = match hook {
        Some(hook) => hook(call).await.unwrap_or(planned),
        None => planned,
    };
    let released = async move {
        record.wait(|record| (record.releases > releases).then_some(())).await;
        // Held until here, so that a half-sent answer still counts as being answered.
        drop(in_flight);
    };
    answer.send(Box::pin(released)).await
}
