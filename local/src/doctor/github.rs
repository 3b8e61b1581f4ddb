//! GitHub's token and this machine's clock, with the token of the settings.
//!
//! Whether the token may write is asked for with a status on git's null id, a commit that no repository has: who may
//! write is told that there is no such commit, and nothing is written.

use std::sync::Arc;

use bytes::Bytes;
use domain::github_reply::{Meaning, meaning};
use domain::ids::{Repository, Sha};
use domain::ports::{Clock, GithubStatuses as _, PostReply};
use domain::reasons::StatusReason;
use domain::statuses::{Content, State};
use github::{Github, Tokens};
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, DATE, HeaderValue, USER_AGENT};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use server::Web;
use url::Url;

use super::Check;
use crate::settings::Settings;
use crate::terminal::duration;

/// The most of an answer that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Signatures with a time in them are refused when clocks differ by more than five minutes (Standard Webhooks,
/// "Verifying webhook authenticity"); from the first on it is worth a word.
const APART: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(10), SignedDuration::from_mins(5));

pub(super) async fn examine(settings: &Settings, repository: Option<&Repository>, clock: Arc<dyn Clock>) -> Vec<Check> {
    let Some(token) = &settings.github_token else {
        let detail = "no GITHUB_TOKEN in the settings here";
        return vec![Check::skipped("clock", detail), Check::skipped("GitHub token", detail)];
    };
    let (code, date) = match ask(&settings.github_api_url, token, clock.clone()).await {
        Ok(answer) => answer,
        Err(why) => {
            let fix = "see whether this machine reaches GITHUB_API_URL";
            return vec![
                Check::skipped("clock", "GitHub did not answer"),
                Check::warning("GitHub token", why).fix(fix),
            ];
        }
    };
    let time = match date {
        Some(date) => compare(clock.now(), date),
        None => Check::warning("clock", "GitHub's answer has no date"),
    };
    let token = match (code, repository) {
        (401, _) => Check::fault("GitHub token", "is wrong, expired or revoked").fix("set a new GITHUB_TOKEN"),
        (500.., _) => Check::warning("GitHub token", format!("GitHub answered {code}")).fix("try again in a moment"),
        (_, None) => Check::warning(
            "GitHub token",
            "is known to GitHub; whether it may write was not tested, without a repository",
        )
        .fix("name one with --repository"),
        (_, Some(repository)) => may_write(settings, token, repository, clock).await,
    };
    vec![time, token]
}

/// GitHub's answer to a question that costs nothing ("Get rate limit status for the authenticated user"): its status,
/// and its time.
async fn ask(api: &Url, token: &SecretString, clock: Arc<dyn Clock>) -> Result<(u16, Option<Timestamp>), String> {
    let url = format!("{}/rate_limit", api.as_str().trim_end_matches('/'));
    let mut bearer =
        HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).map_err(|_| "it is no token")?;
    bearer.set_sensitive(true);
    let request = Request::get(url)
        .header(USER_AGENT, concat!("hookyard/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/vnd.github+json")
        .header(AUTHORIZATION, bearer)
        .body(Bytes::new())
        .map_err(|_| "GITHUB_API_URL cannot be asked")?;
    let web = Web::new(api, clock).map_err(|error| error.to_string())?;
    let answer = web.send(request, LARGEST).await.map_err(|error| error.to_string())?;
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
    Ok((answer.status().as_u16(), date))
}

/// GitHub tells its time to the second, so half of one is the most that is known.
fn compare(here: Timestamp, there: Timestamp) -> Check {
    let apart = here.duration_since(there).abs();
    let told = duration(u64::try_from(apart.as_millis()).unwrap_or(u64::MAX));
    let detail = format!("{told} from GitHub's");
    let fix = "set this machine's clock, with NTP";
    if apart > APART.1 {
        Check::fault("clock", detail).fix(fix)
    } else if apart > APART.0 {
        Check::warning("clock", detail).fix(fix)
    } else {
        Check::ok("clock", detail)
    }
}

async fn may_write(settings: &Settings, token: &SecretString, repository: &Repository, clock: Arc<dyn Clock>) -> Check {
    let name = "GitHub token";
    let unknown =
        |why: String| Check::warning(name, format!("whether it may write in {repository} is not known: {why}"));
    let begun = clock.now();
    let reply = async {
        let tokens = Tokens::one(token.clone());
        let github = Github::new(&settings.github_api_url, tokens, clock.clone()).map_err(|error| error.to_string())?;
        let credential = github.credential(repository).await.map_err(|error| error.to_string())?;
        let credential = credential.ok_or("no token is meant for it")?;
        let sha = Sha::of(&"0".repeat(40)).map_err(|bad| bad.to_string())?;
        let content = Content {
            context: "hookyard/doctor".to_owned(),
            state: State::Pending,
            description: None,
            target_url: None,
        };
        Ok::<_, String>(github.post(&credential, repository, &sha, &content).await)
    };
    let answer = match reply.await {
        Ok(PostReply::Answered(answer)) => answer,
        Ok(PostReply::Created(_)) => return Check::ok(name, format!("may write commit statuses in {repository}")),
        Ok(PostReply::NotSent(why) | PostReply::Unknown(why)) | Err(why) => return unknown(why),
    };
    match meaning(&answer, repository, None, begun, clock.now()) {
        Meaning::Refused {
            reason: StatusReason::NoCommit | StatusReason::StatusLimit | StatusReason::Invalid, ..
        } => Check::ok(name, format!("may write commit statuses in {repository}")),
        Meaning::Refused { reason: StatusReason::Unauthorised, .. } => {
            Check::fault(name, "is wrong, expired or revoked").fix("set a new GITHUB_TOKEN")
        }
        // A repository that it cannot see looks like one that is not there: that is no proof of a fault.
        Meaning::Refused { .. } if answer.code == 403 => {
            Check::fault(name, format!("may not write commit statuses in {repository}"))
                .fix(format!("grant it \"Commit statuses: write\" on {repository}"))
        }
        Meaning::Refused { .. } => Check::warning(name, format!("does not see {repository}"))
            .fix("grant it the repository, or name another with --repository"),
        Meaning::Limited(_) => unknown("GitHub asked for a pause".to_owned()),
        Meaning::Unknown(why) => unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn clocks_that_differ() {
        let there: Timestamp = "2026-11-20T14:10:00Z".parse().unwrap();
        for (here, verdict, detail) in [
            ("2026-11-20T14:10:00.2Z", Verdict::Ok, "200 ms from GitHub's"),
            ("2026-11-20T14:09:40Z", Verdict::Warning, "20.0 s from GitHub's"),
            ("2026-11-20T14:20:00Z", Verdict::Fault, "10 min 0 s from GitHub's"),
        ] {
            let check = compare(here.parse().unwrap(), there);
            assert_eq!((check.verdict, check.detail.as_str()), (verdict, detail));
        }
    }
}
