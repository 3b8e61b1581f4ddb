//! What is no proper HTTP/1.1, or is proper and means no good.

use super::deliveries::signed;
use super::raw::{Port, Row, get, request, row};

const CLOSE: &str = "connection: close\r\n\r\n";

pub fn rows() -> Vec<Row> {
    use Port::{Open, Webhooks};
    let mut rows = Vec::new();
    // What both ports have in common is the listener's and hyper's.
    for port in [Webhooks, Open] {
        let line = |name, line: &str, code| row(port, name, format!("{line}\r\nhost: localhost\r\n{CLOSE}"), code, "");
        rows.extend([
            line("no HTTP at all", "hello", 400),
            line("a line without a version", "GET /health", 400),
            line("a version of the future", "GET /health HTTP/9.9", 400),
            line("a space in the target", "GET /hea lth HTTP/1.1", 400),
            line("a NUL in the target", "GET /\0 HTTP/1.1", 400),
            line("a method with a separator", "G(E)T / HTTP/1.1", 400),
            row(port, "a TLS handshake", *b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "").ends(),
            row(port, "the preface of HTTP/2", *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, "").no_answer(),
            row(port, "half a head", *b"GET /health HTTP/1.1\r\nhost: local", 0, "").no_answer(),
            row(port, "nothing", *b"", 0, "").no_answer(),
            row(port, "only line ends", "\r\n".repeat(1000), 0, "").no_answer(),
        ]);
        let headers = |name, header: &str, code, title| row(port, name, get("/health", &[header]), code, title);
        rows.extend([
            headers("a folded header", "x-a: b\r\n folded", 400, ""),
            headers("a fold by tabulator", "x-a: b\r\n\tfolded", 400, ""),
            headers("a space before the colon", "x-a : b", 400, ""),
            headers("a header without a name", ": b", 400, ""),
            headers("a header without a colon", "x-a", 400, ""),
            headers("a NUL in a value", "x-a: b\0c", 400, ""),
            headers("a carriage return in a value", "x-a: b\rx-injected: c", 400, ""),
            headers("bytes over 127 in a value", "x-a: \u{fffd}", 200, ""),
            headers("a name of 40,000 bytes", &format!("{}: b", "x".repeat(40_000)), 431, ""),
            headers("a value of 40,000 bytes", &format!("x-a: {}", "b".repeat(40_000)), 431, ""),
            headers("a thousand headers", &["x-a: b"; 1000].join("\r\n"), 431, ""),
            headers("two lengths", "content-length: 1\r\ncontent-length: 2", 400, ""),
            headers("a length in words", "content-length: four", 400, ""),
            headers("a negative length", "content-length: -1", 400, ""),
            headers("a length with a plus", "content-length: +1", 400, ""),
            headers("a length over 64 bits", "content-length: 99999999999999999999", 400, ""),
            headers("an upgrade to WebSocket", "connection: upgrade\r\nupgrade: websocket", 200, ""),
            headers("an upgrade to HTTP/2", "connection: upgrade, http2-settings\r\nupgrade: h2c", 200, ""),
            headers("an expectation nobody knows", "expect: the-unexpected", 200, ""),
            headers("two hosts", "host: localhost", 400, "Bad Host header"),
            row(port, "no host", format!("GET /health HTTP/1.1\r\n{CLOSE}"), 400, "Bad Host header"),
            row(port, "no host in HTTP/1.0", *b"GET /health HTTP/1.0\r\n\r\n", 400, "Bad Host header"),
            row(port, "HTTP/1.0", *b"GET /health HTTP/1.0\r\nhost: localhost\r\n\r\n", 200, ""),
            row(port, "bare line feeds", *b"GET /health HTTP/1.1\nhost: localhost\nconnection: close\n\n", 200, ""),
        ]);
        let target =
            |name, method, target: &str, code, title| row(port, name, request(method, target, &[], ""), code, title);
        rows.extend([
            target("a tunnel", "CONNECT", "evil.example:443", 400, "Bad Host header"),
            target("options of everything", "OPTIONS", "*", 404, "Not found"),
            target("an absolute target elsewhere", "GET", "http://evil.example/health", 400, "Bad Host header"),
            target("a file", "GET", "file:///etc/passwd", 400, ""),
            target("up and out", "GET", "/../../etc/passwd", 404, "Not found"),
            target("up and out, escaped", "GET", "/%2e%2e/%2e%2e/etc/passwd", 404, "Not found"),
            target("up and out, twice escaped", "GET", "/%252e%252e%252fetc", 404, "Not found"),
            target("two slashes", "GET", "//health", 404, "Not found"),
            target("an escaped letter", "GET", "/%68ealth", 404, "Not found"),
            target("a NUL, escaped", "GET", "/health%00", 404, "Not found"),
            target("an overlong slash", "GET", "/%c0%afetc", 404, "Not found"),
            target("half an escape", "GET", "/%", 404, "Not found"),
            target("a line end, escaped", "GET", "/%0d%0ax-injected:%20yes", 404, "Not found"),
            target("capitals", "GET", "/HEALTH", 404, "Not found"),
            target("a slash behind", "GET", "/health/", 404, "Not found"),
            target("a target of 20,000 bytes", "GET", &format!("/{}", "a".repeat(20_000)), 404, "Not found"),
            target("a target of 70,000 bytes", "GET", &format!("/{}", "a".repeat(70_000)), 431, ""),
            target("a query of 20,000 bytes", "GET", &format!("/health?{}", "a=b&".repeat(5000)), 200, ""),
        ]);
        for (name, host, code, title) in [
            ("a name that resolves to us", "evil.example", 421, "Not our host"),
            ("a name that begins like us", "localhost.evil.example", 421, "Not our host"),
            ("an address that begins like us", "127.0.0.1.evil.example", 421, "Not our host"),
            ("loopback as one number", "2130706433", 421, "Not our host"),
            ("loopback in hexadecimal", "0x7f.1", 421, "Not our host"),
            ("every address", "0.0.0.0", 421, "Not our host"),
            ("loopback mapped into IPv6", "[::ffff:127.0.0.1]", 421, "Not our host"),
            ("somebody before the host", "localhost@evil.example", 400, "Bad Host header"),
            ("a list of hosts", "localhost, evil.example", 400, "Bad Host header"),
            ("an empty host", "", 400, "Bad Host header"),
            ("a host with a path", "localhost/evil", 400, "Bad Host header"),
        ] {
            rows.push(row(port, name, format!("GET /health HTTP/1.1\r\nhost: {host}\r\n{CLOSE}"), code, title));
        }
    }
    rows.extend(bodies());
    rows
}

/// Lies about where a body ends.
fn bodies() -> Vec<Row> {
    use Port::Webhooks;
    let chunked = |body: &str| {
        let head =
            "POST /github HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        format!("{head}{body}")
    };
    let with = |header: &str, body: &str| {
        format!("POST /github HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}\r\n\r\n{body}")
    };
    let health = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let last = format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{CLOSE}");
    let smuggled =
        format!("POST /github HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{health}{last}", health.len());
    let both =
        |headers: &str| format!("POST /github HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n\r\n0\r\n\r\n{health}");
    let broken = (400, "Body cut short");
    let unsigned = (415, "Unsupported content type");
    let chunks = |name, body: &str, (code, title)| row(Webhooks, name, chunked(body), code, title);
    vec![
        chunks("a chunk without a size", "zz\r\n{}\r\n0\r\n\r\n", broken),
        chunks("a chunk over 64 bits", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n", broken),
        chunks("a negative chunk", "-1\r\n{}\r\n0\r\n\r\n", broken),
        chunks("a chunk longer than it says", "1\r\n{}\r\n0\r\n\r\n", broken),
        chunks("a chunk that never comes", "ffff\r\n{}", broken).ends(),
        chunks("no last chunk", "2\r\n{}\r\n", broken).ends(),
        chunks("an extension of 100,000 bytes", &format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(100_000)), broken),
        chunks("trailers of 100,000 bytes", &format!("0\r\nx-a: {}\r\n\r\n", "b".repeat(100_000)), broken),
        chunks("a thousand trailers", &format!("0\r\n{}\r\n", "x-a: b\r\n".repeat(1000)), broken),
        chunks("a content type as a trailer", "0\r\ncontent-type: application/json\r\n\r\n", unsigned),
        chunks("a request behind the last chunk", &format!("0\r\n\r\n{last}"), unsigned),
        // The chunks count (RFC 9112, 6.3), and what follows them is not taken for a request.
        row(Webhooks, "both lengths", both("content-length: 2\r\ntransfer-encoding: chunked"), unsigned.0, unsigned.1),
        row(
            Webhooks,
            "both, the other way",
            both("transfer-encoding: chunked\r\ncontent-length: 2"),
            unsigned.0,
            unsigned.1,
        ),
        row(Webhooks, "an encoding nobody knows", with("transfer-encoding: gzip", "{}"), 400, ""),
        row(Webhooks, "chunked and not last", with("transfer-encoding: chunked, gzip", "0\r\n\r\n"), 400, ""),
        row(Webhooks, "chunked in disguise", with("transfer-encoding: xchunked", "0\r\n\r\n"), 400, ""),
        row(
            Webhooks,
            "chunks in HTTP/1.0",
            "POST /github HTTP/1.0\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "",
        ),
        row(Webhooks, "less than it says", with("content-length: 100", "{}"), broken.0, broken.1).ends(),
        row(Webhooks, "a length of 10 GB", with("content-length: 10737418240", "{}"), 413, "Delivery too large").ends(),
        row(
            Webhooks,
            "a body that is compressed",
            with("content-encoding: gzip\r\ncontent-length: 2", "\u{1f}\u{8b}"),
            415,
            unsigned.1,
        ),
        row(Webhooks, "three requests at once", format!("{health}{health}{last}"), 200, "").and(200).and(200),
        row(Webhooks, "a request inside a body", smuggled, unsigned.0, unsigned.1).and(200),
        row(Webhooks, "a thousand requests at once", format!("{}{last}", health.repeat(999)), 200, "").times(1000),
        row(Webhooks, "an expectation is met", signed("{}", &["expect: 100-continue"]), 100, "").and(202),
    ]
}

impl Row {
    fn times(mut self, count: usize) -> Self {
        self.answers = vec![self.answers[0]; count];
        self
    }
}
