//! Who stands around the gateway: a server that answers every event with one status, and a GitHub that takes it and
//! notes when.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

/// Both in one, on one port.
pub(crate) struct Around {
    /// Where they listen.
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

struct Seen {
    written: Mutex<HashMap<String, Instant>>,
    count: watch::Sender<usize>,
}

impl Around {
    /// Starts them.
    ///
    /// # Errors
    /// When there is no port.
    pub(crate) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen { written: Mutex::default(), count: watch::Sender::new(0) });
        tokio::spawn(accept(listener, Arc::clone(&seen)));
        Ok(Self { address, seen })
    }

    /// Returns when that many commits have their status.
    pub(crate) async fn written(&self, count: usize) {
        // The sender lives as long as `self`.
        let _ = self.seen.count.subscribe().wait_for(|written| *written >= count).await;
    }

    /// How many have theirs by now.
    pub(crate) fn count(&self) -> usize {
        *self.seen.count.borrow()
    }

    /// When the commit's status came in.
    pub(crate) fn at(&self, sha: &str) -> Option<Instant> {
        self.seen.written.lock().unwrap_or_else(PoisonError::into_inner).get(sha).copied()
    }

    /// Forgets everything.
    pub(crate) fn forget(&self) {
        self.seen.written.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.seen.count.send_replace(0);
    }
}

async fn accept(listener: TcpListener, seen: Arc<Seen>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&seen)));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let _ = body.collect().await;
    let path = parts.uri.path();
    let (code, text) = match path.split("/statuses/").nth(1) {
        Some(sha) if parts.method == Method::POST => {
            let mut written = seen.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.entry(sha.to_owned()).or_insert_with(Instant::now);
            let count = written.len();
            drop(written);
            seen.count.send_replace(count);
            (StatusCode::CREATED, format!(r#"{{"id":{count},"state":"success","context":"bench"}}"#))
        }
        _ if path.contains("/commits/") => (StatusCode::OK, "[]".to_owned()),
        _ => (StatusCode::OK, r#"{"statuses":[{"name":"bench","status":"success"}]}"#.to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = code;
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}
