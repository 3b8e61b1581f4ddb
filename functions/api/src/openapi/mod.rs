//! `GET /openapi.json`: both ports, read from the code.
//!
//! The addresses describe themselves where they are handled; here is what they have in common. The document is made
//! when somebody asks for it first, so that a cold start pays nothing for it.

mod errors;
pub(crate) mod names;
pub(crate) mod requests;
mod webhook;

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::{Modify, OpenApi};

pub(crate) use self::errors::{
    Anywhere, BodyExpired, Changing, NoStatus, NoSuchEvent, NotReplayed, Problem, Reading, Unavailable,
};
use crate::pages::session;
use crate::{commits, dead_letters, events, releases, replays, statuses};

/// The document, as it is sent: the same as long as the process runs.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    // Numbers, texts, lists and maps with texts as keys: nothing that JSON cannot hold.
    Document::openapi().to_json().unwrap_or_default()
});

/// This document
///
/// It holds no secret, so nobody is asked for the key.
#[utoipa::path(get, path = "/openapi.json", tag = "gateway", operation_id = "describe", security(()),
    responses((status = 200, description = "OpenAPI 3.1.", body = Value), Anywhere))]
pub(crate) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookyard",
        description = "A gateway between GitHub's webhooks and your server.\n\n\
            Lists are newest first and bounded; an opaque cursor leads to the next page. Parameters that are unknown, \
            given twice, malformed or out of range are refused, never clamped; an empty one in an address counts as absent. Every error is a problem of RFC 9457 \
            whose `detail` is written for the person who reads it. Every GET answers HEAD as well.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        contact()
    ),
    servers((url = "/", description = "The status, query and page port: 7778 by default. On AWS the only one.")),
    paths(
        webhook::github, statuses::post, events::list, events::show, events::payload, replays::one, replays::many,
        releases::list, commits::statuses, dead_letters::list, dead_letters::redrive, crate::health, openapi,
    ),
    components(schemas(Problem, names::RepositoryPart), responses(
        errors::BadRequest, errors::Unauthorized, errors::Forbidden, errors::ForeignHost, NoSuchEvent, NotReplayed,
        BodyExpired, errors::TooLarge, errors::NotJson, NoStatus, Unavailable, errors::BadDelivery,
        errors::BadSignature, errors::DeliveryTooLarge, errors::NotAWebhook, errors::NotAccepted,
    )),
    security(("key" = [])),
    modifiers(&Ways, &Alias),
    tags(
        (name = "webhooks", description = "What GitHub sends."),
        (name = "statuses", description = "What your server says about a commit, and what became of it."),
        (name = "events", description = "What arrived, and what became of it."),
        (name = "releases", description = "What has been released, and what became of it."),
        (name = "replays", description = "Running it again."),
        (name = "dead letters", description = "What Hookyard itself could not work on."),
        (name = "gateway", description = "The gateway itself."),
    )
)]
struct Document;

/// The ways in.
struct Ways;

impl Modify for Ways {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, description) in [
            ("key", "`HOOKYARD_API_KEY`. On one machine without a key, requests from that machine need none."),
            ("token", "The call-back token of an event: `x-hookyard-callback-token`, as your server got it."),
        ] {
            let mut bearer = Http::new(HttpAuthScheme::Bearer);
            bearer.description = Some(description.to_owned());
            components.add_security_scheme(name, SecurityScheme::Http(bearer));
        }
        let cookie =
            "The pages' own, after signing in; `hookyard` under a loopback name. It reads and changes nothing.";
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description(session::SECURE, cookie));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
        for (path, item) in &mut document.paths.paths {
            if let Some(operation) = item.get.as_mut().filter(|_| path.starts_with("/v1/")) {
                let none: [&str; 0] = [];
                operation.security = Some(["key", "session"].map(|way| SecurityRequirement::new(way, none)).into());
            }
        }
    }
}

/// `/pulls/status/update`, under which an older gateway took statuses, is `/v1/statuses` by another name.
struct Alias;

impl Modify for Alias {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let Some(mut item) = document.paths.paths.get("/v1/statuses").cloned() else { return };
        if let Some(operation) = &mut item.post {
            operation.operation_id = Some("reportStatusesAlias".to_owned());
            operation.summary = Some("Report statuses, at the address of an older gateway".to_owned());
        }
        document.paths.paths.insert("/pulls/status/update".to_owned(), item);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ROUTES;

    #[test]
    fn every_route_is_described_and_every_address_is_a_route() {
        let described = Document::openapi().paths.paths.into_keys().collect::<BTreeSet<_>>();
        let webhooks = ["/github".to_owned()];
        let routes = ROUTES.iter().map(|(path, _)| (*path).to_owned()).chain(webhooks).collect::<BTreeSet<_>>();
        assert_eq!(described, routes);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(&DOCUMENT).unwrap();
        let places = DOCUMENT.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
        let lost: BTreeSet<_> = places.filter(|place| document.pointer(place).is_none()).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }

    #[test]
    fn it_is_open_api_3_1_with_a_name_for_every_operation() {
        let document: serde_json::Value = serde_json::from_str(&DOCUMENT).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
        let names: Vec<_> = paths.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
