//! What GDAL makes of the same cells: `tests/data/warp/golden.json`, by the script beside it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use async_trait::async_trait;
use serde_json::{Map, Value};

use super::array::WarpedArray;
use super::plan::WarpPlan;
use super::resample::{Method, Resampler};
use super::{Affine, Crs, GeoBox, suggested};
use crate::array::{ChunkGrid, Region};
use crate::dataset::{Encoding, Role, Variable};
use crate::source::{ArraySource, Chunk, SourceError};

type Failure = Box<dyn std::error::Error>;

/// Cells in memory, in chunks of 16 × 16; those of the second plane are higher by a thousand.
#[derive(Debug, Clone)]
struct Cells {
    grid: ChunkGrid,
    values: Arc<Vec<f64>>,
    region: Region,
}

#[async_trait]
impl ArraySource for Cells {
    fn grid(&self) -> &ChunkGrid {
        &self.grid
    }

    async fn fetch(&self, chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError> {
        Ok(Arc::new(Self { region: self.grid.chunk_region(chunk), ..self.clone() }))
    }
}

#[async_trait]
impl Chunk for Cells {
    async fn wait(&self, _region: &Region) -> Result<(), SourceError> {
        Ok(())
    }

    fn read(&self, region: &Region) -> Result<ArrayRef, SourceError> {
        let mut cells = Vec::new();
        for plane in 0..region.shape[0] {
            for row in 0..region.shape[1] {
                for column in 0..region.shape[2] {
                    let at = |d: usize, inner: u64| self.region.start[d] + region.start[d] + inner;
                    let width = self.grid.shape()[2];
                    let value = self.values[(at(1, row) * width + at(2, column)) as usize];
                    cells.push(value + 1000.0 * at(0, plane) as f64);
                }
            }
        }
        Ok(Arc::new(Float64Array::from(cells)))
    }

    fn encoded_size(&self) -> usize {
        0
    }

    fn memory_size(&self) -> usize {
        0
    }
}

fn golden() -> Result<Value, Failure> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/warp/golden.json");
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}

fn geobox(value: &Value) -> Result<GeoBox, Failure> {
    let numbers: Vec<f64> =
        value["transform"].as_array().ok_or("transform")?.iter().filter_map(Value::as_f64).collect();
    let transform = Affine(numbers.try_into().map_err(|_| "six numbers")?);
    let (width, height) = (value["width"].as_u64().ok_or("width")?, value["height"].as_u64().ok_or("height")?);
    Ok(GeoBox { crs: Crs::parse(value["crs"].as_str().ok_or("crs")?)?, transform, width, height })
}

fn numbers(value: &Value) -> Result<Vec<f64>, Failure> {
    let all = value["values"].as_array().ok_or("values")?;
    Ok(all.iter().map(|number| number.as_f64().unwrap_or(f64::NAN)).collect())
}

/// Both planes of the source in another grid.
async fn warped(source: &Value, target: &GeoBox, method: Method) -> Result<Vec<f64>, Failure> {
    let from = geobox(source)?;
    let grid = ChunkGrid::new(vec![2, from.height, from.width], vec![2, 16, 16]);
    let cells = Cells { grid, values: Arc::new(numbers(source)?), region: Region::whole(&[]) };
    let plan = Arc::new(WarpPlan::new(from, target.clone(), method)?);
    let resampler = Resampler::of(method, &DataType::Float64, true);
    let variable = Variable {
        name: "v".to_string(),
        dimensions: ["band", "y", "x"].map(String::from).to_vec(),
        role: Role::Data,
        data_type: DataType::Float64,
        nan_is_missing: true,
        calendar: None,
        attributes: Map::new(),
        encoding: Encoding::default(),
        array: Arc::new(cells.clone()),
    };
    let array = WarpedArray::new(Arc::new(cells), plan, &resampler, variable, "memory");
    let mut found = vec![f64::NAN; (2 * target.width * target.height) as usize];
    let counts = array.grid().chunk_counts();
    for row in 0..counts[1] {
        for column in 0..counts[2] {
            let index = [0, row, column];
            let whole = array.grid().chunk_region(&index);
            let chunk = array.fetch(&index).await?;
            // One row at a time, as a reader that is short of memory would.
            for plane in 0..2 {
                for line in 0..whole.shape[1] {
                    let part = Region::new(vec![plane, line, 0], vec![1, 1, whole.shape[2]]);
                    let values = chunk.read(&part)?;
                    let values = values.as_primitive::<Float64Type>();
                    let start = (plane * target.height + whole.start[1] + line) * target.width + whole.start[2];
                    for cell in 0..values.len() {
                        found[start as usize + cell] = values.value(cell);
                    }
                }
            }
        }
    }
    Ok(found)
}

#[tokio::test]
async fn cells_are_those_of_gdal() -> Result<(), Failure> {
    let golden = golden()?;
    let mut wrong = Vec::new();
    for case in golden["cases"].as_array().ok_or("cases")? {
        let (name, target) = (case["name"].as_str().ok_or("name")?, geobox(case)?);
        let method = Method::parse(case["method"].as_str().ok_or("method")?)?;
        let (found, expected) = (warped(&golden["source"], &target, method).await?, numbers(case)?);
        // GDAL and PROJ round in other places than we do, and a cell between two others is a matter of rounding.
        let tolerance = if method == Method::Nearest { 0.0 } else { 1e-6 };
        for (number, &value) in found.iter().enumerate() {
            let expected_value = expected[number % expected.len()] + if number < expected.len() { 0.0 } else { 1000.0 };
            let is_same = (value.is_nan() && expected_value.is_nan())
                || (value - expected_value).abs() <= tolerance * expected_value.abs().max(1.0);
            if !is_same {
                wrong.push(format!("{name}: cell {number}: {value}, expected {expected_value}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells, the first: {:#?}", wrong.len(), wrong.iter().take(20).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn grids_are_those_of_gdal() -> Result<(), Failure> {
    let golden = golden()?;
    let source = geobox(&golden["source"])?;
    for case in golden["suggested"].as_array().ok_or("suggested")? {
        let expected = geobox(case)?;
        let found = suggested(&source, &expected.crs, None)?;
        let difference = found.transform.0.iter().zip(expected.transform.0);
        let is_near = difference.into_iter().all(|(a, b)| (a - b).abs() <= 1e-6 * b.abs().max(1e-3));
        assert!(
            is_near && found.width.abs_diff(expected.width) <= 1 && found.height.abs_diff(expected.height) <= 1,
            "{found:?}, expected {expected:?}"
        );
    }
    Ok(())
}
