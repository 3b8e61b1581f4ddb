//! Bodies too large for the topic.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use domain::error::PortError;
use domain::ids::BodyKey;
use domain::ports::{BodyReader, BodyWriter};

use crate::failure::failed;

/// How long the address of a body is good for: long enough to follow a redirect, too short to be passed on.
const LINK_LIFE: Duration = Duration::from_secs(300);

/// Writing needs `s3:PutObject`; reading `s3:GetObject`, and `s3:ListBucket` on the bucket, without which S3 answers
/// 403 instead of 404 for a body that has expired (Amazon S3: "GetObject").
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// The bucket with this name.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        // An endpoint of one's own, such as an emulator's, has no host name per bucket.
        let path_style = config.endpoint_url().is_some();
        let config = aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build();
        Self { client: Client::from_conf(config), name: name.into() }
    }
}

#[async_trait]
impl BodyWriter for Bucket {
    async fn put(&self, key: &BodyKey, body: Bytes) -> Result<(), PortError> {
        let request = self.client.put_object().bucket(&self.name).key(key.as_str()).body(ByteStream::from(body));
        request.send().await.map_err(|error| failed("storing a body", &error))?;
        Ok(())
    }
}

#[async_trait]
impl BodyReader for Bucket {
    async fn get(&self, key: &BodyKey) -> Result<Option<Bytes>, PortError> {
        let answer = match self.client.get_object().bucket(&self.name).key(key.as_str()).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
            Err(error) => return Err(failed("reading a body", &error)),
        };
        match answer.body.collect().await {
            Ok(body) => Ok(Some(body.into_bytes())),
            Err(_) => Err(PortError::transient("reading a body: it broke off")),
        }
    }

    async fn holds(&self, key: &BodyKey) -> Result<bool, PortError> {
        match self.client.head_object().bucket(&self.name).key(key.as_str()).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(false),
            Err(error) => Err(failed("looking for a body", &error)),
        }
    }

    /// Signed here: nothing is asked of S3. It is good as long as our own credentials are, and no longer than
    /// [`LINK_LIFE`].
    async fn link(&self, key: &BodyKey, content_type: &str) -> Result<Option<String>, PortError> {
        let life = PresigningConfig::expires_in(LINK_LIFE).map_err(PortError::permanent)?;
        let request = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key.as_str())
            .response_content_type(content_type)
            .response_content_disposition("attachment");
        let signed = request.presigned(life).await.map_err(|error| failed("signing an address", &error))?;
        Ok(Some(signed.uri().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::Standin;

    fn key() -> BodyKey {
        BodyKey::parse("2026/01980000-0000").unwrap()
    }

    #[tokio::test]
    async fn a_body_is_stored_under_its_key_and_read_again() {
        let (aws, config) = Standin::start([(200, ""), (200, "odd \u{1} bytes")]).await;
        let bucket = Bucket::new(&config, "bodies");
        bucket.put(&key(), Bytes::from_static(b"odd \x01 bytes")).await.unwrap();
        assert_eq!(bucket.get(&key()).await.unwrap().unwrap(), "odd \u{1} bytes");
        let asked = aws.asked();
        assert_eq!(
            asked.iter().map(|(m, p, _)| format!("{m} {p}")).collect::<Vec<_>>(),
            ["PUT /bodies/2026/01980000-0000", "GET /bodies/2026/01980000-0000"]
        );
    }

    #[tokio::test]
    async fn whether_there_is_a_body_is_asked_without_reading_it() {
        let (aws, config) = Standin::start([(200, ""), (404, ""), (403, "")]).await;
        let bucket = Bucket::new(&config, "bodies");
        assert_eq!(bucket.holds(&key()).await, Ok(true));
        assert_eq!(bucket.holds(&key()).await, Ok(false));
        assert!(bucket.holds(&key()).await.is_err(), "no permission is no answer");
        assert!(aws.asked().iter().all(|(method, _, _)| method == "HEAD"));
    }

    #[tokio::test]
    async fn the_address_of_a_body_is_signed_for_five_minutes_and_asks_nobody() {
        let (aws, config) = Standin::start([(200, "")]).await;
        let link = Bucket::new(&config, "bodies").link(&key(), "application/json").await.unwrap().unwrap();
        for part in [
            "/bodies/2026/01980000-0000?",
            "X-Amz-Expires=300",
            "X-Amz-Signature=",
            "response-content-disposition=attachment",
            "response-content-type=application%2Fjson",
        ] {
            assert!(link.contains(part), "{part} in {link}");
        }
        assert!(aws.asked().is_empty());
    }

    #[tokio::test]
    async fn only_a_missing_body_is_none() {
        let refusal = |code: &str| format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
        let (_, config) = Standin::start([
            (404, refusal("NoSuchKey")),
            (404, refusal("NoSuchBucket")),
            (403, refusal("AccessDenied")),
            (503, refusal("SlowDown")),
        ])
        .await;
        let bucket = Bucket::new(&config, "bodies");
        assert_eq!(bucket.get(&key()).await, Ok(None));
        assert_eq!(bucket.get(&key()).await, Err(PortError::permanent("reading a body: NoSuchBucket")));
        assert_eq!(bucket.get(&key()).await, Err(PortError::permanent("reading a body: AccessDenied")));
        assert_eq!(bucket.get(&key()).await, Err(PortError::transient("reading a body: SlowDown")));
    }
}
