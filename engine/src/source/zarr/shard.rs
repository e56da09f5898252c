//! Shards: objects that hold many chunks and an index of them (`sharding_indexed`).
//!
//! The index is fetched once a shard and kept; then every chunk is one range request.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::codec::{self, Chain, Decoded};
use super::fill::Fill;
use super::metadata::{ArrayMetadata, CodecSpec, codec_list};
use super::number::Number;
use super::stored_type::StoredType;
use crate::source::SourceError;
use crate::source::store::Store;

/// The most bytes of indexes an array keeps.
const MAX_INDEX_BYTES: usize = 16 << 20;

/// The chunks inside the shards of an array.
#[derive(Debug)]
pub(super) struct Shards {
    /// Chunks of a shard along each dimension.
    counts: Vec<u64>,
    index_at_start: bool,
    /// The codecs of the index, which have a fixed size.
    index_chain: Chain,
    index_size: usize,
    /// The indexes used last, the latest last.
    indexes: Mutex<Vec<(Vec<u64>, IndexCell)>>,
}

/// The index of a shard once it is fetched: none where the shard is absent.
type IndexCell = Arc<OnceCell<Option<ShardIndex>>>;

/// Where the chunks of one shard are: offset and size of each, in C order; both all ones for an absent one.
#[derive(Debug)]
struct ShardIndex(Vec<u64>);

/// What a `sharding_indexed` codec says of the chunks inside.
pub(super) struct Sharding {
    /// Cells of an inner chunk along each dimension.
    pub chunk_shape: Vec<u64>,
    /// The codecs of an inner chunk.
    pub codecs: Vec<CodecSpec>,
    /// How to find them.
    pub shards: Shards,
}

impl Sharding {
    /// The sharding of an array, or `None` where it has none or can only be decoded whole (behind other codecs).
    pub fn of(array: &str, metadata: &ArrayMetadata) -> Result<Option<Self>, SourceError> {
        let [spec] = metadata.codecs.as_slice() else { return Ok(None) };
        if spec.name != "sharding_indexed" {
            return Ok(None);
        }
        let invalid = |message: String| SourceError::Metadata {
            array: array.to_string(),
            message: format!("codec sharding_indexed: {message}"),
        };
        let lengths = spec.configuration.get("chunk_shape").and_then(|value| value.as_array());
        let chunk_shape: Option<Vec<u64>> =
            lengths.and_then(|list| list.iter().map(|length| length.as_u64()).collect());
        let outer = &metadata.chunk_shape;
        let divides = |inner: &Vec<u64>| {
            inner.len() == outer.len()
                && inner.iter().zip(outer).all(|(&inner, &outer)| inner > 0 && outer.is_multiple_of(inner))
        };
        let Some(chunk_shape) = chunk_shape.filter(divides) else {
            return Err(invalid(format!("its chunk_shape does not divide the shards of {outer:?}")));
        };
        let codecs = codec_list(spec.configuration.get("codecs")).map_err(invalid)?;
        let index_codecs = codec_list(spec.configuration.get("index_codecs")).map_err(invalid)?;
        let index_at_start = match spec.text("index_location") {
            None | Some("end") => false,
            Some("start") => true,
            Some(found) => return Err(invalid(format!("index_location is {found:?}, expected \"start\" or \"end\""))),
        };
        let counts: Vec<u64> = outer.iter().zip(&chunk_shape).map(|(outer, inner)| outer / inner).collect();
        let index_shape: Vec<u64> = counts.iter().copied().chain([2]).collect();
        let index_type = StoredType::Number(Number::UInt64);
        let fill = Fill::Bytes(vec![0xff; 8]);
        let index_chain = codec::parse(array, &index_codecs, &index_type, &fill, &index_shape)?;
        let Some(index_size) = index_chain.encoded_size() else {
            return Err(invalid("its index_codecs have no fixed size".to_string()));
        };
        let shards = Shards { counts, index_at_start, index_chain, index_size, indexes: Mutex::default() };
        Ok(Some(Self { chunk_shape, codecs, shards }))
    }
}

impl Shards {
    /// The shard that holds a chunk, and the chunk's index inside it.
    pub fn place_of(&self, chunk: &[u64]) -> (Vec<u64>, Vec<u64>) {
        let shard = chunk.iter().zip(&self.counts).map(|(index, count)| index / count).collect();
        let inner = chunk.iter().zip(&self.counts).map(|(index, count)| index % count).collect();
        (shard, inner)
    }

    /// The encoded bytes of a chunk inside a shard, or `None` where it or the shard is absent.
    pub async fn fetch(
        &self,
        store: &Store,
        key: &str,
        array: &str,
        shard: &[u64],
        inner: &[u64],
    ) -> Result<Option<Bytes>, SourceError> {
        let error = |message: String| SourceError::Chunk { array: array.to_string(), chunk: shard.to_vec(), message };
        let cell = self.index_cell(shard);
        let index = cell
            .get_or_try_init(|| async {
                let Some(encoded) = self.encoded_index(store, key).await? else { return Ok(None) };
                self.decode_index(encoded).map(Some).map_err(&error)
            })
            .await?;
        let Some(ShardIndex(places)) = index else { return Ok(None) };
        let position = inner.iter().zip(&self.counts).fold(0, |at, (index, count)| at * count + index) as usize;
        let (Some(&offset), Some(&size)) = (places.get(2 * position), places.get(2 * position + 1)) else {
            return Err(error(format!("its index has no chunk {inner:?}")));
        };
        if offset == u64::MAX && size == u64::MAX {
            return Ok(None);
        }
        let Some(end) = offset.checked_add(size).filter(|&end| end <= i64::MAX as u64) else {
            return Err(error(format!("its index puts the chunk {inner:?} at {offset} with {size} bytes")));
        };
        if size == 0 {
            return Ok(Some(Bytes::new()));
        }
        let bytes = store.get_range(key, offset..end).await?;
        match bytes {
            Some(bytes) if bytes.len() as u64 == size => Ok(Some(bytes)),
            Some(bytes) => {
                Err(error(format!("{} bytes of the chunk {inner:?} are there, expected {size}", bytes.len())))
            }
            None => Err(error("it went away".to_string())),
        }
    }

    async fn encoded_index(&self, store: &Store, key: &str) -> Result<Option<Bytes>, SourceError> {
        match self.index_at_start {
            true => store.get_range(key, 0..self.index_size as u64).await,
            false => store.get_suffix(key, self.index_size as u64).await,
        }
    }

    fn decode_index(&self, encoded: Bytes) -> Result<ShardIndex, String> {
        if encoded.len() != self.index_size {
            return Err(format!("{} bytes of its index, expected {}", encoded.len(), self.index_size));
        }
        match self.index_chain.decode(encoded).map_err(|message| format!("its index: {message}"))? {
            Decoded::Fixed(bytes) => {
                Ok(ShardIndex(bytes.as_chunks::<8>().0.iter().map(|&word| u64::from_ne_bytes(word)).collect()))
            }
            Decoded::Variable(_) => Err("its index holds texts".to_string()),
        }
    }

    /// The place of a shard's index, fetched by the first who asks; the least used one gives way.
    fn index_cell(&self, shard: &[u64]) -> IndexCell {
        let mut indexes = self.indexes.lock();
        let entry = match indexes.iter().position(|(kept, _)| kept == shard) {
            Some(at) => indexes.remove(at),
            None => (shard.to_vec(), Arc::default()),
        };
        let cell = entry.1.clone();
        let most = (MAX_INDEX_BYTES / self.index_size.max(1)).clamp(1, 256);
        if indexes.len() >= most {
            indexes.remove(0);
        }
        indexes.push(entry);
        cell
    }
}
