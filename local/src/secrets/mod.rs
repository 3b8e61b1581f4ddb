//! `hookyard secrets`: puts the secrets of a stack on AWS where its functions read them, and replaces them.

mod aws;
mod purpose;
mod value;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use domain::ports::Clock as _;
use domain::secrets::SecretList;
use jiff::{SignedDuration, Timestamp};
use lambda::clock::SystemClock;
use lambda::secrets::GOOD_FOR;
use secrecy::{ExposeSecret, SecretString};

use self::aws::Aws;
use self::purpose::{Purpose, Target};
use self::value::{Handover, Origin};
use crate::failure::Failure;
use crate::remote::until_interrupted;
use crate::settings::Environment;
use crate::terminal::{Mark, Style, note, tell};

/// The longest value that a parameter takes, and the longest that one of the free tier takes, in bytes (AWS Systems
/// Manager: "Managing parameter tiers").
const LONGEST: (usize, usize) = (8192, 4096);

/// How long a function may go on with what it has read, and some more for whoever looks at the clock.
const KNOWN_EVERYWHERE: SignedDuration = SignedDuration::from_mins(GOOD_FOR.as_mins() + 1);

#[derive(Debug, Args)]
pub(crate) struct Secrets {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Put a secret into the parameter store, for a new stack
    ///
    /// Makes the secret itself (32 random bytes) unless --from-file or --prompt gives it; GitHub's token is always
    /// given. The parameter becomes a SecureString. One that is there already is left alone: rotate it, or replace
    /// it with --force, which makes the present secret worthless at once.
    ///
    /// NAME is github-secret, server-secret, callback-secret, api-key or github-token, and the parameter is then
    /// /hookyard/NAME, as the template has it; or it is a parameter's full name.
    #[command(after_help = "Examples:\n  \
hookyard secrets set github-secret\n  \
hookyard secrets set github-token --prompt --profile work --region eu-central-1\n  \
pass show ci/hook | hookyard secrets set server-secret --from-file -\n\n\
Needs the AWS command line, and a user who may ssm:PutParameter. The secret goes through a file that only you\n\
can read, and never through arguments, the environment or a log.")]
    Set(Set),
    /// Replace a secret, and go on accepting the present one for a while
    ///
    /// Writes the new secret and, with an end, the present one into the parameter: both are good meanwhile, so that
    /// nothing is lost while the other side is changed. The functions read the parameter anew within five minutes;
    /// change the other side after that. Of GitHub's token only the new one is kept.
    #[command(after_help = "Examples:\n  \
hookyard secrets rotate github-secret\n  \
hookyard secrets rotate server-secret --keep 7d --out new-server-secret\n  \
hookyard secrets rotate github-token --prompt\n\n\
Needs the AWS command line, and a user who may ssm:GetParameter and ssm:PutParameter.\n\
Keep a call-back secret an hour longer than its tokens live (HOOKYARD_CALLBACK_TTL, 24h): for five minutes more\n\
tokens may be signed with it.")]
    Rotate(Rotate),
}

#[derive(Debug, Args)]
struct Set {
    #[command(flatten)]
    common: Common,
    /// Replace a parameter that is there already
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct Rotate {
    #[command(flatten)]
    common: Common,
    /// How long the present secret stays good, such as 30m, 24h or 7d [default: 24h; callback-secret: 25h]
    #[arg(long, value_name = "TIME", value_parser = keep)]
    keep: Option<Duration>,
}

#[derive(Debug, Args)]
struct Common {
    /// Which secret, or a parameter's full name, such as /hooks/github-secret
    #[arg(value_name = "NAME")]
    name: String,
    /// What the parameters' names begin with
    #[arg(long, value_name = "PATH", default_value = "/hookyard")]
    prefix: String,
    /// File that holds the secret; - for standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "prompt")]
    from_file: Option<PathBuf>,
    /// Ask for the secret on the terminal, without showing it
    #[arg(long)]
    prompt: bool,
    /// Where to put a new secret for you to copy [default: a file of your own among the temporary ones]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "show")]
    out: Option<PathBuf>,
    /// Print a new secret to standard output instead
    #[arg(long)]
    show: bool,
    /// KMS key of the parameter, each time it is written [default: the account's own, alias/aws/ssm]
    #[arg(long, value_name = "KEY")]
    key_id: Option<String>,
    #[command(flatten)]
    aws: Aws,
}

impl Secrets {
    pub(crate) async fn run(self, style: Style, environment: &Environment) -> u8 {
        let deed = async {
            match self.deed {
                Deed::Set(set) => set.run(style, environment).await,
                Deed::Rotate(rotate) => rotate.run(style, environment).await,
            }
        };
        // What is dropped here takes its files and the AWS command line with it.
        until_interrupted(deed, || {
            "Interrupted. If the parameter was being written, look at it before you go on.".to_owned()
        })
        .await
    }
}

impl Set {
    async fn run(self, style: Style, environment: &Environment) -> Result<(), Failure> {
        let Common { aws, key_id, .. } = &self.common;
        let target = self.common.target()?;
        let (secret, copy) = self.common.secret(&target, environment).await?;
        let list = SecretList::one(secret);
        let text = fit(&list)?;
        let version = aws.put(&target.parameter, &text, &list, self.force, key_id.as_deref()).await?;
        note(format_args!("{} {} is set", style.mark(Mark::Ok), target.parameter));
        tell(format_args!("{} version {version}", target.parameter));
        copy.told(target.purpose, None, style);
        Ok(())
    }
}

impl Rotate {
    async fn run(self, style: Style, environment: &Environment) -> Result<(), Failure> {
        let Common { aws, key_id, .. } = &self.common;
        let target = self.common.target()?;
        let present = aws.get(&target.parameter).await?;
        let listed = SecretList::read(&present.text).map_err(|bad| {
            let hint = "write a good one with hookyard secrets set --force";
            Failure::new(format!("{} {bad}", target.parameter), hint)
        })?;
        let (new, copy) = self.common.secret(&target, environment).await?;
        let now = SystemClock.now();
        let current = listed.valid(now);
        let current = current.as_ref().and_then(|keys| keys.current());
        if current.is_some_and(|current| current.expose_secret() == new.expose_secret()) {
            return Err(Failure::usage("the new secret is the present one", "give another, or leave it as it is"));
        }
        let keep = self.keep.unwrap_or_else(|| target.purpose.kept());
        let until = SignedDuration::try_from(keep).ok().and_then(|keep| now.checked_add(keep).ok());
        let until = until.ok_or_else(|| Failure::usage("--keep is too long", "give days, such as 7d"))?;
        let list = match target.purpose {
            // Whoever writes uses the first one only.
            Purpose::GithubToken => SecretList::one(new),
            _ => listed.rotated(new, until, now),
        };
        let text = fit(&list)?;
        let version = aws.put(&target.parameter, &text, &list, true, key_id.as_deref()).await?;
        let kept = match target.purpose {
            Purpose::GithubToken => String::new(),
            _ => format!("; the one before is good until {}", moment(until)),
        };
        note(format_args!("{} {} has a new secret{kept}", style.mark(Mark::Ok), target.parameter));
        tell(format_args!("{} version {version}", target.parameter));
        if version != present.version + 1 {
            let what = format!("it had version {} when it was read", present.version);
            note(format_args!("{} somebody else wrote it meanwhile: {what}; rotate it again", style.mark(Mark::Wait)));
        }
        copy.told(target.purpose, Some(now.checked_add(KNOWN_EVERYWHERE).unwrap_or(now)), style);
        Ok(())
    }
}

impl Common {
    fn target(&self) -> Result<Target, Failure> {
        Target::of(&self.name, &self.prefix)
            .map_err(|hint| Failure::usage(format!("{:?} is no secret", self.name), hint))
    }

    /// The secret that is to be written, and the copy of it for whoever has to enter it elsewhere.
    async fn secret(&self, target: &Target, environment: &Environment) -> Result<(SecretString, Handover), Failure> {
        let origin = Origin::of(self.from_file.as_deref(), self.prompt, target.purpose)?;
        let secret = origin.secret(target.purpose).await?;
        target.purpose.check(secret.expose_secret()).map_err(|what| {
            Failure::usage(format!("what was given for {} {what}", target.parameter), "give another")
        })?;
        let copy = match (&self.out, self.show) {
            (_, true) => Handover::Shown(secret.clone()),
            (Some(path), _) => Handover::at(path, &secret)?,
            (None, _) if origin.is_new() && target.purpose.has_another_side() => {
                Handover::among_temporary_files(target.purpose, &secret, environment)?
            }
            (None, _) => Handover::None,
        };
        Ok((secret, copy))
    }
}

/// The list as text, if a parameter takes it.
fn fit(list: &SecretList) -> Result<SecretString, Failure> {
    let text = list.text();
    match text.expose_secret().len() {
        length if length > LONGEST.0 => {
            let what = format!("{length} bytes are more than the {} of a parameter", LONGEST.0);
            Err(Failure::usage(&what, "give a shorter secret, or wait until older ones have ended"))
        }
        length if length > LONGEST.1 => {
            note("Over 4 KB: AWS makes it an advanced parameter, which costs money.");
            Ok(text)
        }
        _ => Ok(text),
    }
}

fn keep(text: &str) -> Result<Duration, &'static str> {
    lambda::settings::duration(text).map_err(|_| "write it like 30m, 24h or 7d")
}

/// To the minute, in UTC: the person, the functions and GitHub may sit in three time zones.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
