//! The stand-in for the user's server records what it gets and answers as planned.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use standin::ci::signature::is_signed;
use standin::ci::{Answer, Ci};

async fn begin(url: &str, headers: &[(&str, &[u8])], body: &str) -> Option<Response<hyper::body::Incoming>> {
    let mut request = Request::post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<Bytes>::from(body.to_owned())).unwrap();
    Client::builder(TokioExecutor::new()).build_http().request(request).await.ok()
}

async fn call(ci: &Ci, headers: &[(&str, &[u8])], body: &str) -> Option<(u16, Bytes)> {
    let response = begin(&ci.url(), headers, body).await?;
    let code = response.status().as_u16();
    Some((code, response.into_body().collect().await.ok()?.to_bytes()))
}

#[tokio::test]
async fn a_call_is_kept_byte_for_byte() {
    let ci = Ci::start().await.unwrap();
    let headers: [(&str, &[u8]); 3] = [("webhook-id", b"r-1"), ("x-github-event", b"push"), ("x-odd", b"caf\xe9")];
    assert_eq!(call(&ci, &headers, "{\"a\" : 1}\n").await.unwrap(), (200, Bytes::new()));
    let call = ci.next_call().await;
    assert_eq!(
        (call.number, call.method.as_str(), call.path.as_str(), call.receipt.as_str()),
        (1, "POST", "/hook", "r-1")
    );
    assert_eq!(call.body, "{\"a\" : 1}\n");
    assert_eq!(call.json().unwrap(), json!({"a": 1}));
    let kept: Vec<(&str, &[u8])> = call.headers.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
    assert_eq!(kept[..3], headers);
    assert_eq!((call.header("x-github-event"), call.header("x-odd")), (Some("push"), None));
}

#[tokio::test]
async fn planned_answers_come_in_order_and_then_the_default() {
    let ci = Ci::start().await.unwrap();
    ci.answer(Answer::status(503).with("retry-after", "9").body("busy"));
    ci.answer(Answer::close());
    ci.answer(Answer::status(200).body("0123456789").cut_short());
    ci.answer(Answer::status(200).huge(3_000_000));
    ci.answer_always(Answer::status(410));
    let first = begin(&ci.url(), &[], "").await.unwrap();
    assert_eq!((first.status().as_u16(), &first.headers()["retry-after"]), (503, &"9".parse().unwrap()));
    assert!(begin(&ci.url(), &[], "").await.is_none());
    let mut cut = begin(&ci.url(), &[], "").await.unwrap().into_body();
    assert_eq!(cut.frame().await.unwrap().unwrap().into_data().unwrap(), "01234");
    assert!(cut.frame().await.unwrap().is_err());
    assert_eq!(call(&ci, &[], "").await.unwrap().1.len(), 3_000_000);
    assert_eq!(call(&ci, &[], "").await.unwrap().0, 410);
    assert_eq!(call(&ci, &[], "").await.unwrap().0, 410);
    assert_eq!(ci.wait_for(6).await.len(), 6);
}

#[tokio::test]
async fn slow_answers_wait_for_their_release() {
    let ci = Ci::start().await.unwrap();
    ci.answer(Answer::status(201).hanging());
    let (answer, ()) = tokio::join!(call(&ci, &[], ""), async {
        ci.wait_for_in_flight(1).await;
        ci.release();
    });
    assert_eq!(answer.unwrap().0, 201);
    ci.answer(Answer::status(200).body("0123456789").slowly());
    let mut slow = begin(&ci.url(), &[], "").await.unwrap().into_body();
    assert_eq!(slow.frame().await.unwrap().unwrap().into_data().unwrap(), "01234");
    ci.release();
    assert_eq!(slow.collect().await.unwrap().to_bytes(), "56789");
    ci.wait_for_in_flight(0).await;
    assert_eq!(ci.most_in_flight(), 1);
}

#[tokio::test]
async fn a_hook_runs_before_the_answer() {
    let ci = Ci::start().await.unwrap();
    ci.answer_always(Answer::status(204));
    ci.on_call(|call| async move { (call.receipt == "mine").then(|| Answer::status(418)) });
    assert_eq!(call(&ci, &[("webhook-id", b"mine")], "").await.unwrap().0, 418);
    assert_eq!(call(&ci, &[], "").await.unwrap().0, 204);
}

#[tokio::test]
async fn it_goes_down_and_comes_back_on_its_port() {
    let ci = Ci::start().await.unwrap();
    assert!(call(&ci, &[], "").await.is_some());
    ci.stop().await;
    assert!(call(&ci, &[], "").await.is_none());
    ci.restart().await.unwrap();
    assert!(call(&ci, &[], "").await.is_some());
    assert_eq!(ci.calls().len(), 2);
}

const KEY: &[u8] = b"0123456789abcdef01234567";

fn pull_request(action: &str) -> String {
    json!({
        "action": action,
        "repository": {"full_name": "octo/site"},
        "pull_request": {"url": "https://api.github.com/repos/octo/site/pulls/7", "head": {"sha": "abc"}},
    })
    .to_string()
}

fn signed(event: &str, receipt: &str, body: &str, callback: &str) -> Vec<(String, String)> {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(KEY).unwrap();
    let mac = mac.chain_update(format!("{receipt}.1700000000.{body}")).finalize().into_bytes();
    let signature = format!("v1,{} v1,{}", BASE64_STANDARD.encode([0; 32]), BASE64_STANDARD.encode(mac));
    [
        ("webhook-id", receipt),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", &signature),
        ("x-github-event", event),
        ("x-hookyard-callback-url", callback),
        ("x-hookyard-callback-token", "hy1.secret"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

async fn call_with(ci: &Ci, headers: &[(String, String)], body: &str) {
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
    call(ci, &headers, body).await.unwrap();
}

#[tokio::test]
async fn a_signature_fits_its_own_id_time_and_body_only() {
    let ci = Ci::start().await.unwrap();
    let secret = format!("whsec_{}", BASE64_STANDARD.encode(KEY));
    let body = pull_request("opened");
    let good = signed("pull_request", "r-1", &body, "http://127.0.0.1:1/");
    call_with(&ci, &good, &body).await;
    assert!(is_signed(&ci.next_call().await, &secret));
    assert!(!is_signed(&ci.calls()[0], &format!("whsec_{}", BASE64_STANDARD.encode([7; 32]))), "another secret");
    let mut bad = vec![(good.clone(), format!("{body} ")), (good[3..].to_vec(), body.clone())];
    for (name, value) in [("webhook-id", "r-2"), ("webhook-timestamp", "1700000001"), ("webhook-signature", "v1,AAAA")]
    {
        let mut headers = good.clone();
        headers.iter_mut().find(|(present, _)| present == name).unwrap().1 = value.to_owned();
        bad.push((headers, body.clone()));
    }
    for (headers, body) in bad {
        call_with(&ci, &headers, &body).await;
        assert!(!is_signed(&ci.next_call().await, &secret), "{headers:?}");
    }
}
