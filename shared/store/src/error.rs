//! What a failure of the SDK means: whether the same call can succeed later.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use domain::error::PortError;

/// DynamoDB's answers that pass with time (Amazon DynamoDB: "Error handling with DynamoDB", the table of errors
/// that may be retried), and credentials that the SDK is about to renew.
const PASSING: [&str; 9] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "LimitExceededException",
    "InternalServerError",
    "ServiceUnavailable",
    "TransactionConflictException",
    "ReplicatedWriteConflictException",
    "ExpiredTokenException",
];

/// DynamoDB's words are cut to this many characters.
const WORDS_LIMIT: usize = 300;

/// Translates a failure of `doing`, such as `GetItem event#…/event`. Conditions that did not hold are no failures
/// and are dealt with before.
pub(crate) fn failed<E>(doing: &str, failure: &SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata,
{
    match failure {
        SdkError::ServiceError(refused) => {
            let code = refused.err().code().unwrap_or("an error without a name");
            let words: String = refused.err().message().unwrap_or_default().chars().take(WORDS_LIMIT).collect();
            let what = format!("DynamoDB refused {doing}: {code}: {words}");
            if PASSING.contains(&code) || refused.raw().status().is_server_error() {
                PortError::Transient(what)
            } else {
                PortError::Permanent(what)
            }
        }
        SdkError::ConstructionFailure(_) => PortError::permanent(format!("the request {doing} could not be made")),
        SdkError::TimeoutError(_) => PortError::transient(format!("DynamoDB did not answer {doing} in time")),
        SdkError::DispatchFailure(_) => PortError::transient(format!("DynamoDB could not be reached for {doing}")),
        _ => PortError::transient(format!("DynamoDB's answer to {doing} could not be read")),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::error::ErrorMetadata;
    use aws_sdk_dynamodb::operation::get_item::GetItemError;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn refused(status: u16, code: &str) -> PortError {
        let error = GetItemError::generic(ErrorMetadata::builder().code(code).message("why").build());
        let raw = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        failed("GetItem a/b", &SdkError::service_error(error, raw))
    }

    #[test]
    fn throttling_and_server_errors_pass_refusals_stay() {
        assert!(refused(400, "ThrottlingException").is_transient());
        assert!(refused(500, "Whatever").is_transient());
        assert_eq!(
            refused(400, "AccessDeniedException"),
            PortError::permanent("DynamoDB refused GetItem a/b: AccessDeniedException: why")
        );
        assert!(failed::<GetItemError>("GetItem a/b", &SdkError::timeout_error("late")).is_transient());
    }
}
