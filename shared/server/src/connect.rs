//! Connections to one server: HTTP/1.1, over TLS with ring, kept for a while and never used twice at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tower::util::BoxCloneSyncService;

/// Idle connections are dropped after this: a function that was frozen for longer would find them dead.
const IDLE: Duration = Duration::from_secs(20);

/// Why the client cannot be set up. No message holds the URL.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// Not a URL to post to.
    #[error("the server's URL must be http(s)://HOST with no user name in it")]
    Url,
    /// No certificates to check the server's with.
    #[error("this machine has no TLS root certificates that can be read")]
    Roots(#[source] std::io::Error),
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// The look-up of the host's name failed: a type of its own, so that it can be told from a refusal.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address")]
pub(crate) struct NoAddress(#[source] std::io::Error);

type Addresses = std::vec::IntoIter<std::net::SocketAddr>;
type Resolver = BoxCloneSyncService<Name, Addresses, NoAddress>;

/// The connections.
pub(crate) type Pool = Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

/// TLS with the machine's roots, or with none where there is no TLS.
pub(crate) fn machine_tls(https: bool) -> Result<ClientConfig, SetUpError> {
    if !https {
        return tls_with(RootCertStore::empty());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(SetUpError::Tls)?;
    Ok(builder.with_native_roots().map_err(SetUpError::Roots)?.with_no_client_auth())
}

/// TLS with these roots only.
pub(crate) fn tls_with(roots: RootCertStore) -> Result<ClientConfig, SetUpError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(SetUpError::Tls)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

pub(crate) fn pool(tls: ClientConfig) -> Pool {
    let resolver = tower::service_fn(|name: Name| async move {
        // The port is set by the connector; any will do for the look-up.
        let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(NoAddress)?;
        Ok(found.collect::<Vec<_>>().into_iter())
    });
    let mut connector = HttpConnector::new_with_resolver(Resolver::new(resolver));
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
    // The pool repeats only a request of which it still holds every byte, when an idle connection turned out to
    // be closed before anything was written to it.
    Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).pool_timer(TokioTimer::new()).build(connector)
}
