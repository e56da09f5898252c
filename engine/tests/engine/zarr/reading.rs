//! Reads whole variables, for comparisons.

use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::*;
use quarray_engine::array::Region;
use quarray_engine::dataset::{Dataset, Variable};
use quarray_engine::source::SourceError;
use quarray_engine::source::store::Store;
use quarray_engine::source::zarr::{DecodeOptions, open};

/// The folder of test data.
pub fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(path)
}

/// The folder of the wide corpora, where the environment names it.
pub fn shared_data(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("QUARRAY_SHARED_DATA").map(|folder| PathBuf::from(folder).join(path));
    if folder.is_none() {
        println!("skipped: QUARRAY_SHARED_DATA is not set");
    }
    folder
}

/// The dataset at a path.
pub async fn open_path(path: &Path, options: &DecodeOptions) -> Result<Dataset, SourceError> {
    open(Store::open(path.to_str().unwrap(), &Default::default())?, options).await
}

/// The only variable at a path, as it is stored.
pub async fn open_array(path: &Path) -> Result<Variable, SourceError> {
    let as_stored = DecodeOptions { decode_cf: false, nan_as_null: true };
    let dataset = open_path(path, &as_stored).await?;
    assert_eq!(dataset.variables.len(), 1);
    Ok(dataset.variables[0].clone())
}

/// All chunks of a variable: the region each covers, and its values. Every second one is read in two pieces.
pub async fn chunks(variable: &Variable) -> Result<Vec<(Region, ArrayRef)>, SourceError> {
    let mut chunks = Vec::new();
    for number in 0..variable.array.grid().chunk_counts().iter().product::<u64>() {
        chunks.extend(chunk(variable, number).await?);
    }
    Ok(chunks)
}

/// The chunk with a number in C order, in one piece or two.
async fn chunk(variable: &Variable, number: u64) -> Result<Vec<(Region, ArrayRef)>, SourceError> {
    let grid = variable.array.grid();
    let counts = grid.chunk_counts();
    let mut rest = number;
    let mut index = vec![0; counts.len()];
    for d in (0..counts.len()).rev() {
        index[d] = rest % counts[d];
        rest /= counts[d];
    }
    let region = grid.chunk_region(&index);
    let chunk = variable.array.fetch(&index).await?;
    assert!(chunk.memory_size() >= chunk.encoded_size().min(1));
    let pieces = match region.shape.last() {
        Some(&row) if row > 1 && number % 2 == 1 => vec![(0, row / 2), (row / 2, row - row / 2)],
        Some(&row) => vec![(0, row)],
        None => vec![(0, 1)],
    };
    let mut found = Vec::new();
    for (start, length) in pieces {
        let mut piece = Region::whole(&region.shape);
        let mut place = region.clone();
        if let Some(last) = region.rank().checked_sub(1) {
            (piece.start[last], piece.shape[last]) = (start, length);
            (place.start[last], place.shape[last]) = (region.start[last] + start, length);
        }
        let values = chunk.read(&piece)?;
        assert_eq!(values.data_type(), &variable.data_type, "{}", variable.name);
        assert_eq!(Some(values.len() as u64), piece.cells());
        found.push((place, values));
    }
    Ok(found)
}

/// The cells of a variable in C order, each made of one value of a chunk.
pub async fn cells<T: Clone + Default>(
    variable: &Variable,
    values_of: impl Fn(&ArrayRef) -> Vec<T>,
) -> Result<Vec<T>, SourceError> {
    let shape = variable.shape();
    let mut cells = vec![T::default(); shape.iter().product::<u64>() as usize];
    for (region, values) in chunks(variable).await? {
        for (number, value) in values_of(&values).into_iter().enumerate() {
            let (mut rest, mut at, mut stride) = (number as u64, 0, 1);
            for d in (0..shape.len()).rev() {
                at += (region.start[d] + rest % region.shape[d]) * stride;
                rest /= region.shape[d];
                stride *= shape[d];
            }
            cells[at as usize] = value;
        }
    }
    Ok(cells)
}

/// Hands over the bytes of the cells in C order, all cells of as many bytes, one row of chunks at a time: arrays of
/// hundreds of millions of cells neither fit in memory twice nor want a step for each cell.
pub async fn each_row_of_chunks(
    variable: &Variable,
    bytes_of: impl Fn(&ArrayRef) -> Vec<u8>,
    mut visit: impl FnMut(&[u8]),
) -> Result<(), SourceError> {
    let grid = variable.array.grid();
    let counts = grid.chunk_counts();
    let chunks_of_a_row: u64 = counts.iter().skip(1).product();
    for row in 0..counts.first().copied().unwrap_or(1) {
        let mut shape = grid.shape().to_vec();
        let mut first = 0;
        if let (Some(length), Some(chunk_length)) = (shape.first_mut(), grid.chunk_shape().first()) {
            first = row * chunk_length;
            *length = (*length - first).min(*chunk_length);
        }
        let mut bytes = Vec::new();
        for number in row * chunks_of_a_row..(row + 1) * chunks_of_a_row {
            for (mut region, values) in chunk(variable, number).await? {
                let cells = bytes_of(&values);
                let width = cells.len() / values.len();
                bytes.resize(shape.iter().product::<u64>() as usize * width, 0);
                region.start.iter_mut().take(1).for_each(|start| *start -= first);
                put(&cells, width, &region, &shape, &mut bytes);
            }
        }
        visit(&bytes);
    }
    Ok(())
}

/// Puts the cells of a region, each of `width` bytes, where they belong in those of `shape`.
fn put(cells: &[u8], width: usize, region: &Region, shape: &[u64], to: &mut [u8]) {
    let run = region.shape.last().map_or(1, |&length| length as usize) * width;
    for (number, cells) in cells.chunks_exact(run).enumerate() {
        let (mut rest, mut at, mut stride) = (number as u64, 0, 1);
        for d in (0..shape.len()).rev() {
            at += region.start[d] * stride;
            if d + 1 < shape.len() {
                at += rest % region.shape[d] * stride;
                rest /= region.shape[d];
            }
            stride *= shape[d];
        }
        let at = at as usize * width;
        to[at..at + run].copy_from_slice(cells);
    }
}

/// The little-endian bytes of all values, as stored.
pub fn stored_bytes(values: &ArrayRef, stored_type: &str) -> Vec<u8> {
    match values.data_type() {
        DataType::Boolean => values.as_boolean().values().iter().map(u8::from).collect(),
        DataType::Float32 if stored_type.ends_with("16") || stored_type.ends_with("f2") => {
            let half = |&value: &f32| <Float16Type as ArrowPrimitiveType>::Native::from_f32(value).to_le_bytes();
            values.as_primitive::<Float32Type>().values().iter().flat_map(half).collect()
        }
        other => {
            let width = other.primitive_width().unwrap();
            let data = values.to_data();
            data.buffers()[0].as_slice()[data.offset() * width..][..data.len() * width].to_vec()
        }
    }
}

/// The texts of an array of texts or bytes.
pub fn texts(values: &ArrayRef) -> Vec<String> {
    match values.data_type() {
        DataType::Utf8 => values.as_string::<i32>().iter().map(|text| text.unwrap().to_string()).collect(),
        _ => {
            let text = |bytes: Option<&[u8]>| format!("b'{}'", std::str::from_utf8(bytes.unwrap()).unwrap());
            values.as_binary::<i32>().iter().map(text).collect()
        }
    }
}
