//! Lambda's runtime API, for one process: hands out one event and takes the answer (AWS Lambda: "Using the Lambda
//! runtime API").

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a process did.
pub(crate) enum Seen {
    /// It asked for an event.
    Ready(Instant),
    /// It answered the first.
    Answered(Instant, Bytes),
    /// It reported an error.
    Failed(String),
}

/// A running one. It ends with its value.
pub(crate) struct Runtime {
    address: String,
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    task: JoinHandle<()>,
}

impl Runtime {
    /// Starts on a free port of this machine.
    pub(crate) async fn start(event: Bytes) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (sender, seen) = mpsc::unbounded_channel();
        let event = Arc::new(Mutex::new(Some(event)));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, event) = (sender.clone(), event.clone());
                let service = service_fn(move |request| answer(request, event.clone(), sender.clone()));
                // Dropped with the process at its other end.
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { address, seen, task })
    }

    /// What Lambda sets for a process.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 6] {
        [
            ("AWS_LAMBDA_RUNTIME_API", &self.address),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ]
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
async fn answer(
    request: Request<Incoming>,
    event: Arc<Mutex<Option<Bytes>>>,
    seen: mpsc::UnboundedSender<Seen>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let at = Instant::now();
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET && path.ends_with("/runtime/invocation/next") {
        let event = event.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(event) = event else {
            // There is one event: whoever asks again waits until the process is ended.
            return std::future::pending().await;
        };
        // Nobody listens any more when the process was told to end.
        let _ = seen.send(Seen::Ready(at));
        let answer = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", "6f1b2c3d-0000-4000-8000-000000000001")
            .header("lambda-runtime-deadline-ms", "4102444800000")
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:bench")
            .header("lambda-runtime-trace-id", "Root=1-6b03f4ec-2f9a61c07d4be8350c1a7f52;Sampled=0")
            .body(Full::new(event));
        return Ok(answer.unwrap_or_default());
    }
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let what = if path.ends_with("/response") {
        Seen::Answered(at, body)
    } else {
        Seen::Failed(format!("{path}: {}", String::from_utf8_lossy(&body)))
    };
    let _ = seen.send(what);
    Ok(Response::builder().status(202).body(Full::default()).unwrap_or_default())
}
