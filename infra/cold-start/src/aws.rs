//! As much of AWS as a first event needs, over TLS: SSM has the secrets, SNS takes everything, DynamoDB is empty.

use std::convert::Infallible;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A running one; it lives as long as the program.
pub(crate) struct Aws {
    url: String,
    roots: NamedTempFile,
}

impl Aws {
    /// Starts on a free port of this machine, and takes `delay` for each answer.
    pub(crate) async fn start(events: &Path, delay: Duration) -> anyhow::Result<Self> {
        let authority = authority()?;
        let roots = roots(&authority)?;
        let acceptor = TlsAcceptor::from(Arc::new(tls(&authority)?));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let secrets = Arc::new(Secrets {
            github: crate::of_samples(events, "sample_secret")?,
            key: crate::of_samples(events, "sample_api_key")?,
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, secrets) = (acceptor.clone(), secrets.clone());
                let service = service_fn(move |request| answer(request, secrets.clone(), delay));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        // Dropped with the process at its other end.
                        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    }
                });
            }
        });
        Ok(Self { url, roots })
    }

    /// How a process finds it, and trusts it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "bench".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "bench".to_owned()),
            ("SSL_CERT_FILE", self.roots.path().display().to_string()),
        ]
    }
}

async fn answer(
    request: Request<Incoming>,
    secrets: Arc<Secrets>,
    delay: Duration,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).map(str::to_owned);
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let (kind, text) = match target.as_deref() {
        Some("AmazonSSM.GetParameter") => ("application/x-amz-json-1.1", parameter(&body, &secrets).to_string()),
        Some(_) => ("application/x-amz-json-1.0", "{}".to_owned()),
        None => ("text/xml", TAKEN.to_owned()),
    };
    let answer = Response::builder().header("content-type", kind).body(Full::new(text.into()));
    Ok(answer.unwrap_or_default())
}

const TAKEN: &str = "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>";

/// What the samples need.
struct Secrets {
    github: String,
    key: String,
}

fn parameter(asked: &[u8], secrets: &Secrets) -> Value {
    let asked: Value = serde_json::from_slice(asked).unwrap_or_default();
    let value = match asked["Name"].as_str() {
        Some("/hookyard/github-secret") => &secrets.github,
        Some("/hookyard/api-key") => &secrets.key,
        Some("/hookyard/server-secret") => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        _ => "bench",
    };
    json!({ "Parameter": { "Name": asked["Name"], "Type": "SecureString", "Value": value, "Version": 1 } })
}

fn authority() -> anyhow::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn tls(authority: &CertifiedIssuer<'static, KeyPair>) -> anyhow::Result<ServerConfig> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, authority)?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(config.with_single_cert(vec![certificate.der().clone()], key)?)
}

/// This machine's roots and ours: to read some hundred certificates is part of a start on Lambda too.
fn roots(authority: &CertifiedIssuer<'static, KeyPair>) -> anyhow::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    let machine: Vec<CertificateDer<'_>> = rustls_native_certs::load_native_certs().certs;
    for certificate in machine.iter().chain([authority.der()]) {
        writeln!(file, "-----BEGIN CERTIFICATE-----")?;
        let text = base64(certificate);
        for line in text.as_bytes().chunks(64) {
            file.write_all(line)?;
            writeln!(file)?;
        }
        writeln!(file, "-----END CERTIFICATE-----")?;
    }
    file.flush()?;
    Ok(file)
}

fn base64(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes)
}
