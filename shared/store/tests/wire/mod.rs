//! Between the SDK and the engine: a gate that sees every request and answer, and may cut the line.

use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use embedded::engine::Engine;
use serde_json::Value;

pub(crate) trait Gate: Send + Sync + 'static {
    /// Sees, and may change, a request; false cuts it off.
    fn lets_out(&self, operation: &str, request: &mut Value) -> bool;
    /// Sees the answer.
    fn comes_back(&self, _operation: &str, _answer: &Value) {}
}

/// A client whose requests pass the gate, each once.
pub(crate) fn client(engine: &Engine, gate: Arc<dyn Gate>) -> Client {
    let plain = engine.client();
    let inner = plain.config().http_client().unwrap();
    let gated = Gated { inner, gate };
    let config = plain.config().to_builder().http_client(gated).retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

struct Gated {
    inner: SharedHttpClient,
    gate: Arc<dyn Gate>,
}

impl fmt::Debug for Gated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gated")
    }
}

impl HttpClient for Gated {
    fn http_connector(&self, s: &HttpConnectorSettings, c: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Line { inner: self.inner.http_connector(s, c), gate: self.gate.clone() })
    }
}

struct Line {
    inner: SharedHttpConnector,
    gate: Arc<dyn Gate>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl HttpConnector for Line {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap().to_owned();
        let operation = target.rsplit_once('.').unwrap().1.to_owned();
        let mut json = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        if !self.gate.lets_out(&operation, &mut json) {
            return HttpConnectorFuture::ready(Err(ConnectorError::io("the line is cut".into())));
        }
        *request.body_mut() = SdkBody::from(json.to_string());
        let (inner, gate) = (self.inner.clone(), self.gate.clone());
        HttpConnectorFuture::new(async move {
            let response = inner.call(request).await?;
            gate.comes_back(&operation, &serde_json::from_slice(response.body().bytes().unwrap()).unwrap());
            Ok(response)
        })
    }
}
