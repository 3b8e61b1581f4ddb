//! What a delivery costs before it is durable, beside what no verified webhook can do without: the bare HMAC.
//!
//! `cargo bench -p domain --bench delivery` prints one line per step. Both sides run alternately in one process,
//! many short rounds each, so that whatever else the machine does hits both alike; medians are compared.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::delivery::{self, ContentType};
use domain::envelope::{self, BUS_LIMIT, Body, Envelope};
use domain::facts::Routing;
use domain::ids::ReceiptId;
use domain::run::AskedBy;
use domain::secrets::Keyring;
use domain::signature::{self, Verified};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

/// The size that the queue was measured with as well (docs/adr/0001-embedded-engine-and-queue.md).
const BYTES: usize = 22_000;

const SECRET: &str = "It's a Secret to Everybody";

/// Rounds of each side, and calls in one round: long enough for the clock, short enough to alternate.
const ROUNDS: usize = 600;
const CALLS: u32 = 16;

const STEPS: [&str; 5] = ["bare HMAC-SHA256", "verify", "content type, ids, routing", "envelope", "all three"];

struct Delivery {
    keys: Keyring,
    headers: Vec<(String, String)>,
    body: Bytes,
    receipt: ReceiptId,
    received_at: Timestamp,
}

impl Delivery {
    fn sample() -> Self {
        let body = body();
        let signature = signature::sign(SECRET.as_bytes(), &body);
        let headers = [
            ("accept", "*/*"),
            ("content-type", "application/json"),
            ("user-agent", "GitHub-Hookshot/1a2b3c4"),
            ("x-github-delivery", "b71622be-e32e-11f1-8ee4-95fd1bb1b690"),
            ("x-github-event", "pull_request"),
            ("x-github-hook-id", "482119001"),
            ("x-github-hook-installation-target-id", "731184920"),
            ("x-github-hook-installation-target-type", "repository"),
            (signature::HEADER, &signature),
        ];
        Self {
            keys: Keyring::new(SECRET.into(), None),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body,
            receipt: ReceiptId::parse("019a976e-0000-7000-8000-000000000001").unwrap(),
            received_at: "2026-11-18T09:12:44Z".parse().unwrap(),
        }
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_bytes())
    }

    fn hmac(&self) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(&self.body);
        mac.finalize().into_bytes().into()
    }

    fn verify(&self) -> Verified {
        signature::verify(&self.keys, self.header(signature::HEADER), self.body.clone()).unwrap()
    }

    fn route(&self, verified: &Verified) -> (ContentType, delivery::Named, Routing) {
        let content_type = std::str::from_utf8(self.header("content-type").unwrap()).unwrap();
        let content_type = ContentType::from_header(content_type).unwrap();
        let named = delivery::name(|name| self.header(name)).unwrap();
        (content_type, named, delivery::routing(verified, content_type).unwrap())
    }

    /// The text for the bus, and what it weighs there.
    fn envelope(
        &self,
        verified: &Verified,
        (content_type, named, routing): (ContentType, delivery::Named, Routing),
    ) -> (String, usize) {
        let fit = self.headers.iter().filter(|(name, _)| delivery::is_forwarded(name));
        let envelope = Envelope {
            event: named.event,
            event_type: named.event_type,
            receipt: self.receipt,
            source: named.source,
            received_at: self.received_at,
            content_type,
            headers: fit.cloned().collect(),
            body: Body::Inline(verified.bytes().clone()),
            asked_by: AskedBy::Github,
        };
        let encoded = envelope.encode();
        let weight = envelope::weight(&encoded, &envelope.attributes(&routing));
        (encoded, weight)
    }

    /// What `ingest` does with it between the socket and the bus.
    fn all(&self) -> (String, usize) {
        let verified = self.verify();
        let routed = self.route(&verified);
        self.envelope(&verified, routed)
    }
}

/// The sample of a pull request as GitHub sends it, without line breaks, brought to [`BYTES`].
fn body() -> Bytes {
    let mut json: serde_json::Value =
        serde_json::from_str(include_str!("../../../events/pull_request.opened.json")).unwrap();
    json["pull_request"]["head"]["repo"] = serde_json::Value::Null;
    json["pull_request"]["body"] = "".into();
    let short = BYTES - json.to_string().len();
    json["pull_request"]["body"] = "One more line. ".repeat(short / 15 + 1)[..short].into();
    let body = json.to_string();
    assert_eq!(body.len(), BYTES);
    body.into()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed<T>(calls: u32, mut call: impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        black_box(call());
    }
    start.elapsed() / calls
}

fn main() {
    let sample = Delivery::sample();
    let verified = sample.verify();
    let routed = sample.route(&verified);
    let (encoded, weight) = sample.all();
    assert!(weight <= BUS_LIMIT && Envelope::decode(&encoded).unwrap().body == Body::Inline(sample.body.clone()));

    // Run by `cargo test --benches`, it only has to work.
    let (rounds, calls) = if std::env::args().any(|argument| argument == "--bench") { (ROUNDS, CALLS) } else { (1, 1) };
    let mut times: [Vec<Duration>; 5] = Default::default();
    for round in 0..rounds {
        for step in 0..STEPS.len() {
            // Every round begins elsewhere, so that no step always follows the same one.
            let step = (step + round) % STEPS.len();
            times[step].push(match step {
                0 => timed(calls, || black_box(&sample).hmac()),
                1 => timed(calls, || black_box(&sample).verify()),
                2 => timed(calls, || black_box(&sample).route(&verified)),
                3 => timed(calls, || black_box(&sample).envelope(&verified, routed.clone())),
                _ => timed(calls, || black_box(&sample).all()),
            });
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    });
    println!("{} bytes of JSON become {} bytes of envelope; medians of {rounds} rounds", BYTES, encoded.len());
    for (name, micros) in STEPS.iter().zip(medians) {
        println!("{name:<28} {micros:>8.1} µs {:>6.2} x", micros / medians[0]);
    }
}
