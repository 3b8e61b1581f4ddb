//! The gateway, by what it says of itself: whether it answers, whether the key fits, what it could not do.

use domain::ids::Repository;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Check;
use crate::cli::exit;
use crate::failure::Failure;
use crate::remote::records::Event;
use crate::remote::{Gateway, Walk};
use crate::terminal::duration;
use crate::terminal::moment::between;
use crate::terminal::screen::Screen;
use crate::words::counted;

/// What was found.
pub(super) struct Seen {
    pub(super) checks: Vec<Check>,
    /// Of the newest event.
    pub(super) repository: Option<Repository>,
}

/// What `/health` says of deliveries that were refused.
#[derive(Deserialize)]
struct Health {
    refused: Option<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    by_reason: Map<String, Value>,
}

pub(super) async fn examine(gateway: &Gateway, screen: &Screen) -> Seen {
    let mut checks = Vec::new();
    let before = screen.now();
    let health = gateway.get(&["health"], &[]).await;
    let took = duration(between(before, screen.now()));
    let health = match health {
        Ok(health) => health,
        Err(failure) => {
            // It is not there, or says itself what it suffers from.
            checks.push(Check::fault("gateway", failure.what()).fix(failure.hint()));
            return Seen { checks, repository: None };
        }
    };
    checks.push(Check::ok("gateway", format!("{} answers in {took}", gateway.origin())));
    let repository = match newest(gateway).await {
        Ok(event) => {
            let key = if gateway.has_key() { "fits" } else { "none needed from here" };
            checks.push(Check::ok("key", key));
            checks.push(Check::ok(
                "record",
                match &event {
                    Some(event) => format!("readable, the newest event came {}", screen.short(event.received_at)),
                    None => "readable, no event yet".to_owned(),
                },
            ));
            event.and_then(|event| Repository::parse(&event.repository?).ok())
        }
        Err(failure) => {
            let check = match failure.code() {
                exit::NO_KEY => Check::fault("key", failure.what()),
                _ => Check::warning("record", failure.what()),
            };
            checks.push(check.fix(failure.hint()));
            return Seen { checks, repository: None };
        }
    };
    checks.push(webhooks(health.read().ok().and_then(|health: Health| health.refused), screen));
    checks.push(set_aside(gateway).await);
    Seen { checks, repository }
}

async fn newest(gateway: &Gateway) -> Result<Option<Event>, Failure> {
    let walk = Walk::new(gateway, &["v1", "events"], "events", [], None);
    Ok(walk.page(1).await?.read()?.into_iter().next())
}

/// A delivery that was refused has no row; only its count is known, and only where one process does everything.
fn webhooks(refused: Option<Refused>, screen: &Screen) -> Check {
    let Some(refused) = refused else {
        return Check::skipped("webhooks", "what was refused, this gateway counts elsewhere (on AWS: the dashboard)");
    };
    let seen = refused.by_reason.iter().map(|(reason, seen)| {
        let count = seen["count"].as_u64().unwrap_or(0);
        (reason.as_str(), usize::try_from(count).unwrap_or(usize::MAX), seen["last_at"].as_str())
    });
    let seen: Vec<_> = seen.filter(|(_, count, _)| *count > 0).collect();
    if seen.is_empty() {
        return Check::ok("webhooks", "none was refused since it was started");
    }
    let all: usize = seen.iter().map(|(_, count, _)| count).sum();
    let last = seen.iter().filter_map(|(.., last)| last.and_then(|last| last.parse::<Timestamp>().ok())).max();
    let last = last.map(|at| format!(", the last at {}", screen.short(at))).unwrap_or_default();
    let reasons: Vec<_> =
        seen.iter().map(|(reason, count, _)| format!("{count} {}", reason.replace('_', " "))).collect();
    let fix = match seen.iter().any(|(reason, ..)| *reason == "signature") {
        true => "make GITHUB_SECRET and the secret in the webhook's settings the same",
        false => "read GitHub's Recent Deliveries: the answer there says what to change",
    };
    let refused = counted(all, "was refused", "were refused");
    Check::warning("webhooks", format!("{refused} since it was started: {}{last}", reasons.join(", "))).fix(fix)
}

async fn set_aside(gateway: &Gateway) -> Check {
    #[derive(Deserialize)]
    struct Page {
        queues: Vec<Count>,
    }
    #[derive(Deserialize)]
    struct Count {
        count: u64,
    }
    let page = async { gateway.get(&["v1", "dead-letters"], &[("limit", "1".to_owned())]).await?.read::<Page>() };
    match page.await {
        Ok(page) => match page.queues.iter().map(|queue| queue.count).sum::<u64>() {
            0 => Check::ok("dead letters", "none"),
            some => Check::warning("dead letters", format!("{some} set aside"))
                .fix("hookyard dead-letters list, then redrive what was mended"),
        },
        Err(failure) => Check::warning("dead letters", failure.what()).fix(failure.hint()),
    }
}
