//! What travels to the user's server, and what every way of answering or not answering is taken for.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use domain::ports::{ServerReply, ServerRequest, YourServer as _};
use server::{SetUpError, YourServer};
use standin::ci::{Answer, Ci};
use testkit::clock::ManualClock;
use url::Url;

struct Caller {
    server: YourServer,
    clock: Arc<ManualClock>,
}

impl Caller {
    fn to(url: &str) -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { server: YourServer::new(Url::parse(url).unwrap(), clock.clone()).unwrap(), clock }
    }

    async fn call(&self) -> ServerReply {
        self.server.call(request(&[("x-github-event", "push")], b"{}")).await
    }
}

fn request(headers: &[(&str, &str)], body: &'static [u8]) -> ServerRequest {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ServerRequest { headers, body: Bytes::from_static(body) }
}

fn answered(code: u16, body: &'static str) -> ServerReply {
    ServerReply::Answered { code, retry_after: None, moved_to: None, body: Some(Bytes::from_static(body.as_bytes())) }
}

fn unreachable(words: impl Into<String>) -> ServerReply {
    ServerReply::Unreachable(words.into())
}

#[tokio::test]
async fn exactly_the_given_headers_and_bytes_travel() {
    let ci = Ci::start().await.unwrap();
    let given = [
        ("x-github-event", "push"),
        ("x-github-odd", "caf\u{e9} \u{ff}"),
        ("webhook-id", "r-1"),
        ("x-twice", "1"),
        ("x-twice", "2"),
    ];
    let body = b"{\"a\" : \"\xc3\xa9\"}\n";
    let caller = Caller::to(&format!("{}?key=v", ci.url()));
    assert_eq!(caller.server.call(request(&given, body)).await, answered(200, ""));
    let call = ci.next_call().await;
    assert_eq!((call.method.as_str(), call.path.as_str(), &call.body[..]), ("POST", "/hook?key=v", &body[..]));
    let mut headers = call.headers.clone();
    headers.sort();
    let host = ci.address().to_string();
    let length = body.len().to_string();
    let expected: [(&str, &[u8]); 7] = [
        ("content-length", length.as_bytes()),
        ("host", host.as_bytes()),
        ("webhook-id", b"r-1"),
        ("x-github-event", b"push"),
        ("x-github-odd", b"caf\xe9 \xff"),
        ("x-twice", b"1"),
        ("x-twice", b"2"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), Bytes::copy_from_slice(value))));
}

#[tokio::test]
async fn the_connections_own_headers_are_ours() {
    let ci = Ci::start().await.unwrap();
    let given =
        [("host", "evil.example"), ("content-length", "999"), ("transfer-encoding", "chunked"), ("accept", "*/*")];
    assert_eq!(Caller::to(&ci.url()).server.call(request(&given, b"{}")).await, answered(200, ""));
    let call = ci.next_call().await;
    assert_eq!(&call.body[..], b"{}");
    assert_eq!(call.header("host"), Some(&*ci.address().to_string()));
    assert_eq!((call.header("content-length"), call.header("transfer-encoding")), (Some("2"), None));
    assert_eq!(call.headers.len(), 3);
    assert_eq!(Caller::to(&ci.url()).server.call(request(&[], b"")).await, answered(200, ""));
    assert_eq!(ci.next_call().await.header("content-length"), Some("0"));
}

#[tokio::test]
async fn what_no_header_can_hold_is_not_sent() {
    let ci = Ci::start().await.unwrap();
    let caller = Caller::to(&ci.url());
    for (name, value) in [("x-a", "line\nend"), ("x-a", "\u{141}"), ("x-a", "\0"), ("", "x"), ("x a", "x")] {
        let reply = caller.server.call(request(&[(name, value)], b"")).await;
        assert_eq!(reply, unreachable(format!("The header {name} cannot be sent.")));
    }
    assert_eq!(ci.calls().len(), 0);
}

#[tokio::test]
async fn an_answer_is_handed_on() {
    let ci = Ci::start().await.unwrap();
    let caller = Caller::to(&ci.url());
    ci.answer(Answer::status(200).body("{\"statuses\":[]}"));
    assert_eq!(caller.call().await, answered(200, "{\"statuses\":[]}"));
    ci.answer(Answer::status(204));
    assert_eq!(caller.call().await, answered(204, ""));
    ci.answer(Answer::status(503).with("retry-after", "120").body("busy"));
    let ServerReply::Answered { code: 503, retry_after, body, .. } = caller.call().await else { panic!() };
    assert_eq!((retry_after.as_deref(), body), (Some("120"), Some("busy".into())));
    assert_eq!(ci.calls().len(), 3, "a 503 is not repeated here");
}

#[tokio::test]
async fn a_redirect_names_its_host_and_is_not_followed() {
    let ci = Ci::start().await.unwrap();
    let caller = Caller::to(&ci.url());
    for (code, location, host) in [
        (301, "https://new.example/hook?secret=1", Some("new.example")),
        (302, "https://new.example:8443/", Some("new.example:8443")),
        (307, "//other.example/x", Some("other.example")),
        (308, "/elsewhere", Some(&*ci.address().to_string())),
        (303, "mailto:me", None),
        (200, "https://new.example/", None),
    ] {
        ci.answer(Answer::status(code).with("location", location));
        let ServerReply::Answered { code: told, moved_to, .. } = caller.call().await else { panic!() };
        assert_eq!((told, moved_to.as_deref()), (code, host), "{location}");
    }
    assert_eq!(ci.calls().len(), 6);
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_left() {
    let ci = Ci::start().await.unwrap();
    let caller = Caller::to(&ci.url());
    ci.answer(Answer::status(200).huge(1024 * 1024));
    let ServerReply::Answered { body: Some(body), .. } = caller.call().await else { panic!() };
    assert_eq!(body.len(), 1024 * 1024);
    ci.answer(Answer::status(500).huge(1024 * 1024 + 1));
    let expected = ServerReply::Answered { code: 500, retry_after: None, moved_to: None, body: None };
    assert_eq!(caller.call().await, expected);
    ci.answer(Answer::status(200).huge(u64::MAX));
    assert!(matches!(caller.call().await, ServerReply::Answered { code: 200, body: None, .. }));
}

#[tokio::test]
async fn ten_seconds_are_all_there_is_the_body_included() {
    let ci = Ci::start().await.unwrap();
    let caller = Caller::to(&ci.url());
    for answer in [Answer::status(200).hanging(), Answer::status(200).body("0123456789").slowly()] {
        ci.answer(answer);
        let mut call = Box::pin(caller.call());
        tokio::select! {
            biased;
            reply = &mut call => panic!("{reply:?}"),
            _ = ci.next_call() => {}
        }
        caller.clock.advance(9);
        tokio::select! {
            biased;
            reply = &mut call => panic!("too early: {reply:?}"),
            () = std::future::ready(()) => {}
        }
        caller.clock.advance(1);
        assert_eq!(call.await, ServerReply::TimedOut);
        ci.wait_for_in_flight(0).await;
    }
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let ci = Ci::start().await.unwrap();
    let caller = Caller::to(&ci.url());
    ci.stop().await;
    assert_eq!(caller.call().await, unreachable(format!("Nothing listens at {}.", ci.address())));
    ci.restart().await.unwrap();
    assert_eq!(caller.call().await, answered(200, ""));
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable() {
    // Longer than a name may be, so that nobody is asked about it.
    let name = format!("{}.invalid", "x".repeat(64));
    let caller = Caller::to(&format!("http://{name}/hook"));
    assert_eq!(caller.call().await, unreachable(format!("The name {name} has no address.")));
    assert_eq!(caller.server.host(), format!("{name}:80"));
}

#[tokio::test]
async fn a_connection_that_breaks_is_unreachable_and_nothing_is_repeated() {
    let ci = Ci::start().await.unwrap();
    let caller = Caller::to(&ci.url());
    assert_eq!(caller.call().await, answered(200, ""));
    ci.answer(Answer::close());
    assert_eq!(caller.call().await, unreachable("The connection closed before an answer."));
    ci.answer(Answer::status(200).body("0123456789").cut_short());
    assert_eq!(caller.call().await, unreachable("The connection closed in the middle of the answer."));
    let calls = ci.calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[0].peer, calls[1].peer, "the connection was kept");
    assert_ne!(calls[1].peer, calls[2].peer);
}

#[tokio::test]
async fn another_protocol_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").unwrap();
    });
    let caller = Caller::to(&format!("http://{address}/"));
    assert_eq!(caller.call().await, unreachable(format!("What {address} answered is not HTTP/1.1.")));
    other.join().unwrap();
}

#[tokio::test]
async fn the_key_is_stable_and_nothing_of_the_url_is_shown() {
    let server = |url: &str| YourServer::new(Url::parse(url).unwrap(), Arc::new(ManualClock::default()));
    let one = server("http://127.0.0.1:9/hook?key=hunter2#part").unwrap();
    assert_eq!(one.key(), server("http://127.0.0.1:9/hook?key=hunter2#part").unwrap().key());
    assert_ne!(one.key(), server("http://127.0.0.1:9/hook?key=hunter3").unwrap().key());
    assert!(one.key().len() == 64 && one.key().bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(one.host(), "127.0.0.1:9");
    assert_eq!(server("http://[::1]/").unwrap().host(), "[::1]:80");
    let shown = format!("{one:?} {:?}", one.call(request(&[], b"")).await);
    assert!(!shown.contains("hunter2") && !shown.contains("hook"), "{shown}");
    for url in ["http://user:pw@127.0.0.1/", "http://user@127.0.0.1/", "ftp://127.0.0.1/", "mailto:me"] {
        let error = server(url).unwrap_err();
        assert!(matches!(error, SetUpError::Url) && !format!("{error} {error:?}").contains("pw"));
    }
}
