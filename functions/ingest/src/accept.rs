//! The checks, in the order of the contract, and the way onto the bus.

use axum::extract::Request;
use bytes::Bytes;
use domain::delivery::{self, BadDelivery, ContentType, Named};
use domain::envelope::{self, BUS_LIMIT, Body, Envelope};
use domain::error::PortError;
use domain::ids::{EventId, EventType, ReceiptId};
use domain::run::AskedBy;
use domain::signature::{self, Rejection, Verified};
use domain::trace::TraceId;
use http::{HeaderMap, StatusCode, header};
use lambda::http::problem::Problem;
use lambda::meter::Refusal;
use lambda::telemetry::about;
use tokio::sync::Semaphore;

use crate::{Ingest, PublicBase, body};

/// A delivery that is durable.
pub(crate) struct Accepted {
    pub(crate) event: EventId,
    pub(crate) event_type: EventType,
    pub(crate) receipt: ReceiptId,
    pub(crate) bytes: usize,
    pub(crate) location: Option<String>,
}

/// One that was not accepted.
pub(crate) struct Refused {
    pub(crate) reason: Refusal,
    /// What stood behind it, for the log.
    pub(crate) why: Option<String>,
    /// What the sender is told.
    pub(crate) problem: Problem,
}

pub(crate) async fn accept(ingest: &Ingest, large: &Semaphore, request: Request) -> Result<Accepted, Refused> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let named = delivery::name(|name| headers.get_all(name).iter().map(http::HeaderValue::as_bytes));
    // What the headers claim helps to find a refused delivery at GitHub. It is checked for its form only.
    about(named.as_ref().ok().map(|named| &named.event), None, None, None);
    // The place of a large one is held until it is answered.
    let whole = body::read(headers, body, ingest.clock.as_ref(), large).await.map_err(Refused::body)?;
    let content_type = content_type(headers).ok_or_else(|| {
        refused(
            Refusal::ContentType,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
            "Unsupported content type",
            "Set the webhook's content type to application/json or application/x-www-form-urlencoded.",
        )
    })?;
    let verified = verify(ingest, headers, whole.bytes.clone()).await?;
    let named = named.map_err(|bad| Refused::delivery(&bad))?;
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
) -> Result<Accepted, Refused> {
    let routing = delivery::routing(verified, content_type).map_err(|bad| Refused::delivery(&bad))?;
    let received_at = ingest.clock.now();
    let receipt = ReceiptId(ingest.ids.next(received_at));
    about(None, Some(receipt), routing.repository.as_ref(), Some(&TraceId::of(receipt)));
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
    };
    let attributes = envelope.attributes(&routing);
    // Base64 alone would be over the limit: spare the work of encoding it to find out.
    let mut encoded = (verified.bytes().len() / 3 * 4 < BUS_LIMIT).then(|| envelope.encode());
    if encoded.as_ref().is_none_or(|text| envelope::weight(text, &attributes) > BUS_LIMIT) {
        if let Some((key, bytes)) = envelope.move_body_out() {
            ingest.bodies.put(&key, bytes).await.map_err(|error| Refused::unavailable(&error))?;
        }
        encoded = Some(envelope.encode());
    }
    let encoded = encoded.unwrap_or_else(|| envelope.encode());
    ingest.bus.publish(&encoded, &attributes).await.map_err(|error| Refused::unavailable(&error))?;
    let Envelope { event, event_type, .. } = envelope;
    Ok(Accepted { event, event_type, receipt, bytes: verified.bytes().len(), location })
}

/// Checks the signature; one that fits no known secret makes us look once whether the secret has changed.
async fn verify(ingest: &Ingest, headers: &HeaderMap, bytes: Bytes) -> Result<Verified, Refused> {
    let values = || headers.get_all(signature::HEADER).iter().map(http::HeaderValue::as_bytes);
    let keys = ingest.secrets.current().await.map_err(|error| Refused::no_secret(&error))?;
    let (rejection, bytes) = match signature::verify(&keys, values(), bytes) {
        Ok(verified) => return Ok(verified),
        Err(rejected) => rejected,
    };
    let rejection = if rejection == Rejection::Mismatch {
        let keys = ingest.secrets.refresh().await.map_err(|error| Refused::no_secret(&error))?;
        match signature::verify(&keys, values(), bytes) {
            Ok(verified) => return Ok(verified),
            Err((rejection, _)) => rejection,
        }
    } else {
        rejection
    };
    let (title, detail) = ("Signature not accepted", rejection.to_string());
    let refused = refused(Refusal::Signature, StatusCode::UNAUTHORIZED, "signature", title, &detail);
    Err(Refused { why: Some(format!("{rejection:?}").to_lowercase()), ..refused })
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

impl Refused {
    fn body(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooLarge => refused(
                refusal,
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "Delivery too large",
                "A delivery may have 26,214,400 bytes: GitHub itself sends no larger ones.",
            ),
            Refusal::Busy => refused(
                refusal,
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Not accepted now",
                "Too many large deliveries are coming in at once. Redeliver it in a moment.",
            ),
            _ => refused(
                refusal,
                StatusCode::BAD_REQUEST,
                "cut-short",
                "Body cut short",
                "The connection ended, or stood still, before the whole body was here. Redeliver it.",
            ),
        }
    }

    fn delivery(bad: &BadDelivery) -> Self {
        refused(Refusal::Malformed, StatusCode::BAD_REQUEST, "delivery", "Not a delivery", &bad.to_string())
    }

    fn unavailable(error: &PortError) -> Self {
        let refused = refused(
            Refusal::BusUnavailable,
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Not accepted now",
            "Hookyard could not store the delivery, so it was not accepted. Redeliver it from this page in a moment.",
        );
        Self { why: Some(error.to_string()), ..refused }
    }

    fn no_secret(error: &PortError) -> Self {
        let refused = refused(
            Refusal::SecretUnavailable,
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Not accepted now",
            "Hookyard could not read its webhook secret, so it could not check the delivery. Redeliver it in a moment.",
        );
        Self { why: Some(error.to_string()), ..refused }
    }
}

fn refused(reason: Refusal, status: StatusCode, slug: &'static str, title: &str, detail: &str) -> Refused {
    Refused { reason, why: None, problem: Problem::new(status, slug, title, detail) }
}
