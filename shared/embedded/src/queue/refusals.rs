//! What this queue refuses: the same as SNS and SQS, and what makes no sense on it.

use domain::error::PortError;
pub(super) use domain::queue::{MESSAGE_LIMIT, TOPIC_LIMIT, check_id, check_message};

/// A failure that stays: the same call would be refused again.
pub(super) fn refuse<T>(why: impl std::fmt::Display) -> Result<T, PortError> {
    Err(PortError::permanent(why))
}
