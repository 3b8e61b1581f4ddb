//! The whole gateway in one process: the four functions' handlers over the embedded engine.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use domain::hours::Counted;
use domain::ports::{BodyReader, BodyWriter, Clock, EventReader, GithubStatuses, HourReader, Ids, Secrets, YourServer};
use embedded::bodies::Bodies;
use embedded::engine::Engine;
use embedded::folder::DataFolder;
use embedded::queue::{DeadLetters, FANOUT, Queue, Queues, STATUSES};
use fanout::{CallBack, Fanout};
use github::{Github, Tokens};
use jiff::SignedDuration;
use lambda::batch::HandleMessage;
use lambda::clock::SystemClock;
use lambda::http::guard::Hosts;
use lambda::meter::Silent;
use lambda::meter::refusals::Refusals;
use server::YourServer as Server;
use status::Writer;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use crate::health::with_health;
use crate::listener::{self, Limits};
use crate::overheard::{Answers, Overheard};
use crate::watch::{Watched, Watcher};
use crate::workers::Consumer;

/// The table's name in the embedded engine.
const TABLE: &str = "hookyard";

/// Calls of the user's server at once, and batches of statuses at once.
const AT_ONCE: (usize, usize) = (64, 32);

/// Statuses of one receive: as many as a Lambda gets from a FIFO queue.
const BATCH: usize = 10;

/// Where the gateway keeps what it knows.
pub enum Storage {
    /// In a data folder that this process owns.
    Folder(DataFolder),
    /// Nowhere: gone with the process.
    Memory,
}

/// What a gateway is made of.
pub struct Config {
    /// Bind address.
    pub host: IpAddr,
    /// Port of `POST /github`; 0 takes any free one.
    pub webhook_port: u16,
    /// Port of the API; 0 takes any free one.
    pub api_port: u16,
    /// Base of call-back URLs and links; by default the API port.
    pub public_url: Option<Url>,
    /// The API key.
    pub api_key: Option<Arc<dyn Secrets>>,
    /// Webhook secrets.
    pub github_secret: Arc<dyn Secrets>,
    /// Tokens that write statuses.
    pub github_tokens: Tokens,
    /// Base of GitHub's API.
    pub github_api_url: Url,
    /// Where events are sent.
    pub your_server_url: Option<Url>,
    /// Signs what is sent there.
    pub your_server_secret: Arc<dyn Secrets>,
    /// Signs call-back tokens.
    pub callback_secret: Arc<dyn Secrets>,
    /// Life of a call-back token.
    pub callback_ttl: Duration,
    /// Where everything is kept.
    pub storage: Storage,
}

/// What a gateway is told about the world: time, ids, and who wants to hear of each outcome.
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Receipts and call-back ids.
    pub ids: Arc<dyn Ids>,
    /// One message for each outcome of an event, for whoever watches.
    pub watch: Option<Watcher>,
}

/// A running gateway. It stops when told to; dropped, it is as if it had been killed.
pub struct Gateway {
    webhooks: SocketAddr,
    api: SocketAddr,
    queues: Queues,
    engine: Engine,
    bodies: Arc<Bodies>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    /// The folder's lock, and the temporary folder of a gateway in memory.
    _keep: (Option<DataFolder>, Option<tempfile::TempDir>),
}

impl Gateway {
    /// Starts it. When this returns, both ports answer and the store is open.
    ///
    /// # Errors
    /// What could not be opened or bound, in one sentence.
    pub async fn start(config: Config, world: World) -> anyhow::Result<Self> {
        let webhooks = bind(config.host, config.webhook_port, "GITHUB_API_PORT").await?;
        let api = bind(config.host, config.api_port, "STATUS_API_PORT").await?;
        let (webhooks_at, api_at) = (webhooks.local_addr()?, api.local_addr()?);
        let World { clock, ids, watch } = world;

        let Opened { queues, engine, bodies, keep } = open(config.storage, clock.clone())?;
        if let Some(salvage) = queues.salvaged() {
            tracing::error!("the queue's file was damaged; {salvage}");
        }
        store::schema::create_own_table(&engine.client(), TABLE)
            .await
            .map_err(|error| anyhow!("the store cannot be prepared: {error}"))?;
        // Readers wait for nobody; what is recorded waits for what is being acknowledged.
        let pages = Arc::new(Store::over(Arc::new(engine.table(TABLE)), clock.clone()));
        let behind = Arc::new(engine.table_behind(TABLE, queues.brake()));
        let store = Arc::new(Store::over(behind, clock.clone()).packing_fast());
        let bodies = Arc::new(bodies);
        let (fanout_queue, statuses_queue) = (named(&queues, FANOUT)?, named(&queues, STATUSES)?);
        let public_url = match &config.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", SocketAddr::new(reachable(config.host), api_at.port())),
        };
        let mut server: Option<Arc<dyn YourServer>> = match &config.your_server_url {
            None => None,
            Some(url) => Some(Arc::new(Server::new(url.clone(), clock.clone())?)),
        };
        let answers = Arc::<Answers>::default();
        if watch.as_ref().is_some_and(|watcher| watcher.answers) {
            server = server.map(|server| Arc::new(Overheard::new(server, answers.clone())) as Arc<dyn YourServer>);
        }
        let github: Arc<dyn GithubStatuses> =
            Arc::new(Github::new(&config.github_api_url, config.github_tokens, clock.clone())?);

        let open = config.api_key.is_none() && config.host.is_loopback();
        let refused = Arc::new(Refusals::new(clock.clone()));
        let ingest = Arc::new(ingest::Ingest {
            secrets: config.github_secret,
            bus: Arc::new(queues.topic(&[FANOUT])?),
            bodies: bodies.clone() as Arc<dyn BodyWriter>,
            clock: clock.clone(),
            ids: ids.clone(),
            public_url: Some(public_url.clone()),
            meter: refused.clone(),
            refused: open.then(|| refused.clone()),
        });
        let ports = fanout::Ports {
            log: store.clone(),
            releases: store.clone(),
            hours: store.clone(),
            servers: store.clone(),
            heads: store.clone(),
            bodies: bodies.clone(),
            server,
            statuses: Arc::new(statuses_queue.clone()),
            server_secrets: config.your_server_secret,
            callback_secrets: config.callback_secret.clone(),
            clock: clock.clone(),
        };
        let call_back = CallBack::under(&public_url, config.callback_ttl);
        let mut fanout: Arc<dyn HandleMessage> = Arc::new(Fanout::new(ports, call_back, Arc::new(Silent)));
        if let Some(watcher) = watch {
            fanout = Arc::new(Watched::new(fanout, pages.clone(), answers, watcher.outcomes));
        }
        let writer = Arc::new(Writer::new(store.clone(), store.clone(), github, clock.clone(), Arc::new(Silent)));
        let api_state = Arc::new(api::Api {
            reader: pages.clone() as Arc<dyn EventReader>,
            releases: pages.clone(),
            bodies: bodies.clone() as Arc<dyn BodyReader>,
            statuses: Arc::new(statuses_queue.clone()),
            bus: Arc::new(queues.topic(&[FANOUT])?),
            dead_letters: Arc::new(DeadLetters::new(&queues)?),
            callback_secrets: config.callback_secret,
            open,
            refused: Some(refused),
            api_key: config.api_key,
            clock: clock.clone(),
            ids,
            site: api::Site {
                place: "local",
                webhook_url: Some(format!(
                    "http://{}/github",
                    SocketAddr::new(reachable(config.host), webhooks_at.port())
                )),
                server: config.your_server_url.as_ref().and_then(host_of).unwrap_or_else(|| "your server".to_owned()),
                github: Some(web_of(&config.github_api_url)),
                https: config.public_url.as_ref().is_some_and(|url| url.scheme() == "https"),
                dashboard: None,
            },
        });
        let hosts = Hosts::new(Some(config.host), config.public_url.as_ref());

        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let consumers = [
            (fanout_queue, fanout, 1, AT_ONCE.0, Duration::from_secs(180)),
            (statuses_queue, writer as Arc<dyn HandleMessage>, BATCH, AT_ONCE.1, Duration::from_secs(360)),
        ];
        for (queue, handler, batch, at_once, visibility) in consumers {
            let consumer = Consumer { queue, handler, clock: clock.clone(), batch, at_once, visibility };
            tasks.spawn(consumer.run(stopped.clone()));
        }
        let limits = Limits::default();
        let webhook_routes = with_health(ingest::router(ingest, hosts.clone()), &queues, &engine);
        let api_routes = with_health(api::router(api_state, hosts), &queues, &engine);
        tasks.spawn(listener::serve(webhooks, webhook_routes, limits, stopped.clone()));
        tasks.spawn(listener::serve(api, api_routes, limits, stopped));
        Ok(Self {
            webhooks: webhooks_at,
            api: api_at,
            queues,
            engine,
            bodies,
            store: pages,
            clock,
            stop,
            tasks,
            _keep: keep,
        })
    }

    /// Where webhooks come in.
    pub fn webhooks(&self) -> SocketAddr {
        self.webhooks
    }

    /// Where the API answers.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// Returns when there is nothing to do now: no message due, none in flight. What waits for a later time waits.
    ///
    /// # Errors
    /// When the queue's file fails.
    pub async fn idle(&self) -> anyhow::Result<()> {
        Ok(self.queues.idle(&[FANOUT, STATUSES]).await?)
    }

    /// One of its queues, for looking at what waits.
    pub fn queue(&self, name: &str) -> Option<Queue> {
        self.queues.queue(name)
    }

    /// What was received in the last so many hours, this one included, as the Overview counts it: approximately, and
    /// redeliveries and replays again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn received(&self, hours: u32) -> anyhow::Result<u64> {
        let now = self.clock.now();
        let since = now.checked_sub(SignedDuration::from_hours(hours.into())).unwrap_or(now);
        let counts = self.store.hours(now, usize::try_from(hours)?).await?;
        let counts = counts.iter().filter(|hour| hour.begins > since).map(|hour| hour.count(Counted::Received));
        Ok(counts.fold(0, u64::saturating_add))
    }

    /// Removes rows and bodies that are past their time, by the machine's own clock: rows carry the second at which
    /// they expire, and the engine compares it with the time of day as DynamoDB does.
    pub async fn sweep(&self) {
        if let Err(error) = self.engine.sweep().await {
            tracing::warn!(%error, "expired rows could not be removed");
        }
        let now = SystemClock.now();
        if let Err(error) = self.bodies.expire(now.checked_sub(store::RETENTION).unwrap_or(now)).await {
            tracing::warn!(%error, "expired bodies could not be removed");
        }
    }

    /// Accepts no more, finishes what is running, and returns. What has not begun stays in the queue's file.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

struct Opened {
    queues: Queues,
    engine: Engine,
    bodies: Bodies,
    keep: (Option<DataFolder>, Option<tempfile::TempDir>),
}

fn open(storage: Storage, clock: Arc<dyn Clock>) -> anyhow::Result<Opened> {
    match storage {
        Storage::Folder(folder) => Ok(Opened {
            queues: Queues::open(&folder.queues(), clock)?,
            engine: Engine::open(&folder.database())?,
            bodies: Bodies::open(&folder.bodies())?,
            keep: (Some(folder), None),
        }),
        Storage::Memory => {
            let folder = tempfile::tempdir().context("no temporary folder could be made")?;
            Ok(Opened {
                queues: Queues::memory(clock)?,
                engine: Engine::memory()?,
                bodies: Bodies::open(folder.path())?,
                keep: (None, Some(folder)),
            })
        }
    }
}

async fn bind(host: IpAddr, port: u16, name: &str) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(host, port);
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow!("{address} is in use by another program; set {name} to a free port"),
        _ => anyhow!("{address} cannot be bound: {error}; check HOOKYARD_HOST and {name}"),
    })
}

/// An address under which the bind address can be reached from this machine.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        other => other,
    }
}

/// `host:port` of an address, as the stories name the server.
fn host_of(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Where people look at GitHub, from where programs do: `api.` goes, and the `/api/v3` of GitHub Enterprise Server.
fn web_of(api: &Url) -> String {
    let port = api.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = api.host_str().unwrap_or_default();
    format!("{}://{}{port}", api.scheme(), host.strip_prefix("api.").unwrap_or(host))
}

fn named(queues: &Queues, name: &str) -> anyhow::Result<Queue> {
    queues.queue(name).ok_or_else(|| anyhow!("the queue {name} was not opened"))
}
