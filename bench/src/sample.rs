//! The deliveries that are sent: GitHub's sample, 22,000 bytes, each about a commit of its own.

use anyhow::Context;
use bytes::Bytes;
use domain::signature;
use serde_json::Value;

/// The size that the queue was measured with before it was built.
pub(crate) const BYTES: usize = 22_000;

/// Signs every delivery.
pub(crate) const SECRET: &str = "It's a Secret to Everybody";

/// The length of a delivery's GUID.
const GUID: usize = 36;

/// A request, ready but for its GUID.
pub(crate) struct Delivery {
    bytes: Vec<u8>,
    guid_at: usize,
    /// The commit that it is about.
    pub(crate) sha: String,
}

impl Delivery {
    /// The request with that number as its GUID.
    pub(crate) fn with_guid(&self, number: u64) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let guid = format!("00000000-0000-4000-8000-{number:012x}");
        bytes[self.guid_at..self.guid_at + GUID].copy_from_slice(guid.as_bytes());
        bytes
    }
}

/// `count` deliveries, no two about the same commit.
///
/// # Errors
/// When the sample is not what it was.
pub(crate) fn deliveries(count: u32) -> anyhow::Result<Vec<Delivery>> {
    let mut json: Value = serde_json::from_str(include_str!("../../events/pull_request.opened.json"))?;
    json["pull_request"]["head"]["repo"] = Value::Null;
    json["pull_request"]["body"] = "".into();
    let marker = "f".repeat(40);
    json["pull_request"]["head"]["sha"] = marker.clone().into();
    let short = BYTES.checked_sub(json.to_string().len()).context("the sample has grown")?;
    json["pull_request"]["body"] = "One more line. ".repeat(short / 15 + 1)[..short].into();
    let text = json.to_string();
    let deliveries = (0..count).map(|number| {
        // Not nought: that is how GitHub says that there is no commit.
        let sha = format!("{:040x}", number + 1);
        let body = Bytes::from(text.replace(&marker, &sha));
        let signature = signature::sign(SECRET.as_bytes(), &body);
        let head = format!(
            "POST /github HTTP/1.1\r\nhost: localhost\r\nuser-agent: GitHub-Hookshot/1a2b3c4\r\naccept: */*\r\n\
             content-type: application/json\r\nx-github-event: pull_request\r\nx-github-hook-id: 482119001\r\n\
             {}: {signature}\r\nx-hub-signature: sha1=0000000000000000000000000000000000000000\r\n\
             content-length: {}\r\nx-github-delivery: ",
            signature::HEADER,
            body.len()
        );
        let guid_at = head.len();
        let bytes = [head.as_bytes(), &[b'0'; GUID], b"\r\n\r\n", &body].concat();
        Delivery { bytes, guid_at, sha }
    });
    Ok(deliveries.collect())
}
