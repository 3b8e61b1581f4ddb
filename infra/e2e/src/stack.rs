//! The deployed stack as a yard, and what a story may do to it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, WriteRequest};
use domain::ports::Clock;
use jiff::{SignedDuration, Timestamp};
use lambda::clock::SystemClock;
use serde_json::Value;
use standin::ci::Ci;
use standin::github::{Github, Token};
use standin::http;
use testkit::story::{Control, Yard};

use crate::proxy::Proxy;
use crate::settings::Settings;
use crate::stories::secrets;

/// What is in the parameters that `infra/e2e/run` has put.
pub const SERVER_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What GitHub signs with, at the beginning of every story.
pub const GITHUB_SECRET: &str = "It's a Secret to Everybody";
const API_KEY: &str = "the-key-of-the-stories";

/// Real time that an idle emulator takes to be asked again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Between two stories, in seconds: longer than anything that a warm function remembers.
const APART: i64 = 600;

/// The stack, and everything around it.
pub struct Stack {
    /// Where everything is.
    pub settings: Settings,
    /// Between the functions and AWS.
    pub proxy: Proxy,
    /// For clients of the test's own.
    pub config: SdkConfig,
    control: Arc<Emulator>,
    names: AtomicU64,
}

/// Moves the emulator's time on.
#[derive(Clone)]
pub struct Clockwork(Arc<Emulator>);

impl Clockwork {
    /// By whole seconds.
    pub fn advance(&self, time: Duration) {
        self.0.advance(i64::try_from(time.as_secs()).unwrap());
    }
}

/// The emulator's control, and the clock that it and the functions live by.
struct Emulator {
    address: SocketAddr,
    clock: std::fs::File,
    ahead: AtomicI64,
}

#[async_trait]
impl Control for Emulator {
    async fn idle(&self) {
        loop {
            let state = self.ask("GET", "/state").await;
            if state["due"] == 0 && state["busy"] == 0 {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn advance(&self, seconds: i64) {
        use std::os::unix::fs::FileExt;
        let ahead = self.ahead.fetch_add(seconds, Ordering::SeqCst) + seconds;
        self.clock.write_all_at(&ahead.to_ne_bytes(), 0).unwrap();
    }

    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_secs(self.ahead.load(Ordering::SeqCst))
    }

    /// Here time also passes by itself.
    fn slack(&self) -> i64 {
        6
    }
}

impl Emulator {
    fn new(address: SocketAddr, clock: &Path) -> Self {
        let clock = std::fs::File::options().write(true).open(clock).unwrap();
        Self { address, clock, ahead: AtomicI64::new(0) }
    }

    async fn ask(&self, method: &str, path: &str) -> Value {
        let reply = http::send(method, &format!("http://{}{path}", self.address), &[], "").await;
        reply.expect("the emulator is there").json()
    }
}

impl Stack {
    /// Puts the proxy in its place.
    ///
    /// # Errors
    /// When its port is taken.
    pub async fn new(settings: Settings) -> anyhow::Result<Self> {
        let proxy = Proxy::start(settings.proxy, settings.aws).await?;
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(format!("http://{}", settings.aws))
            .http_client(aws::client::config(Duration::from_secs(30)).await.http_client().expect("it has one"))
            .load()
            .await;
        let control = Arc::new(Emulator::new(settings.control, &settings.clock));
        Ok(Self { settings, proxy, config, control, names: AtomicU64::new(0) })
    }

    /// The stack as it was after the deployment, between fresh stand-ins.
    ///
    /// # Errors
    /// When a port of the stand-ins is taken.
    pub async fn yard(&self) -> anyhow::Result<Yard> {
        self.proxy.recover();
        self.go_on().await;
        self.empty().await;
        secrets::write(&self.config, GITHUB_SECRET).await;
        self.control.advance(APART);
        let github = Github::start_with(self.settings.github, vec![Token::new("first", "token-one")]).await?;
        let server = Ci::start_at(self.settings.server).await?;
        let api = self.settings.resource("Http");
        let base = format!("http://{}/_aws/execute-api/{api}/$default", self.settings.aws);
        let mut yard = Yard::new(Arc::new(github), Arc::new(server), self.control.clone(), base.clone(), base);
        yard.pages = format!("https://{api}.execute-api.localhost");
        yard.call_backs = format!("https://{api}.execute-api.us-east-1.amazonaws.com");
        yard.server_secret = SERVER_SECRET.to_owned();
        yard.api_key = Some(API_KEY.to_owned());
        Ok(yard)
    }

    /// Takes everything out of the queues, and then out of the table: nothing that is under way writes to it later.
    async fn empty(&self) {
        let queues = aws_sdk_sqs::Client::new(&self.config);
        for queue in ["FanoutQueue", "FanoutDeadLetters", "EventsDeadLetters", "StatusQueue", "StatusDeadLetters"] {
            queues.purge_queue().queue_url(self.settings.resource(queue)).send().await.unwrap();
        }
        self.control.idle().await;
        let table = aws_sdk_dynamodb::Client::new(&self.config);
        let name = self.settings.resource("Table");
        let mut pages = table.scan().table_name(name).into_paginator().items().send();
        let mut keys = Vec::new();
        while let Some(item) = pages.next().await {
            let mut item = item.unwrap();
            item.retain(|name, _: &mut AttributeValue| name == "pk" || name == "sk");
            let delete = DeleteRequest::builder().set_key(Some(item)).build().unwrap();
            keys.push(WriteRequest::builder().delete_request(delete).build());
        }
        for some in keys.chunks(25) {
            table.batch_write_item().request_items(name, some.to_vec()).send().await.unwrap();
        }
    }

    /// A name that nothing in the emulator has yet.
    pub fn unique(&self, name: &str) -> String {
        format!("{name}{}", self.names.fetch_add(1, Ordering::SeqCst))
    }

    /// The emulator's time.
    pub fn clockwork(&self) -> Clockwork {
        Clockwork(self.control.clone())
    }

    /// From now on no message is received, until [`Self::go_on`].
    pub async fn hold(&self) {
        self.control.ask("POST", "/hold").await;
    }

    /// Messages are received again.
    pub async fn go_on(&self) {
        self.control.ask("POST", "/go-on").await;
    }

    /// `kill -9` of every process of that function that is working; how many there were.
    pub async fn kill(&self, function: &str) -> u64 {
        self.control.ask("POST", &format!("/kill?name={function}")).await.as_u64().unwrap()
    }

    /// Ends the processes that are not working: the next invocation is a cold start.
    pub async fn cool_down(&self) {
        self.control.ask("POST", "/cold").await;
    }

    /// The next batch of that queue is delivered twice.
    pub async fn deliver_twice(&self, queue: &str) {
        let url = self.settings.resource(queue);
        let name = url.rsplit('/').next().unwrap_or(url);
        self.control.ask("POST", &format!("/again?queue={name}")).await;
    }
}
