//! The errors: one named answer for each, a problem of RFC 9457 with an example, and the groups that addresses share.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToResponse, ToSchema};

use super::names;
use crate::answers::StatusResult;

/// An error. `detail` is written for the person who reads it; programs look at `type`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Problem {
    /// The kind: the same for every problem of this kind.
    #[schema(rename = "type", pattern = "^(urn:hookyard:problem:[a-z-]+|about:blank)$")]
    kind: String,
    /// The kind, for people.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened this time, and what to do about it.
    detail: String,
    /// Why an event is not replayed.
    #[schema(value_type = names::ReplayRefusal, required = false)]
    reason: String,
    /// The replay that can be repeated by its name.
    #[schema(value_type = names::ReplayId, required = false)]
    replay: String,
    /// What is wrong with each status, where none was accepted.
    #[schema(required = false)]
    results: Vec<StatusResult>,
}

macro_rules! problems {
    ($($name:ident, $status:literal, $when:literal, $example:expr;)*) => {
        $(
            pub(crate) struct $name;

            impl<'r> ToResponse<'r> for $name {
                fn response() -> (&'r str, RefOr<Response>) {
                    (stringify!($name), answer($when, $status, $example).into())
                }
            }
        )*
    };
}

fn answer(when: &str, status: u16, (slug, title, detail, more): Example) -> Response {
    let mut example = json!({
        "type": format!("urn:hookyard:problem:{slug}"), "title": title, "status": status, "detail": detail,
    });
    if let (Value::Object(example), Value::Object(more)) = (&mut example, more) {
        example.extend(more);
    }
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
    let response = ResponseBuilder::new().description(when).content("application/problem+json", content);
    if status != 503 {
        return response.build();
    }
    let seconds = HeaderBuilder::new().schema(Some(u32::schema())).description(Some("Seconds to wait.")).build();
    response.header("retry-after", seconds).build()
}

type Example = (&'static str, &'static str, &'static str, Value);

fn plain(slug: &'static str, title: &'static str, detail: &'static str) -> Example {
    (slug, title, detail, Value::Null)
}

problems! {
    BadRequest, 400, "A parameter, a header or the body cannot be read. Nothing is clamped or guessed.",
        plain("bad-request", "Bad request", "limit must be 1 to 100.");
    Unauthorized, 401, "The key is missing or wrong, or the call-back token has expired or is none of this gateway's.",
        plain("unauthorized", "Not authorized", "This needs the API key (HOOKYARD_API_KEY) or a call-back token, as a bearer.");
    Forbidden, 403, "A call-back token holds for the statuses of its commit only; a page of another origin for nothing.",
        plain("forbidden", "Not with a call-back token", "A call-back token may only report statuses. Reading needs the API key.");
    ForeignHost, 421, "On one machine: the Host is none of the gateway's.",
        plain("foreign-host", "Not our host", "This gateway answers to its loopback names, its bind address and the host of HOOKYARD_PUBLIC_URL. Set that to the address you use.");
    NoSuchEvent, 404, "No such event, or its payload is not kept any more.",
        plain("not-found", "No such event", "No such event is recorded. One that was just accepted may take some seconds to appear; events are kept for 90 days by default.");
    NotReplayed, 409, "The event has not failed, a run of it is under way, or it has run since the replay was minted.",
        ("not-replayed", "Not to be replayed now", "It has not failed. Only errored events are replayed, unless force is true.", json!({ "reason": "not_errored" }));
    BodyExpired, 410, "The event's body is not kept any more, so there is nothing to send.",
        ("body-expired", "The body has expired", "Its body is not kept any more, so there is nothing to send.", json!({ "reason": "body_expired" }));
    TooLarge, 413, "The body is larger than 1 MiB.",
        plain("too-large", "Body too large", "A request may have 1 MiB; send less at once.");
    NotJson, 415, "The content type is not application/json.",
        plain("content-type", "Unsupported content type", "Send JSON, with content-type: application/json.");
    NoStatus, 422, "None of the statuses was accepted; each result says why.",
        ("no-status", "No status accepted", "None of the statuses was accepted; each result says why.", json!({ "results": [
            { "id": null, "context": "ci", "result": "invalid", "reason": "status \"sucess\" is not pending, error, failure or success" },
        ] }));
    Unavailable, 503, "The store or a queue does not answer. Nothing is lost by asking again.",
        plain("unavailable", "Not available now", "Hookyard cannot reach its store or its queue right now. Try again in a moment.");
    BadDelivery, 400, "A header or the body is none of a delivery.",
        plain("delivery", "Not a delivery", "The request needs exactly one x-github-event header.");
    BadSignature, 401, "The signature is missing, given twice, malformed, or does not fit.",
        plain("signature", "Signature not accepted", "The signature does not fit the body: the webhook's secret at GitHub and here differ.");
    DeliveryTooLarge, 413, "The delivery is larger than 26,214,400 bytes; on AWS, than what Lambda takes.",
        plain("too-large", "Delivery too large", "A delivery may have 26,214,400 bytes: GitHub itself sends no larger ones.");
    NotAWebhook, 415, "The content type is neither JSON nor a form.",
        plain("content-type", "Unsupported content type", "Set the webhook's content type to application/json or application/x-www-form-urlencoded.");
    NotAccepted, 503, "The delivery could not be made durable, so nothing of it was accepted.",
        plain("unavailable", "Not accepted now", "Hookyard could not store the delivery, so it was not accepted. Redeliver it from this page in a moment.");
}

/// What every address of the API port may say.
pub(crate) struct Anywhere;
/// And every one that needs the key.
pub(crate) struct Reading;
/// And every one that takes a body.
pub(crate) struct Changing;

impl IntoResponses for Anywhere {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("400", "BadRequest"), ("421", "ForeignHost")])
    }
}

impl IntoResponses for Reading {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = Anywhere::responses();
        responses.extend(named([("401", "Unauthorized"), ("403", "Forbidden"), ("503", "Unavailable")]));
        responses
    }
}

impl IntoResponses for Changing {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = Reading::responses();
        responses.extend(named([("413", "TooLarge"), ("415", "NotJson")]));
        responses
    }
}

fn named<const N: usize>(names: [(&str, &str); N]) -> BTreeMap<String, RefOr<Response>> {
    names.map(|(code, name)| (code.to_owned(), Ref::from_response_name(name).into())).into()
}
