//! Opening a connection before the first request needs it.

use aws_sdk_sns::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_sns::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sns::error::BoxError;
use aws_smithy_types::body::SdkBody;

/// Makes of any request of a client, once it has been signed, a plain `GET /` of the same host, without body and
/// signature: credentials, name, connection and TLS are there afterwards, and nothing has happened. What the service
/// answers does not matter.
///
/// Where it cannot do that the request is not sent at all.
#[derive(Debug)]
pub(crate) struct OnlyConnect;

impl Intercept for OnlyConnect {
    fn name(&self) -> &'static str {
        "OnlyConnect"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.set_method("GET")?;
        let root = match request.uri().split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}/", rest.split(['/', '?']).next().unwrap_or_default()),
            None => return Err("a request without an absolute address".into()),
        };
        request.set_uri(root)?;
        *request.body_mut() = SdkBody::empty();
        let names: Vec<String> = request.headers().iter().map(|(name, _)| name.to_owned()).collect();
        for name in names.iter().filter(|name| *name != "user-agent") {
            request.headers_mut().remove(name.as_str());
        }
        Ok(())
    }
}
