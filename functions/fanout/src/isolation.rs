//! Lets a run that may have killed a process share this one with few others, or with none ([`Company`]).
//!
//! It works within one process: on one machine that is the whole gateway, on Lambda one batch.

use domain::ports::Clock;
use domain::run::{Company, FEW};
use jiff::SignedDuration;
use lambda::clock::within;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit};

/// The longest wait for the company to be right: an attempt of somebody else takes 10 s, hardly ever more. Together with an attempt of
/// one's own this stays below the 30 s of a Lambda invocation; whoever has waited in vain goes back to the queue.
const PATIENCE: SignedDuration = SignedDuration::from_secs(11);

/// Who is under way in this process.
pub(crate) struct Isolation {
    /// Shared by all, or held by one that must be alone. It is fair: those who come later wait behind that one.
    process: RwLock<()>,
    few: Semaphore,
}

/// Leave for one attempt, until it is dropped.
pub(crate) struct Pass<'a> {
    _place: Option<SemaphorePermit<'a>>,
    _with_others: Option<RwLockReadGuard<'a, ()>>,
    _alone: Option<RwLockWriteGuard<'a, ()>>,
}

impl Isolation {
    pub(crate) fn new() -> Self {
        Self { process: RwLock::new(()), few: Semaphore::new(FEW) }
    }

    /// Waits until the company is right; none when that takes too long.
    pub(crate) async fn enter(&self, company: Company, clock: &dyn Clock) -> Option<Pass<'_>> {
        within(clock, PATIENCE, self.wait(company)).await
    }

    async fn wait(&self, company: Company) -> Pass<'_> {
        let mut pass = Pass { _place: None, _with_others: None, _alone: None };
        match company {
            Company::Many => pass._with_others = Some(self.process.read().await),
            Company::Few => {
                // Nobody closes it.
                pass._place = self.few.acquire().await.ok();
                pass._with_others = Some(self.process.read().await);
            }
            Company::Nobody => pass._alone = Some(self.process.write().await),
        }
        pass
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use testkit::clock::ManualClock;

    use super::*;

    /// Whether it may go on at once.
    fn at_once<'a>(isolation: &'a Isolation, company: Company, clock: &ManualClock) -> Option<Pass<'a>> {
        match pin!(isolation.enter(company, clock)).poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(pass) => pass,
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn the_unsuspected_are_many_the_suspected_few_and_the_more_suspected_alone() {
        let (isolation, clock) = (Isolation::new(), ManualClock::default());
        let many: Vec<_> = (0..100).filter_map(|_| at_once(&isolation, Company::Many, &clock)).collect();
        let few: Vec<_> = (0..100).filter_map(|_| at_once(&isolation, Company::Few, &clock)).collect();
        assert_eq!((many.len(), few.len()), (100, FEW));
        assert!(at_once(&isolation, Company::Nobody, &clock).is_none());
        drop(few);
        assert!(at_once(&isolation, Company::Few, &clock).is_some(), "a place is free again");
        assert!(at_once(&isolation, Company::Nobody, &clock).is_none());
        drop(many);
        let alone = at_once(&isolation, Company::Nobody, &clock);
        assert!(alone.is_some());
        for company in [Company::Many, Company::Few, Company::Nobody] {
            assert!(at_once(&isolation, company, &clock).is_none(), "{company:?} beside one that must be alone");
        }
        drop(alone);
        assert!(at_once(&isolation, Company::Many, &clock).is_some());
    }

    #[tokio::test]
    async fn whoever_must_be_alone_is_not_overtaken_and_whoever_waits_too_long_gives_up() {
        let (isolation, clock) = (Isolation::new(), ManualClock::default());
        let first = isolation.enter(Company::Many, &clock).await;
        let mut alone = pin!(isolation.enter(Company::Nobody, &clock));
        assert!(alone.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(at_once(&isolation, Company::Many, &clock).is_none(), "it waits behind the one that came before");
        clock.advance(11);
        assert!(alone.await.is_none());
        assert!(at_once(&isolation, Company::Many, &clock).is_some(), "and nobody waits for it any more");
        drop(first);
        assert!(isolation.enter(Company::Nobody, &clock).await.is_some());
    }
}
