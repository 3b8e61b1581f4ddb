//! Deliveries that are none, and deliveries that are one and hold what nobody should trip over.

use super::raw::{Port, Row, request, row};

pub const SECRET: &str = "hook-secret-5eed5eed";

/// Stands in every body that is sent; no answer may repeat it.
pub const INSIDE: &str = "inside-3b9aca07";

/// A delivery with the right signature; further headers may say anything.
pub fn signed(body: impl AsRef<[u8]>, headers: &[&str]) -> Vec<u8> {
    let signature = format!("x-hub-signature-256: {}", domain::signature::sign(SECRET.as_bytes(), body.as_ref()));
    let named = |name: &str| headers.iter().any(|header| header.starts_with(name));
    let mut all = vec![signature.as_str()];
    for header in ["content-type: application/json", "x-github-event: push", "x-github-delivery: a-guid"] {
        if !named(header.split_once(": ").unwrap().0) {
            all.push(header);
        }
    }
    all.extend(headers);
    request("POST", "/github", &all, body)
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "FROBNICATE"] {
        let title = if method == "HEAD" { "none" } else { "Method not allowed" };
        rows.push(row(Port::Webhooks, "another method", request(method, "/github", &[], ""), 405, title));
    }
    for path in ["/github/", "//github", "/github/x", "/%67ithub", "/github%00", "/GITHUB", "/github;x", "/./github"] {
        rows.push(row(Port::Webhooks, "beside the path", request("POST", path, &[], INSIDE), 404, "Not found"));
    }
    rows.extend(signatures());
    rows.extend(names());
    rows.extend(bodies());
    rows
}

fn signatures() -> Vec<Row> {
    let right = domain::signature::sign(SECRET.as_bytes(), INSIDE.as_bytes());
    let other = domain::signature::sign(SECRET.as_bytes(), b"another body");
    let digits = right.strip_prefix("sha256=").unwrap();
    let cases = [
        ("no signature", vec![]),
        ("an empty signature", vec![String::new()]),
        ("a signature of another body", vec![other.clone()]),
        ("the right one twice", vec![right.clone(), right.clone()]),
        ("the right one after a wrong one", vec![other.clone(), right.clone()]),
        ("two in one header", vec![format!("{right},{right}")]),
        ("no prefix", vec![digits.to_owned()]),
        ("SHA-1", vec!["sha1=757107ea0eb2509fc211221cce984b8a37570b6d".to_owned()]),
        ("a prefix in capitals", vec![format!("SHA256={digits}")]),
        ("half of it", vec![right[..39].to_owned()]),
        ("more than it", vec![format!("{right}00")]),
        ("no hexadecimal digits", vec![format!("sha256={}", "z".repeat(64))]),
        ("letters beyond ASCII", vec![format!("sha256={}", "é".repeat(32))]),
        ("a signature of 20,000 digits", vec![format!("sha256={}", "0".repeat(20_000))]),
    ];
    let refused = |(name, values): (&'static str, Vec<String>)| {
        let mut headers: Vec<_> = values.iter().map(|value| format!("x-hub-signature-256: {value}")).collect();
        headers.push("content-type: application/json".to_owned());
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        row(Port::Webhooks, name, request("POST", "/github", &headers, INSIDE), 401, "Signature not accepted")
    };
    let mut rows: Vec<_> = cases.into_iter().map(refused).collect();
    for content_type in ["", "text/plain", "application/json, text/plain", "application/jsonp", "\u{e9}", "a/b;c=\"d"] {
        let headers = [&*format!("content-type: {content_type}"), &*format!("x-hub-signature-256: {right}")];
        let bytes = request("POST", "/github", &headers, INSIDE);
        rows.push(row(Port::Webhooks, "another content type", bytes, 415, "Unsupported content type"));
    }
    let twice = signed(INSIDE, &["content-type: application/json", "content-type: application/json"]);
    rows.push(row(Port::Webhooks, "two content types", twice, 415, "Unsupported content type"));
    rows
}

/// Signed, and named as no delivery is.
fn names() -> Vec<Row> {
    let long = "a".repeat(65);
    [
        "x-github-event: Push".to_owned(),
        "x-github-event: ".to_owned(),
        "x-github-event: push\r\nx-github-event: push".to_owned(),
        "x-github-event: ../push".to_owned(),
        "x-github-event: <script>".to_owned(),
        format!("x-github-event: {long}"),
        "x-github-delivery: a b".to_owned(),
        "x-github-delivery: a\u{e9}".to_owned(),
        "x-github-delivery: a#b".to_owned(),
        format!("x-github-delivery: {long}"),
        "x-github-hook-id: -1".to_owned(),
        "x-github-hook-id: 1e3".to_owned(),
        "x-github-hook-id: 1\r\nx-github-hook-id: 2".to_owned(),
        format!("x-github-hook-id: {}", "9".repeat(100)),
    ]
    .map(|header| row(Port::Webhooks, "a name that is none", signed("{}", &[&header]), 400, "Not a delivery"))
    .into()
}

/// Signed, so that we look inside.
fn bodies() -> Vec<Row> {
    let mut rows = Vec::new();
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    for (name, body) in [
        ("an empty body", Vec::new()),
        ("half an object", b"{\"a\":".to_vec()),
        ("two objects", b"{}{}".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("UTF-16", b"{\0}\0".to_vec()),
        ("bytes that are no text", b"{\"a\":\"\xff\xfe\"}".to_vec()),
        ("a surrogate as bytes", b"{\"a\":\"\xed\xa0\x80\"}".to_vec()),
        ("a NUL in a text", b"{\"a\":\"\0\"}".to_vec()),
        ("a comma too many", b"{\"a\":1,}".to_vec()),
        ("no number", b"{\"a\":NaN}".to_vec()),
        ("a comment", b"{}//".to_vec()),
        ("XML", b"<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>".to_vec()),
        ("a hundred thousand brackets and no end", "[".repeat(100_000).into_bytes()),
    ] {
        rows.push(row(Port::Webhooks, name, signed(body, &[]), 400, "Not a delivery"));
    }
    let form = "content-type: application/x-www-form-urlencoded";
    for body in
        ["", "a=b", "payload=", "payload={}&payload={}", "payload=%7B", "payload=%ff", "payload=%", "PAYLOAD={}"]
    {
        rows.push(row(Port::Webhooks, "a form without a delivery", signed(body, &[form]), 400, "Not a delivery"));
    }
    for (name, body) in [
        ("a hundred thousand arrays", format!(r#"{{"{INSIDE}":{}}}"#, deep("[", "]"))),
        (
            "a hundred thousand objects",
            format!(r#"{{"a":{}{}}}"#, "{\"a\":".repeat(100_000), "1".to_owned() + &"}".repeat(100_000)),
        ),
        ("deep where we look", format!(r#"{{"repository":{},"sender":{}}}"#, deep("[", "]"), deep("[", "]"))),
        ("a number of a million digits", format!(r#"{{"number":{}}}"#, "9".repeat(1_000_000))),
        ("a number beyond all others", r#"{"installation":{"id":1e999999},"pull_request":{"number":-0.0}}"#.to_owned()),
        ("a hundred thousand equal names", format!("{{{}\"action\":\"last\"}}", "\"action\":\"a\",".repeat(100_000))),
        ("lone surrogates", r#"{"action":"\ud800","sender":{"login":"\udc00\ud800"}}"#.to_owned()),
        (
            "NULs and controls, escaped",
            r#"{"action":"\u0000\u001b[31m\u0007","sender":{"login":"\r\nx: y"}}"#.to_owned(),
        ),
        ("markup", r#"{"action":"<script>alert(1)</script>","sender":{"login":"\"><img src=x>"}}"#.to_owned()),
        ("writing that turns round", "{\"action\":\"\u{202e}\u{2066}\u{feff}\"}".to_owned()),
        ("a name of a megabyte", format!(r#"{{"{}":1}}"#, "n".repeat(1_000_000))),
        ("an action of a megabyte", format!(r#"{{"action":"{}"}}"#, "é".repeat(500_000))),
        ("a repository on the way out", r#"{"repository":{"full_name":"../../etc/passwd"}}"#.to_owned()),
        ("every field of another type", r#"{"action":{},"repository":7,"sender":[],"installation":"x"}"#.to_owned()),
        ("no object", "null".to_owned()),
        ("a text", r#""<b>""#.to_owned()),
        ("the name of a prototype", r#"{"__proto__":{"a":1},"constructor":{}}"#.to_owned()),
    ] {
        rows.push(row(
            Port::Webhooks,
            name,
            signed(&body, &[&format!("x-github-delivery: ok-{}", rows.len())]),
            202,
            "",
        ));
    }
    let host = signed("{}", &["x-github-delivery: other-host"]);
    let host = String::from_utf8(host).unwrap().replace("host: localhost", "host: evil.example");
    rows.push(row(Port::Webhooks, "a delivery under another name is signed all the same", host, 202, ""));
    rows
}
