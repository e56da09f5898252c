//! One description of an array for both versions of Zarr, checked.

mod v2;
mod v3;

pub(super) use v3::codec_list;

use serde_json::{Map, Value};

use super::fill::Fill;
use super::hierarchy::Document;
use super::stored_type::StoredType;
use crate::source::SourceError;

/// The most dimensions an array may have.
const MAX_RANK: usize = 32;

/// The most bytes a decoded chunk may have.
const MAX_CHUNK_BYTES: u64 = 16 << 30;

/// The most cells of any length (texts) a chunk may have.
const MAX_CHUNK_TEXTS: u64 = 1 << 31;

/// What the metadata says of an array.
#[derive(Debug, Clone)]
pub(super) struct ArrayMetadata {
    /// Cells along each dimension.
    pub shape: Vec<u64>,
    /// Cells of a chunk (of a shard, where there are shards) along each dimension, each at least 1.
    pub chunk_shape: Vec<u64>,
    /// What a cell holds.
    pub stored_type: StoredType,
    /// The data type as the metadata names it.
    pub type_name: String,
    /// The cells of absent chunks.
    pub fill: Fill,
    /// The fill value as the metadata has it, where it has one.
    pub fill_value: Option<Value>,
    /// Whether the fill value also marks missing cells, as in version 2.
    pub fill_is_missing: bool,
    /// The codecs in the order of encoding.
    pub codecs: Vec<CodecSpec>,
    /// How the keys of chunks are made.
    pub keys: ChunkKeys,
    /// The array's attributes.
    pub attributes: Map<String, Value>,
    /// The names of the dimensions, where the metadata names them.
    pub dimension_names: Option<Vec<Option<String>>>,
}

/// A codec by its name and its configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CodecSpec {
    /// The name, without `numcodecs.`.
    pub name: String,
    /// Its settings.
    pub configuration: Map<String, Value>,
}

/// How the keys of chunks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkKeys {
    /// Whether `c` stands before the indexes.
    pub prefixed: bool,
    /// What stands between them.
    pub separator: char,
}

impl ChunkKeys {
    /// The key of a chunk, under the array's path.
    pub fn key(self, path: &str, chunk: &[u64]) -> String {
        let mut key = String::with_capacity(path.len() + 8);
        if !path.is_empty() {
            key.push_str(path);
            key.push('/');
        }
        let mut first = true;
        if self.prefixed {
            key.push('c');
            first = false;
        } else if chunk.is_empty() {
            key.push('0');
        }
        for index in chunk {
            if !first {
                key.push(self.separator);
            }
            first = false;
            key.push_str(&index.to_string());
        }
        key
    }
}

impl CodecSpec {
    /// A setting that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.configuration.get(name).and_then(Value::as_str)
    }

    /// A setting that is a whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.configuration.get(name).and_then(Value::as_i64)
    }

    /// A setting that is a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.configuration.get(name).and_then(Value::as_f64)
    }
}

/// Understands the document of an array; `array` is its address, for messages.
pub(super) fn parse(array: &str, document: &Document) -> Result<ArrayMetadata, SourceError> {
    let metadata = match document {
        Document::V2 { array: document, attributes } => v2::parse(array, document, attributes)?,
        Document::V3(document) => v3::parse(array, document)?,
    };
    check(&metadata).map_err(|message| invalid(array, message))?;
    Ok(metadata)
}

/// Checks what both versions share: ranks, lengths, and sizes that fit.
fn check(metadata: &ArrayMetadata) -> Result<(), String> {
    let ArrayMetadata { shape, chunk_shape, .. } = metadata;
    if shape.len() > MAX_RANK {
        return Err(format!("{} dimensions, expected at most {MAX_RANK}", shape.len()));
    }
    if shape.len() != chunk_shape.len() {
        return Err(format!("chunks {chunk_shape:?} do not have the dimensions of the shape {shape:?}"));
    }
    if chunk_shape.contains(&0) {
        return Err(format!("chunk shape {chunk_shape:?}, expected every length to be at least 1"));
    }
    let product = |lengths: &[u64]| lengths.iter().try_fold(1u64, |cells, &length| cells.checked_mul(length));
    let cell_size = metadata.stored_type.size().unwrap_or(1) as u64;
    if product(shape).and_then(|cells| cells.checked_mul(cell_size)).is_none_or(|bytes| bytes > i64::MAX as u64) {
        return Err(format!("shape {shape:?}: its bytes do not fit in 63 bits"));
    }
    let limit = if metadata.stored_type.size().is_some() { MAX_CHUNK_BYTES } else { MAX_CHUNK_TEXTS };
    if product(chunk_shape).and_then(|cells| cells.checked_mul(cell_size)).is_none_or(|bytes| bytes > limit) {
        return Err(format!("chunk shape {chunk_shape:?}: a chunk of more than {limit} bytes"));
    }
    // The end of the last chunk of each dimension is computed in 64 bits.
    if shape.iter().zip(chunk_shape).any(|(cells, chunk)| cells.checked_add(*chunk).is_none()) {
        return Err(format!("shape {shape:?} with chunks {chunk_shape:?} does not fit in 64 bits"));
    }
    if let Some(names) = &metadata.dimension_names
        && names.len() != shape.len()
    {
        return Err(format!("{} dimension names for the shape {shape:?}", names.len()));
    }
    Ok(())
}

/// An error of the metadata.
fn invalid(array: &str, message: impl Into<String>) -> SourceError {
    SourceError::Metadata { array: array.to_string(), message: message.into() }
}

/// A list of lengths.
fn lengths(array: &str, what: &str, value: Option<&Value>) -> Result<Vec<u64>, SourceError> {
    let list = value.and_then(Value::as_array).and_then(|list| list.iter().map(Value::as_u64).collect());
    list.ok_or_else(|| invalid(array, format!("{what} is {}, expected a list of lengths", shown(value))))
}

/// A value as a message shows it.
fn shown(value: Option<&Value>) -> String {
    let text = value.map_or("not there".to_string(), Value::to_string);
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A name without the prefix that v3 gives to the codecs of numcodecs.
fn plain_name(name: &str) -> String {
    name.strip_prefix("numcodecs.")
        .or_else(|| name.strip_prefix("https://codec.zarrs.dev/"))
        .unwrap_or(name)
        .to_string()
}
