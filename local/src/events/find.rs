//! An event by what a person has at hand: its id, its GUID, or the beginning of that.

use domain::ids::EventId;
use jiff::SignedDuration;

use crate::cli::exit;
use crate::failure::Failure;
use crate::remote::records::Event;
use crate::remote::{Gateway, Walk};

/// The fewest characters of a GUID that are looked for.
const FEWEST: usize = 8;

/// How long a GUID is.
const WHOLE: usize = 36;

/// Several hooks deliver one event under one GUID, at about the same time: this far from the newest find others are
/// looked for.
const AROUND: SignedDuration = SignedDuration::from_hours(1);

/// The id of the event that is meant.
pub(crate) async fn find(gateway: &Gateway, text: &str) -> Result<EventId, Failure> {
    if let Ok(id) = EventId::parse(text) {
        // Whether there is one with a whole id, whoever asks for it will hear.
        if id.delivery().as_str().len() == WHOLE {
            return Ok(id);
        }
        match gateway.get(&["v1", "events", &id.to_string()], &[]).await {
            Ok(_) => return Ok(id),
            Err(failure) if failure.code() != exit::NOT_FOUND => return Err(failure),
            Err(_) => {}
        }
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') || text.len() > 64 {
        let hint = "write it like 48211900-0b989ba4-242f-11e5-81e1-c7b6966d2516, or 0b989ba4";
        return Err(Failure::usage(format!("{text:?} is no id"), hint));
    }
    if text.len() < FEWEST {
        return Err(Failure::usage(
            format!("{text:?} is too short for an id"),
            "give 8 or more of its first characters",
        ));
    }
    let among = |since: Option<String>, until: Option<String>| {
        let filters = [("delivery", Some(text.to_owned())), ("since", since), ("until", until)];
        Walk::new(gateway, &["v1", "events"], "events", filters, None)
    };
    let newest: Vec<Event> = among(None, None).take(1).await?.read()?;
    let Some(newest) = newest.into_iter().next() else {
        let hint = "one that was just accepted may take some seconds to appear; events are kept for 90 days by default";
        return Err(Failure::not_found(format!("no event's GUID begins with {text}"), hint));
    };
    let around = |by: SignedDuration| newest.received_at.checked_add(by).ok().map(|at| at.to_string());
    let near: Vec<Event> = among(around(-AROUND), around(AROUND)).take(5).await?.read()?;
    match &near[..] {
        [] | [_] => Ok(newest.id),
        several => {
            let ids = several.iter().map(|event| event.id.to_string()).collect::<Vec<_>>().join(", ");
            Err(Failure::usage(format!("{} events begin with {text}", several.len()), format!("give one of {ids}")))
        }
    }
}
