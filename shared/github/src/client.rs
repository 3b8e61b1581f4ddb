//! Octocrab over a connection pool of our own making.
//!
//! Octocrab's ready-made client sends its own `User-Agent` and picks the TLS provider that happens to be
//! installed; ours says who we are and always uses ring. There is no retry layer, no redirect layer and no cache.

use std::sync::Arc;
use std::time::Duration;

use domain::secrets::check_bearer;
use http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Idle connections are dropped after this: a function that was frozen for longer would find them dead, and a
/// write into a dead connection is of unknown outcome.
const IDLE: Duration = Duration::from_secs(20);

/// Why GitHub's client cannot be set up. No message holds a token.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The base URL of the API.
    #[error("the GitHub API URL must be http(s)://HOST, perhaps with a port and a path, and nothing else")]
    ApiUrl,
    /// A token with characters that no header can hold.
    #[error("the GitHub token must be visible ASCII characters, without spaces or line ends")]
    Token,
    /// No certificates to check GitHub's with.
    #[error("this machine has no TLS root certificates that can be read")]
    Roots(#[source] std::io::Error),
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// Called outside an asynchronous runtime, which the client's worker needs.
    #[error("GitHub's client must be set up within a tokio runtime")]
    NoRuntime,
}

/// The pool that all credentials share.
pub(crate) type Pool = Client<HttpsConnector<HttpConnector>, OctoBody>;

/// The base without its last slash.
pub(crate) fn base(api: &Url) -> Result<String, SetUpError> {
    let plain = matches!(api.scheme(), "http" | "https")
        && api.host_str().is_some_and(|host| !host.is_empty())
        && api.username().is_empty()
        && api.password().is_none()
        && api.query().is_none()
        && api.fragment().is_none();
    if plain { Ok(api.as_str().trim_end_matches('/').to_owned()) } else { Err(SetUpError::ApiUrl) }
}

/// Connections over HTTP/1.1; over TLS with ring and the machine's roots.
pub(crate) fn pool(api: &Url) -> Result<Pool, SetUpError> {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(SetUpError::Tls)?;
    let tls = if api.scheme() == "https" {
        tls.with_native_roots().map_err(SetUpError::Roots)?
    } else {
        // Without TLS nothing is checked, and a machine without roots will do.
        tls.with_root_certificates(rustls::RootCertStore::empty())
    };
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls.with_no_client_auth()).https_or_http().enable_http1().build();
    // The pool repeats only a request of which it still holds every byte, when an idle connection turned out to
    // be closed before anything was written to it. GitHub cannot have seen that one.
    Ok(Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).pool_timer(TokioTimer::new()).build(connector))
}

/// A client for one token.
pub(crate) fn crab(pool: &Pool, token: &SecretString) -> Result<Octocrab, SetUpError> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(SetUpError::NoRuntime);
    }
    let text = token.expose_secret();
    check_bearer(text).map_err(|_| SetUpError::Token)?;
    let mut bearer = HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| SetUpError::Token)?;
    bearer.set_sensitive(true);
    // `X-GitHub-Api-Version: 2022-11-28` is set by octocrab, which is written against that version.
    let headers: Vec<(HeaderName, HeaderValue)> = vec![
        (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
        (USER_AGENT, HeaderValue::from_static(concat!("hookyard/", env!("CARGO_PKG_VERSION")))),
        (AUTHORIZATION, bearer),
    ];
    let built = OctocrabBuilder::new_empty()
        .with_service(pool.clone())
        .with_layer(&ExtraHeadersLayer::new(Arc::new(headers)))
        .with_auth(AuthState::None)
        .build();
    match built {
        Ok(crab) => Ok(crab),
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_kept_with_its_path() {
        for (url, expected) in [
            ("https://api.github.com", Some("https://api.github.com")),
            ("https://api.github.com/", Some("https://api.github.com")),
            ("https://ghe.example:8443/api/v3/", Some("https://ghe.example:8443/api/v3")),
            ("ftp://api.github.com", None),
            ("https://u:p@api.github.com", None),
            ("https://u@api.github.com", None),
            ("https://api.github.com/?a=b", None),
            ("https://api.github.com/#x", None),
        ] {
            assert_eq!(base(&Url::parse(url).unwrap()).ok().as_deref(), expected, "{url}");
        }
    }
}
