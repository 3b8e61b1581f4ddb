//! The body of an event and the headers that are forwarded with it, in a row beside the event; and the claim that
//! says which event brought these bytes first.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use domain::error::PortError;
use domain::event::GithubEvent;
use domain::ids::EventId;
use domain::ports::KeptBody;

use crate::Store;
use crate::attributes::{Fields, Item, Row, as_id, as_text, number, text};
use crate::keys::{EXPIRES_AT, Key};
use crate::table::Write;

/// The most bytes of a compressed body in its row. A row ends at 400 KB (Amazon DynamoDB: "Constraints"), and its
/// headers need room.
pub const INLINE_LIMIT: usize = 300 * 1024;

const LZ4: &str = "lz4";
const STORED: &str = "stored";
const HEADERS: &str = "headers";
const FIRST: &str = "first";

/// Who had these bytes first.
pub(crate) enum Claim {
    /// This event, just now.
    New,
    /// This event, when it was recorded before or half recorded.
    Own,
    /// Another event.
    Other(EventId),
}

/// The row of a body.
pub(crate) fn to_item(
    key: &Key,
    headers: &[(String, String)],
    body: &KeptBody,
    expiry: i64,
) -> Result<Item, PortError> {
    let row = Fields::of(key).put(HEADERS, text(headers_json(headers)?)).put(EXPIRES_AT, number(expiry));
    Ok(match body {
        KeptBody::Stored(at) => row.put(STORED, text(at)),
        KeptBody::Inline(bytes) => {
            let packed = lz4_flex::compress_prepend_size(bytes);
            if packed.len() > INLINE_LIMIT {
                return Err(PortError::permanent(format!(
                    "the body of {} is {} bytes when compressed; over {INLINE_LIMIT} it belongs into the body store",
                    key.pk,
                    packed.len()
                )));
            }
            row.put(LZ4, AttributeValue::B(Blob::new(packed)))
        }
    }
    .item())
}

/// Reads a row again.
pub(crate) fn from_item(item: &Item) -> Result<(KeptBody, Vec<(String, String)>), PortError> {
    let row = Row(item);
    let headers = row.need(HEADERS, |value| serde_json::from_str(as_text(value)?).ok())?;
    let body = match row.maybe(STORED, as_id)? {
        Some(at) => KeptBody::Stored(at),
        None => KeptBody::Inline(row.need(LZ4, unpacked)?),
    };
    Ok((body, headers))
}

fn unpacked(value: &AttributeValue) -> Option<Bytes> {
    lz4_flex::decompress_size_prepended(value.as_b().ok()?.as_ref()).ok().map(Bytes::from)
}

fn headers_json(headers: &[(String, String)]) -> Result<String, PortError> {
    serde_json::to_string(headers).map_err(PortError::permanent)
}

impl Store {
    /// Claims the event's bytes for it, unless they are claimed.
    pub(crate) async fn claim(&self, event: &GithubEvent) -> Result<Claim, PortError> {
        let key = Key::claim(&event.body_sha256);
        let expiry = self.expiry(event.received_at);
        let row = Fields::of(&key).put(FIRST, text(&event.id)).put(EXPIRES_AT, number(expiry)).item();
        match self.put_if_absent(&key, row).await? {
            Write::Done => Ok(Claim::New),
            Write::Refused(Some(row)) => {
                let first: EventId = Row(&row).need(FIRST, as_id)?;
                Ok(if first == event.id { Claim::Own } else { Claim::Other(first) })
            }
            Write::Refused(None) => Err(PortError::transient(format!("the claim {} went away meanwhile", key.pk))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key { pk: "event#1-a".into(), sk: "body".into() }
    }

    #[test]
    fn any_bytes_come_back_as_they_were() {
        for bytes in [Bytes::new(), Bytes::from_static(b"\x00\xff{\r\n}"), Bytes::from(vec![b'a'; 1 << 20])] {
            let body = KeptBody::Inline(bytes);
            let item = to_item(&key(), &[], &body, 1).unwrap();
            assert_eq!(from_item(&item).unwrap(), (body, Vec::new()));
        }
    }
}
