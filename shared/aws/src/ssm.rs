//! Secrets in the parameter store.

use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use domain::error::PortError;
use domain::ports::SecretStore;
use secrecy::SecretString;

use crate::failure::failed;

/// One parameter. Needs `ssm:GetParameter` on it, and `kms:Decrypt` if its key is not the account's own.
pub struct Parameter {
    client: Client,
    name: String,
}

impl Parameter {
    /// The parameter with this name. Asks nobody yet.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { client: Client::new(config), name: name.into() })
    }
}

#[async_trait]
impl SecretStore for Parameter {
    fn name(&self) -> &str {
        &self.name
    }

    async fn read(&self) -> Result<SecretString, PortError> {
        let doing = format!("reading the parameter {}", self.name);
        let request = self.client.get_parameter().name(&self.name).with_decryption(true);
        let output = request.send().await.map_err(|error| failed(&doing, &error))?;
        let value = output.parameter.and_then(|parameter| parameter.value);
        value.map(SecretString::from).ok_or_else(|| PortError::transient(format!("{doing}: an answer without a value")))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::standin::Standin;

    #[tokio::test]
    async fn the_store_is_asked_for_the_decrypted_value() {
        let found = r#"{"Parameter":{"Name":"/hookyard/github","Type":"SecureString","Value":"s3cret"}}"#;
        let empty = r#"{"Parameter":{"Name":"/hookyard/github","Type":"SecureString"}}"#;
        let gone = r#"{"__type":"ParameterNotFound","message":"m"}"#;
        let (aws, config) = Standin::start([(200, found), (200, empty), (400, gone)]).await;
        let parameter = Parameter::new(&config, "/hookyard/github");
        assert_eq!(parameter.name(), "/hookyard/github");
        assert_eq!(parameter.read().await.unwrap().expose_secret(), "s3cret");
        assert_eq!(aws.json(), [serde_json::json!({ "Name": "/hookyard/github", "WithDecryption": true })]);
        assert!(parameter.read().await.unwrap_err().is_transient());
        let error = parameter.read().await.unwrap_err();
        assert_eq!(error, PortError::permanent("reading the parameter /hookyard/github: ParameterNotFound"));
    }
}
