//! Statuses: which are accepted, and in which order they count.

use standin::ci::Answer;
use testkit::stories::statuses::opened;
use testkit::story::REPOSITORY;

use crate::yard::{Local, SetUp};

const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

#[tokio::test]
async fn with_a_key_only_the_key_or_a_token_opens() {
    let yard = SetUp { api_key: Some("the key"), ..SetUp::default() }.start().await;
    let call = opened(&yard, Answer::status(200)).await;
    let open = yard.call_back_openly().about(REPOSITORY, SHA).status("ci", "success", "").send().await;
    assert_eq!(open.code, 401);
    assert_eq!(yard.call_back(&call).status("ci", "pending", "").send().await.code, 202, "its token");
    yard.later(1).await;
    let keyed =
        yard.call_back_openly().bearer("the key").about(REPOSITORY, SHA).status("ci", "success", "").send().await;
    assert_eq!(keyed.code, 202);
    yard.later(1).await;
    // By key there is no run: acceptance order alone, also after a result.
    let keyed =
        yard.call_back_openly().bearer("the key").about(REPOSITORY, SHA).status("ci", "pending", "").send().await;
    assert_eq!(keyed.code, 202);
    yard.later(1).await;
    assert_eq!(yard.told(SHA, "ci"), ["pending", "success", "pending"]);
    let token = format!("Bearer {}", call.header("x-hookyard-callback-token").unwrap());
    for (headers, code) in
        [(vec![], 401), (vec![("authorization", token.as_str())], 403), (vec![("authorization", "Bearer no")], 401)]
    {
        let reply = standin::http::send("GET", &format!("{}/v1/events", yard.api), &headers, "").await.unwrap();
        assert_eq!(reply.code, code);
    }
    assert_eq!(yard.get("/v1/events").await.code, 200);
}

#[tokio::test]
async fn pages_of_others_cannot_write_or_read() {
    let yard = Local::start().await;
    let send = || yard.call_back_openly().about(REPOSITORY, SHA).status("ci", "success", "");
    assert_eq!(send().header("origin", "https://evil.example").send().await.code, 403);
    assert_eq!(send().header("host", "evil.example").send().await.code, 421);
    let url = format!("{}/v1/statuses", yard.api);
    for content_type in
        [vec![("content-type", "text/plain")], vec![("content-type", "application/x-www-form-urlencoded")], vec![]]
    {
        let reply = standin::http::send("POST", &url, &content_type, "{}").await.unwrap();
        assert_eq!(reply.code, 415, "{content_type:?}");
    }
    let rebound = standin::http::send("GET", &format!("{}/v1/events", yard.api), &[("host", "evil.example")], "").await;
    assert_eq!(rebound.unwrap().code, 421);
    yard.idle().await;
    assert_eq!(yard.github().requests().len(), 0);
}

#[tokio::test]
async fn under_its_public_name_the_gateway_is_never_open() {
    let yard = SetUp { public_url: Some("https://hooks.example"), ..SetUp::default() }.start().await;
    let call = opened(&yard, Answer::status(200)).await;
    assert_eq!(call.header("x-hookyard-callback-url"), Some("https://hooks.example/v1/statuses"));
    // What a tunnel hands on: the public name, on the loopback port.
    let public = [("host", "hooks.example")];
    let reply = standin::http::send("GET", &format!("{}/v1/events", yard.api), &public, "").await.unwrap();
    assert_eq!(reply.code, 401);
    let open = yard.call_back_openly().about(REPOSITORY, SHA).status("ci", "success", "");
    assert_eq!(open.header("host", "hooks.example").send().await.code, 401);
    let token = yard.call_back(&call).status("ci", "success", "").header("host", "hooks.example");
    assert_eq!(token.send().await.code, 202, "a token opens under any of our names");
    assert_eq!(yard.get("/v1/events").await.code, 200, "and this machine stays open to itself");
    yard.idle().await;
}
