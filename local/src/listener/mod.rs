//! A port that answers HTTP/1.1, and that nobody can hold up by being slow, silent, many or large.
//!
//! Everything that a peer decides has a limit here ([`Limits`]); what a request means is the router's matter.

mod wire;

#[cfg(test)]
mod tests;

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use lambda::http::problem::Problem;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::wire::Wire;

/// The most bytes of a request's line and headers, as many servers have it; GitHub's are about one thousand.
const HEAD_BYTES: usize = 32 * 1024;

/// What one connection may hold of a request before somebody reads it.
const BUFFER: usize = 64 * 1024;

/// The wait after a connection could not be accepted for a reason of our own.
const BREATHER: Duration = Duration::from_secs(1);

/// What a peer may take. The number of headers is hyper's own limit, 100.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Until a request's head is whole: from the connection's first moment, or from the answer before it. So it is
    /// also how long a connection may lie idle.
    pub(crate) head: Duration,
    /// From a request's head to its answer, the body included. Handlers have shorter limits of their own; this
    /// one is for those that wait for a body that never comes.
    pub(crate) request: Duration,
    /// How long the reader of an answer may take nothing.
    pub(crate) stall: Duration,
    /// How long a closed connection is listened to, so that its last answer can be read.
    pub(crate) linger: Duration,
    /// Connections at once. Both ports together stay below 1,024 open files, the usual limit of a process, with
    /// those that wait and with room for the calls that the gateway makes itself.
    pub(crate) connections: usize,
    /// Further connections that wait for a place; more than these wait in the kernel, not yet accepted.
    pub(crate) waiting: usize,
    /// How long one waits for a place before it is told that there is none. GitHub itself gives up after 10 s.
    pub(crate) patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(15),
            request: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            connections: 320,
            waiting: 32,
            patience: Duration::from_secs(5),
        }
    }
}

/// Serves `router` until `stop` says so; then accepts no more, lets running requests finish, and returns. Dropped, it
/// closes every connection.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let door = Arc::new(Door::new(router, limits));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let seat = door.seats.clone().acquire_owned().await;
            (seat, listener.accept().await)
        };
        let (seat, accepted) = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                // An answer is one write; there is nothing to gather.
                let _ = stream.set_nodelay(true);
                connections.spawn(door.clone().welcome(stream, seat.ok(), stop.clone()));
            }
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                // Out of file descriptors, most likely: others have to be closed first.
                tracing::error!(%error, "a connection could not be accepted");
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => break,
                    () = sleep(BREATHER) => {}
                }
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The peer went away between its request for a connection and our accepting it.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Who gets in.
struct Door {
    router: Router,
    /// Answers whoever waited in vain.
    full: Router,
    limits: Limits,
    /// Connections that are served.
    places: Arc<Semaphore>,
    /// Connections that wait for a place.
    seats: Arc<Semaphore>,
}

impl Door {
    fn new(router: Router, limits: Limits) -> Self {
        let router = router.layer(middleware::from_fn_with_state(limits.request, in_time));
        let places = Arc::new(Semaphore::new(limits.connections));
        let seats = Arc::new(Semaphore::new(limits.waiting));
        Self { router, full: Router::new().fallback(full), limits, places, seats }
    }

    /// Serves one connection, or tells it that there is no place.
    async fn welcome<S>(self: Arc<Self>, stream: S, seat: Option<OwnedSemaphorePermit>, stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match timeout(self.limits.patience, self.places.clone().acquire_owned()).await {
            Ok(_place) => {
                drop(seat);
                self.connection(stream, self.router.clone(), true, stop).await;
            }
            Err(_) => self.connection(stream, self.full.clone(), false, stop).await,
        }
    }

    async fn connection<S>(&self, stream: S, router: Router, keep_alive: bool, mut stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let wire = Wire::new(stream, self.limits.stall, self.limits.linger);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_header_size(HEAD_BYTES)
            .max_buf_size(BUFFER)
            .keep_alive(keep_alive)
            .serve_connection(TokioIo::new(wire), TowerToHyperService::new(router));
        let mut connection = pin!(connection);
        // However it ends, it is what the other side did: nobody is left to be told.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stop.wait_for(|stop| *stop) => {}
        }
        Pin::as_mut(&mut connection).graceful_shutdown();
        let _ = connection.await;
    }
}

async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let detail = "The request was not whole, or not answered, within the time for it. Send it again.";
        let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "Too slow", detail);
        last(problem)
    })
}

async fn full() -> Response {
    let detail = "There are too many connections already. Send it again in a moment.";
    let mut response = last(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many connections", detail));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// An answer after which the connection closes.
fn last(problem: Problem) -> Response {
    let mut response = problem.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
