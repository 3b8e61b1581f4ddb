//! Settling: finding out what became of a POST whose end nobody recorded.

use domain::error::PortError;
use domain::github_reply::{Meaning, meaning};
use domain::ids::CredentialId;
use domain::ports::{ListReply, ListedStatus};
use domain::reasons::StatusReason;
use domain::statuses::message::StatusMessage;
use domain::statuses::row::StatusOutcome;
use domain::statuses::{ContextKey, Head, Intent, Written};
use jiff::{SignedDuration, Timestamp};

use crate::{SETTLE_AFTER, Writer, refused};

/// The most pages (of 100) of a commit's statuses that are searched. GitHub keeps 1,000 per context, so a commit
/// with more than this many is one where every context is used up.
const MOST_PAGES: u32 = 50;

/// What became of it.
pub(crate) enum Settled {
    /// The head has no intent any more; decide as if it had never had one.
    Clear(Box<Head>),
    /// It was the very status in hand, and it stands.
    Stands(u64),
    /// Too early to say, or GitHub cannot be asked now.
    Later(Timestamp, Option<StatusReason>, String),
    /// GitHub will not tell us, and it was the very status in hand.
    Blind(StatusReason, String),
    /// Too many requests of its credential are under way.
    Crowded,
}

/// What a search of GitHub's list came to.
enum Search {
    Found(u64),
    Absent,
    Later(Timestamp, Option<StatusReason>, String),
    Refused(StatusReason, String),
    Crowded,
}

impl Writer {
    pub(crate) async fn settle(
        &self,
        key: &ContextKey,
        head: Head,
        intent: &Intent,
        status: &StatusMessage,
        credential: Option<&CredentialId>,
    ) -> Result<Settled, PortError> {
        let ours = intent.status.id == status.id;
        if self.pace.was_never_sent(intent) {
            let head = self.save_head(key, &head.without_intent()).await?;
            self.pace.settled(intent);
            return Ok(Settled::Clear(Box::new(head)));
        }
        let ripe = intent.started_at.checked_add(SETTLE_AFTER).unwrap_or(intent.started_at);
        if self.clock.now() < ripe {
            let why = "An earlier write got no clear answer: Hookyard looks at GitHub before it writes again.";
            return Ok(Settled::Later(ripe, None, why.to_owned()));
        }
        let Some(credential) = credential else {
            // The token was taken away: there is nobody to ask, and nobody to write twice.
            return Ok(Settled::Clear(Box::new(self.save_head(key, &head.without_intent()).await?)));
        };
        match self.search(key, &head, intent, credential).await? {
            Search::Found(github_id) => {
                let written = Written { github_id: Some(github_id), ..intent.status.clone() };
                let head = self.save_head(key, &head.with_written(written)).await?;
                if ours {
                    return Ok(Settled::Stands(github_id));
                }
                self.record_other(key, intent, github_id).await?;
                Ok(Settled::Clear(Box::new(head)))
            }
            Search::Absent => Ok(Settled::Clear(Box::new(self.save_head(key, &head.without_intent()).await?))),
            Search::Later(until, reason, why) => Ok(Settled::Later(until, reason, why)),
            Search::Crowded => Ok(Settled::Crowded),
            Search::Refused(reason, why) => {
                let why = format!("{why} Whether an earlier attempt was applied could not be found out.");
                if ours {
                    let refused = refused(status, reason, &why, self.clock.now());
                    self.save_head(key, &head.with_refused(refused)).await?;
                    return Ok(Settled::Blind(reason, why));
                }
                Ok(Settled::Clear(Box::new(self.save_head(key, &head.without_intent()).await?)))
            }
        }
    }

    /// Walks GitHub's list, newest first, back to what was written last. An entry newer than that which says the
    /// same is ours: nobody else writes this very text into this very context.
    async fn search(
        &self,
        key: &ContextKey,
        head: &Head,
        intent: &Intent,
        credential: &CredentialId,
    ) -> Result<Search, PortError> {
        if let Some(pause) = self.pace.paused(credential).await? {
            let why = "GitHub asked for a pause.".to_owned();
            return Ok(Search::Later(pause.until, Some(StatusReason::RateLimited), why));
        }
        // The newest of our own entries, also when what came after it was only recorded.
        let floor = head.recent.last().copied().unwrap_or(0);
        let Some(_permit) = self.pace.permit(credential).await else {
            return Ok(Search::Crowded);
        };
        for page in 1..=MOST_PAGES {
            let begun = self.clock.now();
            let reply = self.github.list(credential, &key.repository, &key.sha, page).await;
            let now = self.clock.now();
            let soon = now.checked_add(SignedDuration::from_secs(30)).unwrap_or(now);
            let answer = match reply {
                ListReply::Listed(entries, more) => {
                    if let Some(found) = find(&entries, floor, intent) {
                        return Ok(Search::Found(found));
                    }
                    if !more || entries.iter().any(|entry| entry.id <= floor) {
                        return Ok(Search::Absent);
                    }
                    continue;
                }
                ListReply::Answered(answer) => answer,
                ListReply::Failed(why) => {
                    return Ok(Search::Later(soon, None, format!("GitHub could not be asked: {why}")));
                }
            };
            let before = self.pace.last_pause(credential).await?;
            return Ok(match meaning(&answer, &key.repository, before, begun, now) {
                Meaning::Refused { reason, why } => match self.other_token(credential, &key.repository, reason).await {
                    Some((until, why)) => Search::Later(until, None, why),
                    None => Search::Refused(reason, why),
                },
                Meaning::Limited(pause) => {
                    self.pace.pause(credential, pause).await?;
                    let why = "GitHub asked for a pause.".to_owned();
                    Search::Later(pause.until, Some(StatusReason::RateLimited), why)
                }
                Meaning::Unknown(why) => Search::Later(soon, None, why),
            });
        }
        Ok(Search::Absent)
    }

    /// The intent was another status': its row learns that it stands.
    async fn record_other(&self, key: &ContextKey, intent: &Intent, github_id: u64) -> Result<(), PortError> {
        let Some(mut row) = self.log.status(&key.repository, &key.sha, &intent.status.id).await? else {
            return Ok(());
        };
        row.outcome = StatusOutcome::Written;
        row.github_id = Some(github_id);
        row.written_at = Some(self.clock.now());
        (row.why, row.reason, row.until) = (None, None, None);
        self.log.save_status(&row).await
    }
}

fn find(entries: &[ListedStatus], floor: u64, intent: &Intent) -> Option<u64> {
    let ours = entries.iter().find(|entry| entry.id > floor && entry.content.same_as(&intent.status.content));
    ours.map(|entry| entry.id)
}
