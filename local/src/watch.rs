//! Telling whoever watches what became of each event: one message per outcome.

use std::sync::Arc;

use async_trait::async_trait;
use domain::envelope::Envelope;
use domain::error::PortError;
use domain::event::GithubEvent;
use domain::ports::{EventReader, Message};
use domain::run::Run;
use lambda::batch::{HandleMessage, Verdict};
use tokio::sync::mpsc;

use crate::overheard::Answers;

/// What became of an event just now.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The event as it stands.
    pub event: GithubEvent,
    /// The run that this is about.
    pub run: Run,
    /// The beginning of what the server answered just now, if it was called and said anything.
    pub answer: Option<String>,
}

/// Who wants to hear of outcomes.
#[derive(Debug, Clone)]
pub struct Watcher {
    /// Where they go.
    pub outcomes: mpsc::UnboundedSender<Outcome>,
    /// Whether what the server answered goes with them: its answers are looked at only then.
    pub answers: bool,
}

/// A handler that reports.
pub(crate) struct Watched {
    inner: Arc<dyn HandleMessage>,
    reader: Arc<dyn EventReader>,
    answers: Arc<Answers>,
    listener: mpsc::UnboundedSender<Outcome>,
}

impl Watched {
    pub(crate) fn new(
        inner: Arc<dyn HandleMessage>,
        reader: Arc<dyn EventReader>,
        answers: Arc<Answers>,
        listener: mpsc::UnboundedSender<Outcome>,
    ) -> Self {
        Self { inner, reader, answers, listener }
    }

    async fn report(&self, message: &Message) {
        let Ok(envelope) = Envelope::decode(&message.body) else { return };
        let answer = self.answers.take(&envelope.receipt.to_string());
        // Only for the eye: a failure here must not touch the event.
        let Ok(Some(story)) = self.reader.event(&envelope.event).await else { return };
        if let Some(run) = story.runs.into_iter().find(|run| run.receipt == envelope.receipt) {
            let _ = self.listener.send(Outcome { event: story.event, run, answer });
        }
    }
}

#[async_trait]
impl HandleMessage for Watched {
    async fn handle(&self, message: &Message, later: &[Message]) -> Result<Verdict, PortError> {
        let verdict = self.inner.handle(message, later).await;
        self.report(message).await;
        verdict
    }
}
