//! `hookyard send`: signs a delivery as GitHub does, and sends it.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use domain::delivery::ContentType;
use domain::ids::{DeliveryGuid, EventType, HookId};
use domain::ports::{ServerReply, ServerRequest, YourServer as _};
use domain::signature;
use embedded::folder::{SecretName, read_secret};
use lambda::clock::SystemClock;
use secrecy::{ExposeSecret, SecretString};
use server::YourServer;
use url::Url;
use uuid::Uuid;

use crate::cli::exit;
use crate::settings::Settings;
use crate::terminal::{Mark, Style, note, printable, tell};

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The JSON of the delivery; - for standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// The event's type, as in X-GitHub-Event
    #[arg(long, short, value_name = "TYPE")]
    event: String,
    /// Where to send it [default: the webhook port on this machine]
    #[arg(long, value_hint = clap::ValueHint::Url, value_parser = address)]
    url: Option<Url>,
    /// The webhook secret (other users of this machine can see it in the list of processes: prefer --secret-file)
    #[arg(long, conflicts_with = "secret_file")]
    secret: Option<String>,
    /// File that holds the webhook secret
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    secret_file: Option<PathBuf>,
    /// Send it as a form (application/x-www-form-urlencoded), GitHub's default for hooks made by API
    #[arg(long)]
    form: bool,
    /// The delivery's GUID [default: a new one]
    #[arg(long, value_name = "GUID")]
    delivery: Option<String>,
    /// The hook's id
    #[arg(long, value_name = "ID", default_value = "1")]
    hook_id: String,
}

impl Send {
    pub(crate) async fn run(self, settings: &Settings, style: Style) -> u8 {
        let json = match read(&self.file) {
            Ok(json) => json,
            Err(error) => {
                return usage(
                    &format!("{} cannot be read: {error}", self.file.display()),
                    "name a file, or - for standard input",
                );
            }
        };
        let secret = match self.secret(settings) {
            Ok(secret) => secret,
            Err((what, hint)) => return usage(&what, &hint),
        };
        let fit = EventType::parse(&self.event)
            .and_then(|_| HookId::parse(&self.hook_id))
            .and_then(|_| self.delivery.as_deref().map_or(Ok(()), |guid| DeliveryGuid::parse(guid).map(drop)));
        if let Err(bad) = fit {
            return usage(&bad.to_string(), "see hookyard send --help");
        }
        let (content_type, body) = if self.form {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("payload", &String::from_utf8_lossy(&json))
                .finish();
            (ContentType::Form, form.into_bytes())
        } else {
            (ContentType::Json, json)
        };
        let url = match self.url {
            Some(url) => url,
            None => match own(settings) {
                Some(url) => url,
                None => {
                    let hint = "give the gateway's address with --url, as hookyard serve prints it";
                    return usage("GITHUB_API_PORT is 0, which says nothing about where the gateway is", hint);
                }
            },
        };
        let delivery = self.delivery.unwrap_or_else(|| Uuid::new_v4().to_string());
        let signed = signature::sign(secret.expose_secret().as_bytes(), &body);
        let headers = [
            ("content-type", content_type.as_str()),
            ("user-agent", concat!("GitHub-Hookshot/hookyard-", env!("CARGO_PKG_VERSION"))),
            ("x-github-event", &self.event),
            ("x-github-delivery", &delivery),
            ("x-github-hook-id", &self.hook_id),
            ("x-github-hook-installation-target-type", "repository"),
            (signature::HEADER, &signed),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let gateway = match YourServer::new(url.clone(), Arc::new(SystemClock)) {
            Ok(gateway) => gateway,
            Err(error) => return usage(&format!("{url} cannot be used: {error}"), "give another with --url"),
        };
        let request = ServerRequest { headers, body: body.into() };
        match gateway.call(request).await {
            ServerReply::Answered { code, body, .. } => answered(code, &body.unwrap_or_default(), &delivery, style),
            ServerReply::TimedOut => unreachable(&url, "no answer came within 10 s"),
            ServerReply::Unreachable(why) | ServerReply::Tls(why) => unreachable(&url, &why),
        }
    }

    fn secret(&self, settings: &Settings) -> Result<SecretString, (String, String)> {
        if let Some(secret) = &self.secret {
            return Ok(secret.clone().into());
        }
        if let Some(path) = &self.secret_file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                (format!("{} cannot be read: {error}", path.display()), "name a file with the secret".to_owned())
            })?;
            return Ok(text.trim_end_matches(['\r', '\n']).to_owned().into());
        }
        if let Some(keys) = &settings.github_secret
            && let Some(key) = keys.keys().next()
        {
            return Ok(String::from_utf8_lossy(key).into_owned().into());
        }
        let hint = "set GITHUB_SECRET, give --secret-file, or run hookyard serve in this folder once".to_owned();
        match read_secret(&settings.data, SecretName::Github) {
            Ok(Some(secret)) => Ok(secret),
            Ok(None) => Err(("no webhook secret is known".to_owned(), hint)),
            Err(error) => Err((error.to_string(), hint)),
        }
    }
}

/// The webhook port of a gateway with these settings on this machine; none when only that gateway knows it.
fn own(settings: &Settings) -> Option<Url> {
    let host = if settings.host.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { settings.host };
    let address = SocketAddr::new(host, settings.webhook_port);
    (address.port() != 0).then(|| Url::parse(&format!("http://{address}/github")).ok()).flatten()
}

fn address(text: &str) -> Result<Url, &'static str> {
    let like = "write it like http://127.0.0.1:7777/github";
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or(like)
}

fn answered(code: u16, body: &[u8], delivery: &str, style: Style) -> u8 {
    if (200..300).contains(&code) {
        tell(printable(&String::from_utf8_lossy(body)));
        note(format_args!("{} accepted: {code}, delivery {delivery}", style.mark(Mark::Ok)));
        return exit::DONE;
    }
    note(format_args!("{} refused: {code}, delivery {delivery}", style.mark(Mark::Bad)));
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match problem["detail"].as_str() {
        // Written for whoever has to mend it.
        Some(detail) => note(printable(detail)),
        None => tell(printable(&String::from_utf8_lossy(body))),
    }
    exit::FAILED
}

fn unreachable(url: &Url, why: &str) -> u8 {
    let why = why.trim_end_matches('.').to_lowercase();
    let hint = "start the gateway with hookyard serve, or give another address with --url";
    note(format_args!("error: {url} cannot be reached: {why}\n hint: {hint}"));
    exit::UNREACHABLE
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(path)
}

fn usage(what: &str, hint: &str) -> u8 {
    note(format_args!("error: {what}\n hint: {hint}"));
    exit::USAGE
}
