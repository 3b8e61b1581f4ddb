//! The clock jumps, back and forth, while everything runs: nothing is lost, nothing is done twice, and the newest status wins.

use serde_json::json;
use standin::ci::Answer;
use testkit::story::REPOSITORY;

use crate::yard::Local;

const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";
const HOUR: i64 = 3600;

#[tokio::test]
async fn set_back_by_an_hour_what_waits_comes_at_its_time_and_what_is_new_at_once() {
    let yard = Local::start().await;
    yard.server().answer(Answer::status(503));
    let waiting = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    yard.server().answer(Answer::status(200).hanging());
    let running = yard.pull_request(8, SHA).send().await.accepted();
    yard.server().wait_for_in_flight(1).await;

    yard.advance(-HOUR);
    let new = yard.pull_request(9, SHA).send().await.accepted();
    yard.server().wait_for(3).await;
    yard.server().release();
    yard.idle().await;
    for event in [&running, &new] {
        assert_eq!(yard.event(event).await["status"], "processed");
    }
    assert_eq!(yard.event(&waiting).await["status"], "unprocessed", "until the time that its row says");
    yard.later(HOUR).await;
    yard.later(5).await;
    assert_eq!(yard.event(&waiting).await["status"], "processed");
    assert_eq!(yard.server().calls().len(), 4, "one failed, and each of the three was taken once");
}

#[tokio::test]
async fn set_back_by_an_hour_the_newest_status_still_wins() {
    let yard = Local::start().await;
    let report = async |state: &str| {
        yard.call_back_openly().about(REPOSITORY, SHA).status("ci", state, "").accepted().await;
        yard.idle().await;
    };
    report("pending").await;
    yard.advance(-HOUR);
    report("success").await;
    assert_eq!(yard.told(SHA, "ci"), ["pending", "success"]);
    yard.advance(2 * HOUR);
    report("failure").await;
    assert_eq!(yard.told(SHA, "ci"), ["pending", "success", "failure"]);
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["written"; 3]);
}

#[tokio::test]
async fn set_forward_by_a_day_nothing_is_given_up_untried() {
    let yard = Local::start().await;
    yard.server().answer(Answer::status(503));
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    yard.later(24 * HOUR).await;
    let seen = yard.event(&event).await;
    assert_eq!((&seen["status"], &seen["tries"]), (&json!("processed"), &json!(2)));
    yard.advance(-24 * HOUR);
    let event = yard.pull_request(8, SHA).send().await.accepted();
    yard.idle().await;
    assert_eq!(yard.event(&event).await["status"], "processed");
}
