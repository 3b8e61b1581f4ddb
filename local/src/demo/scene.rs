//! What the demo is played with: a gateway, a stand-in for GitHub, an example CI, and the recorded deliveries.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use bytes::Bytes;
use domain::ports::Clock;
use domain::secrets::Keyring;
use domain::signature;
use embedded::folder::{DataFolder, SecretName};
use github::Tokens;
use lambda::clock::SystemClock;
use lambda::ids::UuidIds;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use standin::github::{Github, Token};

use super::ci::Ci;
use crate::gateway::{Config, Gateway, Storage, World};

/// How long anything in the demo may take before it counts as stuck: the slowest step is a retry after 2 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A recorded delivery.
pub(crate) struct Recorded {
    pub(crate) event: &'static str,
    pub(crate) guid: &'static str,
    pub(crate) json: &'static str,
    pub(crate) form: bool,
}

macro_rules! recorded {
    ($event:literal, $guid:literal, $file:literal, $form:literal) => {
        Recorded { event: $event, guid: $guid, json: include_str!(concat!("../../../events/", $file)), form: $form }
    };
}

pub(crate) const OPENED: Recorded =
    recorded!("pull_request", "de300001-242f-11f1-81e1-c7b6966d2516", "pull_request.opened.json", false);
pub(crate) const SYNCHRONIZE: Recorded =
    recorded!("pull_request", "de300002-242f-11f1-81e1-c7b6966d2516", "pull_request.synchronize.json", false);
pub(crate) const PUSH: Recorded = recorded!("push", "de300003-242f-11f1-81e1-c7b6966d2516", "push.branch.json", true);
pub(crate) const RELEASE: Recorded =
    recorded!("release", "de300004-242f-11f1-81e1-c7b6966d2516", "release.published.json", false);
pub(crate) const UNKNOWN: Recorded =
    recorded!("quantum_entangled", "de300005-242f-11f1-81e1-c7b6966d2516", "quantum_entangled.no-fields.json", false);

/// A delivery that was taken.
pub(crate) struct Taken {
    pub(crate) event: String,
    pub(crate) bytes: usize,
    pub(crate) took: Duration,
}

pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) github: Github,
    pub(crate) ci: Ci,
    secret: SecretString,
    folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) async fn set() -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let folder = tempfile::Builder::new().prefix("hookyard-demo-").tempdir().context("no temporary folder")?;
        let data = DataFolder::open(folder.path())?;
        let [hook, server, callback] = [SecretName::Github, SecretName::YourServer, SecretName::Callback]
            .map(|name| data.secret(name).map(|secret| secret.value));
        let (hook, server) = (hook?, server?);
        let token = "known-to-the-stand-in-only";
        let github = Github::start_with(loopback(), vec![Token::new("demo", token)]).await?;
        let ci = Ci::start(server.clone()).await?;
        let config = Config {
            host: loopback().ip(),
            webhook_port: 0,
            api_port: 0,
            public_url: None,
            api_key: None,
            github_secret: Keyring::new(hook.clone(), None).fixed(),
            github_tokens: Tokens::one(token.into()),
            github_api_url: github.url().parse()?,
            your_server_url: Some(ci.url().parse()?),
            your_server_secret: Keyring::new(server, None).fixed(),
            callback_secret: Keyring::new(callback?, None).fixed(),
            callback_ttl: Duration::from_secs(3600),
            storage: Storage::Folder(data),
        };
        let world = World { clock, ids: Arc::new(UuidIds::default()), watch: None };
        let gateway = Gateway::start(config, world).await?;
        Ok(Self { gateway, github, ci, secret: hook, folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends everything and removes the folder.
    pub(crate) async fn strike(self) {
        self.gateway.stop().await;
        self.ci.stop();
        self.github.stop().await;
    }

    /// Signs a recorded delivery as GitHub does, and sends it.
    pub(crate) async fn deliver(&self, delivery: &Recorded) -> anyhow::Result<Taken> {
        let (content_type, body) = if delivery.form {
            let form =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", delivery.json).finish();
            ("application/x-www-form-urlencoded", Bytes::from(form))
        } else {
            ("application/json", Bytes::from_static(delivery.json.as_bytes()))
        };
        let signature = signature::sign(self.secret.expose_secret().as_bytes(), &body);
        let headers = [
            ("content-type", content_type),
            ("user-agent", "GitHub-Hookshot/demo"),
            ("x-github-event", delivery.event),
            ("x-github-delivery", delivery.guid),
            ("x-github-hook-id", "1"),
            (signature::HEADER, &signature),
        ];
        let (bytes, before) = (body.len(), SystemClock.now());
        let url = format!("http://{}/github", self.gateway.webhooks());
        let reply = standin::http::send("POST", &url, &headers, body).await?;
        let answer = reply.json();
        ensure!(reply.code == 202, "the gateway answered {} to {}: {answer}", reply.code, delivery.event);
        let event = answer["event"].as_str().ok_or_else(|| anyhow!("the 202 names no event"))?.to_owned();
        let took = Duration::try_from(SystemClock.now().duration_since(before)).unwrap_or_default();
        Ok(Taken { event, bytes, took })
    }

    /// The event as the API shows it, once nothing about it is due any more.
    pub(crate) async fn settled(&self, event: &str) -> anyhow::Result<Value> {
        tokio::time::timeout(PATIENCE, self.gateway.idle()).await.context("the gateway does not come to rest")??;
        self.get(&format!("/v1/events/{event}")).await
    }

    /// What the API answers.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("http://{}{path}", self.gateway.api());
        let reply = standin::http::send("GET", &url, &[], "").await?;
        ensure!(reply.code == 200, "the API answered {} to {path}: {}", reply.code, reply.json());
        Ok(reply.json())
    }
}

fn loopback() -> std::net::SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, 0).into()
}
