//! A store that tries once more with a new token when its token is refused.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::Tokens;

/// A store whose requests are signed with tokens.
#[derive(Debug)]
pub(crate) struct SignedStore {
    inner: Arc<dyn ObjectStore>,
    tokens: Tokens,
}

impl SignedStore {
    /// The store, whose credentials are these tokens.
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, tokens: Tokens) -> Self {
        Self { inner, tokens }
    }

    /// Whether a request that ended like this is to be made again, now that there is another token.
    async fn has_another(&self, error: &Error, tried: Instant) -> bool {
        let is_refusal = matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. });
        is_refusal && self.tokens.refused(tried).await.unwrap_or(false)
    }
}

impl fmt::Display for SignedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "signed {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for SignedStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let tried = Instant::now();
        match self.inner.get_opts(location, options.clone()).await {
            Err(error) if self.has_another(&error, tried).await => self.inner.get_opts(location, options).await,
            ended => ended,
        }
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let tried = Instant::now();
        match self.inner.put_opts(location, payload.clone(), options.clone()).await {
            Err(error) if self.has_another(&error, tried).await => {
                self.inner.put_opts(location, payload, options).await
            }
            ended => ended,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, tokens, prefix) = (Arc::clone(&self.inner), self.tokens.clone(), prefix.cloned());
        let listed = async move {
            let store = Self { inner, tokens };
            let tried = Instant::now();
            let mut found = store.inner.list(prefix.as_ref());
            // Only the first page can be asked for again: what came after it is listed already.
            let first = found.next().await;
            match first {
                Some(Err(error)) if store.has_another(&error, tried).await => store.inner.list(prefix.as_ref()),
                first => stream::iter(first).chain(found).boxed(),
            }
        };
        stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let tried = Instant::now();
        match self.inner.list_with_delimiter(prefix).await {
            Err(error) if self.has_another(&error, tried).await => self.inner.list_with_delimiter(prefix).await,
            ended => ended,
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
