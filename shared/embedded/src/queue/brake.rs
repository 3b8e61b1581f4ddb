//! Lets acknowledgements go before the record.
//!
//! Both want the same processor and the same disk, and only one of them has somebody waiting for it: GitHub gives up on a
//! delivery after ten seconds and does not try again, while what is recorded a second later is recorded all the same. So
//! while something is being published, whoever asks for a [`Brake::turn`] gets one for every [`SHARE`] publications that
//! are done, and otherwise at once. No clock is asked: a publication ends within one sync, well or not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Publications for each turn. Recording an event takes some five to twelve turns, each of which costs about as much as
/// four publications: at this share nine tenths of what there is go to the publications.
const SHARE: u32 = 32;

/// Between those who publish and those who record. Clones share it.
#[derive(Clone, Default)]
pub struct Brake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Publications under way.
    publishing: usize,
    /// Publications that are done and have earned nobody a turn.
    done: u32,
    waiting: VecDeque<oneshot::Sender<()>>,
}

/// A publication, until it is dropped.
pub(super) struct Publishing(Brake);

impl Brake {
    /// Marks a publication as under way.
    pub(super) fn publishing(&self) -> Publishing {
        self.lock().publishing += 1;
        Publishing(self.clone())
    }

    /// Returns when it is one's turn, in the order of asking. Whoever goes away while he waits costs nobody a turn.
    pub async fn turn(&self) {
        let turn = {
            let mut state = self.lock();
            if state.publishing == 0 {
                return;
            }
            if state.waiting.is_empty() && state.done >= SHARE {
                state.done -= SHARE;
                return;
            }
            let (give, turn) = oneshot::channel();
            state.waiting.push_back(give);
            turn
        };
        // It is never dropped unused while somebody waits: it lives in the state, and the state in `self`.
        let _ = turn.await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Counters and a queue: whoever panicked left them whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.publishing -= 1;
        if state.publishing == 0 {
            state.done = 0;
            for turn in state.waiting.drain(..) {
                let _ = turn.send(());
            }
            return;
        }
        // Turns are not saved up: a burst of them would be what this is there to prevent.
        state.done = (state.done + 1).min(SHARE);
        while state.done >= SHARE {
            let Some(turn) = state.waiting.pop_front() else { break };
            if turn.send(()).is_ok() {
                state.done -= SHARE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Waker};

    use super::*;

    fn has_come(turn: &mut Pin<&mut impl Future<Output = ()>>) -> bool {
        turn.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn publish(brake: &Brake, times: u32) {
        for _ in 0..times {
            drop(brake.publishing());
        }
    }

    #[test]
    fn whoever_records_goes_at_once_while_nobody_publishes_and_else_after_every_so_many() {
        let brake = Brake::default();
        assert!(has_come(&mut pin!(brake.turn())));

        let under_way = brake.publishing();
        let (mut first, mut second) = (pin!(brake.turn()), pin!(brake.turn()));
        assert!(!has_come(&mut first) && !has_come(&mut second));
        publish(&brake, SHARE - 1);
        assert!(!has_come(&mut first));
        publish(&brake, 1);
        assert!(has_come(&mut first), "in the order of asking");
        assert!(!has_come(&mut second));
        drop(under_way);
        assert!(has_come(&mut second), "nobody publishes any more");
    }

    #[test]
    fn turns_are_not_saved_up_and_not_lost_on_those_who_went_away() {
        let brake = Brake::default();
        let _under_way = brake.publishing();
        publish(&brake, 10 * SHARE);
        assert!(has_come(&mut pin!(brake.turn())), "one was left");
        let mut next = pin!(brake.turn());
        assert!(!has_come(&mut next), "and only one");

        let mut gone = Box::pin(brake.turn());
        assert!(!has_come(&mut gone.as_mut()));
        let mut last = pin!(brake.turn());
        assert!(!has_come(&mut last));
        drop(gone);
        publish(&brake, SHARE);
        assert!(has_come(&mut next));
        publish(&brake, SHARE);
        assert!(has_come(&mut last));
    }
}
