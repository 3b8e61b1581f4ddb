//! One POST to the user's server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::ports::{Clock, ServerReply, ServerRequest};
use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Collected, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use rustls::RootCertStore;
use sha2::{Digest, Sha256};
use url::Url;

use crate::connect::{self, Pool, SetUpError};
use crate::failure::failed;

/// Time for one call, from the look-up of the name to the last byte of the answer.
pub const TIME_OUT: Duration = Duration::from_secs(10);

/// The most of an answer's body that is read, in bytes.
pub const LARGEST_ANSWER: usize = 1024 * 1024;

/// The user's server at one URL.
pub struct YourServer {
    url: Url,
    uri: Uri,
    key: String,
    host: String,
    pool: Pool,
    clock: Arc<dyn Clock>,
}

impl YourServer {
    /// The server at `url`, whose certificate must be from an authority that this machine trusts. Connects to
    /// nothing yet.
    ///
    /// # Errors
    /// [`SetUpError`] when the URL cannot be posted to, or when `https` finds no root certificates.
    pub fn new(url: Url, clock: Arc<dyn Clock>) -> Result<Self, SetUpError> {
        let tls = connect::machine_tls(url.scheme() == "https")?;
        Self::over(url, clock, connect::pool(tls))
    }

    /// The same, trusting these authorities and no others.
    ///
    /// # Errors
    /// [`SetUpError`] when the URL cannot be posted to.
    pub fn trusting(url: Url, clock: Arc<dyn Clock>, roots: RootCertStore) -> Result<Self, SetUpError> {
        let tls = connect::tls_with(roots)?;
        Self::over(url, clock, connect::pool(tls))
    }

    fn over(mut url: Url, clock: Arc<dyn Clock>, pool: Pool) -> Result<Self, SetUpError> {
        let plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
        let (true, Some(name), Some(port)) = (plain, url.host_str(), url.port_or_known_default()) else {
            return Err(SetUpError::Url);
        };
        let host = format!("{name}:{port}");
        let key = hex::encode(Sha256::digest(url.as_str()));
        url.set_fragment(None);
        let uri = url.as_str().parse().map_err(|_| SetUpError::Url)?;
        Ok(Self { url, uri, key, host, pool, clock })
    }

    /// The request as it will travel; the name of the header that no request can hold, if there is one.
    fn request(&self, request: ServerRequest) -> Result<Request<Full<Bytes>>, String> {
        let ServerRequest { headers, body } = request;
        let mut outgoing = Request::new(Full::new(body.clone()));
        *outgoing.method_mut() = http::Method::POST;
        *outgoing.uri_mut() = self.uri.clone();
        for (name, value) in headers {
            let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
            let value = bytes.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
            let (Ok(header), Some(value)) = (HeaderName::try_from(name.as_str()), value) else {
                return Err(name);
            };
            // These belong to the connection, which is ours.
            if ![HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&header) {
                outgoing.headers_mut().append(header, value);
            }
        }
        outgoing.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Ok(outgoing)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> ServerReply {
        let (head, body) = match self.pool.request(request).await {
            Ok(response) => response.into_parts(),
            Err(error) => return failed(&error, &self.host),
        };
        match read(body).await {
            Ok(body) => ServerReply::Answered {
                code: head.status.as_u16(),
                retry_after: text(&head.headers, &RETRY_AFTER),
                moved_to: self.moved_to(head.status, &head.headers),
                body,
            },
            Err(Broken) => ServerReply::Unreachable("The connection closed in the middle of the answer.".to_owned()),
        }
    }

    /// The host, and the port where one is named, that a redirect points to.
    fn moved_to(&self, status: StatusCode, headers: &HeaderMap) -> Option<String> {
        let location = text(headers, &LOCATION).filter(|_| status.is_redirection())?;
        let target = self.url.join(&location).ok()?;
        let name = target.host_str()?;
        Some(target.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}")))
    }
}

/// The host only: path and query may hold what is nobody's business.
impl std::fmt::Debug for YourServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("YourServer").field("host", &self.host).finish_non_exhaustive()
    }
}

#[async_trait]
impl domain::ports::YourServer for YourServer {
    fn key(&self) -> &str {
        &self.key
    }

    fn host(&self) -> &str {
        &self.host
    }

    async fn call(&self, request: ServerRequest) -> ServerReply {
        let request = match self.request(request) {
            Ok(request) => request,
            Err(name) => {
                return ServerReply::Unreachable(format!("The header {} cannot be sent.", name.escape_debug()));
            }
        };
        let Ok(until) = self.clock.now().checked_add(TIME_OUT) else {
            return ServerReply::TimedOut;
        };
        tokio::select! {
            biased;
            reply = self.send(request) => reply,
            () = self.clock.sleep_until(until) => ServerReply::TimedOut,
        }
    }
}

/// The connection ended before the body did.
struct Broken;

/// The body, or none when it is larger than we read.
async fn read(body: Incoming) -> Result<Option<Bytes>, Broken> {
    match Limited::new(body, LARGEST_ANSWER).collect().await.map(Collected::to_bytes) {
        Ok(body) => Ok(Some(body)),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(_) => Err(Broken),
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
}
