//! A gateway that is none, is of another version, or is in trouble.

use serde_json::json;
use standin::ci::{Answer, Ci};

use crate::place::{Place, Program, plain};

fn list(place: &Place, ci: &Ci) -> Program {
    place.hookyard(&["events", "list", "--url", &format!("http://{}", ci.address())])
}

fn problem(code: u16, detail: &str) -> Answer {
    Answer::status(code)
        .body(json!({ "type": "about:blank", "title": "T", "status": code, "detail": detail }).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_two_lines_and_an_exit_code() {
    let (place, ci) = (Place::new(), Ci::start().await.unwrap());
    let origin = format!("http://{}", ci.address());
    for (answer, code, told) in [
        (problem(400, "limit must be 1 to 100."), 2, "error: limit must be 1 to 100\n hint: see the command's --help\n".to_owned()),
        (problem(403, "A call-back token may only report. Reading needs the key."), 4,
            "error: a call-back token may only report\n hint: reading needs the key\n".to_owned()),
        (problem(404, "There is nothing at this address. Events are at /v1/events."), 3,
            "error: there is nothing at this address\n hint: events are at /v1/events\n".to_owned()),
        (problem(421, "This gateway answers to its own names. Set HOOKYARD_PUBLIC_URL."), 1,
            "error: this gateway answers to its own names\n hint: set HOOKYARD_PUBLIC_URL\n".to_owned()),
        (problem(503, "Hookyard cannot reach its store.\u{1b}[2J"), 1,
            "error: hookyard cannot reach its store.\u{fffd}[2J\n hint: try again in a moment, or read the gateway's log\n".to_owned()),
        (Answer::status(500).body("<html>"), 1, format!("error: {origin} answered 500\n hint: try again in a moment, or read the gateway's log\n")),
        (Answer::status(301).with("location", "https://elsewhere.example/"), 1,
            format!("error: {origin} answered with a redirect (301)\n hint: give the address that it points to with --url\n")),
        (Answer::status(200).body("<html>\u{1b}[2J"), 1,
            "error: the answer is not what was expected, at line 1, column 1\n hint: see whether that is the address of a Hookyard gateway, and of this version\n".to_owned()),
        (Answer::json(&json!([1])), 1,
            "error: the answer is not what was expected: invalid type: null, expected a sequence\n hint: see whether that is the address of a Hookyard gateway, and of this version\n".to_owned()),
        (Answer::close(), 5, format!("error: {origin} cannot be reached: the connection closed before an answer\n hint: start the gateway with hookyard serve, or give another address with --url\n")),
        (Answer::status(200).huge(40 << 20), 5, format!("error: {origin} cannot be reached: the answer is larger than 33554432 bytes\n hint: start the gateway with hookyard serve, or give another address with --url\n")),
    ] {
        ci.answer(answer);
        let ended = list(&place, &ci).run().with(code);
        assert_eq!(ended.all(), told);
        plain(&ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_asks_for_a_moment_gets_it() {
    let (place, ci) = (Place::new(), Ci::start().await.unwrap());
    let busy = || problem(503, "Not now.").with("retry-after", "0");
    ci.answer(busy());
    ci.answer(busy());
    ci.answer(Answer::json(&json!({ "events": [], "next_cursor": null })));
    list(&place, &ci).run().with(0);
    assert_eq!(ci.calls().len(), 3);
    ci.answer_always(busy());
    list(&place, &ci).run().with(1);
    assert_eq!(ci.calls().len(), 8, "and not for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_may_be_empty_and_fields_unknown() {
    let (place, ci) = (Place::new(), Ci::start().await.unwrap());
    let event = json!({ "id": "1-0b989ba4-0000", "type": "push", "status": "of-the-future", "received_at": "2026-03-02T10:00:00Z", "new": { "x": 1 } });
    ci.answer(Answer::json(&json!({ "events": [], "next_cursor": "a" })));
    ci.answer(Answer::json(&json!({ "events": [event], "next_cursor": "b" })));
    ci.answer(Answer::json(&json!({ "events": [], "next_cursor": null })));
    let ended = list(&place, &ci).run().with(0);
    assert_eq!(ended.out, "2026-03-02T10:00:00Z\tof-the-future\tpush\t-\t-\t-\t0\t-\t1-0b989ba4-0000\n");
    let asked: Vec<_> = ci.calls().iter().map(|call| call.path.clone()).collect();
    assert_eq!(asked, ["/v1/events?limit=50", "/v1/events?limit=50&cursor=a", "/v1/events?limit=49&cursor=b"]);
    assert!(ci.calls().iter().all(|call| call.header("authorization").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_elsewhere_is_fetched_without_the_key() {
    let (place, gateway, store) = (Place::new(), Ci::start().await.unwrap(), Ci::start().await.unwrap());
    store.answer(Answer::status(200).body("{\"large\": true}"));
    gateway.answer(Answer::status(303).with("location", format!("http://{}/bucket?signed=1", store.address())));
    let id = "1-0b989ba4-242f-11e5-81e1-c7b6966d2516";
    let url = format!("http://{}", gateway.address());
    let show = place.hookyard(&["events", "show", id, "--payload", "--url", &url]).set("HOOKYARD_API_KEY", "the-key");
    assert_eq!(show.run().with(0).out, "{\"large\": true}");
    assert_eq!(gateway.calls()[0].header("authorization"), Some("Bearer the-key"));
    assert_eq!((store.calls()[0].path.as_str(), store.calls()[0].header("authorization")), ("/bucket?signed=1", None));
}
