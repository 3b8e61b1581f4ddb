//! What a failure of the SDK means for a port: whether the same call can succeed later.

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use domain::error::PortError;

/// Codes of client errors (4xx) that pass by themselves: throttling under its many names, and credentials or a clock
/// that the SDK renews (AWS SDKs: "Retry behavior"; Amazon S3: "Error responses"; Amazon SQS: "Common errors").
const PASSING: [&str; 17] = [
    "EC2ThrottledException",
    "ExpiredToken",
    "ExpiredTokenException",
    "KMSThrottling",
    "KmsThrottled",
    "OverLimit",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "SlowDown",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
];

/// Translates a failure; `doing` says what was tried, such as `publishing to the topic`. The service's own message
/// is left out, because it may quote what was sent.
pub(crate) fn failed<E: ProvideErrorMetadata>(doing: &str, error: &SdkError<E, HttpResponse>) -> PortError {
    match error {
        SdkError::ServiceError(refused) => {
            answered(doing, refused.raw().status().as_u16(), refused.err().code().unwrap_or("an unnamed error"))
        }
        SdkError::TimeoutError(_) => PortError::transient(format!("{doing}: no answer in time")),
        SdkError::DispatchFailure(_) => PortError::transient(format!("{doing}: no connection")),
        // Mostly credentials that could not be fetched: what we put into requests is checked before.
        SdkError::ConstructionFailure(_) => PortError::transient(format!("{doing}: the request could not be made")),
        _ => PortError::transient(format!("{doing}: the answer could not be read")),
    }
}

/// The same for a code without an error of the SDK, such as one entry of a batch.
pub(crate) fn answered(doing: &str, status: u16, code: &str) -> PortError {
    let what = format!("{doing}: {code}");
    // SQS says some of its codes with a prefix: AWS.SimpleQueueService.…
    let plain = code.rsplit('.').next().unwrap_or(code);
    let passes = status >= 500 || status == 429 || status == 408 || PASSING.contains(&plain);
    if passes { PortError::Transient(what) } else { PortError::Permanent(what) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_and_faults_of_the_service_pass() {
        for (status, code, transient) in [
            (400, "ThrottlingException", true),
            (400, "AWS.SimpleQueueService.RequestThrottled", true),
            (403, "RequestThrottled", true),
            (403, "ExpiredTokenException", true),
            (429, "TooManyRequestsException", true),
            (500, "InternalFailure", true),
            (503, "SlowDown", true),
            (400, "InvalidParameter", false),
            (403, "AccessDenied", false),
            (403, "KMSAccessDenied", false),
            (404, "NotFound", false),
            (400, "ParameterNotFound", false),
        ] {
            let error = answered("doing", status, code);
            assert_eq!(error.is_transient(), transient, "{status} {code}");
            assert_eq!(error.to_string(), format!("doing: {code}"));
        }
    }

    #[test]
    fn silence_passes() {
        type Error = aws_sdk_sqs::operation::send_message::SendMessageError;
        for error in [SdkError::timeout_error("late"), SdkError::construction_failure("no credentials")] {
            assert!(failed::<Error>("doing", &error).is_transient(), "{error}");
        }
    }
}
