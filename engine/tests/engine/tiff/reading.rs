//! Reads whole files, for comparisons.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef};
use quarray_engine::AccessPolicy;
use quarray_engine::array::Region;
use quarray_engine::dataset::{Dataset, Variable};
use quarray_engine::source::{SourceError, open};
use serde_json::Value;

/// The folder of test data.
pub fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/tiff").join(path)
}

/// What GDAL reads in the files of a folder.
pub fn golden(path: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The dataset of a file.
pub async fn open_file(path: &Path, options: &[(&str, &str)]) -> Result<Dataset, SourceError> {
    let options = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    open::open(path.to_str().unwrap(), &options, &AccessPolicy::everything()).await
}

/// The dataset of a file with the values that are stored.
pub async fn open_stored(path: &Path, overview: usize) -> Result<Dataset, SourceError> {
    open_file(path, &[("decode_cf", "false"), ("overview", &overview.to_string())]).await
}

/// Every chunk of a variable: the region that it covers, and its values. Every second one is read in two pieces.
pub async fn chunks(variable: &Variable) -> Result<Vec<(Region, ArrayRef)>, SourceError> {
    let grid = variable.array.grid();
    let counts = grid.chunk_counts();
    let mut found = Vec::new();
    for number in 0..counts.iter().product::<u64>() {
        let index = index_of(number, &counts);
        let region = grid.chunk_region(&index);
        let chunk = variable.array.fetch(&index).await?;
        assert!(chunk.memory_size() >= chunk.encoded_size());
        let columns = region.shape.last().copied().unwrap_or(1);
        let cut = if number % 2 == 1 { columns / 2 } else { 0 };
        for (start, end) in [(0, cut), (cut, columns)].into_iter().filter(|(start, end)| start < end) {
            let (mut piece, mut place) = (Region::whole(&region.shape), region.clone());
            if let Some(last) = region.rank().checked_sub(1) {
                (piece.start[last], piece.shape[last]) = (start, end - start);
                (place.start[last], place.shape[last]) = (region.start[last] + start, end - start);
            }
            let values = chunk.read(&piece)?;
            assert_eq!(values.data_type(), &variable.data_type, "{}", variable.name);
            assert_eq!(Some(values.len() as u64), piece.cells());
            found.push((place, values));
        }
    }
    Ok(found)
}

/// The index of the chunk with a number in C order.
pub fn index_of(number: u64, counts: &[u64]) -> Vec<u64> {
    let mut rest = number;
    let mut index = vec![0; counts.len()];
    for d in (0..counts.len()).rev() {
        index[d] = rest % counts[d];
        rest /= counts[d];
    }
    index
}

/// All cells of a variable of three dimensions as bytes, in C order.
pub async fn bytes_of(variable: &Variable) -> Result<Vec<u8>, SourceError> {
    let shape = variable.shape().to_vec();
    let size = variable.data_type.primitive_width().unwrap();
    let mut bytes = vec![0; shape.iter().product::<u64>() as usize * size];
    for (region, values) in chunks(variable).await? {
        let data = values.to_data();
        let values = &data.buffers()[0].as_slice()[data.offset() * size..];
        let row_bytes = region.shape[2] as usize * size;
        for (number, row) in
            values.chunks_exact(row_bytes).take((region.shape[0] * region.shape[1]) as usize).enumerate()
        {
            let band = region.start[0] + number as u64 / region.shape[1];
            let y = region.start[1] + number as u64 % region.shape[1];
            let at = ((band * shape[1] + y) * shape[2] + region.start[2]) as usize * size;
            bytes[at..at + row_bytes].copy_from_slice(row);
        }
    }
    Ok(bytes)
}

/// The cells of a variable as floats, in C order: missing ones are none.
pub async fn floats_of(variable: &Variable) -> Result<Vec<Option<f64>>, SourceError> {
    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Float64Type};
    let shape = variable.shape().to_vec();
    let mut cells = vec![None; shape.iter().product::<u64>() as usize];
    for (region, values) in chunks(variable).await? {
        let floats = arrow::compute::cast(&values, &DataType::Float64).unwrap();
        let floats = floats.as_primitive::<Float64Type>();
        for number in 0..floats.len() {
            let rest = number as u64 / region.shape[2];
            let x = region.start[2] + number as u64 % region.shape[2];
            let (band, y) = (region.start[0] + rest / region.shape[1], region.start[1] + rest % region.shape[1]);
            let is_there = floats.is_valid(number) && !(variable.nan_is_missing && floats.value(number).is_nan());
            cells[((band * shape[1] + y) * shape[2] + x) as usize] = is_there.then(|| floats.value(number));
        }
    }
    Ok(cells)
}
