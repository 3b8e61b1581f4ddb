//! `hookyard demo`: the whole line at work, on this machine alone.
//!
//! A real gateway with its files in a temporary folder, the CI server of `examples/rust` and the stand-in for GitHub's
//! API of `standin`; recorded deliveries go in by HTTP, signed. [`play`] is the story, `scene` what it is played with.

mod ci;
mod play;
mod scene;

use std::pin::pin;

use anyhow::Context as _;
use clap::Args;

use crate::cli::exit;
use crate::serve::signals;
use crate::terminal::{Mark, Style, note, tell};

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Leave everything running afterwards, with an address to send deliveries to
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub(crate) async fn run(self, style: Style) -> u8 {
        match self.play(style).await {
            Ok(code) => code,
            Err(error) => {
                tell(format_args!("{} {error:#}", style.mark(Mark::Bad)));
                let hint = "this is a fault of Hookyard or of this machine; please report it";
                note(format_args!("error: the demo did not go as it should\n hint: {hint}"));
                exit::FAILED
            }
        }
    }

    async fn play(&self, style: Style) -> anyhow::Result<u8> {
        let mut stop = pin!(signals().context("signals cannot be listened to")?);
        tell("Demo: a fake GitHub and a fake CI on this machine. Nothing leaves it.\n");
        let scene = scene::Scene::set().await?;
        let told = tokio::select! {
            told = play::play(&scene, style) => told.map(|story| (exit::DONE, Some(story))),
            () = &mut stop => {
                note("Interrupted: everything is stopped and removed.");
                Ok((exit::INTERRUPTED, None))
            }
        };
        if let Ok((_, Some(story))) = &told {
            if self.keep {
                invite(&scene, story);
                stop.await;
            } else {
                tell("\nNext: hookyard serve, then hookyard doctor. To look around in here: hookyard demo --keep");
            }
        }
        // However it went, nothing is left behind.
        scene.strike().await;
        told.map(|(code, _)| code)
    }
}

/// `story` is the event that is worth a look.
fn invite(scene: &scene::Scene, story: &str) {
    let (folder, api, webhooks) = (scene.folder().display(), scene.gateway.api(), scene.gateway.webhooks());
    tell(format_args!("\nSee the story: http://{api}/events/{story}"));
    tell(format_args!("Still running. Events: http://{api}/v1/events"));
    tell(format_args!(
        "Send it something:\n  echo '{{\"zen\":\"hello\"}}' | hookyard send - --event push --secret-file {folder}/github-secret --url http://{webhooks}/github"
    ));
    tell(format_args!("Next: hookyard serve, then hookyard doctor. Ctrl-C ends this and removes {folder}."));
}
