//! The story of the demo, told hop by hop and checked at every step.

use anyhow::{Context as _, anyhow, ensure};
use serde_json::Value;
use standin::ci::example::{CONTEXTS, Job, Report};

use super::scene::{OPENED, PATIENCE, PUSH, RELEASE, Recorded, SYNCHRONIZE, Scene, Taken, UNKNOWN};
use crate::terminal::{Mark, Style, duration, printable, size, tell};

/// Tells and checks the whole story.
pub(crate) async fn play(scene: &Scene, style: Style) -> anyhow::Result<()> {
    let teller = Teller { scene, style };
    teller.opened().await?;
    teller.synchronize_while_the_ci_is_down().await?;
    teller.others().await?;
    Ok(())
}

struct Teller<'a> {
    scene: &'a Scene,
    style: Style,
}

impl Teller<'_> {
    async fn opened(&self) -> anyhow::Result<()> {
        let taken = self.deliver(1, "a pull request is opened", &OPENED).await?;
        let event = self.scene.settled(&taken.event).await?;
        self.attempts(&event)?;
        let commit = Commit::of(&event)?;
        self.on_github(&event, &commit, "pending")?;
        self.call_back("success", "all tests passed").await?;
        let event = self.scene.settled(&taken.event).await?;
        self.on_github(&event, &commit, "success")
    }

    async fn synchronize_while_the_ci_is_down(&self) -> anyhow::Result<()> {
        self.scene.ci.stop().await;
        let taken = self.deliver(2, "new commits arrive while the CI is down", &SYNCHRONIZE).await?;
        self.scene.settled(&taken.event).await?;
        self.scene.ci.restart().await?;
        self.say(Mark::Quiet, "the CI is back", "the next attempt is due about two seconds after the first");
        let job = self.scene.example.next_job();
        let job = tokio::time::timeout(PATIENCE, job).await.context("the CI was not called again")?;
        let event = self.scene.settled(&taken.event).await?;
        self.attempts(&event)?;
        let outcomes: Vec<_> = array(&event["runs"][0]["attempts"]).iter().map(|a| a["outcome"].as_str()).collect();
        let expected = [Some("server_unreachable"), Some("taken")];
        ensure!(outcomes == expected, "expected one failed attempt and one that was taken, got {outcomes:?}");
        let commit = Commit::of(&event)?;
        self.on_github(&event, &commit, "pending")?;
        self.report(&job, "failure", "2 of 41 tests failed").await?;
        let event = self.scene.settled(&taken.event).await?;
        self.on_github(&event, &commit, "failure")?;
        self.report(&job, "success", "all passed in a second run").await?;
        let event = self.scene.settled(&taken.event).await?;
        self.on_github(&event, &commit, "success")
    }

    async fn others(&self) -> anyhow::Result<()> {
        let all = [
            (3, "a push, form-encoded", &PUSH),
            (4, "a release is published", &RELEASE),
            (5, "an event that nobody has heard of", &UNKNOWN),
        ];
        for (number, title, delivery) in all {
            let taken = self.deliver(number, title, delivery).await?;
            let event = self.scene.settled(&taken.event).await?;
            ensure!(event["status"] == "processed", "{title}: the event is {}", event["status"]);
            self.attempts(&event)?;
        }
        let list = self.scene.get("/v1/events").await?;
        let count = array(&list["events"]).len();
        ensure!(count == 5, "5 events went in, the record shows {count}");
        let all = "every event is on record: 5 of 5 processed, none lost, none twice";
        tell(format_args!("{} {all}", self.style.mark(Mark::Ok)));
        Ok(())
    }

    async fn deliver(&self, number: u8, title: &str, delivery: &Recorded) -> anyhow::Result<Taken> {
        let name = format!("{number}/5  {title}");
        tell(self.style.bold(&name));
        let taken = self.scene.deliver(delivery).await?;
        let ms = u64::try_from(taken.took.as_millis()).unwrap_or(u64::MAX);
        let what = format!("{} of {}, signature fits, on disk: 202", size(taken.bytes), delivery.event);
        self.step(Mark::Ok, "received", &what, ms);
        Ok(taken)
    }

    /// Every attempt of the newest run.
    fn attempts(&self, event: &Value) -> anyhow::Result<()> {
        let runs = array(&event["runs"]);
        let run = runs.last().ok_or_else(|| anyhow!("the event has no run"))?;
        for attempt in array(&run["attempts"]) {
            let (code, ms) = (&attempt["code"], attempt["ms"].as_u64().unwrap_or(0));
            let statuses = array(&attempt["statuses"]).len();
            if attempt["outcome"] == "taken" {
                let with = if statuses > 0 { format!(", {statuses} statuses in its answer") } else { String::new() };
                self.step(Mark::Ok, "sent to the CI", &format!("it answered {code}{with}"), ms);
            } else {
                let why = attempt["note"].as_str().map_or_else(|| format!("It answered {code}."), printable);
                self.step(Mark::Wait, "sent to the CI", &format!("{why} Tried again by itself"), ms);
            }
        }
        Ok(())
    }

    /// What GitHub shows, beside what the record says of it.
    fn on_github(&self, event: &Value, commit: &Commit, state: &str) -> anyhow::Result<()> {
        let shown = self.scene.github.newest(&commit.repository, &commit.sha);
        ensure!(shown.len() == 2, "GitHub shows {} contexts, not 2", shown.len());
        for status in &shown {
            ensure!(status.state == state, "{} is {} at GitHub, not {state}", status.context, status.state);
            let rows = array(&event["statuses"]);
            let row = rows
                .iter()
                .find(|row| row["github_id"] == status.id)
                .ok_or_else(|| anyhow!("the record does not know that {} was written", status.context))?;
            let what = format!("{} {state}: \"{}\"", status.context, status.description.as_deref().unwrap_or_default());
            let mark = match state {
                "success" => Mark::Ok,
                "pending" => Mark::Quiet,
                _ => Mark::Bad,
            };
            self.step(mark, "on the commit", &what, between(&row["accepted_at"], &row["written_at"]));
        }
        Ok(())
    }

    async fn call_back(&self, state: &str, message: &str) -> anyhow::Result<()> {
        let job = tokio::time::timeout(PATIENCE, self.scene.example.next_job()).await.context("the CI has no job")?;
        self.report(&job, state, message).await
    }

    async fn report(&self, job: &Job, state: &str, message: &str) -> anyhow::Result<()> {
        let reports = CONTEXTS.map(|context| Report::new(context, state, message));
        let answer = self.scene.example.call_back(job, &reports).await?;
        ensure!(answer.code == 202, "the call-back was answered {}", answer.code);
        self.say(Mark::Ok, "called back", &format!("the CI reports {state} with its token: 202"));
        Ok(())
    }

    fn step(&self, mark: Mark, what: &str, detail: &str, ms: u64) {
        tell(format_args!("     {} {what:<15} {detail:<62} {:>8}", self.style.mark(mark), duration(ms)));
    }

    fn say(&self, mark: Mark, what: &str, detail: &str) {
        tell(format_args!("     {} {what:<15} {detail}", self.style.mark(mark)));
    }
}

struct Commit {
    repository: String,
    sha: String,
}

impl Commit {
    fn of(event: &Value) -> anyhow::Result<Self> {
        let text =
            |name: &str| event[name].as_str().map(str::to_owned).ok_or_else(|| anyhow!("the event has no {name}"));
        Ok(Self { repository: text("repository")?, sha: text("sha")? })
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Milliseconds between two instants of an answer.
fn between(from: &Value, to: &Value) -> u64 {
    let at = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok();
    let Some((from, to)) = at(from).zip(at(to)) else { return 0 };
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}
