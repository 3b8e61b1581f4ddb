//! The binary itself and the machine's own clock, killed once at four of the worst moments together. It takes the 30 s that a
//! lease and a settling last; the steered tests beside it go through all the moments one by one.

use serde_json::json;
use standin::ci::{Answer, Ci};
use standin::github::{Fault, Github, Kind};

use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn with_a_status_applied_a_call_under_way_a_call_answered_and_a_202_just_read() {
    let place = Place::new();
    let (github, ci) = (Github::start().await.unwrap(), Ci::start().await.unwrap());
    let serve = || {
        let serve = place.serve().set("YOUR_SERVER_URL", &ci.url());
        serve.set("GITHUB_API_URL", &github.url()).set("GITHUB_TOKEN", Github::TOKEN)
    };
    let mut gateway = serve().ready();
    // GitHub has applied a status, and its answer never comes.
    github.fail(Kind::Post, Fault::ApplyThenHang);
    ci.answer(Answer::json(&json!({ "statuses": [{ "name": "build", "status": "success" }] })));
    let answered = place.send(&gateway, "pull_request.opened.json", "pull_request").run().accepted();
    gateway.until(&["✓ done", &answered.short]);
    github.wait_for(1).await;
    // The server works on one, and has just been given another.
    ci.answer(Answer::status(200).hanging());
    let called = place.send(&gateway, "push.branch.json", "push").run().accepted();
    ci.wait_for(2).await;
    let acknowledged = place.send(&gateway, "star.created.json", "star").run().accepted();
    gateway.kill();
    ci.release();

    let mut gateway = serve().ready();
    let done = |said: &str, short: &str| said.lines().any(|line| line.contains("✓ done") && line.ends_with(short));
    while ![&called, &acknowledged].iter().all(|one| done(gateway.said(), &one.short)) {
        gateway.until(&["✓ done"]);
    }
    // The look at what became of the POST comes 30 s after it.
    github.wait_for(2).await;
    gateway.stop("TERM");

    let gateway = serve().ready();
    let sha = gateway.event(&answered.event).await["sha"].as_str().unwrap().to_owned();
    let statuses = gateway.get(&format!("/v1/commits/octo-org/hello/{sha}/statuses")).await.json();
    assert!(!gateway.said().contains("waiting)"), "{}", gateway.said());
    for one in [&answered, &called, &acknowledged] {
        assert_eq!(gateway.event(&one.event).await["status"], "processed");
    }
    assert_eq!(statuses["statuses"][0]["outcome"], "written", "{statuses}");
    gateway.stop("TERM");
    assert_eq!(github.all_statuses().len(), 1, "it stands once");
    assert_eq!(github.requests().iter().filter(|seen| seen.kind == Kind::Post).count(), 1, "and was sent once");
    let attempts = |id: &str| ci.calls().iter().filter(|call| call.receipt == id).count();
    assert_eq!((attempts(&answered.receipt), attempts(&called.receipt)), (1, 2));
    assert!((1..=2).contains(&attempts(&acknowledged.receipt)), "again under the same id, if it was under way");
}
