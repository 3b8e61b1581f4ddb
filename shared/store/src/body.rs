//! The body of an event and the headers that are forwarded with it, in one row that is also the claim on these
//! bytes: it is named by their hash, and whoever makes it had them first.
//!
//! An event whose bytes another event had first keeps its own copy beside itself: the other's row goes when the other
//! expires.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use domain::error::PortError;
use domain::event::GithubEvent;
use domain::ids::EventId;
use domain::ports::KeptBody;
use flate2::Compression;

use crate::Store;
use crate::attributes::{Fields, Item, Row, as_id, as_text, number, text};
use crate::keys::{EXPIRES_AT, Key};
use crate::packing::{self, Headers};
use crate::table::Write;

/// The most bytes of a packed body in its row. A row ends at 400 KB (Amazon DynamoDB: "Constraints").
pub const INLINE_LIMIT: usize = 300 * 1024;

const STORED: &str = "stored";
const FILL: &str = "fill";
const FIRST: &str = "first";

/// Who had these bytes first.
pub(crate) enum Claim {
    /// This event: now, or when it was recorded before or half recorded.
    Own,
    /// Another event.
    Other(EventId),
}

/// What a row of a body holds besides its name.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    packed: Vec<u8>,
    fill: String,
    stored: Option<String>,
    expiry: i64,
}

impl Kept {
    /// Packs what came with the event. A body in the body store is named; its headers are kept here all the same.
    pub(crate) fn of(
        level: Compression,
        event: &GithubEvent,
        headers: &[(String, String)],
        body: &KeptBody,
        expiry: i64,
    ) -> Result<Self, PortError> {
        let (bytes, stored) = match body {
            KeptBody::Inline(bytes) => (bytes.as_ref(), None),
            KeptBody::Stored(at) => (&[][..], Some(at.to_string())),
        };
        let fill = packing::fill(event);
        let packed = packing::pack(level, &fill, headers, bytes).map_err(PortError::permanent)?;
        if packed.len() > INLINE_LIMIT {
            return Err(PortError::permanent(format!(
                "the body of {} is {} bytes when packed; over {INLINE_LIMIT} it belongs into the body store",
                event.id,
                packed.len()
            )));
        }
        Ok(Self { packed, fill, stored, expiry })
    }

    fn row(self, key: &Key, first: Option<&EventId>) -> Item {
        Fields::of(key)
            .maybe(FIRST, first.map(text))
            .maybe(STORED, self.stored.map(text))
            .put(FILL, text(self.fill))
            .put(packing::NEWEST, AttributeValue::B(Blob::new(self.packed)))
            .put(EXPIRES_AT, number(self.expiry))
            .item()
    }
}

/// Reads a row again.
pub(crate) fn from_item(item: &Item) -> Result<(KeptBody, Headers), PortError> {
    let row = Row(item);
    let fill = row.need(FILL, as_text)?;
    // What a row was packed with is the name of the attribute.
    let unpacked = |value: &AttributeValue| packing::unpack(packing::NEWEST, fill, value.as_b().ok()?.as_ref());
    let (headers, body): (_, Bytes) = row.need(packing::NEWEST, unpacked)?;
    let body = row.maybe(STORED, as_id)?.map_or(KeptBody::Inline(body), KeptBody::Stored);
    Ok((body, headers))
}

impl Store {
    /// Keeps the event's body where nobody else's is in the way.
    pub(crate) async fn keep_body(&self, event: &GithubEvent, kept: Kept) -> Result<Claim, PortError> {
        let key = Key::bytes(&event.body_sha256);
        match self.put_if_absent(&key, kept.clone().row(&key, Some(&event.id))).await? {
            Write::Done => Ok(Claim::Own),
            Write::Refused(Some(row)) => {
                let first: EventId = Row(&row).need(FIRST, as_id)?;
                if first == event.id {
                    return Ok(Claim::Own);
                }
                let key = Key::body(&event.id);
                self.put_if_absent(&key, kept.row(&key, None)).await?;
                Ok(Claim::Other(first))
            }
            Write::Refused(None) => Err(PortError::transient(format!("the row {} went away meanwhile", key.pk))),
        }
    }

    /// The body of an event that keeps none beside itself.
    pub(crate) async fn shared_body(&self, event: &GithubEvent) -> Result<Option<(KeptBody, Headers)>, PortError> {
        let row = self.get(&Key::bytes(&event.body_sha256)).await?;
        let own = |row: &Item| Ok::<_, PortError>(Row(row).need::<EventId>(FIRST, as_id)? == event.id);
        match row {
            Some(row) if own(&row)? => from_item(&row).map(Some),
            _ => Ok(None),
        }
    }
}
