//! Tokens as the credentials of an Azure store.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::azure::AzureCredential;
use object_store::client::CredentialProvider;

use super::Tokens;

/// Gives every request a token.
#[derive(Debug)]
pub(crate) struct TokenProvider(pub(crate) Tokens);

#[async_trait]
impl CredentialProvider for TokenProvider {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        let failed = |error| object_store::Error::Generic { store: "token endpoint", source: Box::new(error) };
        self.0.current().await.map_err(failed)
    }
}
