//! An array of a store as a source of chunks.

use std::sync::Arc;

use async_trait::async_trait;

use super::chunk::{Layout, ZarrChunk, chunk_error};
use super::codec::{Access, wait_for_places};
use super::encoded::Encoded;
use super::metadata::ChunkKeys;
use super::shard::Shards;
use crate::array::ChunkGrid;
use crate::source::store::Store;
use crate::source::{ArraySource, Chunk, SourceError};

/// An array of a Zarr store.
#[derive(Debug)]
pub(super) struct ZarrArray {
    /// Where its chunks are.
    pub store: Store,
    /// Its path under the store's root.
    pub path: String,
    /// How the keys of its chunks (or shards) are made.
    pub keys: ChunkKeys,
    /// Its shape and its chunks; with shards, the inner chunks.
    pub grid: ChunkGrid,
    /// What its chunks have in common.
    pub layout: Arc<Layout>,
    /// How chunks are packed into shards, where they are.
    pub shards: Option<Shards>,
}

#[async_trait]
impl ArraySource for ZarrArray {
    fn grid(&self) -> &ChunkGrid {
        &self.grid
    }

    async fn fetch(&self, chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError> {
        self.grid.find_chunk(chunk).map_err(|message| chunk_error(&self.layout, chunk, message))?;
        let encoded = match &self.shards {
            None => self.open(chunk).await?,
            Some(shards) => {
                let (shard, inner) = shards.place_of(chunk);
                let key = self.keys.key(&self.path, &shard);
                shards.fetch(&self.store, &key, &self.layout.array, &shard, &inner).await?.map(Encoded::from)
            }
        };
        Ok(Arc::new(ZarrChunk::new(self.layout.clone(), chunk, encoded)?))
    }
}

impl ZarrArray {
    /// The encoded bytes of a chunk that is an object of its own, as far as they are needed to begin.
    async fn open(&self, chunk: &[u64]) -> Result<Option<Encoded>, SourceError> {
        let object = self.store.open_object(&self.keys.key(&self.path, chunk)).await?;
        let Some(encoded) = object.map(Encoded::from) else { return Ok(None) };
        match self.layout.chain.access() {
            Access::Blocks => wait_for_places(&encoded).await?,
            Access::Plain | Access::Whole => encoded.wait(encoded.len()).await?,
        }
        Ok(Some(encoded))
    }
}
