//! The statuses in a server's answer.

use domain::run::Run;
use domain::statuses::message::StatusMessage;
use domain::statuses::request::{self, Request};
use domain::statuses::{Accepted, Via, id};
use jiff::Timestamp;

use crate::arrival::Arrival;

/// What an answer brought.
pub(crate) struct Found {
    /// Accepted, in the order sent.
    pub(crate) statuses: Vec<StatusMessage>,
    /// What is to be said of it on the attempt.
    pub(crate) note: Option<String>,
    /// Its JSON could not be used at all.
    pub(crate) unreadable: bool,
}

/// Reads an answer. Repository and commit default to the event's; another commit may be named, another
/// repository not.
pub(crate) fn read(body: &[u8], arrival: &Arrival, run: &Run, started_at: Timestamp) -> Found {
    let request = match request::read_answer(body) {
        Ok(None) => return Found { statuses: Vec::new(), note: None, unreadable: false },
        Ok(Some(request)) => request,
        Err(unreadable) => {
            return Found { statuses: Vec::new(), note: Some(unreadable.to_string()), unreadable: true };
        }
    };
    let count = request.items.len();
    let (statuses, wrong) = accept(request, arrival, run, started_at);
    let note = wrong.map(|why| format!("{} of {count} statuses not accepted: {why}", count - statuses.len()));
    Found { unreadable: statuses.is_empty(), statuses, note }
}

fn accept(
    request: Request,
    arrival: &Arrival,
    run: &Run,
    started_at: Timestamp,
) -> (Vec<StatusMessage>, Option<String>) {
    let event = &arrival.event;
    let target = || -> Result<_, String> {
        let named = request.repository.clone()?;
        let own = event.repository.clone();
        let repository = match (named, own) {
            (Some(named), Some(own)) if !named.same_as(&own) => {
                return Err(format!("the event belongs to {own}, and an answer may not name another repository"));
            }
            (Some(_), None) => return Err("the event has no repository, and an answer may not name one".to_owned()),
            (_, own) => own.ok_or("the event has no repository")?,
        };
        let sha = request.sha.clone()?.or_else(|| event.sha.clone());
        Ok((repository, sha.ok_or("the event has no commit: name its sha")?))
    };
    let (repository, sha) = match target() {
        Ok(target) => target,
        Err(why) => return (Vec::new(), Some(why)),
    };
    let mut wrong = None;
    let mut statuses = Vec::with_capacity(request.items.len());
    for item in request.items {
        match item.read {
            Ok(read) => statuses.push(StatusMessage {
                id: id::of_answer(run.receipt, &repository, &sha, &read.content),
                repository: repository.clone(),
                sha: sha.clone(),
                content: read.content,
                accepted: Accepted { at: started_at, index: read.index },
                reopen: read.reopen,
                via: Via::Answer,
                run: Some(run.receipt),
                event: Some(event.id.clone()),
                trace: None,
            }),
            Err(why) => wrong = wrong.or(Some(why)),
        }
    }
    (statuses, wrong)
}
