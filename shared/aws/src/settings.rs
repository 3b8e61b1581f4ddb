//! What the environment says about AWS itself, beyond what the SDK reads there.

/// Where AWS is, if it is not where it always is: an emulator, or a stand-in for tests (AWS SDKs and Tools Reference
/// Guide: "Service-specific endpoints").
#[expect(clippy::disallowed_methods, reason = "this is where it is read")]
pub(crate) fn endpoint() -> Option<String> {
    std::env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty())
}
