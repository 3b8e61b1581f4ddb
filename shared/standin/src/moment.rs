//! The two moments of a request at which whoever calls us may be struck: between what we did and our answer, and
//! right behind the answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use hyper::http::request::Parts;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A moment in the life of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// It was taken and has had its effect; not a byte of answer has been sent.
    Taken,
    /// Its answer has been handed to the network: all of it when it is short, else its beginning. Never comes for a
    /// request that is not answered.
    Answered,
}

/// Told of every moment of every request.
pub(crate) type Watcher<R> = Arc<dyn Fn(Moment, &R) + Send + Sync>;

/// Tells the watcher, if there is one, that `request` was taken, and has it told when it is answered.
pub(crate) fn watch<R: Clone + Send + Sync + 'static>(watcher: Option<Watcher<R>>, parts: &Parts, request: &R) {
    let Some(watcher) = watcher else { return };
    watcher(Moment::Taken, request);
    if let Some(after) = parts.extensions.get::<Arc<AfterAnswer>>() {
        let request = request.clone();
        after.set(Box::new(move || watcher(Moment::Answered, &request)));
    }
}

type Action = Box<dyn FnOnce() + Send>;

/// What is done once the next answer of a connection has been sent.
#[derive(Default)]
pub(crate) struct AfterAnswer(Mutex<Option<Action>>);

impl AfterAnswer {
    fn set(&self, action: Action) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(action);
    }

    fn is_set(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn run(&self) {
        let action = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(action) = action {
            action();
        }
    }
}

/// A connection that notices when an answer has been sent.
pub(crate) struct Noticing {
    stream: TcpStream,
    after: Arc<AfterAnswer>,
    written: bool,
}

impl Noticing {
    pub(crate) fn new(stream: TcpStream, after: Arc<AfterAnswer>) -> Self {
        Self { stream, after, written: false }
    }

    /// Nothing is written between a request and its answer, so what is written while an action is set is the answer.
    fn wrote(&mut self, bytes: usize) -> usize {
        self.written |= bytes > 0 && self.after.is_set();
        bytes
    }
}

impl AsyncRead for Noticing {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Noticing {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        Poll::Ready(Ok(self.wrote(written)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bytes))?;
        Poll::Ready(Ok(self.wrote(written)))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if std::mem::take(&mut self.written) {
            self.after.run();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
