//! What to do with an event: the rules that come before any call.

use domain::error::PortError;
use domain::ports::HeadReader;
use domain::statuses::ContextKey;

use crate::arrival::Arrival;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Record it, send nothing; the text says by which rule.
    Ignore(String),
    /// Record it: there is nobody to send it to.
    NoServer,
    /// Call the server.
    Call,
}

/// Decides. Set-up checks and the echo of our own statuses go to nobody, whether or not there is a server.
pub(crate) async fn plan(arrival: &Arrival, has_server: bool, heads: &dyn HeadReader) -> Result<Plan, PortError> {
    if arrival.event.event_type.as_str() == "ping" {
        return Ok(Plan::Ignore("set-up check".to_owned()));
    }
    if is_echo(arrival, heads).await? {
        return Ok(Plan::Ignore("echo of our own status".to_owned()));
    }
    Ok(if has_server { Plan::Call } else { Plan::NoServer })
}

/// Whether a `status` event tells of what this gateway wrote itself. GitHub's id settles it once we have recorded
/// it; while our own POST is still open, or its end unknown, what it says has to do.
async fn is_echo(arrival: &Arrival, heads: &dyn HeadReader) -> Result<bool, PortError> {
    let event = &arrival.event;
    let (Some(told), Some(repository), Some(sha)) = (&arrival.status, &event.repository, &event.sha) else {
        return Ok(false);
    };
    let head = heads.head(&ContextKey::new(repository.clone(), sha.clone(), &told.content.context)).await?;
    let by_id = told.id.is_some_and(|id| head.recent.contains(&id));
    let last = head.last.as_ref().filter(|last| last.github_id.is_some());
    let by_content = last.is_some_and(|last| last.content.same_as(&told.content));
    let by_intent = head.intent.is_some_and(|intent| intent.status.content.same_as(&told.content));
    Ok(by_id || by_content || by_intent)
}
