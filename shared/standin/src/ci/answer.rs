//! What the stand-in answers, and how much of it.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use hyper::{Response, StatusCode};

use crate::listener::{self, Body, Closed};

/// A planned answer.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
    manner: Manner,
}

#[derive(Debug, Clone, Copy)]
enum Manner {
    Whole,
    Hang,
    HalfThenHang,
    Close,
    CutShort,
    Endless { length: u64 },
}

/// One piece of a huge body, in bytes.
const PIECE: u64 = 64 * 1024;

impl Answer {
    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), manner: Manner::Whole }
    }

    /// 200 with JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::status(200).with("content-type", "application/json").body(value.to_string())
    }

    /// The connection closes without a byte of answer.
    pub fn close() -> Self {
        Self { manner: Manner::Close, ..Self::status(200) }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Comes only after [`super::Ci::release`].
    #[must_use]
    pub fn hanging(self) -> Self {
        Self { manner: Manner::Hang, ..self }
    }

    /// Head and half of the body at once, the rest after [`super::Ci::release`].
    #[must_use]
    pub fn slowly(self) -> Self {
        Self { manner: Manner::HalfThenHang, ..self }
    }

    /// Head and half of the body, then the connection closes.
    #[must_use]
    pub fn cut_short(self) -> Self {
        Self { manner: Manner::CutShort, ..self }
    }

    /// With a body of that many bytes, made as it is sent and without an announced length.
    #[must_use]
    pub fn huge(self, length: u64) -> Self {
        Self { manner: Manner::Endless { length }, ..self }
    }

    /// Sends it; `released` ends with the next release.
    pub(super) async fn send(self, released: BoxFuture<'static, ()>) -> Result<Response<Body>, Closed> {
        let announced = Some(self.body.len());
        let (length, body) = match self.manner {
            Manner::Close => return Err(Closed),
            Manner::Whole => (announced, listener::full(self.body)),
            Manner::Hang => {
                released.await;
                (announced, listener::full(self.body))
            }
            Manner::CutShort => (announced, listener::cut_short(&self.body)),
            Manner::HalfThenHang => {
                let mut rest = self.body;
                let half = rest.split_to(rest.len() / 2);
                let steps = stream::unfold(Some((Some(half), rest, Some(released))), |step| async move {
                    match step? {
                        (Some(half), rest, released) => Some((Ok(half), Some((None, rest, released)))),
                        (None, rest, released) => {
                            if let Some(released) = released {
                                released.await;
                            }
                            Some((Ok(rest), None))
                        }
                    }
                });
                (announced, listener::pieces(steps))
            }
            Manner::Endless { length } => {
                let pieces = stream::unfold(length, |left| async move {
                    let now = left.min(PIECE);
                    // A piece is at most 64 KiB, which every usize holds.
                    let piece = Bytes::from(vec![b' '; usize::try_from(now).ok()?]);
                    (now > 0).then(|| (Ok(piece), left - now))
                });
                (None, listener::pieces(pieces))
            }
        };
        let status = StatusCode::from_u16(self.status).map_err(|_| Closed)?;
        let mut response = Response::builder().status(status);
        for (name, value) in &self.headers {
            response = response.header(name, value.as_slice());
        }
        if let Some(length) = length {
            response = response.header("content-length", length);
        }
        response.body(body).map_err(|_| Closed)
    }
}
