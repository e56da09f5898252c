//! The files that DataFusion reads and writes for a confined session: those of its directories.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use url::Url;

use super::{AccessPolicy, Confinement, not_a_url, only_reads, outside};
use crate::source::SourceError;

/// The stores of a confined session: its files, and nothing that statements add.
pub fn confined_files(access: &AccessPolicy) -> Option<Arc<dyn ObjectStoreRegistry>> {
    let confinement = Arc::clone(access.confinement()?);
    Some(Arc::new(ConfinedStores { files: Arc::new(ConfinedFiles { confinement, files: LocalFileSystem::new() }) }))
}

#[derive(Debug)]
struct ConfinedStores {
    files: Arc<ConfinedFiles>,
}

impl ObjectStoreRegistry for ConfinedStores {
    /// Nothing is added: it would be a way around.
    fn register_store(&self, _url: &Url, _store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> PlanResult<Arc<dyn ObjectStore>> {
        match url.scheme() {
            "file" => Ok(Arc::clone(&self.files) as _),
            _ => Err(DataFusionError::External(Box::new(not_a_url(url.as_str())))),
        }
    }
}

/// The files of this machine, of which those outside of the directories do not exist.
struct ConfinedFiles {
    confinement: Arc<Confinement>,
    files: LocalFileSystem,
}

impl ConfinedFiles {
    /// The file itself; one that must not be reached is an error.
    fn reach(&self, location: &Path) -> Result<PathBuf> {
        let path = self.files.path_to_filesystem(location)?;
        let located = self.confinement.roots().locate(&path);
        located.map_err(|_| refusal(&outside("the file")))
    }

    fn reach_to_write(&self, location: &Path) -> Result<()> {
        self.reach(location)?;
        match self.confinement.rules().may_write {
            true => Ok(()),
            false => Err(refusal(&only_reads("the file"))),
        }
    }

    fn is_reached(&self, location: &Path) -> bool {
        self.reach(location).is_ok()
    }
}

#[async_trait]
impl ObjectStore for ConfinedFiles {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.reach_to_write(location)?;
        self.files.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.reach_to_write(location)?;
        self.files.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let path = self.reach(location)?;
        let mut found = self.files.get_opts(location, options).await?;
        if let GetResultPayload::File(_, named) = &found.payload {
            // Opened anew from the directory: a link that has come meanwhile does not lead out.
            let file = self.confinement.roots().open_file(&path).map_err(|_| refusal(&outside("the file")))?;
            found.payload = GetResultPayload::File(file, named.clone());
        }
        Ok(found)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.reach(location)?;
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = Self { confinement: Arc::clone(&self.confinement), files: self.files.clone() };
        let checked =
            locations.map(move |location| location.and_then(|path| this.reach_to_write(&path).map(|()| path)));
        self.files.delete_stream(checked.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let root = Path::default();
        if let Err(error) = self.reach(prefix.unwrap_or(&root)) {
            return stream::iter([Err(error)]).boxed();
        }
        let this = Self { confinement: Arc::clone(&self.confinement), files: self.files.clone() };
        // Links among them lead anywhere.
        let reached = move |found: &Result<ObjectMeta>| {
            std::future::ready(found.as_ref().map_or(true, |found| this.is_reached(&found.location)))
        };
        self.files.list(prefix).filter(reached).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.reach(prefix.unwrap_or(&Path::default()))?;
        let mut found = self.files.list_with_delimiter(prefix).await?;
        found.objects.retain(|object| self.is_reached(&object.location));
        found.common_prefixes.retain(|prefix| self.is_reached(prefix));
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.reach(from)?;
        self.reach_to_write(to)?;
        self.files.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.reach_to_write(from)?;
        self.reach_to_write(to)?;
        self.files.rename_opts(from, to, options).await
    }
}

/// A refusal as it comes out of a store; it says nothing of where the file would be.
fn refusal(error: &SourceError) -> object_store::Error {
    object_store::Error::PermissionDenied { path: "the file".to_string(), source: error.to_string().into() }
}

impl fmt::Debug for ConfinedFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ConfinedFiles")
    }
}

impl fmt::Display for ConfinedFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the files of a confined session")
    }
}
