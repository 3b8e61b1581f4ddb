//! The checks, in the order of the contract, and the way onto the bus.

use axum::extract::Request;
use bytes::Bytes;
use domain::delivery::{self, BadDelivery, ContentType, Named};
use domain::envelope::{self, BUS_LIMIT, Body, Envelope};
use domain::error::PortError;
use domain::ids::{EventId, ReceiptId};
use domain::run::AskedBy;
use domain::signature::{self, Rejection, Verified};
use http::{HeaderMap, StatusCode, header};
use lambda::http::problem::Problem;
use tokio::sync::Semaphore;

use crate::body::{self, Refused};
use crate::{Ingest, PublicBase};

/// A delivery that is durable.
pub(crate) struct Accepted {
    pub(crate) event: EventId,
    pub(crate) receipt: ReceiptId,
    pub(crate) ping: bool,
    pub(crate) location: Option<String>,
}

pub(crate) async fn accept(ingest: &Ingest, large: &Semaphore, request: Request) -> Result<Accepted, Problem> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    // The place of a large one is held until it is answered.
    let whole = body::read(headers, body, ingest.clock.as_ref(), large).await.map_err(|refused| match refused {
        Refused::TooLarge => problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Delivery too large",
            "A delivery may have 26,214,400 bytes: GitHub itself sends no larger ones.",
        ),
        Refused::Busy => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Not accepted now",
            "Too many large deliveries are coming in at once. Redeliver it in a moment.",
        ),
        Refused::Broken => problem(
            StatusCode::BAD_REQUEST,
            "cut-short",
            "Body cut short",
            "The connection ended, or stood still, before the whole body was here. Redeliver it.",
        ),
    })?;
    let content_type = content_type(headers).ok_or_else(|| {
        problem(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
            "Unsupported content type",
            "Set the webhook's content type to application/json or application/x-www-form-urlencoded.",
        )
    })?;
    let verified = verify(ingest, headers, whole.bytes.clone()).await?;
    let named = delivery::name(|name| headers.get_all(name).iter().map(http::HeaderValue::as_bytes))
        .map_err(|bad| bad_delivery(&bad))?;
    let of_request = parts.extensions.get::<PublicBase>().map(|base| base.0.as_str());
    let location = ingest
        .public_url
        .as_deref()
        .or(of_request)
        .map(|base| format!("{}/events/{}", base.trim_end_matches('/'), named.event));
    publish(ingest, headers, content_type, &verified, named, location).await
}

async fn publish(
    ingest: &Ingest,
    headers: &HeaderMap,
    content_type: ContentType,
    verified: &Verified,
    named: Named,
    location: Option<String>,
) -> Result<Accepted, Problem> {
    let routing = delivery::routing(verified, content_type).map_err(|bad| bad_delivery(&bad))?;
    let received_at = ingest.clock.now();
    let receipt = ReceiptId(ingest.ids.next(received_at));
    let mut envelope = Envelope {
        event: named.event,
        event_type: named.event_type,
        receipt,
        source: named.source,
        received_at,
        content_type,
        headers: forwarded(headers),
        body: Body::Inline(verified.bytes().clone()),
        asked_by: AskedBy::Github,
        traceparent: traceparent(headers),
    };
    let attributes = envelope.attributes(&routing);
    // Base64 alone would be over the limit: spare the work of encoding it to find out.
    let mut encoded = (verified.bytes().len() / 3 * 4 < BUS_LIMIT).then(|| envelope.encode());
    if encoded.as_ref().is_none_or(|text| envelope::weight(text, &attributes) > BUS_LIMIT) {
        if let Some((key, bytes)) = envelope.move_body_out() {
            ingest.bodies.put(&key, bytes).await.map_err(|error| unavailable(&envelope, &error))?;
        }
        encoded = Some(envelope.encode());
    }
    let encoded = encoded.unwrap_or_else(|| envelope.encode());
    ingest.bus.publish(&encoded, &attributes).await.map_err(|error| unavailable(&envelope, &error))?;
    tracing::info!(
        event = %envelope.event, receipt = %receipt, r#type = %envelope.event_type,
        repository = routing.repository.as_ref().map(tracing::field::display), bytes = verified.bytes().len(),
        "a delivery was accepted"
    );
    let ping = envelope.event_type.as_str() == "ping";
    Ok(Accepted { event: envelope.event, receipt, ping, location })
}

/// Checks the signature; one that fits no known secret makes us look once whether the secret has changed.
async fn verify(ingest: &Ingest, headers: &HeaderMap, bytes: Bytes) -> Result<Verified, Problem> {
    let values = || headers.get_all(signature::HEADER).iter().map(http::HeaderValue::as_bytes);
    let keys = ingest.secrets.current().await.map_err(|error| no_secret(&error))?;
    let (rejection, bytes) = match signature::verify(&keys, values(), bytes) {
        Ok(verified) => return Ok(verified),
        Err(rejected) => rejected,
    };
    let rejection = if rejection == Rejection::Mismatch {
        let keys = ingest.secrets.refresh().await.map_err(|error| no_secret(&error))?;
        match signature::verify(&keys, values(), bytes) {
            Ok(verified) => return Ok(verified),
            Err((rejection, _)) => rejection,
        }
    } else {
        rejection
    };
    tracing::warn!(reason = ?rejection, "a delivery was refused: its signature was not accepted");
    Err(problem(StatusCode::UNAUTHORIZED, "signature", "Signature not accepted", &rejection.to_string()))
}

fn content_type(headers: &HeaderMap) -> Option<ContentType> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { ContentType::from_header(value) }
}

/// GitHub's headers that the user's server gets, values as one character per byte.
fn forwarded(headers: &HeaderMap) -> Vec<(String, String)> {
    let fit = headers.iter().filter(|(name, _)| delivery::is_forwarded(name.as_str()));
    fit.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().iter().copied().map(char::from).collect()))
        .collect()
}

/// The trace that the request belongs to, if it names one in the W3C form.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = value.split('-').collect();
    let hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let fit =
        matches!(parts.as_slice(), ["00", trace, span, flags] if hex(trace, 32) && hex(span, 16) && hex(flags, 2));
    fit.then(|| value.to_owned())
}

fn bad_delivery(bad: &BadDelivery) -> Problem {
    problem(StatusCode::BAD_REQUEST, "delivery", "Not a delivery", &bad.to_string())
}

fn unavailable(envelope: &Envelope, error: &PortError) -> Problem {
    tracing::error!(event = %envelope.event, %error, "a delivery could not be made durable");
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "Not accepted now",
        "Hookyard could not store the delivery, so it was not accepted. Redeliver it from this page in a moment.",
    )
}

fn no_secret(error: &PortError) -> Problem {
    tracing::error!(%error, "the webhook secret could not be read");
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "Not accepted now",
        "Hookyard could not read its webhook secret, so it could not check the delivery. Redeliver it in a moment.",
    )
}

fn problem(status: StatusCode, slug: &'static str, title: &str, detail: &str) -> Problem {
    Problem::new(status, slug, title, detail)
}
