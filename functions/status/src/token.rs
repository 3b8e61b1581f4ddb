//! A token that GitHub refuses may have been replaced meanwhile: then the status waits for the new one.

use domain::error::PortError;
use domain::ids::{CredentialId, Repository};
use domain::ports::TokenNow;
use domain::reasons::StatusReason;
use domain::statuses::row::StatusRow;
use jiff::{SignedDuration, Timestamp};

use crate::{End, Writer, later};

impl Writer {
    /// Until when a refused status waits for another token, and why; none when the refusal stands. A 401 was
    /// certainly not applied, so that trying again writes nothing twice.
    pub(crate) async fn other_token(
        &self,
        credential: &CredentialId,
        repository: &Repository,
        reason: StatusReason,
    ) -> Option<(Timestamp, String)> {
        if reason != StatusReason::Unauthorised {
            return None;
        }
        let now = self.clock.now();
        match self.github.token_now(credential, repository).await {
            TokenNow::Same => None,
            TokenNow::Replaced => {
                let soon = now.checked_add(SignedDuration::from_secs(1)).unwrap_or(now);
                Some((
                    soon,
                    "GitHub refused a token that has been replaced: it is written with the new one.".to_owned(),
                ))
            }
            TokenNow::Unknown(until) => {
                let why = "GitHub refused the token (401): Hookyard looks whether there is another.";
                Some((until, why.to_owned()))
            }
        }
    }

    /// A token is configured and cannot be read: without it nothing may be decided.
    pub(crate) fn no_token(&self, row: &StatusRow, error: &PortError) -> End {
        tracing::error!(status = %row.id, %error, "a status waits for GitHub's token");
        let why = "Hookyard cannot read its GitHub token now.".to_owned();
        End::Wait(later(self.clock.now(), row, 2), None, why)
    }
}
