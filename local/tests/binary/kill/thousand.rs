//! A thousand deliveries while the gateway is killed at random: in the end the books balance.

use std::sync::{Arc, Mutex};

use standin::ci::Answer;
use standin::github::{Fault, Kind};

use super::ledger::audit;
use super::storm::{Point, Storm};

/// Acknowledged deliveries.
const DELIVERIES: usize = 1000;

/// Of them under way at once.
const AT_ONCE: usize = 8;

/// Kills, at most: after so many it is left alone, so that this ends.
const KILLS: usize = 40;

/// Between two kills, so many points of [`Point`] come at most: some die before they have said a word.
const SPAN: u64 = 400;

/// Numbers that look random, from a seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    /// True that often in a hundred.
    fn percent(&mut self, often: u64) -> bool {
        self.below(100) < often
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_of_a_thousand_deliveries_balance_after_random_kills() {
    let seed = uuid::Uuid::new_v4().as_u64_pair().0;
    println!("seed {seed:#x}");
    let dice = Arc::new(Mutex::new(Dice(seed)));
    let kills = Arc::new(Mutex::new(0));

    let (rolls, count) = (dice.clone(), kills.clone());
    let mut left = rolls.lock().unwrap().below(SPAN);
    let mut storm = Storm::new(
        DELIVERIES,
        AT_ONCE,
        Box::new(move |_: Point| {
            left = left.saturating_sub(1);
            let mut count = count.lock().unwrap();
            if left > 0 || *count == KILLS {
                return false;
            }
            left = rolls.lock().unwrap().below(SPAN);
            *count += 1;
            true
        }),
    )
    .await;

    // GitHub and the server fail in all their ways as well.
    let rolls = dice.clone();
    storm.scene().server.on_call(move |_| {
        let mut rolls = rolls.lock().unwrap();
        let answer = match rolls.below(100) {
            0..2 => Some(Answer::status(503)),
            2..4 => Some(Answer::close()),
            _ => None,
        };
        async move { answer }
    });
    let rolls = dice.clone();
    storm.fail_github(move || {
        let faults = [
            Fault::ApplyThenClose,
            Fault::ApplyThenFail(502),
            Fault::ApplyThenCutShort,
            Fault::Close,
            Fault::Fails(503),
            Fault::TooMany { retry_after: 1 },
        ];
        let mut rolls = rolls.lock().unwrap();
        rolls.percent(3).then(|| faults[usize::try_from(rolls.below(6)).unwrap()].clone())
    });

    let rolls = dice.clone();
    let gateway = storm.rage(move || i64::try_from(rolls.lock().unwrap().below(45)).unwrap()).await;
    let (entries, told) = storm.books(&gateway).await;
    let wrong = audit(&entries, &told);
    assert!(wrong.is_empty(), "seed {seed:#x}, {} lives:\n{}", storm.lives, wrong.join("\n"));
    let posts = storm.scene().github.requests().iter().filter(|seen| seen.kind == Kind::Post).count();
    println!(
        "{} deliveries, {} kills, {} statuses in {posts} requests",
        entries.len(),
        kills.lock().unwrap(),
        told.len()
    );
    assert!(gateway.stop().await);
}
