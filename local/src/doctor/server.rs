//! The user's server: whether it takes a ping that is signed as every delivery is, and refuses one that is not.

use std::sync::Arc;

use bytes::Bytes;
use domain::ids::ReceiptId;
use domain::ports::{Clock, Ids as _, ServerReply, ServerRequest, YourServer as _};
use domain::run::Outcome;
use domain::secrets::Keyring;
use domain::{signature, webhook};
use embedded::folder::{SecretName, read_secret};
use lambda::ids::UuidIds;
use secrecy::SecretString;
use server::YourServer;

use super::Check;
use crate::settings::Settings;
use crate::terminal::duration;
use crate::terminal::moment::between;

const NAME: &str = "server";

/// As GitHub's own ping begins.
const PING: &[u8] = br#"{"zen":"Hookyard's doctor asks whether this arrives.","hook_id":0}"#;

/// Signs what must not be taken. Nobody else knows it, and nobody needs to.
const WRONG: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(super) async fn examine(settings: &Settings, clock: Arc<dyn Clock>) -> Check {
    let Some(url) = &settings.your_server_url else {
        return Check::skipped(NAME, "no YOUR_SERVER_URL in the settings here");
    };
    let own = keys(settings.your_server_secret.as_ref(), settings, SecretName::YourServer);
    let github = keys(settings.github_secret.as_ref(), settings, SecretName::Github);
    let (Some(own), Some(github)) = (own, github) else {
        let fix = "run this where hookyard serve runs, or set YOUR_SERVER_SECRET and GITHUB_SECRET";
        return Check::skipped(NAME, "without the secrets nothing can be signed").fix(fix);
    };
    let server = match YourServer::new(url.clone(), clock.clone()) {
        Ok(server) => server,
        Err(error) => return Check::fault(NAME, error.to_string()).fix("correct YOUR_SERVER_URL"),
    };
    let before = clock.now();
    let Some(ping) = ping(&own, &github, clock.as_ref()) else {
        return Check::fault(NAME, "YOUR_SERVER_SECRET signs nothing").fix("write whsec_ and base64");
    };
    let reply = server.call(ping).await;
    let took = duration(between(before, clock.now()));
    let code = match reply {
        ServerReply::Answered { code, .. } => code,
        ServerReply::Unreachable(why) => {
            return Check::fault(NAME, why).fix("start it, or correct YOUR_SERVER_URL");
        }
        ServerReply::Tls(why) => return Check::fault(NAME, why).fix("renew or complete the certificate chain"),
        ServerReply::TimedOut => {
            return Check::warning(NAME, "did not answer within 10 s").fix("answer 202 first and work afterwards");
        }
    };
    match Outcome::of_code(code) {
        Outcome::Taken => {}
        Outcome::Denied => {
            return Check::fault(NAME, format!("refused a request that was signed as it should be: {code}"))
                .fix("make YOUR_SERVER_SECRET, or the webhook's secret that it knows, the same on both sides");
        }
        Outcome::Moved => {
            return Check::fault(NAME, format!("answered with a redirect ({code}), which is not followed"))
                .fix("put the final address into YOUR_SERVER_URL");
        }
        _ => {
            return Check::warning(NAME, format!("answered {code} to a ping"))
                .fix("see whether that is the path for webhooks, and read its log");
        }
    }
    let wrong = Keyring::new(SecretString::from(WRONG), None);
    let Some(forged) = self::ping(&wrong, &wrong, clock.as_ref()) else {
        return Check::ok(NAME, format!("answers {code} in {took}"));
    };
    match server.call(forged).await {
        ServerReply::Answered { code: refusal @ 400..=499, .. } => {
            Check::ok(NAME, format!("answers {code} in {took}, and a wrong signature with {refusal}"))
        }
        ServerReply::Answered { code: 200..=299, .. } => Check::warning(NAME, "took a request with a wrong signature")
            .fix("verify `webhook-signature` with YOUR_SERVER_SECRET"),
        _ => {
            Check::warning(NAME, format!("answers {code} in {took}; what it does with a wrong signature is not known"))
        }
    }
}

/// The secret of the settings, or the one that was made in the data folder.
fn keys(configured: Option<&Keyring>, settings: &Settings, name: SecretName) -> Option<Keyring> {
    let made = || read_secret(&settings.data, name).ok().flatten().map(|secret| Keyring::new(secret, None));
    configured.cloned().or_else(made)
}

/// A ping with the headers of a delivery. Without a commit, so without a token to call back with.
fn ping(own: &Keyring, github: &Keyring, clock: &dyn Clock) -> Option<ServerRequest> {
    let now = clock.now();
    let receipt = ReceiptId(UuidIds::default().next(now)).to_string();
    let by_github = github.keys().next().map(|key| signature::sign(key, PING))?;
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("user-agent".to_owned(), concat!("GitHub-Hookshot/hookyard-", env!("CARGO_PKG_VERSION")).to_owned()),
        ("x-github-event".to_owned(), "ping".to_owned()),
        ("x-github-delivery".to_owned(), receipt.clone()),
        ("x-github-hook-id".to_owned(), "0".to_owned()),
        (signature::HEADER.to_owned(), by_github),
    ];
    let signed = webhook::headers(own, &receipt, now, PING)?;
    headers.extend(signed.map(|(name, value)| (name.to_owned(), value)));
    Some(ServerRequest { headers, body: Bytes::from_static(PING) })
}
