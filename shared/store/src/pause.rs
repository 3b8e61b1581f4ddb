//! Pauses of credentials: one row for each, read by every writer.

use async_trait::async_trait;
use domain::error::PortError;
use domain::ids::CredentialId;
use domain::ports::{Pause, PauseLog};

use crate::Store;
use crate::attributes::{Fields, Row, as_number, as_time, number, time};
use crate::keys::{Key, PK};
use crate::table::Terms;

const UNTIL: &str = "until";
const STRIKES: &str = "strikes";

#[async_trait]
impl PauseLog for Store {
    async fn pause(&self, credential: &CredentialId) -> Result<Option<Pause>, PortError> {
        let Some(row) = self.get(&Key::pause(credential)).await? else { return Ok(None) };
        let row = Row(&row);
        Ok(Some(Pause { until: row.need(UNTIL, as_time)?, strikes: row.need(STRIKES, as_number)? }))
    }

    async fn save_pause(&self, credential: &CredentialId, pause: Pause) -> Result<(), PortError> {
        let key = Key::pause(credential);
        let row = Fields::of(&key).put(UNTIL, time(pause.until)).put(STRIKES, number(pause.strikes)).item();
        let mut terms = Terms::default();
        let until = terms.value(time(pause.until));
        let condition = format!("attribute_not_exists({}) OR {} <= {until}", terms.name(PK), terms.name(UNTIL));
        // Refused: a longer one stands.
        self.put_if(&key, row, condition, terms).await.map(drop)
    }
}
