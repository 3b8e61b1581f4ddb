//! What `infra/e2e/run` says about the stack that it has deployed.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;

/// Where everything is.
pub struct Settings {
    /// The emulated AWS.
    pub aws: SocketAddr,
    /// The emulator's own control.
    pub control: SocketAddr,
    /// Where the functions look for AWS: the proxy of this program has to listen here.
    pub proxy: SocketAddr,
    /// Where they look for GitHub.
    pub github: SocketAddr,
    /// Where they look for the user's server.
    pub server: SocketAddr,
    /// How far their clock is ahead, in a file.
    pub clock: PathBuf,
    /// What the emulator and the functions write.
    pub logs: PathBuf,
    /// Logical to physical ids.
    resources: Value,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// When `infra/e2e/run` was not what started this.
    pub fn from_lookup(find: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let find = |name: &str| find(name).with_context(|| format!("{name} is not set: start infra/e2e/run instead"));
        let at = |name: &str| anyhow::Ok(SocketAddr::from(([127, 0, 0, 1], find(name)?.parse::<u16>()?)));
        let stack: Value = serde_json::from_slice(&std::fs::read(find("E2E_STACK")?)?)?;
        Ok(Self {
            aws: at("E2E_EMULATOR_PORT")?,
            control: at("E2E_CONTROL_PORT")?,
            proxy: at("E2E_PROXY_PORT")?,
            github: at("E2E_GITHUB_PORT")?,
            server: at("E2E_SERVER_PORT")?,
            clock: find("E2E_CLOCK")?.into(),
            logs: find("E2E_LOGS")?.into(),
            resources: stack["resources"].clone(),
        })
    }

    /// The physical id of a resource of the template: a queue's URL, a table's name.
    pub fn resource(&self, logical: &str) -> &str {
        self.resources[logical].as_str().unwrap_or_else(|| panic!("the stack has no {logical}"))
    }
}
