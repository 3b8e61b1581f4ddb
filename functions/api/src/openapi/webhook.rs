//! What ingest takes, on the webhook port. It cannot describe itself: functions do not depend on each other.
#![expect(dead_code, reason = "it only describes")]

use utoipa::{IntoParams, ToSchema};

use super::errors::{BadDelivery, BadSignature, DeliveryTooLarge, NotAWebhook, NotAccepted};
use super::names;

/// An event is verified and durable.
#[derive(ToSchema)]
struct Accepted {
    #[schema(value_type = names::EventId)]
    event: String,
    #[schema(value_type = names::ReceiptId)]
    receipt: String,
}

/// GitHub's set-up check was heard.
#[derive(ToSchema)]
struct Pong {
    pong: bool,
    #[schema(value_type = names::EventId)]
    event: String,
}

/// Deliver an event
///
/// What GitHub does. The signature is over the exact bytes of the body, and nothing is parsed before it has been
/// checked. On one machine this is on the webhook port.
#[utoipa::path(post, path = "/github", tag = "webhooks", operation_id = "deliver", security(()),
    servers(
        (url = "http://127.0.0.1:7777", description = "On one machine: the webhook port."),
        (url = "/", description = "On AWS."),
    ),
    params(Headers),
    request_body(description = "GitHub's JSON; in a form it is the field `payload`.", content(
        (Value = "application/json", example = json!({ "zen": "Keep it logically awesome.", "hook_id": 48211900 })),
        (Form = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 202, description = "Verified and durable.", body = Accepted, headers(
            ("location" = String, description = "The event's page, which appears when the event has been recorded."),
        )),
        (status = 200, description = "A `ping`, GitHub's set-up check.", body = Pong),
        (status = 400, response = BadDelivery),
        (status = 401, response = BadSignature),
        (status = 413, response = DeliveryTooLarge),
        (status = 415, response = NotAWebhook),
        (status = 503, response = NotAccepted),
    ))]
pub(crate) fn github() {}

/// What names a delivery. Only the body is signed.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
struct Headers {
    /// `sha256=` and the HMAC-SHA256 of the body under the webhook's secret, hexadecimal.
    #[param(rename = "x-hub-signature-256", pattern = "^sha256=[0-9a-f]{64}$")]
    signature: String,
    /// The event's type.
    #[param(rename = "x-github-event", value_type = names::EventType)]
    event: String,
    /// The delivery's GUID.
    #[param(rename = "x-github-delivery", value_type = names::DeliveryGuid)]
    delivery: String,
    /// The hook; absent counts as 0.
    #[param(rename = "x-github-hook-id", value_type = names::HookId, required = false)]
    hook: String,
}

/// The body of a hook that sends forms.
#[derive(ToSchema)]
#[schema(as = DeliveryForm)]
struct Form {
    /// The JSON.
    payload: String,
}
