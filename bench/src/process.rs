//! A process that is measured: started, asked for its port, looked at, killed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};

use crate::sample::SECRET;

/// A process that serves deliveries. Dropped, it is killed.
pub(crate) struct Served {
    child: Child,
    /// Where it takes deliveries.
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts a program that prints `ready <port>`.
    ///
    /// # Errors
    /// When it cannot be started or ends before it is ready.
    pub(crate) async fn contender(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.env("GITHUB_SECRET", SECRET).kill_on_drop(true).stdout(Stdio::piped()).spawn()?;
        let mut lines = lines(child.stdout.take())?;
        while let Some(line) = lines.next_line().await? {
            if let Some(port) = line.strip_prefix("ready ") {
                return Ok(Self { child, address: ([127, 0, 0, 1], port.trim().parse()?).into() });
            }
        }
        bail!("{command:?} ended before it was ready")
    }

    /// Starts a gateway over that folder, with more in its environment.
    ///
    /// # Errors
    /// When it cannot be started or ends before it is ready.
    pub(crate) async fn gateway(binary: &Path, data: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut command = Command::new(binary);
        command.args(["serve", "--quiet"]).env_clear().envs(settings.iter().copied());
        command.env("HOOKYARD_DATA", data).env("GITHUB_SECRET", SECRET).env("HOOKYARD_LOG", "error");
        command.env("GITHUB_API_PORT", "0").env("STATUS_API_PORT", "0").current_dir(data.parent().unwrap_or(data));
        let mut child = command.kill_on_drop(true).stderr(Stdio::piped()).spawn()?;
        let mut lines = lines(child.stderr.take())?;
        let mut address = None;
        while let Some(line) = lines.next_line().await? {
            let url = line.split_whitespace().find_map(|word| word.strip_prefix("http://")?.strip_suffix("/github"));
            address = address.or(url.and_then(|authority| authority.parse().ok()));
            if line.trim_start().starts_with("Ready") {
                // Whatever else it says is read away, so that it never waits for us.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self { child, address: address.context("its banner names no webhook port")? });
            }
        }
        bail!("the gateway ended before it was ready")
    }

    /// What it holds in memory now, and has held at most, in MiB.
    ///
    /// # Errors
    /// Where there is no `/proc`.
    pub(crate) fn memory(&self) -> anyhow::Result<(u64, u64)> {
        let id = self.child.id().context("it has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
        };
        value("VmRSS:").zip(value("VmHWM:")).context("no memory figures")
    }

    /// Pulls the plug.
    ///
    /// # Errors
    /// When it has ended already.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

fn lines<R: AsyncRead + Unpin>(stream: Option<R>) -> anyhow::Result<Lines<BufReader<R>>> {
    Ok(BufReader::new(stream.context("its output was not taken")?).lines())
}
