//! Labels that are known when a dataset is opened.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::array::{ChunkGrid, Region};
use crate::dataset::{Encoding, Role, Variable};
use crate::source::{ArraySource, Chunk, SourceError};

/// Labels of a dimension, all of them one chunk.
#[derive(Debug, Clone)]
struct KnownArray {
    name: String,
    grid: ChunkGrid,
    values: ArrayRef,
}

/// The index coordinate of a dimension with known labels.
pub(in crate::source) fn known_index(name: &str, values: ArrayRef, attributes: Map<String, Value>) -> Variable {
    let length = values.len() as u64;
    let data_type = values.data_type().clone();
    let stored_type = format!("{data_type}").to_lowercase();
    Variable {
        name: name.to_string(),
        dimensions: vec![name.to_string()],
        role: Role::Index,
        nan_is_missing: data_type.is_floating(),
        data_type,
        calendar: None,
        attributes,
        encoding: Encoding { stored_type, codecs: "computed".to_string(), ..Encoding::default() },
        array: Arc::new(KnownArray {
            name: name.to_string(),
            grid: ChunkGrid::new(vec![length], vec![length.max(1)]),
            values,
        }),
    }
}

#[async_trait]
impl ArraySource for KnownArray {
    fn grid(&self) -> &ChunkGrid {
        &self.grid
    }

    async fn fetch(&self, _chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Chunk for KnownArray {
    async fn wait(&self, _region: &Region) -> Result<(), SourceError> {
        Ok(())
    }

    fn read(&self, region: &Region) -> Result<ArrayRef, SourceError> {
        let (start, count) = (region.start.first().copied().unwrap_or(0), region.shape.first().copied().unwrap_or(1));
        match start.checked_add(count).filter(|&end| end <= self.values.len() as u64) {
            Some(_) => Ok(self.values.slice(start as usize, count as usize)),
            None => Err(SourceError::Chunk {
                array: self.name.clone(),
                chunk: vec![0],
                message: format!("cells {start} and {count} more: there are {}", self.values.len()),
            }),
        }
    }

    fn encoded_size(&self) -> usize {
        0
    }

    fn memory_size(&self) -> usize {
        0
    }
}
