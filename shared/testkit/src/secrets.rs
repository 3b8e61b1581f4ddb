//! A place where secrets are kept, in the test's hands.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::error::PortError;
use domain::ports::SecretStore;
use secrecy::SecretString;
use tokio::sync::{Semaphore, SemaphorePermit};

/// A store of one entry: gives what the test has put in, and counts how often it was asked.
pub struct Drawer {
    holds: Mutex<Result<String, PortError>>,
    asked: AtomicUsize,
    open: Semaphore,
}

impl Drawer {
    /// With this in it.
    pub fn holding(text: &str) -> Arc<Self> {
        let (asked, open) = (AtomicUsize::new(0), Semaphore::new(1));
        Arc::new(Self { holds: Mutex::new(Ok(text.to_owned())), asked, open })
    }

    /// From now on it holds this.
    pub fn put(&self, text: &str) {
        *self.holds.lock().unwrap() = Ok(text.to_owned());
    }

    /// From now on it fails, in a way that may pass.
    pub fn fail(&self, why: &str) {
        *self.holds.lock().unwrap() = Err(PortError::transient(why));
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// While this is held, whoever asks waits.
    pub async fn shut(&self) -> SemaphorePermit<'_> {
        self.open.acquire().await.unwrap()
    }
}

#[async_trait]
impl SecretStore for Drawer {
    fn name(&self) -> &str {
        "/hookyard/it"
    }

    async fn read(&self) -> Result<SecretString, PortError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _open = self.shut().await;
        self.holds.lock().unwrap().clone().map(SecretString::from)
    }
}
