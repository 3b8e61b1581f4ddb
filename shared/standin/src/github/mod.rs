//! GitHub's commit statuses, on loopback.
//!
//! Answers `POST /repos/{owner}/{repo}/statuses/{sha}`, `GET /repos/{owner}/{repo}/commits/{ref}/statuses` and
//! `GET /repos/{owner}/{repo}/commits/{ref}/status` as GitHub does, with and without the prefix `/api/v3` of
//! GitHub Enterprise Server, and fails on demand in the ways of [`Fault`].

mod fault;
mod record;
mod reply;
mod rules;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Request, Response};
use jiff::Timestamp;

use crate::listener::{self, Body, Closed, LOOPBACK, Listener};
use crate::moment::{self, Moment};
use crate::watched::Watched;
use fault::Manner;
use record::{Planned, Record};
use reply::Reply;
use rules::Route;

pub use fault::{Fault, Kind};
pub use record::{Seen, Status, Token};

/// A running stand-in. It ends when this is dropped.
pub struct Github {
    record: Arc<Watched<Record>>,
    listener: Listener,
}

impl Github {
    /// The text of the one token that [`Github::start`] knows. It may do everything; its label is `default`.
    pub const TOKEN: &str = "the-token-of-the-stand-in";

    /// Starts on a free port of this machine, with [`Github::TOKEN`].
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(LOOPBACK, vec![Token::new("default", Self::TOKEN)]).await
    }

    /// Starts at `address` (port 0: any) and knows these tokens.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_with(address: SocketAddr, tokens: Vec<Token>) -> io::Result<Self> {
        let record = Arc::new(Watched::new(Record::new(tokens)));
        let serving = record.clone();
        let listener = Listener::start(address, move |request| Box::pin(serve(serving.clone(), request))).await?;
        Ok(Self { record, listener })
    }

    /// The base of the API, such as `http://127.0.0.1:49152`; with `/api/v3` behind it, it is that of an
    /// enterprise server.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.address())
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

    /// Gives out a token, in place of one with the same label.
    pub fn give(&self, token: Token) {
        self.record.change(|record| {
            record.tokens.retain(|known| known.label != token.label);
            record.tokens.push(token);
        });
    }

    /// Withdraws the token with that label: 401 from now on.
    pub fn revoke(&self, label: &str) {
        self.record.change(|record| record.tokens.retain(|known| known.label != label));
    }

    /// From now on only these commits exist.
    pub fn know_only(&self, shas: &[&str]) {
        self.record.change(|record| record.commits = Some(shas.iter().map(|sha| sha.to_lowercase()).collect()));
    }

    /// Plans a failure for the next request of that kind that has none planned yet.
    pub fn fail(&self, kind: Kind, fault: Fault) {
        self.record.change(|record| record.faults.push_back(Planned { kind, token: None, fault }));
    }

    /// The same, for requests with the token of that label only.
    pub fn fail_for(&self, label: &str, kind: Kind, fault: Fault) {
        let token = Some(label.to_owned());
        self.record.change(|record| record.faults.push_back(Planned { kind, token, fault }));
    }

    /// Fails every request of that kind, after those planned one by one, until [`Github::recover`].
    pub fn fail_always(&self, kind: Kind, fault: Fault) {
        self.record.change(|record| record.outages.push(Planned { kind, token: None, fault }));
    }

    /// Forgets every planned failure.
    pub fn recover(&self) {
        self.record.change(|record| {
            record.faults.clear();
            record.outages.clear();
        });
    }

    /// Runs `watcher` on every request, at each [`Moment`] of it that comes: once what it changes has been changed;
    /// and once it is answered. The answer waits for it.
    pub fn watch(&self, watcher: impl Fn(Moment, &Seen) + Send + Sync + 'static) {
        self.record.change(|record| record.watcher = Some(Arc::new(watcher)));
    }

    /// From now on requests are taken and wait, before anything is done, until [`Github::release`].
    pub fn hold(&self) {
        self.record.change(|record| record.held = true);
    }

    /// Lets everything go on that hangs or is held.
    pub fn release(&self) {
        self.record.change(Record::release);
    }

    /// All statuses of a commit, oldest first.
    pub fn statuses(&self, repository: &str, sha: &str) -> Vec<Status> {
        self.record.read(|record| record.of(repository, sha).cloned().collect())
    }

    /// All statuses there are, oldest first.
    pub fn all_statuses(&self) -> Vec<Status> {
        self.record.read(|record| record.statuses.clone())
    }

    /// The newest status of each context of a commit, newest first.
    pub fn newest(&self, repository: &str, sha: &str) -> Vec<Status> {
        self.record.read(|record| record.newest(repository, sha).into_iter().cloned().collect())
    }

    /// The newest status of one context, compared without case.
    pub fn newest_of(&self, repository: &str, sha: &str, context: &str) -> Option<Status> {
        let context = context.to_lowercase();
        self.newest(repository, sha).into_iter().find(|status| status.context.to_lowercase() == context)
    }

    /// Waits until a commit has at least `count` statuses; all of them, oldest first.
    pub async fn wait_for_statuses(&self, repository: &str, sha: &str, count: usize) -> Vec<Status> {
        self.record
            .wait(|record| {
                let all: Vec<Status> = record.of(repository, sha).cloned().collect();
                (all.len() >= count).then_some(all)
            })
            .await
    }

    /// The next applied status that this has not returned yet; waits for it.
    pub async fn next_status(&self) -> Status {
        self.record
            .wait(|record| {
                let next = record.statuses.get(record.told_statuses).cloned()?;
                record.told_statuses += 1;
                Some(next)
            })
            .await
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.record.read(|record| record.requests.clone())
    }

    /// The next request that this has not returned yet; waits for it. Unless it is held, whatever it changes
    /// has been changed by then.
    pub async fn next_request(&self) -> Seen {
        self.record
            .wait(|record| {
                let next = record.requests.get(record.told_requests).cloned()?;
                record.told_requests += 1;
                Some(next)
            })
            .await
    }

    /// Waits until there have been at least `count` requests in all; every one so far.
    pub async fn wait_for(&self, count: usize) -> Vec<Seen> {
        self.record.wait(|record| (record.requests.len() >= count).then(|| record.requests.clone())).await
    }

    /// Waits until exactly `count` requests of the token with that label are being answered. One whose caller
    /// has gone away is not.
    pub async fn wait_for_in_flight(&self, label: &str, count: usize) {
        self.record
            .wait(|record| (record.in_flight.get(label).copied().unwrap_or_default() == count).then_some(()))
            .await;
    }

    /// The most requests that the token with that label ever had being answered at once.
    pub fn most_in_flight(&self, label: &str) -> usize {
        self.record.read(|record| record.most_in_flight.get(label).copied().unwrap_or_default())
    }
}

impl Drop for Github {
    fn drop(&mut self) {
        // Work that was to be done late must not outlive us.
        self.record.change(|record| {
            record.tokens.clear();
            record.release();
        });
    }
}

/// Counts a request as being answered for as long as somebody waits for it.
struct InFlight {
    record: Arc<Watched<Record>>,
    token: String,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.record.change(|record| record.leave(&self.token));
    }
}

/// What was decided about a request.
struct Decided {
    /// None when nothing is ever said.
    reply: Option<Reply>,
    manner: Manner,
    /// The count of releases then.
    releases: u64,
}

async fn serve(record: Arc<Watched<Record>>, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
    let (parts, body) = request.into_parts();
    let body = listener::read(body).await.ok_or(Closed)?;
    let route = Arc::new(Route::of(parts.method.as_str(), parts.uri.path()));
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let arrived = Seen {
        number: 0,
        kind: route.kind,
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        token: String::new(),
        peer: listener::peer(&parts),
        headers: texts(&parts.headers),
        body: serde_json::from_slice(&body).ok(),
    };
    // One change, so that whoever sees the request also sees what it did.
    let (seen, releases, decided) = record.change(|record| {
        let seen = record.arrive(Seen { token: label(record, &parts.headers), ..arrived });
        let decided = (!record.held).then(|| decide(record, &route, &seen, &query));
        (seen, record.releases, decided)
    });
    let _in_flight = InFlight { record: record.clone(), token: seen.token.clone() };
    let Decided { reply, manner, releases } = match decided {
        Some(decided) => decided,
        None => {
            released(&record, releases).await;
            record.change(|record| decide(record, &route, &seen, &query))
        }
    };
    moment::watch(record.read(|record| record.watcher.clone()), &parts, &seen);
    let reply = match manner {
        Manner::Whole => reply,
        Manner::Close => None,
        Manner::CutShort => {
            let reply = reply.ok_or(Closed)?;
            return reply.send(listener::cut_short(&reply.body));
        }
        Manner::HangThenAnswer => {
            released(&record, releases).await;
            reply
        }
        Manner::HangThenApply => {
            // In a task of its own, because the caller may go away meanwhile.
            let late = tokio::spawn(async move {
                released(&record, releases).await;
                record.change(|record| regular(record, &route, &seen, &query))
            });
            late.await.ok()
        }
    };
    let reply = reply.ok_or(Closed)?;
    reply.send(listener::full(reply.body.clone()))
}

fn decide(record: &mut Record, route: &Route, seen: &Seen, query: &str) -> Decided {
    let releases = record.releases;
    match record.take_fault(seen.kind, &seen.token) {
        None => Decided { reply: Some(regular(record, route, seen, query)), manner: Manner::Whole, releases },
        Some(fault) => {
            let done = fault.applies().then(|| regular(record, route, seen, query));
            let instead = fault.reply().map(|reply| rules::with_limits(record, &seen.token, reply, now()));
            Decided { reply: instead.or(done), manner: fault.manner(), releases }
        }
    }
}

fn regular(record: &mut Record, route: &Route, seen: &Seen, query: &str) -> Reply {
    let now = now();
    let reply = rules::answer(record, route, seen, query, now);
    rules::with_limits(record, &seen.token, reply, now)
}

/// Returns after the next release.
async fn released(record: &Watched<Record>, releases: u64) {
    record.wait(|record| (record.releases > releases).then_some(())).await;
}

/// The label of the token in `authorization`, which is `Bearer …` or `token …`.
fn label(record: &Record, headers: &HeaderMap) -> String {
    let Some(value) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
        return "none".to_owned();
    };
    let text = value.split_once(' ').map_or(value, |(_, text)| text);
    record.tokens.iter().find(|token| token.text == text).map_or_else(|| "unknown".to_owned(), |t| t.label.clone())
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| **name != AUTHORIZATION)
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a stranger's server lives by its own clock")]
fn now() -> Timestamp {
    Timestamp::now()
}
