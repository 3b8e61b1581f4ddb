//! The four functions as AWS would run them, in one process: each with its own log lines and metrics, all of them on
//! one page; what one puts on a queue, the test hands to the next.

use std::io::Write;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws_lambda_events::event::sqs::SqsEvent;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use domain::dead_letters::{DeadLetterPage, DeadLetterQueue, Redriven, Which};
use domain::envelope::Attributes;
use domain::error::PortError;
use domain::ids::BodyKey;
use domain::ports::{BodyReader, BodyWriter, DeadLetters, EventBus, Inbox, Message, StatusQueue, YourServer};
use domain::secrets::{FixedSecrets, Keyring};
use domain::signature;
use domain::statuses::message::StatusMessage;
use embedded::engine::Engine;
use fanout::{CallBack, Fanout};
use github::{Github, Tokens};
use http::{Request, Response};
use ingest::Ingest;
use jiff::Timestamp;
use lambda::batch::HandleMessage;
use lambda::http::guard::Hosts;
use lambda::meter::Silent;
use lambda::meter::emf::Emf;
use lambda::sqs;
use lambda::telemetry::invocation::{Invocations, watched};
use lambda::telemetry::lines_of;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use standin::ci::Ci;
use status::Writer;
use store::Store;
use testkit::clock::{CountingIds, ManualClock};
use tower::ServiceExt;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

pub const SECRET: &str = "It's a Secret to Everybody";
pub const NAMESPACE: &str = "Hookyard/yard";

/// What CloudWatch Logs gets, and what is on its way from function to function.
#[derive(Clone, Default)]
pub struct Page {
    log: Arc<Mutex<Vec<u8>>>,
    published: Arc<Mutex<Vec<String>>>,
    statuses: Arc<Mutex<Vec<String>>>,
    bus_is_down: Arc<Mutex<bool>>,
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.log.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl EventBus for Page {
    async fn publish(&self, body: &str, _: &Attributes) -> Result<(), PortError> {
        if *self.bus_is_down.lock().unwrap() {
            return Err(PortError::transient("SNS said something internal"));
        }
        self.published.lock().unwrap().push(body.to_owned());
        Ok(())
    }
}

#[async_trait]
impl StatusQueue for Page {
    async fn send(&self, messages: &[StatusMessage]) -> Result<(), PortError> {
        self.statuses.lock().unwrap().extend(messages.iter().map(StatusMessage::encode));
        Ok(())
    }
}

#[async_trait]
impl BodyWriter for Page {
    async fn put(&self, _: &BodyKey, _: Bytes) -> Result<(), PortError> {
        Ok(())
    }
}

/// A body store that takes its reader down with it.
#[async_trait]
impl BodyReader for Page {
    async fn get(&self, key: &BodyKey) -> Result<Option<Bytes>, PortError> {
        panic!("of {key}: body-8d1f5e2b7c")
    }
}

#[async_trait]
impl Inbox for Page {
    async fn defer(&self, _: &Message, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }
    async fn dead_letter(&self, _: &Message, _: &str) -> Result<(), PortError> {
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for Page {
    async fn count(&self, _: DeadLetterQueue) -> Result<u64, PortError> {
        Ok(0)
    }
    async fn list(&self, _: DeadLetterQueue, _: usize) -> Result<DeadLetterPage, PortError> {
        Ok(DeadLetterPage::default())
    }
    async fn redrive(&self, _: DeadLetterQueue, _: &Which) -> Result<Redriven, PortError> {
        Ok(Redriven::default())
    }
}

/// Where a function logs, and how often it was called.
struct Function {
    log: Dispatch,
    calls: Mutex<u32>,
}

/// The stack.
pub struct Stack {
    pub clock: Arc<ManualClock>,
    pub ci: Ci,
    pub github: standin::github::Github,
    page: Page,
    ingest: (Function, Router),
    api: (Function, Router),
    fanout: (Function, Fanout, Invocations),
    status: (Function, Writer, Invocations),
}

impl Stack {
    pub async fn start() -> Self {
        Self::with(true).await
    }

    pub async fn with(server: bool) -> Self {
        let (clock, page) = (Arc::new(ManualClock::default()), Page::default());
        let token = vec![standin::github::Token::new("writer", "token-one")];
        let github = standin::github::Github::start_with(([127, 0, 0, 1], 0).into(), token).await.unwrap();
        let ci = Ci::start().await.unwrap();
        let engine = Engine::memory().unwrap();
        store::schema::create_table(&engine.client(), "hookyard").await.unwrap();
        let store = Arc::new(Store::new(engine.client(), "hookyard", clock.clone()));
        let keys = |text: &str| Arc::new(FixedSecrets(Keyring::new(text.into(), None)));
        let ids = Arc::new(CountingIds::default());
        let function = |name: &'static str| {
            let writer = page.clone();
            let log = Dispatch::new(lines_of(name, clock.clone(), move || writer.clone()));
            let emf = Arc::new(Emf::to(Some(NAMESPACE.to_owned()), clock.clone(), Box::new(page.clone())));
            (Function { log, calls: Mutex::default() }, emf)
        };
        let [(ingest, ingested), (fanout, fanned_out), (status, written), (api, _)] =
            ["ingest", "fanout", "status", "api"].map(function);
        let shared = Arc::new(page.clone());
        let door = Ingest {
            secrets: keys(SECRET),
            bus: shared.clone(),
            bodies: shared.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            public_url: None,
            meter: ingested.clone(),
            refused: None,
        };
        let yours = server::YourServer::new(ci.url().parse().unwrap(), clock.clone()).unwrap();
        let ports = ::fanout::Ports {
            log: store.clone(),
            releases: store.clone(),
            hours: store.clone(),
            servers: store.clone(),
            heads: store.clone(),
            bodies: shared.clone(),
            server: server.then(|| Arc::new(yours) as Arc<dyn YourServer>),
            statuses: shared.clone(),
            server_secrets: keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            callback_secrets: keys("signs call-backs"),
            clock: clock.clone(),
        };
        let call_back =
            CallBack { url: "https://yard.example/v1/statuses".into(), ttl: ::fanout::settings::CALLBACK_TTL };
        let sender = Fanout::new(ports, call_back, fanned_out.clone());
        let client =
            Github::new(&github.url().parse().unwrap(), Tokens::one("token-one".into()), clock.clone()).unwrap();
        let writer = Writer::new(store.clone(), store.clone(), Arc::new(client), clock.clone(), written.clone());
        let answers = ::api::Api {
            reader: store.clone(),
            releases: store,
            bodies: shared.clone(),
            statuses: shared.clone(),
            bus: shared.clone(),
            dead_letters: shared,
            site: ::api::Site::on_aws(None),
            callback_secrets: keys("signs call-backs"),
            api_key: Some(keys("the-key")),
            open: false,
            clock: clock.clone(),
            ids,
            refused: None,
        };
        let fronted = Hosts::fronted;
        Self {
            ingest: (ingest, watched(::ingest::router(Arc::new(door), fronted()), ingested)),
            api: (api, watched(::api::router(Arc::new(answers), fronted()), Arc::new(Silent))),
            fanout: (fanout, sender, Invocations::new(fanned_out)),
            status: (status, writer, Invocations::new(written)),
            clock,
            ci,
            github,
            page,
        }
    }

    pub fn bus_is_down(&self) {
        *self.page.bus_is_down.lock().unwrap() = true;
    }

    /// A delivery of a sample, signed; what `change` does to it comes afterwards.
    pub async fn deliver(&self, sample: &str, change: impl FnOnce(&mut Request<Body>)) -> Response<Body> {
        let path = format!("{}/../events/{sample}.json", env!("CARGO_MANIFEST_DIR"));
        let body = std::fs::read(path).unwrap();
        let mut request = Request::post("/github")
            .header("host", "yard.example")
            .header("content-type", "application/json")
            .header("content-length", body.len())
            .header("x-github-event", sample.split('.').next().unwrap())
            .header("x-github-delivery", "0b989ba4-242f-11e5-81e1-c7b6966d2516")
            .header("x-github-hook-id", "48211900")
            .header(signature::HEADER, signature::sign(SECRET.as_bytes(), &body))
            .body(Body::from(body))
            .unwrap();
        change(&mut request);
        call(&self.ingest.0, &self.ingest.1, request).await
    }

    /// A call-back, or anything else that the API is asked.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path).header("host", "yard.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("content-type", "application/json").body(Body::from(body.to_string()));
        call(&self.api.0, &self.api.1, request.unwrap()).await
    }

    /// Hands what was published to `fanout`, in one batch, with more behind it. How many it did not finish.
    pub async fn fan_out(&self, more: &[String]) -> usize {
        let mut bodies = std::mem::take(&mut *self.page.published.lock().unwrap());
        bodies.extend_from_slice(more);
        self.batch(&self.fanout.0, &self.fanout.1, &self.fanout.2, bodies, "fanout").await
    }

    /// The same for the statuses.
    pub async fn write_statuses(&self) -> usize {
        let bodies = std::mem::take(&mut *self.page.statuses.lock().unwrap());
        self.batch(&self.status.0, &self.status.1, &self.status.2, bodies, "statuses.fifo").await
    }

    async fn batch(
        &self,
        function: &Function,
        handler: &dyn HandleMessage,
        invocations: &Invocations,
        bodies: Vec<String>,
        queue: &str,
    ) -> usize {
        let records = bodies.iter().enumerate().map(|(n, body)| {
            json!({
                "messageId": format!("m-{n}"), "receiptHandle": format!("h-{n}"), "body": body,
                "attributes": { "ApproximateReceiveCount": "1", "MessageGroupId": format!("g-{n}") },
                "messageAttributes": {}, "md5OfBody": "0", "eventSource": "aws:sqs", "awsRegion": "us-east-1",
                "eventSourceARN": format!("arn:aws:sqs:us-east-1:123456789012:{queue}")
            })
        });
        let event: SqsEvent = serde_json::from_value(json!({ "Records": records.collect::<Vec<_>>() })).unwrap();
        let event = LambdaEvent::new(event, context(function));
        let work = sqs::invoke(invocations, handler, &self.page, self.clock.as_ref(), event);
        let response = work.with_subscriber(function.log.clone()).await.unwrap();
        response.batch_item_failures.len()
    }

    /// The lines since the last look, and how many bytes they have.
    pub fn told(&self) -> (Vec<Value>, usize) {
        let text = String::from_utf8(std::mem::take(&mut *self.page.log.lock().unwrap())).unwrap();
        (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), text.len())
    }
}

async fn call(function: &Function, router: &Router, mut request: Request<Body>) -> Response<Body> {
    request.extensions_mut().insert(context(function));
    router.clone().oneshot(request).with_subscriber(function.log.clone()).await.unwrap()
}

fn context(function: &Function) -> Context {
    let mut calls = function.calls.lock().unwrap();
    *calls += 1;
    let mut context = Context::default();
    context.request_id = format!("8f5d3c2a-0000-4000-8000-{:012}", *calls);
    context
}

/// The log lines among them; the rest are metrics, each as CloudWatch wants it.
pub fn split(told: Vec<Value>) -> (Vec<Value>, Vec<Value>) {
    let (metrics, lines): (Vec<_>, Vec<_>) = told.into_iter().partition(testkit::emf::is_one);
    for metric in &metrics {
        testkit::emf::validate(metric).unwrap();
        assert_eq!(metric["_aws"]["CloudWatchMetrics"][0]["Namespace"], NAMESPACE);
    }
    (lines, metrics)
}
