//! An AWS that answers what a test tells it to and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::serve::ListenerExt;

/// One request: method, path, body.
pub(crate) type Asked = (Method, String, Bytes);

#[derive(Clone, Default)]
pub(crate) struct Standin {
    asked: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    headers: Arc<Mutex<String>>,
    connections: Arc<AtomicUsize>,
}

impl Standin {
    /// Answers these in turn, and 500 afterwards; the configuration leads to it and repeats nothing.
    pub(crate) async fn start<B: Into<String>>(answers: impl IntoIterator<Item = (u16, B)>) -> (Self, SdkConfig) {
        let standin = Self::default();
        standin.answers.lock().unwrap().extend(answers.into_iter().map(|(status, body)| (status, body.into())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = standin.connections.clone();
        let listener = listener.tap_io(move |_| {
            connections.fetch_add(1, Ordering::SeqCst);
        });
        let router = Router::new().fallback(answer).with_state(standin.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(format!("http://{address}"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "test")))
            .retry_config(RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        (standin, config)
    }

    /// Everything asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The header names of the request that came last.
    pub(crate) fn headers(&self) -> String {
        self.headers.lock().unwrap().clone()
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The JSON bodies asked so far.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.asked().iter().map(|(_, _, body)| serde_json::from_slice(body).unwrap()).collect()
    }
}

async fn answer(
    State(standin): State<Standin>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    *standin.headers.lock().unwrap() = format!("{:?}", headers.keys().collect::<Vec<_>>());
    standin.asked.lock().unwrap().push((method, uri.path().to_owned(), body));
    let (status, body) = standin.answers.lock().unwrap().pop_front().unwrap_or((500, String::new()));
    (StatusCode::from_u16(status).unwrap(), body)
}
