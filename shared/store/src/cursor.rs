//! Cursors: where a page ended, as text that only this store can read.
//!
//! A cursor is no secret and no credential; its check keeps a cursor of another list, or one that was cut in
//! copying, from quietly giving the wrong page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::error::PortError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::keys::hash;

/// The longest cursor we ever give is below this many bytes.
const LIMIT: usize = 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<T> {
    v: u8,
    /// The position.
    p: T,
    /// What it belongs to, and that it is whole.
    h: String,
}

/// Writes a position in the list that `list` describes: its kind and its filters.
pub(crate) fn seal<T: Serialize>(list: &str, position: T) -> Result<String, PortError> {
    let wire = Wire { v: 1, h: check(list, &position)?, p: position };
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&wire).map_err(PortError::permanent)?))
}

/// Reads it again.
///
/// # Errors
/// Permanent when it was cut or changed, or belongs to another list.
pub(crate) fn open<T: Serialize + DeserializeOwned>(list: &str, cursor: &str) -> Result<T, PortError> {
    let foreign = || PortError::permanent("cursor is not of this list: start again without it");
    if cursor.len() > LIMIT {
        return Err(foreign());
    }
    let json = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| foreign())?;
    let wire: Wire<T> = serde_json::from_slice(&json).map_err(|_| foreign())?;
    if wire.v != 1 || wire.h != check(list, &wire.p)? {
        return Err(foreign());
    }
    Ok(wire.p)
}

/// 64 bits of a hash over the list and the position.
fn check<T: Serialize>(list: &str, position: &T) -> Result<String, PortError> {
    let position = serde_json::to_string(position).map_err(PortError::permanent)?;
    let mut whole = hash(&format!("{list}\n{position}"));
    whole.truncate(16);
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_list_and_only_whole() {
        let cursor = seal("events a", "here").unwrap();
        assert_eq!(open::<String>("events a", &cursor).unwrap(), "here");
        assert!(open::<String>("events b", &cursor).is_err());
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(open::<String>("events a", &changed).is_err(), "byte {at} is not protected");
            assert!(open::<String>("events a", &cursor[..at]).is_err());
        }
    }
}
