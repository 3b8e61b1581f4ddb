//! What ids look like, and the closed sets of words: the latter are the domain's own, so no list here can be behind.

use std::borrow::Cow;

use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Object, RefOr};
use utoipa::{PartialSchema, ToSchema};

macro_rules! named {
    ($name:ident, $schema:expr) => {
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                Object::from($schema).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

macro_rules! texts {
    ($($name:ident, $what:literal, $pattern:literal, $example:literal;)*) => {
        $(named!($name, text($what).pattern(Some($pattern)).examples([$example]));)*
    };
}

macro_rules! words {
    ($($name:ident, $what:literal, $type:ty;)*) => {
        $(named!($name, text($what).enum_values(Some(<$type>::ALL.map(<$type>::as_str))));)*
    };
}

fn text(what: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(what))
}

texts! {
    EventId, "An event: `<hook id>-<delivery GUID>`.", "^[0-9]{1,20}-[A-Za-z0-9-]{1,64}$",
        "48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516";
    EventType, "`X-GitHub-Event`. Types that nobody has heard of yet are taken as well.", "^[a-z0-9_]{1,64}$",
        "pull_request";
    DeliveryGuid, "`X-GitHub-Delivery`. Hooks share it.", "^[A-Za-z0-9-]{1,64}$",
        "0b989ba4-242f-11e5-81e1-c7b6966d2516";
    HookId, "The hook that delivered; `0` where the delivery did not say.", "^[0-9]{1,20}$", "48211900";
    ReceiptId, "One accepted request or replay: a UUID v7, which is the `webhook-id` that your server sees.",
        "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "019cadfe-7360-7000-8000-00000000abcd";
    ReplayId, "A replay: `r-` and a UUID v7.",
        "^r-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        "r-019cadfe-7360-7000-8000-00000000abcd";
    Repository, "`owner/name`.",
        r"^(?!\.{1,2}/)[A-Za-z0-9._-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$", "octo-org/hello";
    RepositoryPart, "Half of a repository's name: its owner or its own.",
        r"^(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$", "octo-org";
    Sha, "A commit: 40 or 64 hexadecimal digits.", "^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$",
        "9fceb02d0ae598e95dc970b74767f19372d61af8";
    StatusId, "A status on its way to GitHub.", "^[A-Za-z0-9-]{1,128}$", "019cadfe-7360-7000-8000-00000000abce";
}

words! {
    EventStatus, "Where an event or a run stands.", domain::event::EventStatus;
    Source, "Which kind of hook delivered.", domain::event::Source;
    FailureReason, "Why an event errored.", domain::reasons::FailureReason;
    AttemptOutcome, "How a call of your server ended.", domain::run::Outcome;
    CommitState, "A commit status's state, in GitHub's words.", domain::statuses::State;
    StatusOutcome, "What became of a status.", domain::statuses::row::StatusOutcome;
    StatusReason, "Why GitHub did not take a status, or not yet.", domain::reasons::StatusReason;
    ReleaseState, "Where a release stands.", domain::release::ReleaseState;
    Via, "How a status came: in your server's answer, by call-back with a token, or with the key.",
        domain::statuses::Via;
    QueueName, "A dead-letter queue, by the queue that its messages were meant for.",
        domain::dead_letters::DeadLetterQueue;
    ReplayRefusal, "Why an event is not replayed.", domain::replay::Refusal;
}
