//! `hookyard demo`: the whole line at work, on this machine alone.
//!
//! A real gateway with its files in a temporary folder, the example CI server and the stand-in for GitHub's API of
//! `standin`; recorded deliveries go in by HTTP, signed. [`play`] is the story, `scene` what it is played with.

mod play;
mod scene;

use clap::Args;

use crate::cli::exit;
use crate::terminal::{Mark, Style};

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Leave everything running afterwards, with an address to send deliveries to
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub(crate) async fn run(self, style: Style) -> u8 {
        match self.play(style).await {
            Ok(()) => exit::DONE,
            Err(error) => {
                println!("{} {error:#}", style.mark(Mark::Bad));
                eprintln!(
                    "error: the demo did not go as it should\n hint: this is a fault of Hookyard or of this machine; please report it"
                );
                exit::FAILED
            }
        }
    }

    async fn play(&self, style: Style) -> anyhow::Result<()> {
        println!("Demo: a fake GitHub and a fake CI on this machine. Nothing leaves it.\n");
        let scene = scene::Scene::set().await?;
        play::play(&scene, style).await?;
        if self.keep {
            let folder = scene.folder().display();
            println!("\nStill running. Events: http://{}/v1/events", scene.gateway.api());
            println!(
                "Send it something:     hookyard send FILE --event push --secret-file {folder}/github-secret --url http://{}/github",
                scene.gateway.webhooks()
            );
            println!("Ctrl-C ends it and removes {folder}.");
            tokio::signal::ctrl_c().await?;
        } else {
            println!(
                "\nNext: hookyard serve, then point a webhook at it. To look around in here: hookyard demo --keep"
            );
        }
        scene.strike().await;
        Ok(())
    }
}
