//! What stands beside the gateway: the same work with nothing stored, and the same bytes with nothing else done.
//!
//! Each is a process of its own that prints `ready <port>`, as the gateway is.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};

use anyhow::Context;
use bytes::Bytes;
use domain::secrets::Keyring;
use domain::signature;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::sample::SECRET;

/// The file is written round and round; so much is set aside and synced beforehand.
const SEGMENT: usize = 256 << 20;

/// Verifies, and with a file also makes the bytes durable before it answers.
///
/// # Errors
/// When the port or the file cannot be had.
pub(crate) async fn serve(file: Option<&Path>) -> anyhow::Result<()> {
    let store = file.map(segment).transpose()?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("ready {}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let store = store.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, store.clone()));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, store: Option<Store>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let code = match body.collect().await {
        Err(_) => StatusCode::BAD_REQUEST,
        Ok(body) => {
            let values = parts.headers.get_all(signature::HEADER).iter().map(|value| value.as_bytes());
            match signature::verify(&Keyring::new(SECRET.into(), None), values, body.to_bytes()) {
                Err(_) => StatusCode::UNAUTHORIZED,
                Ok(verified) => match store {
                    None => StatusCode::ACCEPTED,
                    Some(store) if store.keep(verified.bytes().clone()).await => StatusCode::ACCEPTED,
                    Some(_) => StatusCode::SERVICE_UNAVAILABLE,
                },
            }
        }
    };
    let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
    *response.status_mut() = code;
    Ok(response)
}

/// The way to the thread that owns the file.
#[derive(Clone)]
struct Store(Sender<(Bytes, oneshot::Sender<()>)>);

impl Store {
    async fn keep(&self, bytes: Bytes) -> bool {
        let (done, kept) = oneshot::channel();
        self.0.send((bytes, done)).is_ok() && kept.await.is_ok()
    }
}

fn segment(path: &Path) -> anyhow::Result<Store> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    for at in 0..SEGMENT >> 20 {
        file.write_all_at(&[0; 1 << 20], u64::try_from(at << 20)?)?;
    }
    file.sync_all().context("the file cannot be set aside")?;
    let (sender, inbox) = mpsc::channel();
    std::thread::spawn(move || write(&file, &inbox));
    Ok(Store(sender))
}

/// One write and one sync for everything that has gathered.
fn write(file: &File, inbox: &Receiver<(Bytes, oneshot::Sender<()>)>) {
    let (mut gathered, mut waiting, mut at) = (Vec::new(), Vec::new(), 0_usize);
    while let Ok(first) = inbox.recv() {
        gathered.clear();
        for (bytes, done) in std::iter::once(first).chain(inbox.try_iter()) {
            gathered.extend_from_slice(&bytes);
            waiting.push(done);
        }
        if at + gathered.len() > SEGMENT {
            at = 0;
        }
        let written = file.write_all_at(&gathered, at as u64).and_then(|()| file.sync_data());
        at += gathered.len();
        for done in waiting.drain(..).filter(|_| written.is_ok()) {
            let _ = done.send(());
        }
    }
}
