//! What only API Gateway, the front on AWS, knows of a request.

use axum::extract::Request;
use lambda_http::request::RequestContext;

use crate::PublicBase;

/// Tells the handler by which name it was called.
pub async fn public_base(mut request: Request) -> Request {
    let context = request.extensions().get::<RequestContext>();
    if let Some(RequestContext::ApiGatewayV2(context)) = context
        && let Some(domain) = &context.domain_name
    {
        let base = PublicBase(format!("https://{domain}"));
        request.extensions_mut().insert(base);
    }
    request
}
