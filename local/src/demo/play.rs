//! The story of the demo, told hop by hop and checked at every step.

use anyhow::{Context as _, anyhow, ensure};
use serde_json::Value;

use super::scene::{OPENED, PATIENCE, PUSH, RELEASE, Recorded, SYNCHRONIZE, Scene, Taken, UNKNOWN};
use crate::terminal::{Mark, Style, duration, printable, size, tell};

/// Tells and checks the whole story. Answers with the event that has most to tell: the one that was tried twice.
pub(crate) async fn play(scene: &Scene, style: Style) -> anyhow::Result<String> {
    let teller = Teller { scene, style };
    teller.opened().await?;
    let story = teller.synchronize_while_the_ci_is_down().await?;
    teller.others().await?;
    Ok(story)
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
        self.reported(&event).await
    }

    async fn synchronize_while_the_ci_is_down(&self) -> anyhow::Result<String> {
        self.scene.ci.stop();
        let taken = self.deliver(2, "new commits arrive while the CI is down", &SYNCHRONIZE).await?;
        let event = self.scene.settled(&taken.event).await?;
        self.attempts(&event)?;
        self.scene.ci.restart()?;
        self.say(Mark::Quiet, "the CI is back", "the next attempt comes by itself, about two seconds after the first");
        self.wait_for_success(&Commit::of(&event)?).await?;
        let event = self.scene.settled(&taken.event).await?;
        let outcomes: Vec<_> = array(&event["runs"][0]["attempts"]).iter().map(|a| a["outcome"].as_str()).collect();
        let expected = [Some("server_unreachable"), Some("taken")];
        ensure!(outcomes == expected, "expected one failed attempt and one that was taken, got {outcomes:?}");
        self.attempt(&event["runs"][0]["attempts"][1]);
        self.reported(&event).await?;
        Ok(taken.event)
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
        array(&run["attempts"]).iter().for_each(|attempt| self.attempt(attempt));
        Ok(())
    }

    fn attempt(&self, attempt: &Value) {
        let (code, ms) = (&attempt["code"], attempt["ms"].as_u64().unwrap_or(0));
        if attempt["outcome"] == "taken" {
            let with = match array(&attempt["statuses"]).len() {
                0 => String::new(),
                1 => ", a status in its answer".to_owned(),
                many => format!(", {many} statuses in its answer"),
            };
            self.step(Mark::Ok, "sent to the CI", &format!("it answered {code}{with}"), ms);
        } else {
            let why = attempt["note"].as_str().map_or_else(|| format!("It answered {code}."), printable);
            self.step(Mark::Wait, "sent to the CI", &format!("{why} It is tried again"), ms);
        }
    }

    /// The pending from the server's answer, its call-back, and what GitHub shows in the end.
    async fn reported(&self, event: &Value) -> anyhow::Result<()> {
        let commit = Commit::of(event)?;
        self.wait_for_success(&commit).await?;
        let id = event["id"].as_str().unwrap_or_default();
        let event = self.scene.settled(id).await?;
        let mut rows = array(&event["statuses"]).to_vec();
        rows.reverse();
        let told: Vec<_> = rows.iter().map(|row| (row["state"].as_str(), row["via"].as_str())).collect();
        let expected = [(Some("pending"), Some("answer")), (Some("success"), Some("token"))];
        ensure!(told == expected, "expected a pending from the answer and a success by call-back, got {told:?}");
        for row in &rows {
            let text = |name: &str| row[name].as_str().map(printable).unwrap_or_default();
            let (state, by_call_back) = (text("state"), row["via"] == "token");
            if by_call_back {
                self.say(Mark::Ok, "called back", "the CI reports with the token that came with the event: 202");
            }
            let what = format!("{} {state}: \"{}\", {}", text("context"), text("description"), text("outcome"));
            let mark = if by_call_back { Mark::Ok } else { Mark::Quiet };
            self.step(mark, "on the commit", &what, between(&row["accepted_at"], &row["written_at"]));
        }
        let shown = self.scene.github.newest(&commit.repository, &commit.sha);
        let states: Vec<_> = shown.iter().map(|status| status.state.as_str()).collect();
        ensure!(states == ["success"], "GitHub shows {states:?} for the commit");
        self.say(Mark::Ok, "GitHub shows", &format!("{} at {}: success", commit.repository, &commit.sha[..7]));
        Ok(())
    }

    /// Waits for the result at GitHub. On a machine that is busy with other things it may overtake the pending, which
    /// is then superseded: that is as it should be.
    async fn wait_for_success(&self, commit: &Commit) -> anyhow::Result<()> {
        let success = async {
            let mut count = 1;
            loop {
                let arrived = self.scene.github.wait_for_statuses(&commit.repository, &commit.sha, count).await;
                if arrived.iter().any(|status| status.state == "success") {
                    return;
                }
                count = arrived.len() + 1;
            }
        };
        tokio::time::timeout(PATIENCE, success).await.context("no success has come to the commit")
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
