//! What may be asked: parameters, and the bodies that are read by hand. Only the specification uses these types.
#![expect(dead_code, reason = "they only describe")]

use std::borrow::Cow;

use domain::statuses::{CONTEXT_LIMIT, DESCRIPTION_LIMIT, TARGET_URL_LIMIT};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::names;

/// Which events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventFilter {
    /// Only of this repository, compared without case.
    #[param(value_type = names::Repository, required = false)]
    repository: String,
    /// Only of this type.
    #[param(rename = "type", value_type = names::EventType, required = false)]
    event_type: String,
    /// Only with exactly this action.
    #[param(required = false, example = "opened")]
    action: String,
    /// Only in this state.
    #[param(value_type = names::EventStatus, required = false)]
    status: String,
    /// Only of this delivery: its GUID, or 8 or more of its first characters.
    #[param(required = false, pattern = "^[A-Za-z0-9-]{8,64}$", example = "0b989ba4")]
    delivery: String,
    /// Only received at or after this instant.
    #[param(value_type = String, format = DateTime, required = false)]
    since: String,
    /// Only received before it.
    #[param(value_type = String, format = DateTime, required = false)]
    until: String,
}

/// Which releases.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReleaseFilter {
    /// Only of this repository, compared without case.
    #[param(value_type = names::Repository, required = false)]
    repository: String,
    /// Only in this state.
    #[param(value_type = names::ReleaseState, required = false)]
    state: String,
    /// Only published, or made where it is not published, at or after this instant.
    #[param(value_type = String, format = DateTime, required = false)]
    since: String,
}

/// Which page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// The most entries of a page.
    #[param(required = false, minimum = 1, maximum = 100, default = 100)]
    limit: u8,
    /// The `next_cursor` of the page before, with the same filters.
    #[param(required = false)]
    cursor: String,
}

/// One event.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OneEvent {
    /// The event.
    #[param(value_type = names::EventId)]
    id: String,
}

/// One commit.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OneCommit {
    /// Who the repository belongs to.
    #[param(value_type = names::RepositoryPart)]
    owner: String,
    /// Its own name.
    #[param(value_type = names::RepositoryPart)]
    repository: String,
    /// The whole sha.
    #[param(value_type = names::Sha)]
    sha: String,
}

/// How a repeat is recognised.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct Repeat {
    /// Makes a repeat safe: equal statuses under the same key are the same status.
    #[param(rename = "idempotency-key", required = false, pattern = "^[!-~]([ -~]{0,253}[!-~])?$")]
    idempotency_key: String,
}

/// Which queue of dead letters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OneQueue {
    /// Only of this queue.
    #[param(value_type = names::QueueName, required = false)]
    queue: String,
    /// The most dead letters.
    #[param(required = false, minimum = 1, maximum = 100, default = 100)]
    limit: u8,
}

/// Statuses of one commit. With a call-back token the commit is the token's own where none is named; with the key it
/// has to be named. Further members are ignored.
#[derive(ToSchema)]
#[schema(examples(json!({
    "repository": "octo-org/hello", "sha": "9fceb02d0ae598e95dc970b74767f19372d61af8",
    "statuses": [{ "name": "integration-testing", "status": "pending", "message": "initializing",
                   "target_url": "https://ci.example/7" }]
})))]
pub(crate) struct StatusRequest {
    /// Names the repository by its path; its host is neither compared nor called.
    #[schema(
        pattern = r"/repos/[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}/pulls/[0-9]+/?$",
        examples("https://api.github.com/repos/octo-org/hello/pulls/7")
    )]
    pull_request_url: Option<String>,
    #[schema(value_type = Option<names::Repository>)]
    repository: Option<String>,
    #[schema(value_type = Option<names::Sha>)]
    sha: Option<String>,
    /// In the order in which they happened.
    #[schema(min_items = 1, max_items = 100)]
    statuses: Vec<StatusEntry>,
}

/// The members of a status, by our names and by GitHub's.
#[derive(ToSchema)]
struct Members {
    /// The context: 1 to 255 characters, none of them a control character.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$",
        examples("integration-testing")
    )]
    name: Option<String>,
    /// The same, in GitHub's word.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
    )]
    context: Option<String>,
    /// The state.
    #[schema(value_type = Option<names::CommitState>)]
    status: Option<String>,
    /// The same, in GitHub's word.
    #[schema(value_type = Option<names::CommitState>)]
    state: Option<String>,
    /// Shown beside the state; longer than 140 characters it is cut, with an ellipsis.
    message: Option<String>,
    /// The same, in GitHub's word.
    description: Option<String>,
    /// Where people read more: http or https, at most 2,048 characters. An empty one counts as none.
    #[schema(max_length = 2048, pattern = r"^(https?://[^\s]+)?$", examples("https://ci.example/7"))]
    target_url: Option<String>,
    /// A pending status may follow a result of the same run.
    reopen: Option<bool>,
}

// The schema says the limits again, because an attribute takes no constant of another crate.
const _: () = assert!(CONTEXT_LIMIT == 255 && DESCRIPTION_LIMIT == 140 && TARGET_URL_LIMIT == 2048);

/// One status, by our names or by GitHub's: `name` or `context`, `status` or `state`.
pub(crate) enum StatusEntry {}

impl PartialSchema for StatusEntry {
    fn schema() -> RefOr<Schema> {
        let either = |ours, githubs| {
            let text = || ObjectBuilder::new().schema_type(Type::String);
            let one = |name| ObjectBuilder::new().property(name, text()).required(name);
            OneOfBuilder::new().item(one(ours)).item(one(githubs)).build()
        };
        let said = "One status: `name` or GitHub's `context`, `status` or GitHub's `state`.";
        AllOfBuilder::new()
            .description(Some(said))
            .item(Members::schema())
            .item(Schema::OneOf(either("name", "context")))
            .item(Schema::OneOf(either("status", "state")))
            .into()
    }
}

impl ToSchema for StatusEntry {
    fn name() -> Cow<'static, str> {
        "StatusEntry".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        <Members as ToSchema>::schemas(schemas);
    }
}
