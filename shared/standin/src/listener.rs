//! A small HTTP/1.1 server whose handler may also decide to say nothing: no framework in between turns that
//! into an answer.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{Stream, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Collected, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::moment::{AfterAnswer, Noticing};

/// Any free port of this machine.
pub(crate) const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The largest request that is read, in bytes: GitHub's own limit for a delivery, 25 MiB, and some room.
pub(crate) const LARGEST_REQUEST: usize = 32 * 1024 * 1024;

/// What the handler says instead of an answer: close the connection without another byte.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
pub(crate) struct Closed;

impl From<Infallible> for Closed {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Where a request came from, among its extensions: the same for all requests of one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The peer of a request.
pub(crate) fn peer(parts: &hyper::http::request::Parts) -> SocketAddr {
    parts.extensions.get::<Peer>().map_or(LOOPBACK, |peer| peer.0)
}

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, Closed>;

/// What a handler gives back.
pub(crate) type Answering = BoxFuture<'static, Result<Response<Body>, Closed>>;

/// Answers one request.
pub(crate) trait Handler: Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static {}
impl<F: Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static> Handler for F {}

/// A server that can go down and come back on the same port. Dropping it closes everything.
pub(crate) struct Listener {
    address: SocketAddr,
    serve: Box<dyn Fn(TcpListener) -> Running + Send + Sync>,
    running: Mutex<Option<Running>>,
}

/// Dropping the sender stops the task.
struct Running {
    stop: oneshot::Sender<Infallible>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Binds and serves.
    pub(crate) async fn start(address: SocketAddr, handler: impl Handler) -> io::Result<Self> {
        let serve = Box::new(move |listener| {
            let (stop, stopped) = oneshot::channel();
            Running { stop, task: tokio::spawn(serve(listener, handler.clone(), stopped)) }
        });
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let running = Mutex::new(Some(serve(listener)));
        Ok(Self { address, serve, running })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and every connection; returns when that has happened.
    pub(crate) async fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { stop, task }) = running {
            drop(stop);
            // It can only fail by the runtime going down, and then everything is closed as well.
            let _ = task.await;
        }
    }

    /// Opens the same port again after [`Self::stop`].
    pub(crate) async fn restart(&self) -> io::Result<()> {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await?;
        let running = (self.serve)(listener);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(())
    }
}

async fn serve(listener: TcpListener, handler: impl Handler, mut stopped: oneshot::Receiver<Infallible>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let handler = handler.clone();
                    let after = Arc::new(AfterAnswer::default());
                    let stream = Noticing::new(stream, after.clone());
                    let service = service_fn(move |mut request: Request<Incoming>| {
                        request.extensions_mut().insert(Peer(peer));
                        request.extensions_mut().insert(after.clone());
                        handler(request)
                    });
                    connections.spawn(async move {
                        // However a connection ends, it is what the other side did or what we were asked for.
                        let _ = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
                // Out of file descriptors, most likely: others have to be closed first.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
            _ = &mut stopped => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// The whole body of a request, or none when it breaks off or is too large.
pub(crate) async fn read(body: Incoming) -> Option<Bytes> {
    Limited::new(body, LARGEST_REQUEST).collect().await.ok().map(Collected::to_bytes)
}

/// A body that is sent as it is.
pub(crate) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(Closed::from).boxed_unsync()
}

/// A body made of pieces, without an announced length unless a header says one.
pub(crate) fn pieces(stream: impl Stream<Item = Result<Bytes, Closed>> + Send + 'static) -> Body {
    use futures_util::StreamExt;
    StreamBody::new(stream.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

/// A body whose announced length is never reached: the first half of `whole`, then the connection closes.
pub(crate) fn cut_short(whole: &Bytes) -> Body {
    let half = whole.slice(..whole.len() / 2);
    pieces(stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) => Some((Ok(half), None)),
            None => {
                // The server writes out what it has whenever the body is not ready yet: without this turn the
                // error would overtake the first half.
                tokio::task::yield_now().await;
                Some((Err(Closed), None))
            }
        }
    }))
}
