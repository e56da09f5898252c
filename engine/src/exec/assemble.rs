//! A box of cells put together from the chunks it lies in.

use arrow::array::{Array, ArrayRef, MutableArrayData, make_array};
use datafusion::common::internal_err;
use datafusion::error::Result;

use crate::array::{ChunkGrid, Region};
use crate::source::Chunk;
use std::sync::Arc;

/// Waits until the cells of `region` can be read from the chunks that hold them.
pub async fn wait_for_box(grid: &ChunkGrid, region: &Region, chunks: &[Arc<dyn Chunk>]) -> Result<()> {
    for (index, chunk) in indexes(&grid.chunks_of(region)).zip(chunks) {
        let whole = grid.chunk_region(&index);
        if let Some(part) = whole.intersection(region) {
            chunk.wait(&part.relative_to(&whole.start)).await.map_err(external)?;
        }
    }
    Ok(())
}

/// The cells of `region` of an array, from the chunks that hold them (`chunks`, in C order over `grid.chunks_of(region)`).
pub fn read_box(grid: &ChunkGrid, region: &Region, chunks: &[Arc<dyn Chunk>]) -> Result<ArrayRef> {
    let index_box = grid.chunks_of(region);
    let pieces = indexes(&index_box)
        .zip(chunks)
        .map(|(index, chunk)| {
            let whole = grid.chunk_region(&index);
            let Some(part) = whole.intersection(region) else {
                return internal_err!("chunk {index:?} holds no cell of {region:?}");
            };
            Ok((part.clone(), chunk.read(&part.relative_to(&whole.start)).map_err(external)?))
        })
        .collect::<Result<Vec<_>>>()?;
    match pieces.as_slice() {
        [(_, only)] => Ok(Arc::clone(only)),
        _ => put_together(region, &index_box.shape, &pieces),
    }
}

/// An error of a store inside DataFusion's.
pub fn external(error: crate::source::SourceError) -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::External(Box::new(error))
}

/// Every index of a box, in C order.
pub fn indexes(index_box: &Region) -> impl Iterator<Item = Vec<u64>> + '_ {
    let count = index_box.cells().unwrap_or(0);
    (0..count).map(|mut linear| {
        let mut index = index_box.start.clone();
        for dimension in (0..index.len()).rev() {
            index[dimension] += linear % index_box.shape[dimension];
            linear /= index_box.shape[dimension];
        }
        index
    })
}

/// Copies runs along the last dimension, row by row of the box; the pieces form a grid of `counts`.
fn put_together(region: &Region, counts: &[u64], pieces: &[(Region, ArrayRef)]) -> Result<ArrayRef> {
    let rank = region.rank();
    let last = rank - 1;
    let data: Vec<_> = pieces.iter().map(|(_, values)| values.to_data()).collect();
    let mut output = MutableArrayData::new(data.iter().collect(), false, region.cells().unwrap_or(0) as usize);
    let rows = Region::new(region.start[..last].to_vec(), region.shape[..last].to_vec());
    for row in indexes(&rows) {
        let outer = (0..last).fold(0, |linear, d| linear * counts[d] + piece_along(pieces, counts, d, row[d]));
        for k in 0..counts[last] {
            let number = (outer * counts[last] + k) as usize;
            let piece = &pieces[number].0;
            let offset =
                (0..last).fold(0, |flat, d| flat * piece.shape[d] + row[d] - piece.start[d]) * piece.shape[last];
            output.try_extend(number, offset as usize, (offset + piece.shape[last]) as usize)?;
        }
    }
    Ok(make_array(output.freeze()))
}

/// Which of the pieces along a dimension holds a position.
fn piece_along(pieces: &[(Region, ArrayRef)], counts: &[u64], dimension: usize, position: u64) -> u64 {
    let stride: u64 = counts[dimension + 1..].iter().product();
    let along = |k: u64| &pieces[(k * stride) as usize].0;
    let (mut low, mut high) = (0, counts[dimension]);
    while high - low > 1 {
        let middle = (low + high) / 2;
        match along(middle).start[dimension] <= position {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}
