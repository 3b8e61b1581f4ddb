//! The sender: connections that are kept, one request at a time on each, and nothing that costs more than it must,
//! because it shares its processors with what it measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::sample::Delivery;

/// GUIDs never repeat within one run of the program.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody answers there.
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("{address} cannot be reached"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads the answer; its code.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        self.read.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the connection was closed");
            let Some(head) = self.read.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.read[..head])?;
            let code = text.get(9..12).context("no status line")?.parse()?;
            let length = text.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            while self.read.len() < head + 4 + length.unwrap_or(0) {
                ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the connection was closed");
            }
            return Ok(code);
        }
    }

    /// Sends a delivery under a GUID of its own.
    ///
    /// # Errors
    /// As [`Self::send`], and when it was not accepted.
    pub(crate) async fn deliver(&mut self, delivery: &Delivery) -> anyhow::Result<()> {
        let code = self.send(&delivery.with_guid(NEXT.fetch_add(1, Ordering::Relaxed))).await?;
        if !(200..300).contains(&code) {
            bail!("a delivery was answered {code}");
        }
        Ok(())
    }
}

/// Acknowledgements a second over that many connections for that long, after a tenth of it to warm up.
///
/// # Errors
/// When a delivery is not accepted.
pub(crate) async fn rate(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    deliveries: &Arc<Vec<Delivery>>,
) -> anyhow::Result<f64> {
    let (begin, end) = (Instant::now() + time / 10, Instant::now() + time / 10 + time);
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        let deliveries = Arc::clone(deliveries);
        tasks.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut count = 0_u32;
            for delivery in deliveries.iter().cycle().skip(number * 61) {
                connection.deliver(delivery).await?;
                let now = Instant::now();
                if now >= end {
                    break;
                }
                count += u32::from(now >= begin);
            }
            anyhow::Ok(count)
        });
    }
    let mut sum = 0.0;
    while let Some(count) = tasks.join_next().await {
        sum += f64::from(count??);
    }
    Ok(sum / time.as_secs_f64())
}

/// Sends that many deliveries over that many connections, as fast as they are taken.
///
/// # Errors
/// When a delivery is not accepted.
pub(crate) async fn send_all(
    address: SocketAddr,
    connections: usize,
    count: usize,
    deliveries: &Arc<Vec<Delivery>>,
) -> anyhow::Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (deliveries, next) = (Arc::clone(deliveries), Arc::clone(&next));
        tasks.spawn(async move {
            let mut connection = Connection::open(address).await?;
            loop {
                let at = usize::try_from(next.fetch_add(1, Ordering::Relaxed))?;
                if at >= count {
                    return anyhow::Ok(());
                }
                connection.deliver(&deliveries[at % deliveries.len()]).await?;
            }
        });
    }
    while let Some(sent) = tasks.join_next().await {
        sent??;
    }
    Ok(())
}
