//! Whatever is done to a queue, in any order, restarts included: it hands out what a simple model says it may, and
//! nothing that may be handed out is ever forgotten.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::ports::{Clock, Message};
use embedded::queue::{FANOUT, Outgoing, Queue, Queues, STATUSES};
use jiff::SignedDuration;
use proptest::prelude::*;
use tempfile::TempDir;
use testkit::clock::ManualClock;

const HIDDEN: i64 = 30;

#[derive(Debug, Clone)]
enum Deed {
    Send(u8),
    Receive(usize),
    /// To the message in flight at that place, counted round and round.
    Ack(usize),
    Release(usize),
    Defer(usize, i64),
    DeadLetter(usize),
    Redrive(usize),
    Pass(i64),
    SetBack(i64),
    Reopen,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        6 => (0..3_u8).prop_map(Deed::Send),
        6 => (1..5_usize).prop_map(Deed::Receive),
        5 => any::<usize>().prop_map(Deed::Ack),
        3 => any::<usize>().prop_map(Deed::Release),
        3 => (any::<usize>(), 0..50_i64).prop_map(|(which, by)| Deed::Defer(which, by)),
        2 => any::<usize>().prop_map(Deed::DeadLetter),
        1 => (1..4_usize).prop_map(Deed::Redrive),
        4 => (0..40_i64).prop_map(Deed::Pass),
        1 => (2..100_i64).prop_map(Deed::SetBack),
        1 => Just(Deed::Reopen),
    ];
    prop::collection::vec(deed, 1..60)
}

/// What the model knows of a message.
#[derive(Debug, Clone)]
struct Known {
    body: String,
    group: u8,
    /// Seconds of the model's clock.
    not_before: i64,
    flight: Option<(Message, i64)>,
}

#[derive(Default)]
struct Model {
    fifo: bool,
    now: i64,
    sent: usize,
    /// In the order of sending.
    waiting: Vec<Known>,
    dead: Vec<(String, u8)>,
}

impl Model {
    fn flying(&self) -> Vec<usize> {
        (0..self.waiting.len()).filter(|&i| self.waiting[i].flight.is_some()).collect()
    }

    /// What may be handed out now, one list per line; within a line only from the front.
    fn visible(&self) -> Vec<Vec<String>> {
        let may = |known: &Known| known.flight.is_none() && known.not_before <= self.now;
        if !self.fifo {
            return self.waiting.iter().filter(|known| may(known)).map(|known| vec![known.body.clone()]).collect();
        }
        let mut groups: BTreeMap<u8, Vec<&Known>> = BTreeMap::new();
        for known in &self.waiting {
            groups.entry(known.group).or_default().push(known);
        }
        groups
            .into_values()
            .filter(|group| group.iter().all(|known| known.flight.is_none()))
            .map(|group| group.iter().take_while(|known| may(known)).map(|known| known.body.clone()).collect())
            .collect()
    }

    fn receive(&mut self, came: Vec<Message>, max: usize) {
        let bodies: Vec<_> = came.iter().map(|message| message.body.clone()).collect();
        assert!(bodies.len() <= max);
        let mut left = bodies.clone();
        let mut forgotten = 0;
        for line in self.visible() {
            let taken = line.iter().take_while(|body| left.contains(body)).count();
            let order: Vec<_> = left.iter().filter(|body| line[..taken].contains(body)).cloned().collect();
            assert_eq!(order, line[..taken], "out of order");
            left.retain(|body| !line[..taken].contains(body));
            forgotten += line.len() - taken;
        }
        assert!(left.is_empty(), "{left:?} of {bodies:?} should not have come");
        assert!(bodies.len() == max || forgotten == 0, "{forgotten} were forgotten, only {bodies:?} came");
        let deadline = self.now + HIDDEN;
        for message in came {
            let known = self.waiting.iter_mut().find(|known| known.body == message.body).unwrap();
            known.flight = Some((message, deadline));
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        for known in &mut self.waiting {
            if let Some((_, deadline)) = &mut known.flight {
                // Set back, the clock does not prolong a flight.
                *deadline += seconds.min(0);
                if *deadline <= self.now {
                    known.flight = None;
                }
            }
        }
    }
}

struct World {
    name: &'static str,
    folder: TempDir,
    clock: Arc<ManualClock>,
    queue: Option<Queue>,
    model: Model,
}

impl World {
    fn open(&mut self) {
        self.queue = None;
        let queues = Queues::open(&self.folder.path().join("queues.sqlite"), self.clock.clone()).unwrap();
        self.queue = queues.queue(self.name);
    }

    /// The body and the handle of a message in flight.
    fn pick(&self, which: usize) -> Option<(usize, String)> {
        let flying = self.model.flying();
        let at = *flying.get(which % flying.len().max(1))?;
        Some((at, self.model.waiting[at].flight.as_ref().unwrap().0.handle.clone()))
    }

    async fn receive(&mut self, max: usize) {
        let hidden = Duration::from_secs(HIDDEN as u64);
        let came = self.queue.as_ref().unwrap().receive(max, hidden).await.unwrap();
        self.model.receive(came, max);
    }

    async fn go(&mut self, deed: Deed) {
        let queue = self.queue.clone().unwrap();
        match deed {
            Deed::Send(group) => {
                let body = format!("m{}", self.model.sent);
                let group_name = format!("g{group}");
                let fifo = self.model.fifo.then_some((group_name.as_str(), body.as_str()));
                queue.send(Outgoing { body: &body, attributes: &[], fifo }).await.unwrap();
                self.model.sent += 1;
                self.model.waiting.push(Known { body, group, not_before: i64::MIN, flight: None });
            }
            Deed::Receive(max) => self.receive(max).await,
            Deed::Ack(which) => {
                let Some((at, handle)) = self.pick(which) else { return };
                queue.ack(&[&handle]).await.unwrap().remove(0).unwrap();
                self.model.waiting.remove(at);
            }
            Deed::Release(which) => {
                let Some((at, handle)) = self.pick(which) else { return };
                queue.release(&[&handle]).await.unwrap();
                self.model.waiting[at].flight = None;
            }
            Deed::Defer(which, by) => {
                let Some((at, handle)) = self.pick(which) else { return };
                queue.defer(&handle, self.clock.now() + SignedDuration::from_secs(by)).await.unwrap();
                self.model.waiting[at].flight = None;
                self.model.waiting[at].not_before = self.model.now + by;
            }
            Deed::DeadLetter(which) => {
                let Some((at, handle)) = self.pick(which) else { return };
                queue.dead_letter(&handle, "reason").await.unwrap();
                let known = self.model.waiting.remove(at);
                self.model.dead.push((known.body, known.group));
            }
            Deed::Redrive(max) => {
                let moved = queue.redrive(max).await.unwrap();
                assert_eq!(moved, max.min(self.model.dead.len()));
                for (body, group) in self.model.dead.drain(..moved) {
                    self.model.waiting.push(Known { body, group, not_before: i64::MIN, flight: None });
                }
            }
            Deed::Pass(seconds) => {
                self.clock.advance(seconds);
                self.model.pass(seconds);
            }
            Deed::SetBack(seconds) => {
                self.clock.advance(-seconds);
                // The queue notices with the next call.
                queue.counts().await.unwrap();
                self.model.pass(-seconds);
            }
            Deed::Reopen => {
                drop(queue);
                self.open();
                for known in &mut self.model.waiting {
                    known.flight = None;
                }
            }
        }
    }

    async fn check(&self) {
        let counts = self.queue.as_ref().unwrap().counts().await.unwrap();
        let model = &self.model;
        assert_eq!(counts.in_flight, model.flying().len() as u64);
        assert_eq!(counts.dead, model.dead.len() as u64);
        assert_eq!(counts.ready + counts.delayed + counts.in_flight, model.waiting.len() as u64);
        if !model.fifo {
            assert_eq!(counts.ready, model.visible().len() as u64);
        }
    }
}

async fn live(name: &'static str, deeds: Vec<Deed>) {
    let mut world = World {
        name,
        folder: TempDir::new().unwrap(),
        clock: Arc::new(ManualClock::default()),
        queue: None,
        model: Model { fifo: name == STATUSES, ..Model::default() },
    };
    world.open();
    for deed in deeds {
        world.go(deed).await;
        world.check().await;
    }
    // In the end everything comes out.
    world.go(Deed::Pass(1000)).await;
    while !world.model.waiting.is_empty() {
        world.receive(3).await;
        assert!(!world.model.flying().is_empty(), "something does not come out");
        while !world.model.flying().is_empty() {
            world.go(Deed::Ack(0)).await;
        }
    }
}

fn run(name: &'static str, deeds: Vec<Deed>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(live(name, deeds));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_standard_queue_does_what_the_model_does(deeds in deeds()) {
        run(FANOUT, deeds);
    }

    #[test]
    fn a_fifo_queue_does_what_the_model_does(deeds in deeds()) {
        run(STATUSES, deeds);
    }
}
