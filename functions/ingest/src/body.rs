//! Reading a request's body with a limit, so that whoever sends too much can still read the answer.

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use domain::delivery::BODY_LIMIT;
use domain::ports::Clock;
use futures_util::future::{Either, select};
use futures_util::{StreamExt, pin_mut};
use http::{HeaderMap, header};
use jiff::SignedDuration;
use tokio::sync::Semaphore;

/// How much of a body that is too large is read and dropped, and for how long: a sender that is still writing
/// when the connection closes sees a reset instead of the 413.
const DRAIN: (usize, SignedDuration) = (64 * 1024 * 1024, SignedDuration::from_secs(10));

/// How long a whole body may take. GitHub gives up after 10 s, GitHub Enterprise Server after 30 s (GitHub Docs,
/// "Best practices for using webhooks").
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// A body over this, or of unknown length, takes one of [`LARGE_AT_ONCE`] places: whoever has not shown a signature
/// yet cannot make us hold more than that many times [`BODY_LIMIT`]. GitHub's are rarely over 64 KB.
const SMALL: usize = 1 << 20;

/// Large bodies at once.
pub(crate) const LARGE_AT_ONCE: usize = 8;

/// How long one waits for a place: GitHub wants an answer within 10 s, and the body still has to come.
const QUEUEING: SignedDuration = SignedDuration::from_secs(5);

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Over [`BODY_LIMIT`].
    TooLarge,
    /// It ended early, or took too long.
    Broken,
    /// Too many large ones are being read.
    Busy,
}

pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    clock: &dyn Clock,
    large: &Semaphore,
) -> Result<Bytes, Refused> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let mut stream = body.into_data_stream();
    let mut seen = 0;
    let result = match declared {
        Some(length) if length > BODY_LIMIT => Err(Refused::TooLarge),
        _ => {
            let small = declared.is_some_and(|length| length <= SMALL);
            let place = if small { Some(None) } else { within(clock, QUEUEING, large.acquire()).await.map(Some) };
            match place {
                None => return Err(Refused::Busy),
                Some(_place) => within(clock, PATIENCE, collect(&mut stream, declared.unwrap_or(0), &mut seen))
                    .await
                    .unwrap_or(Err(Refused::Broken)),
            }
        }
    };
    if result == Err(Refused::TooLarge) {
        within(clock, DRAIN.1, drain(&mut stream, seen)).await;
    }
    result
}

async fn collect(stream: &mut BodyDataStream, declared: usize, seen: &mut usize) -> Result<Bytes, Refused> {
    // A declared length is a promise, not a reason to set memory aside: a megabyte at most before bytes come.
    let mut whole = BytesMut::with_capacity(declared.min(1 << 20));
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Refused::Broken)?;
        *seen += chunk.len();
        if *seen > BODY_LIMIT {
            return Err(Refused::TooLarge);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

async fn drain(stream: &mut BodyDataStream, mut seen: usize) {
    while let Some(Ok(chunk)) = stream.next().await {
        seen += chunk.len();
        if seen > DRAIN.0 {
            return;
        }
    }
}

/// The future's result, or none when it takes longer than that.
async fn within<T>(clock: &dyn Clock, longest: SignedDuration, future: impl Future<Output = T>) -> Option<T> {
    let now = clock.now();
    let timeout = clock.sleep_until(now.checked_add(longest).unwrap_or(now));
    pin_mut!(future);
    match select(future, timeout).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    }
}
