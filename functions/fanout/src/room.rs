//! How much memory the bodies of events may take at once that were too large for the queue.
//!
//! Small bodies come with their messages and are bounded by how many of those are under way. A large one is read when its
//! message is worked on: sixty-four of the largest would be 1.6 GB.

use domain::envelope::{Body, Envelope};
use domain::ports::Clock;
use jiff::SignedDuration;
use lambda::clock::within;
use tokio::sync::{Semaphore, SemaphorePermit};

/// What all of them may take together, in KiB: five of the largest that GitHub sends (25 MiB), or hundreds of the usual large
/// ones.
const ROOM: u32 = 128 * 1024;

/// The longest wait for room: an attempt of somebody else takes 10 s, hardly ever more.
const PATIENCE: SignedDuration = SignedDuration::from_secs(11);

pub(crate) struct Room(Semaphore);

impl Room {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(ROOM as usize))
    }

    /// Waits until there is room for the body of that envelope; none when that takes too long. The room is given back when
    /// the permit is dropped.
    pub(crate) async fn take(&self, envelope: &Envelope, clock: &dyn Clock) -> Option<Option<SemaphorePermit<'_>>> {
        let Body::Stored { bytes, .. } = &envelope.body else { return Some(None) };
        // Whoever wants more than there is takes all of it.
        let wanted = u32::try_from(bytes.div_ceil(1024)).unwrap_or(ROOM).min(ROOM);
        // Nobody closes it.
        within(clock, PATIENCE, self.0.acquire_many(wanted)).await.map(Result::ok)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use domain::ids::BodyKey;
    use testkit::clock::ManualClock;

    use super::*;

    const SAMPLE: &str = r#"{"v":"1","event":"48211900-0b989ba4","type":"push","receipt":"019320aa-0000-7000-8000-000000000001","source":"repository","received_at":"2026-03-02T10:00:00Z","content_type":"application/json","headers":[],"body":"e30="}"#;

    fn envelope(bytes: u64) -> Envelope {
        let mut envelope = Envelope::decode(SAMPLE).unwrap();
        let key = BodyKey::parse("bodies/x").unwrap();
        envelope.body = Body::Stored { key, sha256: "0".repeat(64), bytes };
        envelope
    }

    /// What is taken when nobody waits.
    fn now<'a>(room: &'a Room, envelope: &Envelope, clock: &ManualClock) -> Option<Option<SemaphorePermit<'a>>> {
        match pin!(room.take(envelope, clock)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => taken,
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn five_of_the_largest_have_room_and_a_sixth_waits_for_one_of_them() {
        let (room, clock) = (Room::new(), ManualClock::default());
        let largest = envelope(26_214_400);
        let mut held: Vec<_> = (0..64).map_while(|_| now(&room, &largest, &clock)).collect();
        assert_eq!(held.len(), 5);
        assert!(now(&room, &envelope(300 * 1024), &clock).is_some(), "what is left is enough for a small one");
        assert!(now(&room, &Envelope::decode(SAMPLE).unwrap(), &clock).is_some(), "those in the queue need none");
        let mut waiting = pin!(room.take(&largest, &clock));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        held.pop();
        assert!(waiting.await.is_some());
        drop(held);

        let all = room.take(&envelope(u64::MAX), &clock).await;
        let mut waiting = pin!(room.take(&largest, &clock));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        clock.advance(11);
        assert!(waiting.await.is_none(), "back to the queue");
        drop(all);
    }
}
