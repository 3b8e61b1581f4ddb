//! Between the functions and AWS: passes every call on, counts it, and breaks those that a story chose.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// AWS says that there are too many; nothing is done.
    Throttled,
    /// AWS fails; nothing is done.
    Fails,
    /// The connection closes without an answer; nothing is done.
    Reset,
    /// It is done, and the answer is lost.
    Unheard,
}

struct Planned {
    call: String,
    fault: Fault,
    left: usize,
}

#[derive(Default)]
struct State {
    planned: Vec<Planned>,
    seen: BTreeMap<String, usize>,
}

/// The running proxy.
#[derive(Clone)]
pub struct Proxy {
    state: Arc<Mutex<State>>,
    aws: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Closes the connection.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

impl Proxy {
    /// Listens at `here` and passes on to `aws`.
    ///
    /// # Errors
    /// When somebody else took the port.
    pub async fn start(here: SocketAddr, aws: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(here).await?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let proxy = Self { state: Arc::default(), aws, client };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let proxy = serving.clone();
                let service = service_fn(move |request| {
                    let proxy = proxy.clone();
                    async move { proxy.pass(request).await }
                });
                // However a connection ends, it is what a function did or what a story asked for.
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Ok(proxy)
    }

    /// Breaks the next `times` calls of that name, such as `DynamoDB.UpdateItem`; a name that ends with a dot stands
    /// for all calls of a service.
    pub fn fail(&self, call: &str, fault: Fault, times: usize) {
        self.state.lock().unwrap().planned.push(Planned { call: call.to_owned(), fault, left: times });
    }

    /// Breaks nothing any more, and counts from nothing.
    pub fn recover(&self) {
        *self.state.lock().unwrap() = State::default();
    }

    /// How often that call came, broken ones included.
    pub fn seen(&self, call: &str) -> usize {
        self.state.lock().unwrap().seen.get(call).copied().unwrap_or_default()
    }

    fn fault(&self, call: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        *state.seen.entry(call.to_owned()).or_default() += 1;
        let meant = |one: &&mut Planned| {
            one.left > 0 && (one.call == call || one.call.ends_with('.') && call.starts_with(&one.call))
        };
        let planned = state.planned.iter_mut().find(meant)?;
        planned.left -= 1;
        Some(planned.fault)
    }

    async fn pass(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
        let call = name(&parts.method, &parts.headers, &body);
        let fault = self.fault(&call);
        match fault {
            Some(Fault::Throttled) => return Ok(refusal(&call, 400, throttling(&call))),
            Some(Fault::Fails) => return Ok(refusal(&call, 500, "InternalError")),
            Some(Fault::Reset) => return Err(Closed),
            Some(Fault::Unheard) | None => {}
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        parts.uri = format!("http://{}{path}", self.aws).parse().map_err(|_| Closed)?;
        let response = self.client.request(Request::from_parts(parts, Full::new(body))).await.map_err(|_| Closed)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
        if fault == Some(Fault::Unheard) { Err(Closed) } else { Ok(Response::from_parts(parts, Full::new(body))) }
    }
}

/// `<service>.<action>`: in a header for the services that speak JSON, in the form for SNS, in the method for S3.
fn name(method: &Method, headers: &HeaderMap, body: &[u8]) -> String {
    if let Some(target) = headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
        let (service, action) = target.split_once('.').unwrap_or((target, ""));
        let service = match service.split('_').next().unwrap_or_default() {
            "AmazonSQS" => "SQS",
            "AmazonSSM" => "SSM",
            other => other,
        };
        return format!("{service}.{action}");
    }
    let form = std::str::from_utf8(body).unwrap_or_default();
    match form.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        Some(action) => format!("SNS.{action}"),
        None => format!("S3.{method}"),
    }
}

fn throttling(call: &str) -> &'static str {
    match call.split('.').next() {
        Some("SNS") => "Throttled",
        Some("S3") => "SlowDown",
        Some("SQS") => "RequestThrottled",
        _ => "ThrottlingException",
    }
}

/// An error in the words of the service's protocol.
fn refusal(call: &str, status: u16, code: &str) -> Response<Full<Bytes>> {
    let xml = call.starts_with("SNS") || call.starts_with("S3");
    let text = match call.split('.').next() {
        Some("SNS") => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
        ),
        Some("S3") => format!("<Error><Code>{code}</Code><Message>no</Message></Error>"),
        _ => format!(r#"{{"__type":"com.amazonaws#{code}","message":"no"}}"#),
    };
    let status = if call.starts_with("S3") && status == 400 { 503 } else { status };
    let kind = if xml { "text/xml" } else { "application/x-amz-json-1.0" };
    let response = Response::builder().status(status).header("content-type", kind);
    response.body(Full::new(Bytes::from(text))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_names_its_calls() {
        let target = |value: &str| HeaderMap::from_iter([("x-amz-target".parse().unwrap(), value.parse().unwrap())]);
        for (headers, body, called) in [
            (target("DynamoDB_20120810.UpdateItem"), "{}", "DynamoDB.UpdateItem"),
            (target("AmazonSQS.SendMessageBatch"), "{}", "SQS.SendMessageBatch"),
            (target("AmazonSSM.GetParameter"), "{}", "SSM.GetParameter"),
            (HeaderMap::new(), "Action=Publish&Version=2010-03-31", "SNS.Publish"),
            (HeaderMap::new(), "a body", "S3.PUT"),
        ] {
            assert_eq!(name(&Method::PUT, &headers, body.as_bytes()), called);
        }
    }
}
