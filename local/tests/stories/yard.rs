//! A yard on one machine: the very gateway that `hookyard serve` runs, with time standing still.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ports::{Clock, Secrets};
use domain::secrets::Keyring;
use embedded::folder::DataFolder;
use github::Tokens;
use hookyard::gateway::{Config, Gateway, Storage, World};
use jiff::Timestamp;
use standin::ci::Ci;
use standin::github::{Github, Token};
use testkit::clock::{CountingIds, ManualClock};
use testkit::story::{Control, Yard};
use tokio::runtime::{Builder, Runtime};

pub const SERVER_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const CALLBACK_SECRET: &str = "signs call-back tokens in stories";

/// How a yard is set up; every field has the usual value.
pub struct SetUp {
    pub token: bool,
    /// A second credential for repositories of this owner.
    pub second_owner: Option<&'static str>,
    pub server: bool,
    pub api_key: Option<&'static str>,
    pub public_url: Option<&'static str>,
    pub previous_secret: Option<&'static str>,
    /// In place of the usual secrets, for stories that change them.
    pub kept: Kept,
    /// A data folder instead of memory.
    pub folder: Option<PathBuf>,
    pub clock: Arc<ManualClock>,
    pub ids: Arc<CountingIds>,
}

/// Secrets that may change while the gateway runs, by purpose.
#[derive(Default)]
pub struct Kept {
    pub github: Option<Arc<dyn Secrets>>,
    pub server: Option<Arc<dyn Secrets>>,
    pub callback: Option<Arc<dyn Secrets>>,
    pub token: Option<Arc<dyn Secrets>>,
}

impl Default for SetUp {
    fn default() -> Self {
        Self {
            token: true,
            second_owner: None,
            server: true,
            api_key: None,
            public_url: None,
            previous_secret: None,
            kept: Kept::default(),
            folder: None,
            clock: Arc::default(),
            ids: Arc::default(),
        }
    }
}

/// The gateway lives in a runtime of its own: shutting that down is as near to pulling the plug as a test can come
/// without a process of its own.
struct Here {
    gateway: Gateway,
    clock: Arc<ManualClock>,
    runtime: Runtime,
}

#[async_trait]
impl Control for Here {
    async fn idle(&self) {
        self.gateway.idle().await.unwrap();
    }

    fn advance(&self, seconds: i64) {
        self.clock.advance(seconds);
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// A yard, and the gateway inside it for stories that look under the cover.
pub struct Local {
    yard: Option<Yard>,
    here: Option<Arc<Here>>,
    bodies: Option<PathBuf>,
    ends: (Arc<Github>, Arc<Ci>),
}

impl Deref for Local {
    type Target = Yard;
    fn deref(&self) -> &Yard {
        self.yard.as_ref().unwrap()
    }
}

impl Local {
    /// The usual yard.
    pub async fn start() -> Self {
        SetUp::default().start().await
    }

    pub fn gateway(&self) -> &Gateway {
        &self.here.as_ref().unwrap().gateway
    }

    /// GitHub and the server, for a gateway that comes after this one.
    pub fn ends(&self) -> (Arc<Github>, Arc<Ci>) {
        self.ends.clone()
    }

    /// The folder of bodies that are not kept in the record; only of a yard with a data folder.
    pub fn bodies(&self) -> PathBuf {
        self.bodies.clone().unwrap()
    }

    /// Pulls the plug: everything that runs stops where it is, nothing is finished or parked.
    pub async fn kill(mut self) {
        let Here { gateway, runtime, .. } = self.take();
        drop(gateway);
        end(runtime).await;
    }

    /// Stops in order.
    pub async fn stop(mut self) {
        let Here { gateway, runtime, .. } = self.take();
        gateway.stop().await;
        end(runtime).await;
    }

    fn take(&mut self) -> Here {
        drop(self.yard.take());
        Arc::into_inner(self.here.take().unwrap()).unwrap()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        drop(self.yard.take());
        if let Some(Here { runtime, gateway, .. }) = self.here.take().and_then(Arc::into_inner) {
            drop(gateway);
            runtime.shutdown_background();
        }
    }
}

/// Ends a runtime and everything in it; what blocks (a write to a file) is waited for.
async fn end(runtime: Runtime) {
    tokio::task::spawn_blocking(|| drop(runtime)).await.unwrap();
}

impl SetUp {
    /// A gateway with fresh stand-ins around it.
    pub async fn start(self) -> Local {
        let tokens = vec![Token::new("first", "token-one"), Token::new("second", "token-two")];
        let github = Github::start_with(([127, 0, 0, 1], 0).into(), tokens).await.unwrap();
        let server = Ci::start().await.unwrap();
        self.start_between(Arc::new(github), Arc::new(server)).await
    }

    /// A gateway between stand-ins that are there already.
    pub async fn start_between(self, github: Arc<Github>, server: Arc<Ci>) -> Local {
        let mut tokens = if self.token { Tokens::one("token-one".into()) } else { Tokens::none() };
        if let Some(owner) = self.second_owner {
            tokens = tokens.and(&format!("{owner}/*"), "token-two".into()).unwrap();
        }
        if let Some(token) = self.kept.token {
            tokens = Tokens::kept(token);
        }
        let folder = self.folder.as_ref().map(|path| DataFolder::open(path).unwrap());
        let bodies = folder.as_ref().map(DataFolder::bodies);
        let sample_secret = "It's a Secret to Everybody";
        let usual = |secret: &str, before: Option<&str>| Keyring::new(secret.into(), before.map(Into::into)).fixed();
        let config = Config {
            host: [127, 0, 0, 1].into(),
            webhook_port: 0,
            api_port: 0,
            public_url: self.public_url.map(|url| url.parse().unwrap()),
            api_key: self.api_key.map(|key| usual(key, None)),
            github_secret: self.kept.github.unwrap_or_else(|| usual(sample_secret, self.previous_secret)),
            github_tokens: tokens,
            github_api_url: github.url().parse().unwrap(),
            your_server_url: self.server.then(|| server.url().parse().unwrap()),
            your_server_secret: self.kept.server.unwrap_or_else(|| usual(SERVER_SECRET, None)),
            callback_secret: self.kept.callback.unwrap_or_else(|| usual(CALLBACK_SECRET, None)),
            callback_ttl: Duration::from_secs(24 * 3600),
            storage: match folder {
                Some(folder) => Storage::Folder(folder),
                None => Storage::Memory,
            },
        };
        let world = World { clock: self.clock.clone(), ids: self.ids, watch: None };
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let gateway = runtime.spawn(Gateway::start(config, world)).await.unwrap().unwrap();
        let (webhooks, api) = (format!("http://{}", gateway.webhooks()), format!("http://{}", gateway.api()));
        let here = Arc::new(Here { gateway, clock: self.clock, runtime });
        let ends = (github.clone(), server.clone());
        let mut yard = Yard::new(github, server, here.clone(), webhooks, api);
        yard.server_secret = SERVER_SECRET.to_owned();
        yard.api_key = self.api_key.map(str::to_owned);
        Local { yard: Some(yard), here: Some(here), bodies, ends }
    }
}
