//! The data folder: one process owns it, everything that must survive stands in it.
//!
//! | file | what |
//! | --- | --- |
//! | `lock` | locked as long as a process owns the folder; empty |
//! | `version` | the version of the layout |
//! | `queues.sqlite` | what is acknowledged and not finished |
//! | `database.sqlite` | the record: events, runs, statuses |
//! | `bodies/` | bodies that are too large for a queue |
//! | `*-secret` | secrets that were made here, readable by their owner only |

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// The version of the layout that this code writes, the rows of the database among it.
const VERSION: i64 = 2;

/// Bytes of a secret that is made here: what GitHub and Standard Webhooks advise at least, and HMAC-SHA256 uses.
const SECRET_LENGTH: usize = 32;

/// What else may stand in a folder that was not opened before: a secret that somebody put there, say.
const OURS: &[&str] = &["lock", "bodies", "github-secret", "your-server-secret", "callback-secret"];

/// How the names of its databases begin, and of what stands beside them.
const DATABASES: &[&str] = &["queues.", "database."];

/// How a database file begins (SQLite: "Database File Format", 1.3.1).
const SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// Why a folder, or a file in it, could not be opened. Each is one sentence for whoever started the program.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process owns it.
    #[error("{} is in use by another Hookyard; stop that one, or choose another folder with HOOKYARD_DATA", .0.display())]
    InUse(PathBuf),
    /// A newer version wrote it.
    #[error(
        "{} was written by a newer Hookyard (format {found}, this one knows {known}); start that version again",
        path.display()
    )]
    Newer {
        /// Which folder or file.
        path: PathBuf,
        /// The version that it says.
        found: i64,
        /// The newest that this code knows.
        known: i64,
    },
    /// An older version wrote it, in a way that this one does not read.
    #[error(
        "{} was written by an older Hookyard (format {found}, this one needs {known}); choose another folder with \
         HOOKYARD_DATA, or start that version again to finish what is in it",
        path.display()
    )]
    Older {
        /// Which folder.
        path: PathBuf,
        /// The version that it says.
        found: i64,
        /// The one that this code needs.
        known: i64,
    },
    /// It holds things that Hookyard never made.
    #[error(
        "{} is no data folder of Hookyard: it holds {what:?}; choose an empty folder with HOOKYARD_DATA",
        path.display()
    )]
    Foreign {
        /// Which folder.
        path: PathBuf,
        /// What does not belong there.
        what: String,
    },
    /// A file that people may edit does not hold what it should.
    #[error("{} does not hold {must}; correct it, or delete it to have a new one made", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        must: &'static str,
    },
    /// The file system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("cannot open {}: {source}", path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

/// The secrets that are made in the folder when none is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretName {
    /// `GITHUB_SECRET`, hexadecimal.
    Github,
    /// `YOUR_SERVER_SECRET`, in the form of Standard Webhooks: `whsec_` and base64.
    YourServer,
    /// `HOOKYARD_CALLBACK_SECRET`, hexadecimal.
    Callback,
}

/// A secret and the file it stands in.
#[derive(Debug, Clone)]
pub struct FolderSecret {
    /// The secret.
    pub value: SecretString,
    /// Its file: what may be printed.
    pub path: PathBuf,
    /// Whether it was made just now.
    pub created: bool,
}

/// The folder, owned by this process until this value is dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// The lock goes with the file's handle, however the process ends.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder (for its owner only, mode 0700) if it is not there, and takes possession of it.
    ///
    /// # Errors
    /// [`OpenError`] when another process has it, when another version wrote it, or when the system refuses.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        refuse_strangers(path)?;
        make_folder(path)?;
        let lock = take_lock(path)?;
        let folder = Self { path: path.to_owned(), _lock: lock };
        folder.check_version()?;
        for file in [folder.queues(), folder.database()] {
            own(&file)?;
        }
        Ok(folder)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of [`crate::queue::Queues`].
    pub fn queues(&self) -> PathBuf {
        self.path.join("queues.sqlite")
    }

    /// The file of the database.
    pub fn database(&self) -> PathBuf {
        self.path.join("database.sqlite")
    }

    /// The folder of [`crate::bodies::Bodies`].
    pub fn bodies(&self) -> PathBuf {
        self.path.join("bodies")
    }

    /// The secret of that name: made once (mode 0600, 32 random bytes), the same ever after.
    ///
    /// # Errors
    /// [`OpenError`] when its file cannot be read or written, or is empty.
    pub fn secret(&self, name: SecretName) -> Result<FolderSecret, OpenError> {
        let path = self.path.join(name.file());
        if let Some(value) = read_secret(&self.path, name)? {
            return Ok(FolderSecret { value, path, created: false });
        }
        let mut bytes = [0; SECRET_LENGTH];
        getrandom::fill(&mut bytes).map_err(|error| OpenError::io("make a secret for", &path, error.into()))?;
        let value = SecretString::from(name.form(&bytes));
        write_durably(&path, format!("{}\n", value.expose_secret()).as_bytes())
            .map_err(|source| OpenError::io("write", &path, source))?;
        Ok(FolderSecret { value, path, created: true })
    }

    fn check_version(&self) -> Result<(), OpenError> {
        let path = self.path.join("version");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return write_durably(&path, format!("{VERSION}\n").as_bytes())
                    .map_err(|source| OpenError::io("write", &path, source));
            }
            Err(source) => return Err(OpenError::io("read", &path, source)),
        };
        match text.trim().parse::<i64>() {
            Ok(VERSION) => Ok(()),
            Ok(found) if found > VERSION => Err(OpenError::Newer { path: self.path.clone(), found, known: VERSION }),
            Ok(found) if found > 0 => Err(OpenError::Older { path: self.path.clone(), found, known: VERSION }),
            _ => Err(OpenError::Malformed { path, must: "the version of the folder, a number from 1" }),
        }
    }
}

/// Reads a secret without owning the folder, for the command line beside a running server. None when none was
/// made yet.
///
/// # Errors
/// [`OpenError`] when its file cannot be read or is empty.
pub fn read_secret(folder: &Path, name: SecretName) -> Result<Option<SecretString>, OpenError> {
    let path = folder.join(name.file());
    match fs::read_to_string(&path).map(|text| text.trim().to_owned()) {
        Ok(text) if text.is_empty() => Err(OpenError::Malformed { path, must: "a secret" }),
        Ok(text) => Ok(Some(SecretString::from(text))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OpenError::io("read", &path, source)),
    }
}

impl SecretName {
    /// Its file in the folder.
    pub fn file(self) -> &'static str {
        match self {
            Self::Github => "github-secret",
            Self::YourServer => "your-server-secret",
            Self::Callback => "callback-secret",
        }
    }

    fn form(self, bytes: &[u8]) -> String {
        match self {
            Self::YourServer => format!("whsec_{}", STANDARD.encode(bytes)),
            Self::Github | Self::Callback => hex::encode(bytes),
        }
    }
}

impl OpenError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    pub(crate) fn database(path: &Path, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy) => Self::InUse(path.to_owned()),
            _ => Self::Database { path: path.to_owned(), source },
        }
    }
}

/// Writes a small file of its owner's (mode 0600) so that it is there completely or not at all.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(folder)
}

/// Makes a rename or a new entry durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a directory cannot be opened like a file, and its entries are journaled.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Makes a file for its owner only (mode 0600) if it is not there; SQLite gives its write-ahead log the same mode. The
/// folder itself may have been made by somebody with a wider one.
pub(crate) fn own(path: &Path) -> Result<(), OpenError> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|source| OpenError::io("make", path, source))
}

pub(crate) fn make_folder(path: &Path) -> Result<(), OpenError> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    builder
        .create(path)
        .and_then(|()| sync_folder(parent))
        .map_err(|source| OpenError::io("make the folder", path, source))
}

/// Refuses a folder without a version that holds what is not ours: nothing of anybody's is to stand between, or be taken for,
/// files of a queue.
fn refuse_strangers(path: &Path) -> Result<(), OpenError> {
    if path.join("version").exists() || !path.is_dir() {
        return Ok(());
    }
    let failed = |source| OpenError::io("read the folder", path, source);
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let database = DATABASES.iter().any(|ours| name.starts_with(ours));
        // Hidden ones are the system's or a tool's, and a file system of its own has a folder for what it lost.
        let harmless = OURS.contains(&name.as_str()) || name.starts_with('.') || name == "lost+found";
        let ours = harmless || database && is_database(&entry.path());
        if !ours {
            return Err(OpenError::Foreign { path: path.to_owned(), what: name });
        }
    }
    Ok(())
}

/// Whether a file may be one of SQLite's; what cannot be read is left to whoever opens it.
fn is_database(path: &Path) -> bool {
    let mut head = [0; SQLITE.len()];
    match File::open(path).and_then(|mut file| file.read(&mut head)) {
        Ok(0) | Err(_) => true,
        // Logs begin in a way of their own.
        Ok(_) => path.extension().is_none_or(|end| end != "sqlite") || head == *SQLITE,
    }
}

fn take_lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join("lock");
    let failed = |source| OpenError::io("lock", &path, source);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
