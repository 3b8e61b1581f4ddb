//! What is fuzzed: one function for each kind of bytes that come from outside, each with what must hold of whatever
//! comes. A panic is a finding.
//!
//! The targets in `fuzz_targets` and the ordinary test that replays the corpus (`shared/domain/tests/corpus.rs`)
//! call the same functions. `docs/fuzzing.md` says how to run them.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use domain::delivery::{self, ContentType};
use domain::envelope::{Body, Envelope};
use domain::facts;
use domain::ids::EventType;
use domain::secrets::Keyring;
use domain::signature::{self, Verified};
use domain::statuses::request::{self, Request};
use domain::statuses::{CONTEXT_LIMIT, DESCRIPTION_LIMIT, TARGET_URL_LIMIT};
use domain::token;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

const KEY: &[u8] = b"fuzz";

/// One kind of bytes.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("signature_header", signature_header),
    ("body_json", body_json),
    ("body_form", body_form),
    ("envelope", envelope),
    ("status_request", status_request),
    ("callback_token", callback_token),
];

/// Values of the signature header, a line each; what follows an empty line is the body. Only one value, and only the
/// right one, opens.
pub fn signature_header(data: &[u8]) {
    let end = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((data, &[][..]), |end| (&data[..end], &data[end + 2..]));
    let values: Vec<&[u8]> = head.split(|byte| *byte == b'\n').collect();
    let right = signature::sign(KEY, body);
    let opens = signature::verify(&keys(), values.iter().copied(), body.to_vec().into()).is_ok();
    let is_right =
        values.len() == 1 && values[0].eq_ignore_ascii_case(right.as_bytes()) && values[0].starts_with(b"sha256=");
    assert_eq!(opens, is_right);
    assert!(signature::verify(&keys(), [right.as_bytes()], body.to_vec().into()).is_ok());
}

/// A body that is JSON, or says so.
pub fn body_json(data: &[u8]) {
    let verified = verified(data);
    let routing = delivery::routing(&verified, ContentType::Json);
    let json = serde_json::from_slice::<&serde_json::value::RawValue>(data);
    assert_eq!(routing.is_ok(), json.is_ok(), "what we take for JSON is what others take for JSON");
    facts_of(data);
}

/// A form with JSON inside, or what says so.
pub fn body_form(data: &[u8]) {
    let verified = verified(data);
    let routing = delivery::routing(&verified, ContentType::Form);
    match delivery::json(&verified, ContentType::Form) {
        Ok(json) => {
            assert_eq!(routing.is_ok(), facts::routing(&json).is_ok());
            facts_of(&json);
        }
        Err(_) => assert!(routing.is_err()),
    }
}

/// A message of the queue, and the same bytes as the body of one: what is read can be written and read again.
pub fn envelope(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(read) = Envelope::decode(text)
    {
        again(&read);
        let mut carrier = read;
        carrier.body = Body::Inline(data.to_vec().into());
        carrier.headers.push(("user-agent".to_owned(), text.to_owned()));
        again(&carrier);
    }
}

/// A report by call-back, or a server's answer: what is accepted is fit for GitHub.
pub fn status_request(data: &[u8]) {
    if let Ok(request) = request::read(data) {
        fit(&request);
        assert!(request::read_answer(data).is_ok_and(|answer| answer.is_some()), "an answer may be a report too");
    }
    if let Ok(Some(request)) = request::read_answer(data) {
        fit(&request);
    }
}

/// A token as it is, and the bytes as the claim of a token that is rightly signed, which only we could make.
pub fn callback_token(data: &[u8]) {
    let now = Timestamp::UNIX_EPOCH;
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(token::verify(&Keyring::new("another".into(), None), text, now).is_err(), "nobody can sign but us");
        let _ = token::verify(&keys(), text, now);
    }
    let claim = format!("hy1.{}", BASE64_URL_SAFE_NO_PAD.encode(data));
    let tag = Hmac::<Sha256>::new_from_slice(KEY).map(|mac| mac.chain_update(&claim).finalize().into_bytes());
    let tag = tag.map(|tag| BASE64_URL_SAFE_NO_PAD.encode(tag)).unwrap_or_default();
    if let Ok(grant) = token::verify(&keys(), &format!("{claim}.{tag}"), now) {
        assert!(grant.exp > now.as_second());
        let minted = token::mint(&keys(), &grant).unwrap_or_default();
        assert_eq!(token::verify(&keys(), &minted, now), Ok(grant));
    }
}

fn keys() -> Keyring {
    Keyring::new("fuzz".into(), None)
}

fn verified(body: &[u8]) -> Verified {
    let right = signature::sign(KEY, body);
    match signature::verify(&keys(), [right.as_bytes()], body.to_vec().into()) {
        Ok(verified) => verified,
        Err((rejection, _)) => panic!("our own signature: {rejection}"),
    }
}

/// Reads everything that is read of a payload, for events that keep their facts in different places.
fn facts_of(json: &[u8]) {
    for name in ["pull_request", "push", "release", "status", "check_run", "workflow_run", "merge_group"] {
        let Ok(event_type) = EventType::parse(name) else { panic!("{name} is a type") };
        if let Ok(facts) = facts::facts(&event_type, json) {
            for text in [facts.routing.action, facts.sender, facts.about].into_iter().flatten() {
                assert!(text.chars().count() <= 255, "what is kept is bounded");
            }
        }
    }
    let _ = facts::status_event(json);
}

fn again(envelope: &Envelope) {
    let text = envelope.encode();
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "printable ASCII only");
    assert_eq!(Envelope::decode(&text).as_ref(), Ok(envelope));
}

fn fit(request: &Request) {
    let control = |text: &str| text.chars().any(char::is_control);
    for item in &request.items {
        let Ok(read) = &item.read else { continue };
        let content = &read.content;
        assert!((1..=CONTEXT_LIMIT).contains(&content.context.chars().count()) && !control(&content.context));
        if let Some(description) = &content.description {
            assert!(description.chars().count() <= DESCRIPTION_LIMIT && !control(description));
        }
        if let Some(url) = &content.target_url {
            assert!(url.len() <= TARGET_URL_LIMIT && !control(url) && !url.contains(char::is_whitespace));
            assert!(url.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")));
        }
    }
}
