//! The demo's CI server: the one of `examples/rust`, word for word, so that what it shows is what a reader can run.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use anyhow::Context as _;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

#[path = "../../../examples/rust/src/main.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, clippy::disallowed_methods, reason = "a program of its own")]
mod example;

/// A server that can be stopped and started again at the same address.
pub(crate) struct Ci {
    address: SocketAddr,
    secret: SecretString,
    /// A runtime of its own: shutting it down closes the connections that are open, too.
    runtime: Mutex<Option<Runtime>>,
}

impl Ci {
    pub(crate) async fn start(secret: SecretString) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let ci = Self { address: listener.local_addr()?, secret, runtime: Mutex::default() };
        drop(listener);
        ci.restart()?;
        Ok(ci)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// From now on nothing listens there.
    pub(crate) fn stop(&self) {
        if let Some(runtime) = self.slot().take() {
            runtime.shutdown_background();
        }
    }

    /// Listens again. Connections wait in the listener until the server takes them.
    pub(crate) fn restart(&self) -> anyhow::Result<()> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (address, secret) = (self.address, self.secret.clone());
        let listener = std::net::TcpListener::bind(address).context("the CI's port was taken meanwhile")?;
        listener.set_nonblocking(true)?;
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener)?;
            example::serve(listener, secret.expose_secret()).await
        });
        *self.slot() = Some(runtime);
        Ok(())
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Runtime>> {
        self.runtime.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A runtime may not be dropped where tasks run; this one needs no goodbye.
impl Drop for Ci {
    fn drop(&mut self) {
        self.stop();
    }
}
