//! One event kills the process whenever it is worked on, and sixty others stand beside it: the killer is set aside, and
//! nobody else.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use standin::ci::Answer;
use tokio::sync::watch;

use super::steered::{Killer, Scene, Seen};

const INNOCENTS: usize = 60;

/// The commit of the event that kills.
const POISON: &str = "bad0bad0bad0bad0bad0bad0bad0bad0bad0bad0";

/// One life of the gateway, as the server sees it.
#[derive(Default)]
struct Life {
    number: usize,
    killer: Mutex<Option<Killer>>,
    /// Calls that are being answered.
    calls: watch::Sender<usize>,
    /// Every delivery has been acknowledged: a kill before that would be seen by the sender.
    sent: watch::Sender<bool>,
}

/// One call, until it is answered or its caller is dead.
struct UnderWay(Arc<Life>);

impl UnderWay {
    fn in_this(life: &Arc<Life>) -> Self {
        life.calls.send_modify(|count| *count += 1);
        Self(life.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.calls.send_modify(|count| *count -= 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_kills_whoever_works_on_it_convicts_itself_and_nobody_else() {
    let scene = Scene::new().await;
    let life = Arc::new(Mutex::new(Arc::new(Life::default())));
    // How many others were under way at each strike.
    let strikes = Arc::new(Mutex::new(Vec::new()));

    let (lives, noting) = (life.clone(), strikes.clone());
    scene.server.on_call(move |call| {
        let poison = call.json().is_some_and(|body| body["pull_request"]["head"]["sha"] == POISON);
        let (life, noting) = (lives.lock().unwrap().clone(), noting.clone());
        let call = UnderWay::in_this(&life);
        async move {
            if life.number == 1 {
                // Nobody was ever suspected: all of them are under way at once, until they die together.
                if !poison {
                    std::future::pending::<()>().await;
                }
                let mut calls = life.calls.subscribe();
                let _ = calls.wait_for(|count| *count == INNOCENTS + 1).await;
                let _ = life.sent.subscribe().wait_for(|sent| *sent).await;
            }
            if poison && let Some(killer) = life.killer.lock().unwrap().take() {
                noting.lock().unwrap().push(*life.calls.borrow() - 1);
                killer.kill();
            }
            // Whoever may be beside this one has the time to come.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            drop(call);
            None
        }
    });
    scene.server.answer_always(Answer::status(200));

    let (mut innocents, mut poison) = (Vec::new(), String::new());
    let gateway = loop {
        let number = life.lock().unwrap().number + 1;
        *life.lock().unwrap() = Arc::new(Life { number, ..Life::default() });
        let starting = scene.begin();
        *life.lock().unwrap().killer.lock().unwrap() = Some(starting.killer.clone());
        let Some(gateway) = starting.ready(&scene).await else {
            scene.pass(31);
            continue;
        };
        if innocents.is_empty() {
            for number in 0..INNOCENTS {
                innocents.push(gateway.pull_request(7, &format!("{number:040x}")).send().await.accepted());
            }
            poison = gateway.pull_request(7, POISON).send().await.accepted();
            life.lock().unwrap().sent.send_replace(true);
        }
        if gateway.idle_or_dead().await == Seen::Alive {
            break gateway;
        }
        gateway.dead().await;
        // The leases of those that were cut off run out.
        scene.pass(31);
        assert!(strikes.lock().unwrap().len() <= 5, "it kills again and again");
    };

    let cut_offs = |event: &Value| {
        let attempts = event["runs"][0]["attempts"].as_array().unwrap();
        attempts.iter().filter(|attempt| attempt["outcome"] == "cut_off").count()
    };
    let mut most = 0;
    for event in &innocents {
        let event = gateway.event(event).await;
        assert_eq!(event["status"], "processed", "{event}");
        most = most.max(cut_offs(&event));
    }
    assert!(most <= 2, "an innocent one was counted {most} times");
    let event = gateway.event(&poison).await;
    assert_eq!((&event["status"], &event["failure_reason"]), (&json!("errored"), &json!("internal")));
    assert_eq!(cut_offs(&event), 5);
    let letters = gateway.get("/v1/dead-letters").await.json();
    let letters = letters["dead_letters"].as_array().unwrap();
    assert_eq!(letters.iter().map(|letter| &letter["event"]).collect::<Vec<_>>(), [&json!(poison)]);

    let strikes = strikes.lock().unwrap().clone();
    assert_eq!(strikes.len(), 5);
    assert_eq!(strikes[0], INNOCENTS, "the first took all of them along");
    assert!(strikes[1] < domain::run::FEW, "the second a few: {strikes:?}");
    assert_eq!(strikes[2..], [0; 3], "and then it was alone");
}
