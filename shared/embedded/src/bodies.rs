//! Bodies too large for a queue, one file each.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use domain::error::PortError;
use domain::ids::BodyKey;
use domain::ports::{BodyReader, BodyWriter};
use jiff::Timestamp;

use crate::folder::{OpenError, make_folder, sync_folder};

/// What the names of unfinished files begin with: no key has a dot.
const UNFINISHED: &str = ".tmp";

/// The folder of the bodies. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Bodies {
    folder: Arc<Path>,
}

impl Bodies {
    /// Opens the folder, or makes it, and clears away what a killed process left unfinished.
    ///
    /// # Errors
    /// [`OpenError`] when the system refuses.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        make_folder(folder)?;
        let failed = |source| OpenError::io("read", folder, source);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(Self { folder: folder.into() })
    }

    /// Deletes the bodies that were written before that time. Answers how many.
    ///
    /// # Errors
    /// Transient when the system refuses.
    pub async fn expire(&self, before: Timestamp) -> Result<usize, PortError> {
        let before = SystemTime::from(before);
        self.blocking("expire", move |folder| {
            let mut gone = 0;
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let finished = !entry.file_name().to_string_lossy().starts_with(UNFINISHED);
                if finished && entry.metadata()?.modified()? < before {
                    fs::remove_file(entry.path())?;
                    gone += 1;
                }
            }
            Ok(gone)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        let folder = Arc::clone(&self.folder);
        let failed = |why: &dyn std::fmt::Display| PortError::transient(format!("cannot {what} bodies: {why}"));
        match tokio::task::spawn_blocking(move || work(&folder)).await {
            Ok(done) => done.map_err(|error| failed(&error)),
            Err(error) => Err(failed(&error)),
        }
    }
}

#[async_trait]
impl BodyWriter for Bodies {
    async fn put(&self, key: &BodyKey, body: Bytes) -> Result<(), PortError> {
        let name = file_name(key);
        self.blocking("write", move |folder| {
            let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
            file.write_all(&body)?;
            file.as_file().sync_all()?;
            file.persist(folder.join(name))?;
            sync_folder(folder)
        })
        .await
    }
}

#[async_trait]
impl BodyReader for Bodies {
    async fn get(&self, key: &BodyKey) -> Result<Option<Bytes>, PortError> {
        let name = file_name(key);
        self.blocking("read", move |folder| match fs::read(folder.join(name)) {
            Ok(body) => Ok(Some(Bytes::from(body))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn holds(&self, key: &BodyKey) -> Result<bool, PortError> {
        let name = file_name(key);
        self.blocking("look for", move |folder| folder.join(name).try_exists()).await
    }
}

/// One flat folder: a key's slashes become underscores, which no key has, so that no two keys share a file and no
/// key leaves the folder.
fn file_name(key: &BodyKey) -> PathBuf {
    PathBuf::from(key.as_str().replace('/', "_"))
}
