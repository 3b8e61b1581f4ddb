//! Statuses: which are accepted, and in which order they count.

use serde_json::{Value, json};
use standin::ci::{Answer, Call};

use crate::story::{REPOSITORY, Yard};

const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";
const OTHER: &str = "77be310077be310077be310077be310077be3100";

fn pending(name: &str) -> Answer {
    Answer::json(&json!({ "statuses": [{ "name": name, "status": "pending", "message": "from the answer" }] }))
}

/// A pull request whose server answers `answer`; the call that the server got.
pub async fn opened(yard: &Yard, answer: Answer) -> Call {
    yard.server().answer(answer);
    yard.pull_request(7, SHA).send().await.accepted();
    let call = yard.server().next_call().await;
    yard.idle().await;
    yard.advance(1);
    call
}

pub async fn an_answer_with_two_statuses_writes_both(yard: &Yard) {
    let answer = json!({ "statuses": [
        { "name": "build", "status": "pending" }, { "name": "lint", "status": "success", "message": "clean" },
    ] });
    opened(yard, Answer::json(&answer)).await;
    let shown = yard.github().newest(REPOSITORY, SHA);
    let mut shown: Vec<_> = shown.iter().map(|s| (s.context.as_str(), s.state.as_str())).collect();
    shown.sort_unstable();
    assert_eq!(shown, [("build", "pending"), ("lint", "success")]);
}

pub async fn a_call_back_that_comes_before_the_answer_it_belongs_to_wins(yard: &Yard) {
    // The server works fast: it calls back while its own answer ("pending") is still being written.
    let api = yard.api.clone();
    yard.server().on_call(move |call| {
        let api = api.clone();
        async move {
            let bearer = format!("Bearer {}", call.header("x-hookyard-callback-token").unwrap());
            let body = json!({ "statuses": [{ "name": "ci", "status": "success", "message": "fast" }] });
            let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
            let reply =
                standin::http::send("POST", &format!("{api}/v1/statuses"), &headers, body.to_string()).await.unwrap();
            assert_eq!(reply.code, 202);
            Some(pending("ci"))
        }
    });
    yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    assert_eq!(yard.github().newest_of(REPOSITORY, SHA, "ci").unwrap().state, "success");
    let mut outcomes = yard.outcomes(REPOSITORY, SHA, "ci").await;
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["superseded", "written"]);
}

pub async fn a_pending_after_a_result_is_superseded_in_its_run_and_written_in_a_new_one(yard: &Yard) {
    let call = opened(yard, pending("ci")).await;
    yard.call_back(&call).status("ci", "success", "").accepted().await;
    yard.later(1).await;
    yard.call_back(&call).status("ci", "pending", "late").accepted().await;
    yard.later(1).await;
    assert_eq!(yard.told(SHA, "ci"), ["pending", "success"]);
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["written", "written", "superseded"]);
    // Somebody pushes "Redeliver": a new run opens the context again.
    let again = opened(yard, pending("ci")).await;
    assert_eq!(yard.told(SHA, "ci"), ["pending", "success", "pending"]);
    // What the first run still reports is too late now.
    yard.call_back(&call).status("ci", "failure", "from the first run").accepted().await;
    yard.later(1).await;
    assert_eq!(yard.told(SHA, "ci"), ["pending", "success", "pending"]);
    yard.call_back(&again).status("CI", "failure", "of the second run").accepted().await;
    yard.later(1).await;
    assert_eq!(
        yard.told(SHA, "ci"),
        ["pending", "success", "pending", "failure"],
        "contexts are compared without case"
    );
}

pub async fn reopen_lets_a_pending_follow_a_result(yard: &Yard) {
    let call = opened(yard, pending("ci")).await;
    yard.call_back(&call).status("ci", "failure", "").accepted().await;
    yard.later(1).await;
    let entry = json!({ "name": "ci", "status": "pending", "message": "again", "reopen": true });
    yard.call_back(&call).entry(entry).accepted().await;
    yard.later(1).await;
    assert_eq!(yard.told(SHA, "ci"), ["pending", "failure", "pending"]);
}

pub async fn what_github_shows_already_is_not_sent_again(yard: &Yard) {
    let call = opened(yard, pending("ci")).await;
    for _ in 0..2 {
        yard.call_back(&call).status("ci", "success", "all good").accepted().await;
        yard.later(1).await;
    }
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["written", "written", "unchanged"]);
    assert_eq!(yard.told(SHA, "ci"), ["pending", "success"]);
}

pub async fn a_token_holds_for_its_own_commit_only(yard: &Yard) {
    let call = opened(yard, Answer::status(200)).await;
    let foreign = [(REPOSITORY, OTHER), ("octo-org/other", SHA)];
    for (repository, sha) in foreign {
        let reply = yard.call_back(&call).about(repository, sha).status("ci", "success", "").send().await;
        assert_eq!(reply.code, 403, "{repository} {sha}");
        assert!(reply.json()["detail"].as_str().unwrap().contains(SHA));
    }
    yard.idle().await;
    assert_eq!(yard.github().requests().len(), 0);
    let own = yard.call_back(&call).about(&REPOSITORY.to_uppercase(), &SHA.to_uppercase());
    assert_eq!(own.status("ci", "success", "").send().await.code, 202, "its own, in any case");
    yard.idle().await;
    assert_eq!(yard.told(SHA, "ci").len(), 1);
}

pub async fn a_token_expires_and_says_so_and_a_forged_one_says_less(yard: &Yard) {
    let call = opened(yard, Answer::status(200)).await;
    yard.advance(24 * 3600);
    let expired = yard.call_back(&call).status("ci", "success", "").send().await;
    assert_eq!(expired.code, 401);
    assert!(expired.json()["detail"].as_str().unwrap().contains("expired"));
    let token = call.header("x-hookyard-callback-token").unwrap();
    let (start, end) = token.split_at(token.len() - 10);
    let swapped = if end.starts_with('A') { "B" } else { "A" };
    let forged = yard.call_back_openly().bearer(&format!("{start}{swapped}{}", &end[1..])).status("ci", "success", "");
    let forged = forged.send().await;
    assert_eq!(forged.code, 401);
    assert!(!forged.json()["detail"].as_str().unwrap().contains("expired"));
    let other = yard.call_back_openly().bearer("guess").about(REPOSITORY, SHA).status("ci", "success", "").send().await;
    assert_eq!(other.code, 401, "a bearer that is neither key nor token, even where no key is set");
}

pub async fn an_answer_may_name_another_commit_but_not_another_repository(yard: &Yard) {
    let other_commit = json!({ "sha": OTHER, "statuses": [{ "name": "ci", "status": "pending" }] });
    opened(yard, Answer::json(&other_commit)).await;
    assert_eq!(yard.told(OTHER, "ci"), ["pending"]);
    let list = yard.get("/v1/events").await.json();
    let event = yard.event(list["events"][0]["id"].as_str().unwrap()).await;
    assert_eq!(event["statuses"].as_array().unwrap().len(), 1, "the event knows of it");
    let other_repository = json!({ "repository": "evil/other", "statuses": [{ "name": "ci", "status": "success" }] });
    yard.server().answer(Answer::json(&other_repository));
    let event = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    assert_eq!(yard.github().statuses("evil/other", SHA).len(), 0);
    let attempt = yard.event(&event).await["runs"][0]["attempts"][0].clone();
    assert_eq!(attempt["outcome"], "server_answer_unreadable");
    assert!(attempt["note"].as_str().unwrap().contains("another repository"), "{attempt}");
}

pub async fn an_idempotency_key_makes_a_repeat_safe(yard: &Yard) {
    let call = opened(yard, Answer::status(200)).await;
    let send = |key: &'static str| yard.call_back(&call).status("ci", "success", "").header("idempotency-key", key);
    let first = send("one").accepted().await;
    yard.idle().await;
    // Long after the queue's own window: the status' row knows that it has ended.
    yard.advance(3600);
    let again = send("one").accepted().await;
    yard.idle().await;
    assert_eq!(first["results"][0]["id"], again["results"][0]["id"]);
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["written"]);
    let other = send("two").accepted().await;
    assert_ne!(first["results"][0]["id"], other["results"][0]["id"]);
    yard.idle().await;
}

pub async fn results_come_in_the_order_sent_and_none_accepted_is_a_422(yard: &Yard) {
    let mixed = yard
        .call_back_by_key()
        .about(REPOSITORY, SHA)
        .status("a", "success", "")
        .status("b", "sucess", "")
        .entry(json!({ "name": "c", "status": "success", "message": "x".repeat(200) }))
        .send()
        .await;
    assert_eq!(mixed.code, 202);
    let results = mixed.json()["results"].clone();
    let words: Vec<_> =
        results.as_array().unwrap().iter().map(|r| (r["context"].clone(), r["result"].clone())).collect();
    assert_eq!(
        words,
        [(json!("a"), json!("accepted")), (json!("b"), json!("invalid")), (json!("c"), json!("accepted"))]
    );
    assert!(results[1]["reason"].as_str().unwrap().contains("sucess"));
    yard.idle().await;
    let cut = yard.github().newest_of(REPOSITORY, SHA, "c").unwrap().description.unwrap();
    assert!(cut.ends_with('…') && cut.chars().count() == 140);

    let none = yard.call_back_by_key().about(REPOSITORY, SHA).status("b", "ok", "").send().await;
    assert_eq!((none.code, none.header("content-type")), (422, Some("application/problem+json")));
    assert_eq!(none.json()["results"][0]["result"], "invalid");
    for statuses in [json!([]), Value::Array(vec![json!({ "name": "a", "status": "success" }); 101])] {
        let body = json!({ "repository": REPOSITORY, "sha": SHA, "statuses": statuses });
        assert_eq!(yard.call_back_by_key().body(body).send().await.code, 400);
    }
    let short = yard.call_back_by_key().about(REPOSITORY, "9fceb02").status("a", "success", "").send().await;
    assert_eq!(short.code, 422);
    assert!(short.json()["results"][0]["reason"].as_str().unwrap().contains("40 or 64"));
}

pub async fn the_ancestors_address_and_body_still_work(yard: &Yard) {
    let body = json!({
        "pull_request_url": format!("https://api.github.com/repos/{REPOSITORY}/pulls/7"), "sha": SHA,
        "statuses": [{ "name": "integration-testing", "status": "pending", "message": "initializing", "target_url": "https://ci.example/7" }],
    });
    let reply = yard.call_back_by_key().to_the_alias().body(body).send().await;
    assert_eq!(reply.code, 202);
    yard.idle().await;
    let shown = yard.github().newest_of(REPOSITORY, SHA, "integration-testing").unwrap();
    assert_eq!(shown.target_url.as_deref(), Some("https://ci.example/7"));
}
