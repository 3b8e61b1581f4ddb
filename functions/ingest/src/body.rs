//! Reading a request's body with a limit, so that whoever sends too much can still read the answer.

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use domain::delivery::BODY_LIMIT;
use domain::ports::Clock;
use futures_util::StreamExt;
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};
use lambda::clock::{until, within};
use lambda::meter::Refusal;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How much of a body that is too large is read and dropped, and for how long: a sender that is still writing
/// when the connection closes sees a reset instead of the 413.
const DRAIN: (usize, SignedDuration) = (64 * 1024 * 1024, SignedDuration::from_secs(10));

/// How long a whole body may take. GitHub gives up after 10 s, GitHub Enterprise Server after 30 s (GitHub Docs,
/// "Best practices for using webhooks").
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// A body of which more than this has come takes one of [`LARGE_AT_ONCE`] places until its request is answered:
/// whoever has not shown a signature yet cannot make us hold more than that many times [`BODY_LIMIT`], and this much
/// for each connection. GitHub's are rarely over 64 KB.
const SMALL: usize = 512 * 1024;

/// Large bodies at once.
pub(crate) const LARGE_AT_ONCE: usize = 8;

/// How long one waits for a place: GitHub wants an answer within 10 s, and the body still has to come.
const QUEUEING: SignedDuration = SignedDuration::from_secs(5);

/// How slow a large body may be: so many bytes a second, after this time to begin with. GitHub sends the largest
/// within 10 s, which is five times as fast. Whoever stands still loses his place sooner than another gives up
/// waiting for it ([`QUEUEING`]).
const PACE: (usize, SignedDuration) = (512 * 1024, SignedDuration::from_secs(3));

/// A whole body, with its place if it is a large one.
#[derive(Debug)]
pub(crate) struct Whole<'p> {
    pub(crate) bytes: Bytes,
    pub(crate) _place: Option<SemaphorePermit<'p>>,
}

/// The body, or why there is none: too large, cut short, or too many large ones being read.
pub(crate) async fn read<'p>(
    headers: &HeaderMap,
    body: Body,
    clock: &dyn Clock,
    large: &'p Semaphore,
) -> Result<Whole<'p>, Refusal> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let mut stream = body.into_data_stream();
    let mut seen = 0;
    let result = match declared {
        Some(length) if length > BODY_LIMIT => Err(Refusal::TooLarge),
        _ => collect(&mut stream, declared.unwrap_or(0), &mut seen, clock, large).await,
    };
    if matches!(result, Err(Refusal::TooLarge)) {
        within(clock, DRAIN.1, drain(&mut stream, seen)).await;
    }
    result
}

async fn collect<'p>(
    stream: &mut BodyDataStream,
    declared: usize,
    seen: &mut usize,
    clock: &dyn Clock,
    large: &'p Semaphore,
) -> Result<Whole<'p>, Refusal> {
    // A declared length is a promise, not a reason to set memory aside: so much at most before bytes come.
    let mut whole = BytesMut::with_capacity(declared.min(SMALL));
    let began = clock.now();
    // The place, and since when it is held.
    let mut place: Option<(SemaphorePermit<'p>, Timestamp)> = None;
    loop {
        let end = later(began, PATIENCE);
        let end = place.as_ref().map_or(end, |(_, since)| end.min(pace(*since, *seen)));
        let chunk = match until(clock, end, stream.next()).await.ok_or(Refusal::CutShort)? {
            None => break,
            Some(chunk) => chunk.map_err(|_| Refusal::CutShort)?,
        };
        *seen += chunk.len();
        if *seen > BODY_LIMIT {
            return Err(Refusal::TooLarge);
        }
        if *seen > SMALL && place.is_none() {
            let permit = within(clock, QUEUEING, large.acquire()).await.and_then(Result::ok).ok_or(Refusal::Busy)?;
            place = Some((permit, clock.now()));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(Whole { bytes: whole.freeze(), _place: place.map(|(permit, _)| permit) })
}

/// Until when more has to come of a body that has held a place since then.
fn pace(since: Timestamp, seen: usize) -> Timestamp {
    let (rate, grace) = PACE;
    let seconds = i64::try_from(seen / rate).unwrap_or(i64::MAX);
    later(since, grace.saturating_add(SignedDuration::from_secs(seconds)))
}

async fn drain(stream: &mut BodyDataStream, mut seen: usize) {
    while let Some(Ok(chunk)) = stream.next().await {
        seen += chunk.len();
        if seen > DRAIN.0 {
            return;
        }
    }
}

fn later(than: Timestamp, by: SignedDuration) -> Timestamp {
    than.checked_add(by).unwrap_or(than)
}
