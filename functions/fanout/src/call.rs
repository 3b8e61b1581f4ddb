//! One attempt: what the server is sent, and what its reply means for the run.

use domain::error::PortError;
use domain::event::GithubEvent;
use domain::ids::Sha;
use domain::ports::{ServerReply, ServerRequest, YourServer};
use domain::run::{Ending, Outcome, Run};
use domain::token::{self, Grant};
use domain::trace::TraceId;
use domain::webhook;
use jiff::{SignedDuration, Timestamp};

use crate::arrival::Arrival;
use crate::{Fanout, answer, seed};

/// Writers of the server's row that may collide before we give up counting this attempt.
const HEALTH_TRIES: u32 = 5;

impl Fanout {
    /// Makes the call that the run's open attempt stands for, and closes it.
    pub(crate) async fn call(
        &self,
        arrival: &Arrival,
        run: &mut Run,
        server: &dyn YourServer,
        request: ServerRequest,
        probe: bool,
    ) {
        let started_at = run.attempts.last().map_or(run.started_at, |attempt| attempt.started_at);
        let before = self.ports.clock.now();
        let reply = server.call(request).await;
        let now = self.ports.clock.now();
        let ms = u64::try_from(now.duration_since(before).as_millis()).unwrap_or(0);
        let mut ending = ending(reply, server.host(), ms, now);
        if let (Outcome::Taken, Some(body)) = (ending.0.outcome, ending.1) {
            let found = answer::read(&body, arrival, run, started_at);
            ending.0.note = found.note;
            if found.unreadable {
                ending.0.outcome = Outcome::AnswerUnreadable;
            }
            match self.ports.statuses.send(&found.statuses).await {
                Ok(()) => {
                    let named = found.statuses.first().map(|status| status.sha.clone());
                    ending.0.sha = named.filter(|sha| arrival.event.sha.as_ref() != Some(sha));
                    ending.0.statuses = found.statuses.into_iter().map(|status| status.id).collect();
                }
                Err(error) => {
                    // Not the server's fault, and nothing may be lost: it is asked again under the same id.
                    tracing::warn!(%error, "the statuses of an answer could not be queued");
                    ending.0.outcome = Outcome::CutOff;
                    ending.0.note =
                        Some("The statuses in the answer could not be queued; the server is asked again.".to_owned());
                }
            }
        }
        let ending = ending.0;
        self.note_health(server, ending.outcome, probe, now).await;
        run.end_attempt(ending, now, seed(run.receipt));
    }

    /// What an attempt that starts then sends. Made before the attempt is on record, because what can fail here (a
    /// secret that cannot be read) is neither the server's fault nor the message's: it is tried again, for as long
    /// as it takes.
    pub(crate) async fn request(
        &self,
        arrival: &Arrival,
        run: &Run,
        started_at: Timestamp,
    ) -> Result<ServerRequest, PortError> {
        let keys = self.ports.server_secrets.current().await.map_err(|error| no_secret(&error))?;
        let mut headers = arrival.headers.clone();
        let id = run.receipt.to_string();
        let signed = webhook::headers(&keys, &id, started_at, &arrival.body)
            .ok_or_else(|| no_secret(&"YOUR_SERVER_SECRET is not whsec_ and base64"))?;
        headers.extend(signed.map(|(name, value)| (name.to_owned(), value)));
        headers.push(("x-hookyard-callback-url".to_owned(), self.call_back.url.clone()));
        if let Some(token) = self.token(&arrival.event, run, started_at).await? {
            headers.push(("x-hookyard-callback-token".to_owned(), token));
        }
        headers.push(("traceparent".to_owned(), traceparent(run)));
        Ok(ServerRequest { headers, body: arrival.body.clone() })
    }

    /// The call-back token; none for an event without a commit, which has nothing to report on.
    async fn token(&self, event: &GithubEvent, run: &Run, at: Timestamp) -> Result<Option<String>, PortError> {
        let (Some(repository), Some(sha)) = (&event.repository, &event.sha) else { return Ok(None) };
        let ttl = SignedDuration::try_from(self.call_back.ttl).unwrap_or(SignedDuration::MAX);
        let grant = Grant {
            event: event.id.clone(),
            receipt: run.receipt,
            repository: repository.clone(),
            sha: Sha::clone(sha),
            exp: at.checked_add(ttl).unwrap_or(Timestamp::MAX).as_second(),
        };
        let keys = self.ports.callback_secrets.current().await.map_err(|error| no_secret(&error))?;
        Ok(token::mint(&keys, &grant))
    }

    /// Counts the attempt for or against the server. Losing a race, or the row, costs a count, not the event.
    async fn note_health(&self, server: &dyn YourServer, outcome: Outcome, probe: bool, now: Timestamp) {
        for _ in 0..HEALTH_TRIES {
            let result = async {
                let health = self.ports.servers.health(server.key()).await?;
                match health.after(outcome, probe, now) {
                    None => Ok::<_, PortError>(true),
                    Some(next) => self.ports.servers.save_health(server.key(), &next).await,
                }
            };
            match result.await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(server = server.host(), %error, "how the server does could not be recorded");
                    return;
                }
            }
        }
    }
}

/// Whoever configures us can mend it, so the message waits.
fn no_secret(why: &dyn std::fmt::Display) -> PortError {
    PortError::transient(format!("nothing can be sent: {why}"))
}

/// How an attempt ended, and the body of a 2xx for [`answer::read`].
fn ending(reply: ServerReply, host: &str, ms: u64, now: Timestamp) -> (Ending, Option<bytes::Bytes>) {
    let plain =
        |outcome, note| Ending { outcome, code: None, ms, note, statuses: Vec::new(), sha: None, retry_after: None };
    match reply {
        ServerReply::TimedOut => (plain(Outcome::Timeout, None), None),
        ServerReply::Unreachable(why) => (plain(Outcome::Unreachable, Some(why)), None),
        ServerReply::Tls(why) => (plain(Outcome::Tls, Some(why)), None),
        ServerReply::Answered { code, retry_after, moved_to, body } => {
            let mut outcome = Outcome::of_code(code);
            let mut note = moved_to.filter(|_| outcome == Outcome::Moved).map(|to| format!("{host} points to {to}."));
            if outcome == Outcome::Taken && body.is_none() {
                outcome = Outcome::AnswerUnreadable;
                note = Some("The answer is larger than 1 MiB.".to_owned());
            }
            let retry_after = retry_after.and_then(|text| delay(&text, now));
            (Ending { code: Some(code), note, retry_after, ..plain(outcome, None) }, body)
        }
    }
}

/// `Retry-After`: seconds, or an HTTP date (RFC 9110).
fn delay(text: &str, now: Timestamp) -> Option<std::time::Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(std::time::Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    std::time::Duration::try_from(at.duration_since(now)).ok()
}

/// One span for each attempt, in the receipt's trace.
fn traceparent(run: &Run) -> String {
    let span = run.receipt.0.as_u64_pair().1 ^ u64::from(run.tries() + 1);
    TraceId::of(run.receipt).traceparent(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_both_forms() {
        let now: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
        let seconds = |text: &str| delay(text, now).map(|d| d.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Mon, 02 Mar 2026 10:01:30 GMT"), Some(90));
        assert_eq!(seconds("Mon, 02 Mar 2026 09:00:00 GMT"), None, "the past asks for nothing");
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("-1"), None);
    }
}
