//! What is stuck inside the gateway, and sending it back.

use embedded::queue::{FANOUT, Outgoing, STATUSES};
use serde_json::json;

use super::{at, json, rows};
use crate::place::Place;
use crate::yard::Local;

/// Messages that nobody can read: each is set aside at once.
async fn set_aside(yard: &Local) {
    yard.gateway().queue(FANOUT).unwrap().send(Outgoing { body: "no event", ..Outgoing::default() }).await.unwrap();
    let statuses = yard.gateway().queue(STATUSES).unwrap();
    statuses.send(Outgoing { body: "no status", fifo: Some(("g", "d")), ..Outgoing::default() }).await.unwrap();
    yard.idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_and_sent_back() {
    let (place, yard) = (Place::new(), Local::start().await);
    let list = || at(&place, &yard, &["dead-letters", "list"]);
    let redrive = |more: &[&str]| at(&place, &yard, &["dead-letters", "redrive"]).with_all(more);
    let none = list().run().with(0);
    assert_eq!((none.out.as_str(), none.err.as_str()), ("", "Nothing was set aside.\n"));
    assert_eq!(redrive(&[]).run().with(0).all(), "0 sent back\n", "where nothing is, nobody is asked");

    set_aside(&yard).await;
    let listed = rows(list());
    assert_eq!(listed.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["fanout", "statuses"]);
    assert_eq!(json(list()), yard.get("/v1/dead-letters").await.json());
    assert_eq!(rows(list().with_all(&["--queue", "statuses"])).len(), 1);
    assert!(list().run().err.contains("In all: 2 dead letters: 1 fanout, 1 statuses"));

    let refused = redrive(&[]).run().with(2);
    let told =
        "error: 2 dead letters: 1 fanout, 1 statuses would be sent back, and nobody can be asked\n hint: add --yes\n";
    assert_eq!(refused.all(), told);
    let another = Outgoing { body: "no event either", ..Outgoing::default() };
    yard.gateway().queue(FANOUT).unwrap().send(another).await.unwrap();
    yard.idle().await;
    let fanout =
        || rows(list().with_all(&["--queue", "fanout"])).into_iter().map(|row| row[6].clone()).collect::<Vec<_>>();
    let [id, other] = &fanout()[..] else { panic!("two of them") };
    assert_eq!(redrive(&[id, "--yes"]).run().with(0).out, "1 sent back: 1 fanout\n");
    yard.idle().await;
    let left = fanout();
    assert!(
        left.contains(other) && !left.contains(id) && left.len() == 2,
        "that one is set aside again, as another: {left:?}"
    );
    redrive(&[id, "--yes"]).run().with(3);
    let all = json(redrive(&["--yes"]));
    assert_eq!((&all["redriven"], &all["missing"]), (&json!(3), &json!([])));
    redrive(&["--queue", "elsewhere"]).run().with(2);
    yard.idle().await;
}
