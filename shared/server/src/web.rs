//! Any other HTTP exchange of this tree's programs: the command line and its gateway, `doctor` and what it tests.
//!
//! The connections, the trust in certificates and the words for failures are those of the user's server. Nothing is
//! repeated, no redirect is followed, no proxy is read from the environment.

use std::sync::Arc;

use bytes::Bytes;
use domain::ports::{Clock, ServerReply};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use url::Url;

use crate::call::TIME_OUT;
use crate::connect::{self, Pool, SetUpError};
use crate::failure::failed;

/// Why there is no whole answer, in words for whoever runs the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Not within [`TIME_OUT`].
    #[error("No answer came within {} s.", TIME_OUT.as_secs())]
    TimedOut,
    /// No connection, or it closed before the end.
    #[error("{0}")]
    Unreachable(String),
    /// The TLS handshake failed.
    #[error("{0}")]
    Tls(String),
    /// Longer than the caller reads.
    #[error("The answer is larger than {0} bytes.")]
    TooLarge(usize),
}

/// A client for one host and whatever that redirects to.
pub struct Web {
    pool: Pool,
    clock: Arc<dyn Clock>,
}

impl Web {
    /// A client for `url`, whose certificate must be from an authority that this machine trusts. Connects to nothing
    /// yet.
    ///
    /// # Errors
    /// [`SetUpError`] when `https` finds no root certificates.
    pub fn new(url: &Url, clock: Arc<dyn Clock>) -> Result<Self, SetUpError> {
        Ok(Self { pool: connect::pool(connect::machine_tls(url.scheme() == "https")?), clock })
    }

    /// One request, sent once, with the headers that it has, `host` and `content-length`; at most `largest` bytes of
    /// its answer.
    ///
    /// # Errors
    /// [`NoAnswer`]; an answer of any status is none.
    pub async fn send(&self, request: Request<Bytes>, largest: usize) -> Result<Response<Bytes>, NoAnswer> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let exchange = async {
            let response =
                self.pool.request(request.map(Full::new)).await.map_err(|error| match failed(&error, &host) {
                    ServerReply::Tls(why) => NoAnswer::Tls(why),
                    ServerReply::Unreachable(why) => NoAnswer::Unreachable(why),
                    ServerReply::TimedOut | ServerReply::Answered { .. } => NoAnswer::TimedOut,
                })?;
            let (head, body) = response.into_parts();
            match Limited::new(body, largest).collect().await {
                Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
                Err(error) if error.is::<LengthLimitError>() => Err(NoAnswer::TooLarge(largest)),
                Err(_) => {
                    let why = "The connection closed in the middle of the answer.";
                    Err(NoAnswer::Unreachable(why.to_owned()))
                }
            }
        };
        let until = self.clock.now().checked_add(TIME_OUT).map_err(|_| NoAnswer::TimedOut)?;
        tokio::select! {
            biased;
            answer = exchange => answer,
            () = self.clock.sleep_until(until) => Err(NoAnswer::TimedOut),
        }
    }
}
