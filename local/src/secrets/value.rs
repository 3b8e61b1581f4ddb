//! Where a secret comes from, and the copy of it that a person takes to the other side.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use super::moment;
use super::purpose::Purpose;
use crate::failure::Failure;
use crate::settings::Environment;
use crate::terminal::{Mark, Style, note, tell};

/// The most that is read of a file, in bytes: one more than a parameter takes.
const MOST: u64 = 8193;

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Made here.
    Random,
    /// A file.
    File(PathBuf),
    /// Standard input.
    Input,
    /// Somebody at the terminal.
    Prompt,
}

impl Origin {
    /// By what the arguments say; what only somebody else can make is asked for where somebody is.
    ///
    /// # Errors
    /// When nobody is.
    pub(crate) fn of(file: Option<&Path>, prompt: bool, purpose: Purpose) -> Result<Self, Failure> {
        let somebody = io::stdin().is_terminal();
        match file {
            Some(path) if path == Path::new("-") => Ok(Self::Input),
            Some(path) => Ok(Self::File(path.to_owned())),
            None if prompt && !somebody => Err(Failure::usage(
                "there is no terminal to ask on",
                "give the secret with --from-file, - for standard input",
            )),
            None if prompt => Ok(Self::Prompt),
            None if purpose.form(&[0; 32]).is_some() => Ok(Self::Random),
            None if somebody => Ok(Self::Prompt),
            None => {
                let hint = "give it with --from-file, - for standard input";
                Err(Failure::usage("this secret cannot be made here", hint))
            }
        }
    }

    /// Whether nobody has seen it yet.
    pub(crate) fn is_new(&self) -> bool {
        *self == Self::Random
    }

    /// The secret, without the line end that a file or a person puts behind it.
    pub(crate) async fn secret(&self, purpose: Purpose) -> Result<SecretString, Failure> {
        let text = match self {
            Self::Random => {
                let mut random = [0; 32];
                getrandom::fill(&mut random)
                    .map_err(|error| Failure::new(format!("no random numbers: {error}"), "try again"))?;
                return purpose
                    .form(&random)
                    .map(SecretString::from)
                    .ok_or_else(|| Failure::usage("this secret cannot be made here", "give it with --from-file"));
            }
            Self::File(path) => std::fs::File::open(path).and_then(text).map_err(|error| {
                Failure::usage(format!("{} cannot be read: {error}", path.display()), "name another file")
            })?,
            Self::Input => text(io::stdin())
                .map_err(|error| Failure::usage(format!("standard input cannot be read: {error}"), "give a file"))?,
            Self::Prompt => ask(&format!("{} (it is not shown; end with Enter):", purpose.name())).await?,
        };
        Ok(SecretString::from(text.expose_secret().trim_end_matches(['\r', '\n'])))
    }
}

fn text(from: impl Read) -> io::Result<SecretString> {
    let mut text = String::new();
    from.take(MOST).read_to_string(&mut text)?;
    Ok(text.into())
}

/// Asks on the terminal without showing what is typed. Whoever stops waiting has the terminal as it was.
#[cfg(unix)]
async fn ask(words: &str) -> Result<SecretString, Failure> {
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    struct Quiet(Termios);
    impl Drop for Quiet {
        fn drop(&mut self) {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        }
    }
    let no_terminal = |error: rustix::io::Errno| {
        Failure::new(
            format!("the terminal cannot be kept from showing it: {error}"),
            "give the secret with --from-file",
        )
    };
    let before = tcgetattr(io::stdin()).map_err(no_terminal)?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).map_err(no_terminal)?;
    let restore = Quiet(before);
    note(words);
    let (sender, line) = oneshot::channel();
    // A thread of its own: what still waits for a line when we are interrupted must not hold the program up.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).map(|_| SecretString::from(line));
        let _ = sender.send(read);
    });
    let line = line.await;
    drop(restore);
    match line {
        Ok(Ok(line)) => Ok(line),
        Ok(Err(error)) => {
            Err(Failure::new(format!("the terminal cannot be read: {error}"), "give the secret with --from-file"))
        }
        Err(_) => Err(Failure::new("the terminal cannot be read".to_owned(), "give the secret with --from-file")),
    }
}

#[cfg(not(unix))]
async fn ask(_words: &str) -> Result<SecretString, Failure> {
    Err(Failure::usage("on this system nothing can be asked without showing it", "give the secret with --from-file"))
}

/// What a person takes to the other side.
pub(crate) enum Handover {
    /// Nothing.
    None,
    /// A line on standard output.
    Shown(SecretString),
    /// A file of its owner's, which stays when all went well.
    File(tempfile::TempPath),
}

impl Handover {
    /// In a file that must not be there yet.
    pub(crate) fn at(path: &Path, secret: &SecretString) -> Result<Self, Failure> {
        let write = || {
            let mut options = std::fs::File::options();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path)?;
            let path = tempfile::TempPath::try_from_path(path)?;
            writeln!(file, "{}", secret.expose_secret())?;
            Ok(Self::File(path))
        };
        write().map_err(|error: io::Error| {
            Failure::usage(format!("{} cannot be made: {error}", path.display()), "name a file that is not there yet")
        })
    }

    /// In a file whose name nobody can guess: in the folder of this log-in, which goes with it, or with other temporary
    /// files. Not in the present folder, which may be somebody's repository.
    pub(crate) fn among_temporary_files(
        purpose: Purpose,
        secret: &SecretString,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let folder = environment.get("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
        let folder = folder.unwrap_or_else(std::env::temp_dir);
        let prefix = format!("hookyard-{}-", purpose.name());
        let write = || {
            let mut file = tempfile::Builder::new().prefix(&prefix).tempfile_in(&folder)?;
            writeln!(file, "{}", secret.expose_secret())?;
            Ok(Self::File(file.into_temp_path()))
        };
        write().map_err(|error: io::Error| {
            Failure::new(format!("no file can be made in {}: {error}", folder.display()), "name one with --out")
        })
    }

    /// All went well: says where it is and what to do with it; `known` is when every function has read the new secret.
    pub(crate) fn told(self, purpose: Purpose, known: Option<Timestamp>, style: Style) {
        let line = |name: &str, what: &str| note(format_args!("{} {what}", style.bold(&format!("{name:>6}"))));
        let remove = match self {
            Self::None => String::new(),
            Self::Shown(secret) => {
                tell(secret.expose_secret());
                String::new()
            }
            Self::File(path) => match path.keep() {
                Ok(path) => {
                    line("new", &format!("in {}, readable by you only", path.display()));
                    format!(", and remove {}", path.display())
                }
                Err(error) => {
                    note(format_args!("{} its copy could not be kept: {error}", style.mark(Mark::Wait)));
                    String::new()
                }
            },
        };
        if let Some(known) = known {
            line("wait", &format!("until {}: then every function knows it", moment(known)));
        }
        line("next", &format!("{}{remove}", purpose.next()));
    }
}
