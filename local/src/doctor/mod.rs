//! `hookyard doctor`: what works, what does not, and what to do about it, as seen from where it runs.
//!
//! A fault is only what is proven: a refusal, a wrong key, a certificate that does not hold. What could not be
//! established is a warning, and what cannot be looked at from here is left out, with its reason.

mod gateway;
mod github;
mod server;

use clap::Args;
use domain::ids::Repository;
use serde_json::{Value, json};

use crate::cli::exit;
use crate::remote::{Remote, until_interrupted};
use crate::settings::{Environment, Settings};
use crate::terminal::{Color, Mark, Style, printable, tell};

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Test GitHub's token on this repository [default: that of the newest event]
    #[arg(long, value_name = "OWNER/NAME", value_parser = repository)]
    repository: Option<Repository>,
    #[command(flatten)]
    remote: Remote,
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It works.
    Ok,
    /// It could not be established, or somebody should look.
    Warning,
    /// It is proven not to work.
    Fault,
    /// It cannot be looked at from here.
    Skipped,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    detail: String,
    fix: Option<String>,
}

impl Check {
    fn new(name: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { name, verdict, detail: detail.into(), fix: None }
    }

    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, detail)
    }

    fn warning(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Warning, detail)
    }

    fn fault(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Fault, detail)
    }

    fn skipped(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Skipped, detail)
    }

    fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }

    fn json(&self) -> Value {
        let result = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Fault => "fault",
            Verdict::Skipped => "skipped",
        };
        json!({ "check": self.name, "result": result, "detail": self.detail, "fix": self.fix })
    }
}

impl Doctor {
    pub(crate) async fn run(self, color: Color, environment: &Environment) -> u8 {
        let screen = self.remote.screen(color, environment);
        let gateway = match self.remote.gateway(environment, &screen) {
            Ok(gateway) => gateway,
            Err(failure) => return failure.tell(),
        };
        let mut checks = Vec::new();
        let examine = async {
            let settings = settings(environment, &mut checks);
            let seen = gateway::examine(&gateway, &screen).await;
            checks.extend(seen.checks);
            let repository = self.repository.or(seen.repository);
            let clock = screen.clock.clone();
            match &settings {
                Some(settings) => {
                    checks.extend(github::examine(settings, repository.as_ref(), clock.clone()).await);
                    checks.push(server::examine(settings, clock).await);
                }
                None => checks.push(Check::skipped("GitHub, server", "the settings have to be right first")),
            }
            Ok(())
        };
        let code = until_interrupted(examine, || "Interrupted: nothing was changed.".to_owned()).await;
        if code != exit::DONE {
            return code;
        }
        if screen.json {
            screen.json(&checks.iter().map(Check::json).collect());
        } else {
            let quiet = screen.quiet;
            let shown =
                checks.iter().filter(|check| !quiet || matches!(check.verdict, Verdict::Warning | Verdict::Fault));
            lines(shown, screen.out).iter().for_each(tell);
        }
        if checks.iter().any(|check| check.verdict == Verdict::Fault) { exit::FAILED } else { exit::DONE }
    }
}

/// Its own settings, which tell where GitHub and the server are.
fn settings(environment: &Environment, checks: &mut Vec<Check>) -> Option<Settings> {
    const NAMES: [&str; 13] = [
        "GITHUB_SECRET",
        "GITHUB_TOKEN",
        "GITHUB_API_URL",
        "YOUR_SERVER_URL",
        "YOUR_SERVER_SECRET",
        "GITHUB_API_PORT",
        "STATUS_API_PORT",
        "HOOKYARD_HOST",
        "HOOKYARD_PUBLIC_URL",
        "HOOKYARD_API_KEY",
        "HOOKYARD_CALLBACK_SECRET",
        "HOOKYARD_CALLBACK_TTL",
        "HOOKYARD_DATA",
    ];
    match Settings::from_lookup(|name| environment.get(name)) {
        Ok(settings) => {
            let read = NAMES.into_iter().filter(|name| environment.get(name).is_some()).count();
            checks.push(Check::ok("settings", format!("{read} read, the others have their defaults")));
            Some(settings)
        }
        Err(error) => {
            let faults = error.problems.into_iter();
            checks
                .extend(faults.map(|bad| Check::fault("settings", format!("{} {}", bad.name, bad.what)).fix(bad.hint)));
            None
        }
    }
}

/// A mark, a name, what is so, and what to do.
fn lines<'a>(checks: impl Iterator<Item = &'a Check>, style: Style) -> Vec<String> {
    let checks: Vec<_> = checks.map(|check| (check, printable(&check.detail))).collect();
    let name = checks.iter().map(|(check, _)| check.name.chars().count()).max().unwrap_or(0);
    let to_fix = checks.iter().filter(|(check, _)| check.fix.is_some());
    let detail = to_fix.map(|(_, detail)| detail.chars().count()).max().unwrap_or(0).min(60);
    let lines = checks.iter().map(|(check, told)| {
        let mark = style.mark(match check.verdict {
            Verdict::Ok => Mark::Ok,
            Verdict::Warning => Mark::Wait,
            Verdict::Fault => Mark::Bad,
            Verdict::Skipped => Mark::Quiet,
        });
        match &check.fix {
            Some(fix) => format!("  {mark} {:<name$}  {told:<detail$}  fix: {}", check.name, printable(fix)),
            None => format!("  {mark} {:<name$}  {told}", check.name),
        }
    });
    lines.collect()
}

fn repository(text: &str) -> Result<Repository, String> {
    Repository::parse(text).map_err(|bad| format!("it must be {}", bad.must))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_check() {
        let checks = [
            Check::ok("settings", "7 read, the others have their defaults"),
            Check::fault("GitHub token", "may not write commit statuses in acme/api")
                .fix("grant it \"Commit statuses: write\""),
            Check::warning("server", "took a request with a wrong signature\u{1b}[2J")
                .fix("verify `webhook-signature`"),
            Check::skipped("clock", "no GITHUB_TOKEN here"),
        ];
        let told = ["C.UTF-8", "C"].map(|locale| {
            let style = Style::new(Color::Never, true, |name| (name == "LANG").then(|| locale.to_owned()));
            lines(checks.iter(), style).join("\n")
        });
        let json: Vec<_> = checks.iter().map(|check| check.json().to_string()).collect();
        insta::assert_snapshot!(format!("{}\n\n{}", told.join("\n\n"), json.join("\n")));
    }
}
