//! GitHub refuses, asks for a pause, breaks off or goes silent: each status stands there once, and the right one last.

use standin::github::{Fault, Kind};

use crate::story::{REPOSITORY, Yard};

const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

async fn report(yard: &Yard, state: &str) {
    yard.call_back_by_key().about(REPOSITORY, SHA).status("ci", state, "").accepted().await;
}

/// A POST of unknown end, then 30 s: it stands once, whatever happened to it.
async fn stands_once_after(yard: &Yard, fault: Fault, posts: usize) {
    yard.github().fail(Kind::Post, fault.clone());
    report(yard, "success").await;
    yard.idle().await;
    let rows = yard.rows(REPOSITORY, SHA, "ci").await;
    assert_eq!(rows[0]["outcome"], "waiting", "{fault:?}");
    assert!(rows[0]["until"].is_string() && rows[0]["why"].as_str().unwrap().contains("looks at GitHub"), "{rows:?}");
    yard.nearly(30).await;
    let lists = || yard.github().requests().iter().filter(|seen| seen.kind == Kind::List).count();
    assert_eq!(lists(), 0, "GitHub gets 30 s to show what it applied");
    yard.and_now().await;
    yard.later(19).await;
    assert_eq!(yard.told(SHA, "ci"), ["success"], "{fault:?}");
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["written"], "{fault:?}");
    let seen = yard.github().requests().iter().filter(|seen| seen.kind == Kind::Post).count();
    assert_eq!(seen, posts, "{fault:?}");
    // The next status finds a settled head.
    report(yard, "failure").await;
    yard.later(1).await;
    assert_eq!(yard.told(SHA, "ci"), ["success", "failure"]);
}

pub async fn applied_and_then_reset_is_found_and_not_written_again(yard: &Yard) {
    stands_once_after(yard, Fault::ApplyThenClose, 1).await;
}

pub async fn applied_and_then_502_is_found_and_not_written_again(yard: &Yard) {
    stands_once_after(yard, Fault::ApplyThenFail(502), 1).await;
}

pub async fn applied_and_then_cut_short_is_found_and_not_written_again(yard: &Yard) {
    stands_once_after(yard, Fault::ApplyThenCutShort, 1).await;
}

pub async fn a_502_that_applied_nothing_is_written_after_a_look(yard: &Yard) {
    stands_once_after(yard, Fault::Fails(502), 2).await;
}

pub async fn a_reset_that_applied_nothing_is_written_after_a_look(yard: &Yard) {
    stands_once_after(yard, Fault::Close, 2).await;
}

pub async fn what_comes_behind_an_unknown_write_waits_for_its_settling(yard: &Yard) {
    yard.github().fail(Kind::Post, Fault::ApplyThenClose);
    report(yard, "pending").await;
    yard.idle().await;
    yard.advance(1);
    report(yard, "success").await;
    yard.idle().await;
    assert_eq!(yard.told(SHA, "ci"), ["pending"], "one after the other within a context");
    yard.later(60).await;
    yard.later(60).await;
    assert_eq!(yard.told(SHA, "ci"), ["pending", "success"]);
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["written", "written"]);
}

pub async fn nobody_listening_is_certain_and_needs_no_look(yard: &Yard) {
    yard.github().stop().await;
    report(yard, "success").await;
    yard.idle().await;
    assert!(yard.rows(REPOSITORY, SHA, "ci").await[0]["why"].as_str().unwrap().contains("could not be reached"));
    yard.github().restart().await.unwrap();
    yard.later(5).await;
    assert_eq!(yard.told(SHA, "ci"), ["success"]);
    assert!(yard.github().requests().iter().all(|seen| seen.kind == Kind::Post), "no look at the list");
}

pub async fn what_waits_out_a_pause_behind_a_newer_one_is_skipped(yard: &Yard) {
    yard.github().fail(Kind::Post, Fault::TooMany { retry_after: 60 });
    report(yard, "pending").await;
    yard.idle().await;
    for state in ["failure", "error", "success"] {
        yard.advance(1);
        report(yard, state).await;
        yard.idle().await;
    }
    yard.later(60).await;
    assert_eq!(yard.told(SHA, "ci"), ["success"], "one request after the pause, not four");
    let outcomes = yard.outcomes(REPOSITORY, SHA, "ci").await;
    assert_eq!(outcomes, ["superseded", "superseded", "superseded", "written"]);
}

pub async fn a_primary_limit_is_waited_out_until_its_reset(yard: &Yard) {
    let reset = yard.now().as_second() + 600;
    yard.github().fail(Kind::Post, Fault::RateLimited { reset });
    report(yard, "success").await;
    yard.idle().await;
    yard.nearly(600).await;
    assert_eq!(yard.github().requests().len(), 1);
    yard.and_now().await;
    yard.later(4).await;
    assert_eq!(yard.told(SHA, "ci"), ["success"]);
}

pub async fn what_stands_behind_a_waiting_status_says_that_it_waits(yard: &Yard) {
    yard.github().stop().await;
    // Both are in the queue before the first is tried: one request, two statuses of one context.
    yard.call_back_by_key()
        .about(REPOSITORY, SHA)
        .status("ci", "pending", "first")
        .status("ci", "success", "second")
        .accepted()
        .await;
    yard.idle().await;
    let rows = yard.rows(REPOSITORY, SHA, "ci").await;
    let words: Vec<_> = rows.iter().map(|row| (row["outcome"].as_str().unwrap(), row["until"].is_string())).collect();
    assert_eq!(words, [("waiting", true), ("waiting", true)]);
    yard.github().restart().await.unwrap();
    yard.later(10).await;
    assert_eq!(yard.told(SHA, "ci"), ["pending", "success"]);
}
