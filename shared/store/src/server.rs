//! How the user's server does: one row for each, for ever.

use async_trait::async_trait;
use domain::error::PortError;
use domain::ports::ServerLog;
use domain::retry::ServerHealth;

use crate::Store;
use crate::attributes::{Fields, Item, Row, as_number, as_time, number, time};
use crate::keys::Key;
use crate::table::{Terms, Write};

const VERSION: &str = "version";

fn to_item(key: &Key, health: &ServerHealth) -> Item {
    Fields::of(key)
        .put("failures", number(health.failures))
        .maybe("probe_at", health.probe_at.map(time))
        .put("probes", number(health.probes))
        .put(VERSION, number(health.version + 1))
        .item()
}

fn from_item(item: &Item) -> Result<ServerHealth, PortError> {
    let row = Row(item);
    Ok(ServerHealth {
        failures: row.need("failures", as_number)?,
        probe_at: row.maybe("probe_at", as_time)?,
        probes: row.need("probes", as_number)?,
        version: row.need(VERSION, as_number)?,
    })
}

#[async_trait]
impl ServerLog for Store {
    async fn health(&self, server: &str) -> Result<ServerHealth, PortError> {
        let row = self.get(&Key::server(server)).await?;
        Ok(row.as_ref().map(from_item).transpose()?.unwrap_or_default())
    }

    async fn save_health(&self, server: &str, health: &ServerHealth) -> Result<bool, PortError> {
        let key = Key::server(server);
        let mut terms = Terms::default();
        let condition = self.at_version(&mut terms, VERSION, health.version);
        Ok(matches!(self.put_if(&key, to_item(&key, health), condition, terms).await?, Write::Done))
    }
}
