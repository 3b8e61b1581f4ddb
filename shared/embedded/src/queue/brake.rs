//! Lets acknowledgements go before the record.
//!
//! Both want the same processor and the same disk, and only one of them has somebody waiting for it: GitHub gives up on a
//! delivery after ten seconds and does not try again, while what is recorded a second later is recorded all the same. So
//! while much is being published, whoever asks for a [`Brake::turn`] gets one for every [`SHARE`] publications, and
//! otherwise at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

/// Publications for each turn. Recording an event takes some five to twelve turns, each of which costs about as much as
/// two publications: at this share some nineteen twentieths of what there is go to the publications.
const SHARE: u32 = 32;

/// Publications are counted in pieces of this length.
const PIECE: Duration = Duration::from_millis(10);

/// So many in one piece are much: 2,500 a second, several times what can be recorded in that time. Below that there is room
/// for both.
const MUCH: u32 = 25;

/// Nobody waits longer for one turn: an attempt takes some nine of them, and has to end within its lease of 30 s with the
/// 10 s of the server's answer.
const LONGEST: Duration = Duration::from_secs(1);

/// Between those who publish and those who record. Clones share it.
#[derive(Clone, Default)]
pub struct Brake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// When the piece began that is being counted, and what it has come to; none before the first publication.
    piece: Option<(Instant, u32)>,
    /// Much was published in the piece before.
    busy: bool,
    /// Publications that have earned nobody a turn.
    earned: u32,
    waiting: VecDeque<oneshot::Sender<()>>,
}

impl Brake {
    /// Notes a publication that is done.
    pub(super) fn published(&self) {
        self.published_at(now());
    }

    /// Returns when it is one's turn: at once while little is published, and else in the order of asking.
    pub async fn turn(&self) {
        if let Some(turn) = self.ask(now()) {
            come(turn, || self.lock().turn_the_page(now())).await;
        }
    }

    fn published_at(&self, now: Instant) {
        let mut state = self.lock();
        state.turn_the_page(now);
        if let Some((_, count)) = &mut state.piece {
            *count += 1;
        }
        // Turns are not saved up: a burst of them would be what this is there to prevent.
        state.earned = (state.earned + 1).min(SHARE);
        while state.earned >= SHARE {
            let Some(turn) = state.waiting.pop_front() else { break };
            // Whoever has gone away costs nobody a turn.
            if turn.send(()).is_ok() {
                state.earned -= SHARE;
            }
        }
    }

    /// What tells whoever asks that it is his turn; none when it is so now.
    fn ask(&self, now: Instant) -> Option<oneshot::Receiver<()>> {
        let mut state = self.lock();
        state.turn_the_page(now);
        if !state.is_busy() {
            return None;
        }
        let (give, turn) = oneshot::channel();
        state.waiting.push_back(give);
        Some(turn)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Counters and a queue: whoever panicked left them whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Begins a new piece when the one that is counted is over.
    fn turn_the_page(&mut self, now: Instant) {
        match self.piece {
            Some((began, count)) if now.duration_since(began) >= PIECE => {
                // After a pause, what was counted before it says nothing any more.
                self.busy = count >= MUCH && now.duration_since(began) < 2 * PIECE;
                self.piece = Some((now, 0));
            }
            None => self.piece = Some((now, 0)),
            Some(_) => {}
        }
        if !self.is_busy() {
            // Whoever waits learns by this that it is his turn.
            self.waiting.clear();
        }
    }

    fn is_busy(&self) -> bool {
        self.busy || self.piece.is_some_and(|(_, count)| count >= MUCH)
    }
}

/// Returns when the turn has come, or after [`LONGEST`]. When nothing more is published nobody gives turns: `look_again`
/// finds that out.
async fn come(mut turn: oneshot::Receiver<()>, look_again: impl Fn()) {
    for _ in 0..LONGEST.as_millis() / PIECE.as_millis() {
        if timeout(PIECE, &mut turn).await.is_ok() {
            return;
        }
        look_again();
    }
}

/// This machine's own time: what is weighed here is what it does, whatever the clock of events says.
#[expect(clippy::disallowed_methods, reason = "no event, lease or time-out depends on it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(brake: &Brake, at: Instant, times: u32) {
        for _ in 0..times {
            brake.published_at(at);
        }
    }

    fn has_come(turn: &mut oneshot::Receiver<()>) -> bool {
        !matches!(turn.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    #[test]
    fn whoever_records_goes_at_once_while_little_is_published_and_else_after_every_so_many() {
        let (brake, now) = (Brake::default(), now());
        publish(&brake, now, MUCH - 1);
        assert!(brake.ask(now).is_none());

        publish(&brake, now, 10 * SHARE);
        let (mut first, mut second) = (brake.ask(now).unwrap(), brake.ask(now).unwrap());
        assert!(!has_come(&mut first));
        publish(&brake, now, 1);
        assert!(has_come(&mut first), "in the order of asking");
        assert!(!has_come(&mut second), "and what was earned before is one turn at most");
        publish(&brake, now, SHARE - 1);
        assert!(!has_come(&mut second));
        publish(&brake, now, 1);
        assert!(has_come(&mut second));
    }

    #[test]
    fn it_is_busy_until_little_was_published_in_a_piece() {
        let (brake, now) = (Brake::default(), now());
        publish(&brake, now, MUCH);
        let mut waiting = brake.ask(now).unwrap();
        publish(&brake, now + PIECE, SHARE - MUCH - 1);
        assert!(brake.ask(now + PIECE).is_some() && !has_come(&mut waiting), "much in the piece before");
        assert!(brake.ask(now + 2 * PIECE).is_none() && has_come(&mut waiting));

        publish(&brake, now + 2 * PIECE, 100);
        assert!(brake.ask(now + 3 * PIECE).is_some());
        publish(&brake, now + 3 * PIECE, 100);
        assert!(brake.ask(now + 6 * PIECE).is_none(), "that was before a pause");
    }

    #[tokio::test]
    async fn whoever_waits_finds_out_alone_that_no_more_comes() {
        let brake = Brake::default();
        publish(&brake, now(), 100);
        brake.turn().await;
    }

    #[tokio::test]
    async fn however_much_is_published_nobody_waits_for_ever() {
        let (_never, turn) = oneshot::channel();
        assert!(timeout(10 * LONGEST, come(turn, || {})).await.is_ok());
    }

    #[test]
    fn whoever_goes_away_costs_nobody_a_turn() {
        let (brake, now) = (Brake::default(), now());
        publish(&brake, now, MUCH);
        let gone = brake.ask(now).unwrap();
        let mut next = brake.ask(now).unwrap();
        drop(gone);
        publish(&brake, now, SHARE - MUCH - 1);
        assert!(!has_come(&mut next));
        publish(&brake, now, 1);
        assert!(has_come(&mut next));
    }
}
