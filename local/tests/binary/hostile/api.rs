//! Call-backs and questions that mean no good.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::raw::Port::{Keyed, Open};
use super::raw::{Port, Row, get, request, row};

pub const KEY: &str = "api-key-5eed5eed";
pub const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

const JSON: &str = "content-type: application/json";

pub fn rows() -> Vec<Row> {
    let mut rows = bodies();
    rows.extend(statuses());
    rows.extend(accepted());
    rows.extend(who());
    rows.extend(questions());
    rows
}

fn post(
    port: Port,
    name: &'static str,
    headers: &[&str],
    body: impl AsRef<[u8]>,
    code: u16,
    title: &'static str,
) -> Row {
    row(port, name, request("POST", "/v1/statuses", headers, body), code, title)
}

fn report(status: &Value) -> String {
    json!({ "repository": "octo-org/hello", "sha": SHA, "statuses": [status] }).to_string()
}

fn good() -> String {
    report(&json!({ "name": "ci", "status": "success" }))
}

fn bodies() -> Vec<Row> {
    let unfit = |name, header: &str| post(Open, name, &[header], good(), 415, "Unsupported content type");
    let bad = |name, body: &str| post(Open, name, &[JSON], body, 400, "Bad request");
    let large = (413, "Body too large");
    let declared = |length: &str| {
        let head = "POST /v1/statuses HTTP/1.1\r\nhost: localhost\r\nconnection: close";
        format!("{head}\r\n{JSON}\r\n{length}\r\n\r\n")
    };
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(0x10_0000));
    vec![
        unfit("plain text, which every page may send", "content-type: text/plain"),
        unfit("a form, which every page may send", "content-type: application/x-www-form-urlencoded"),
        unfit("parts", "content-type: multipart/form-data; boundary=x"),
        unfit("no content type", "x-a: b"),
        unfit("two content types", "content-type: application/json\r\ncontent-type: text/plain"),
        post(Open, "nothing at all", &[], "", 415, "Unsupported content type"),
        bad("an empty body", ""),
        bad("no JSON", "<xml/>"),
        bad("no object", "[]"),
        bad("no statuses", "{}"),
        bad("statuses that are no list", r#"{"statuses":{"0":{}}}"#),
        bad("an empty list", r#"{"statuses":[]}"#),
        bad("a lone surrogate", r#"{"statuses":[{"name":"\ud800","status":"success"}]}"#),
        bad("a hundred thousand brackets", &format!(r#"{{"statuses":{}"#, "[".repeat(100_000))),
        bad("a hundred thousand objects", &format!(r#"{{"statuses":[{}"#, r#"{"a":"#.repeat(100_000))),
        bad("a number beyond all others", r#"{"statuses":[1e999999]}"#),
        bad("more than a hundred", &json!({ "statuses": vec![json!({}); 101] }).to_string()),
        post(Open, "bytes that are no text", &[JSON], b"{\"statuses\":[{\"name\":\"\xff\"}]}", 400, "Bad request"),
        post(Open, "a byte too many", &[JSON], vec![b' '; (1 << 20) + 1], large.0, large.1),
        row(Open, "a length of 10 GB", declared("content-length: 10737418240"), large.0, large.1).ends(),
        row(Open, "chunks without end", declared("transfer-encoding: chunked") + &chunk.repeat(2), large.0, large.1)
            .ends(),
        row(Open, "a body that breaks off", declared("content-length: 100"), 400, "Bad request").ends(),
        row(Open, "a chunk without a size", declared("transfer-encoding: chunked") + "zz\r\n", 400, "Bad request"),
        row(
            Open,
            "both lengths",
            declared("content-length: 5\r\ntransfer-encoding: chunked") + "0\r\n\r\n",
            400,
            "Bad request",
        ),
    ]
}

/// Well-formed, and each with one status that may not be written.
fn statuses() -> Vec<Row> {
    let status = |field: &str, value: Value| {
        let mut status = json!({ "name": "ci", "status": "success" });
        status[field] = value;
        report(&status)
    };
    let of = |repository: &str, sha: &str| {
        json!({ "repository": repository, "sha": sha, "statuses": [{ "name": "ci", "status": "success" }] }).to_string()
    };
    let bodies = [
        ("a line end in a context", status("name", "ci\r\nx-injected: yes".into())),
        ("a NUL in a context", status("name", "ci\0".into())),
        ("a context of a megabyte", status("name", "c".repeat(900_000).into())),
        ("no context", status("name", "".into())),
        ("a context that is none", status("name", json!({ "toString": "ci" }))),
        ("a state of its own", status("status", "succ\u{0}ess".into())),
        ("a script as a link", status("target_url", "javascript:alert(1)".into())),
        ("data as a link", status("target_url", "data:text/html,<script>alert(1)</script>".into())),
        ("a file as a link", status("target_url", "file:///etc/passwd".into())),
        ("a line end in a link", status("target_url", "https://ci.example/\r\nx-injected: yes".into())),
        (
            "a link of 10,000 characters",
            status("target_url", format!("https://ci.example/{}", "a".repeat(10_000)).into()),
        ),
        ("a link to nowhere", status("target_url", "https://".into())),
        ("a link with a space", status("target_url", " https://ci.example/".into())),
        ("a description that is none", status("message", json!(["x"]))),
        ("a repository on the way out", of("../../etc", SHA)),
        ("a repository with a line end", of("o/r\r\nx-injected: yes", SHA)),
        ("a repository with a query", of("o/r?x=", SHA)),
        ("a repository of three parts", of("o/r/s", SHA)),
        ("a commit that is none", of("o/r", "HEAD")),
        ("a commit with a path behind it", of("o/r", &format!("{SHA}/../x"))),
        ("a commit with a line end", of("o/r", &format!("{SHA}\n"))),
        (
            "two repositories",
            json!({ "repository": "o/r", "pull_request_url": "https://h/repos/o/other/pulls/1", "sha": SHA,
            "statuses": [{ "name": "ci", "status": "success" }] })
            .to_string(),
        ),
    ];
    let invalid = |(name, body): (&'static str, String)| post(Open, name, &[JSON], body, 422, "No status accepted");
    bodies.into_iter().map(invalid).collect()
}

/// Strange, and yet statuses: what of them reaches GitHub is looked at afterwards.
fn accepted() -> Vec<Row> {
    [
        json!({ "name": "line ends", "status": "success", "message": "a\r\nx-injected: yes\0\u{1b}[31m" }),
        json!({ "name": "markup", "status": "success", "message": "<script>alert(1)</script>" }),
        json!({ "name": "<b>markup</b>", "status": "success", "target_url": "https://ci.example/%0d%0a?<script>" }),
        json!({ "name": "turns round \u{202e}", "status": "success", "message": "\u{2066}\u{feff}" }),
        json!({ "name": "long", "status": "success", "message": "\u{1f980}".repeat(10_000) }),
        json!({ "name": "prototype", "status": "success", "__proto__": { "state": "error" } }),
    ]
    .map(|status| post(Open, "strange and accepted", &[JSON], report(&status), 202, ""))
    .into()
}

/// Those who may not.
fn who() -> Vec<Row> {
    let forged = BASE64_URL_SAFE_NO_PAD.encode(
        json!({ "event": "1-a", "receipt": "019320aa-0000-7000-8000-000000000001", "repository": "o/r", "sha": SHA,
            "exp": 99_999_999_999_i64 })
        .to_string(),
    );
    let mut rows = Vec::new();
    for bearer in [
        String::new(),
        "neither".to_owned(),
        KEY.to_uppercase(),
        format!("{KEY} {KEY}"),
        format!("{KEY}\u{e9}"),
        "hy1.".to_owned(),
        "hy1..".to_owned(),
        "hy1.e30.".to_owned(),
        format!("hy1.{forged}."),
        format!("hy1.{forged}.AAAA"),
        format!("hy1.{forged}.{}", "A".repeat(43)),
        format!("hy1.{}.{}", "A".repeat(20_000), "A".repeat(43)),
        format!("hy1.{forged}.{}=", "A".repeat(43)),
        "hy1.\u{e9}.\u{e9}".to_owned(),
        "hy2.e30.AAAA".to_owned(),
    ] {
        let authorization = format!("authorization: Bearer {bearer}");
        rows.push(post(Keyed, "another bearer", &[JSON, &authorization], good(), 401, "Not authorized"));
        rows.push(post(
            Open,
            "another bearer where none is needed",
            &[JSON, &authorization],
            good(),
            401,
            "Not authorized",
        ));
        rows.push(row(Keyed, "another bearer asks", get("/v1/events", &[&authorization]), 401, "Not authorized"));
    }
    let right = format!("authorization: Bearer {KEY}");
    for (name, headers) in [
        ("no bearer", vec![]),
        ("another scheme", vec!["authorization: Basic YTpi"]),
        ("no scheme", vec!["authorization: api-key-5eed5eed"]),
        ("the right one twice", vec![&*right, &*right]),
        ("the right one elsewhere", vec!["x-api-key: api-key-5eed5eed", "cookie: key=api-key-5eed5eed"]),
    ] {
        rows.push(row(Keyed, name, get("/v1/events", &headers), 401, "Not authorized"));
    }
    rows.push(row(Keyed, "the key in the address", get(&format!("/v1/events?key={KEY}"), &[]), 401, "Not authorized"));
    for path in ["/v1/events/1-a", "/v1/events/1-a/payload", &format!("/v1/commits/o/r/{SHA}/statuses")] {
        rows.push(row(Keyed, "no bearer asks", get(path, &[]), 401, "Not authorized"));
    }
    for origin in
        ["https://evil.example", "null", "http://localhost.evil.example", "file://", "http://127.0.0.1@evil.example"]
    {
        let origin = format!("origin: {origin}");
        rows.push(post(Open, "a foreign page", &[JSON, &origin], good(), 403, "Foreign origin"));
        let asked = [&*origin, "access-control-request-method: POST", "access-control-request-headers: content-type"];
        let asks = request("OPTIONS", "/v1/statuses", &asked, "");
        rows.push(row(Open, "a foreign page asks first", asks, 403, "Foreign origin"));
        rows.push(row(
            Open,
            "a foreign page reads, and its browser keeps it from it",
            get("/v1/events", &[&origin]),
            200,
            "",
        ));
    }
    rows
}

fn questions() -> Vec<Row> {
    let mut rows = Vec::new();
    let cursor =
        BASE64_URL_SAFE_NO_PAD.encode(r#"{"v":1,"p":{"pk":"credential#x","sk":"pause"},"h":"0000000000000000"}"#);
    let long = "A".repeat(20_000);
    for query in [
        "cursor=x".to_owned(),
        "cursor=%00".to_owned(),
        "cursor=e30".to_owned(),
        "cursor=bnVsbA".to_owned(),
        format!("cursor={cursor}"),
        format!("cursor={long}"),
        "limit=0".to_owned(),
        "limit=101".to_owned(),
        "limit=-1".to_owned(),
        "limit=1e1".to_owned(),
        "limit=%31%30%20".to_owned(),
        format!("limit={}", "9".repeat(1000)),
        "limit=1&limit=2".to_owned(),
        "since=yesterday".to_owned(),
        "since=2026-03-02T10:00:00Z&until=2026-03-01T10:00:00Z".to_owned(),
        "since=-999999-01-01T00:00:00Z".to_owned(),
        "until=9999-99-99T99:99:99Z".to_owned(),
        "repository=../..".to_owned(),
        "repository=o/r%0d%0a".to_owned(),
        "repository=o/r'%20OR%20'1'='1".to_owned(),
        "type=%3Cscript%3E".to_owned(),
        "status=done".to_owned(),
        "delivery=abc".to_owned(),
        "delivery=../../../../etc".to_owned(),
        "unknown=1".to_owned(),
        "=".to_owned(),
        "a=b&".repeat(5000),
    ] {
        rows.push(row(Open, "a question that is none", get(&format!("/v1/events?{query}"), &[]), 400, "Bad request"));
    }
    for query in ["%ff=%ff", "limit=%ff", "cursor=%c0%af"] {
        rows.push(row(Open, "escapes that are no text", get(&format!("/v1/events?{query}"), &[]), 400, "Bad request"));
    }
    for id in [
        "%2e%2e%2f%2e%2e",
        "%00",
        "%ff",
        "%c0%ae%c0%ae",
        "x",
        "%3Cscript%3E",
        "1",
        "1-",
        "-a",
        "1-a%2fpayload",
        "1-a%0d%0a",
    ] {
        rows.push(row(Open, "an event that is none", get(&format!("/v1/events/{id}"), &[]), 400, "Bad request"));
        rows.push(row(Open, "a payload of none", get(&format!("/v1/events/{id}/payload"), &[]), 400, "Bad request"));
        // The pages say it in HTML.
        rows.push(row(Open, "a page of none", get(&format!("/events/{id}"), &[]), 400, ""));
    }
    for (name, path) in [
        ("a path on the way out", format!("/v1/commits/../../{SHA}/statuses")),
        ("an owner that is none", format!("/v1/commits/%00/r/{SHA}/statuses")),
        ("a commit that is none", "/v1/commits/o/r/HEAD/statuses".to_owned()),
        ("bytes that are no text", format!("/v1/commits/%ff/r/{SHA}/statuses")),
    ] {
        rows.push(row(Open, name, get(&path, &[]), 400, "Bad request"));
    }
    rows.push(row(Open, "an event nobody knows", get("/v1/events/1-nobody", &[]), 404, "No such event"));
    for path in [
        "/v1/events/",
        "/v1//events",
        "/v1/events/1-a/",
        "/V1/events",
        "/v2/events",
        "/v1/events/../events",
        "/.env",
        "/.hookyard/github-secret",
    ] {
        rows.push(row(Open, "beside the paths", get(path, &[]), 404, "Not found"));
    }
    for (method, path) in [
        ("DELETE", "/v1/events"),
        ("PUT", "/v1/statuses"),
        ("GET", "/v1/statuses"),
        ("TRACE", "/health"),
        ("PROPFIND", "/v1/events/1-a"),
    ] {
        rows.push(row(Open, "another method", request(method, path, &[], ""), 405, "Method not allowed"));
    }
    for key in ["", " ", "\u{e9}", &"k".repeat(256), "a\r\nidempotency-key: b"] {
        let headers = [JSON, &*format!("idempotency-key: {key}")];
        rows.push(post(Open, "a key for repeats that is none", &headers, good(), 400, "Bad request"));
    }
    rows
}
