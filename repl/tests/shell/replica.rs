//! A year of the Daymet store for Hawaii, made up: its dimensions, its one chunk of a year, its codec and its islands
//! in a sea of missing cells. Every value comes out of whole numbers, so that it is the same on every machine.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimeUnit};
use quarray_engine::array::Region;
use quarray_engine::dataset::Dimension;
use quarray_engine::sink::zarr::{Codec, Shuffle, StoreSchema, VariableSchema, ZarrWriter};
use quarray_engine::source::store::StoreOptions;

pub const DAYS: usize = 365;
pub const ROWS: usize = 584;
pub const COLUMNS: usize = 284;
const CELLS: usize = ROWS * COLUMNS;

/// Row, column, radius in cells, height in metres.
const ISLANDS: [[i64; 4]; 6] = [
    [430, 190, 55, 4200],
    [300, 150, 30, 3000],
    [270, 120, 16, 1000],
    [215, 95, 24, 1200],
    [190, 40, 20, 1500],
    [330, 120, 12, 450],
];

/// The height of the land in metres, row by row; none in the sea.
pub fn heights() -> Vec<Option<i64>> {
    let height = |cell: usize| {
        let (row, column) = ((cell / COLUMNS) as i64, (cell % COLUMNS) as i64);
        let of_island = |[r, c, radius, height]: [i64; 4]| {
            let left = radius * radius - (row - r).pow(2) - (column - c).pow(2);
            (left > 0).then(|| height * left / (radius * radius))
        };
        ISLANDS.into_iter().filter_map(of_island).max()
    };
    (0..CELLS).map(height).collect()
}

/// The minimum temperature of a day in a place, a whole number of hundredths of a degree.
pub fn tmin(day: usize, cell: usize, height: i64) -> f32 {
    let season = (day as i64 + 285) % 365;
    let season = season.min(365 - season) * 800 / 182 - 400;
    // Neighbours differ, and the same cell does from day to day.
    let noise = (day as u64 * 1_000_003 + cell as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let hundredths = 1600 + season - height * 65 / 100 + (noise % 241) as i64 - 120;
    (hundredths as f64 / 100.0) as f32
}

/// The mean over space of each day: the cells that are not missing, one after the other.
pub fn means() -> Vec<f64> {
    let heights = heights();
    let land: Vec<(usize, i64)> =
        heights.iter().enumerate().filter_map(|(cell, height)| Some((cell, (*height)?))).collect();
    let sum = |day: usize| land.iter().map(|&(cell, height)| f64::from(tmin(day, cell, height))).sum::<f64>();
    (0..DAYS).map(|day| sum(day) / land.len() as f64).collect()
}

/// Writes the store: Zarr 2 with consolidated metadata.
pub async fn write(folder: &Path) {
    let target = folder.to_str().unwrap();
    let mut writer = ZarrWriter::create(target, &StoreOptions::new(), schema(), false).await.unwrap();
    let noon = 315_576_000_000_000;
    let times = (0..DAYS as i64).map(|day| noon + day * 86_400_000_000);
    let floats = |values: &mut dyn Iterator<Item = f32>| Arc::new(Float32Array::from_iter_values(values)) as ArrayRef;
    let coordinates = [
        Arc::new(TimestampMicrosecondArray::from_iter_values(times)) as ArrayRef,
        floats(&mut (0..ROWS).map(|row| -39_000.0 - 1000.0 * row as f32)),
        floats(&mut (0..COLUMNS).map(|column| -5_802_250.0 + 1000.0 * column as f32)),
        floats(&mut (0..CELLS).map(|cell| 23.5186 - (cell / COLUMNS) as f32 * 0.0095)),
        floats(&mut (0..CELLS).map(|cell| -160.3056 + (cell % COLUMNS) as f32 * 0.0195)),
    ];
    let (rows, columns) = (ROWS as u64, COLUMNS as u64);
    let shapes: [&[u64]; 5] = [&[DAYS as u64], &[rows], &[columns], &[rows, columns], &[rows, columns]];
    for (number, (values, shape)) in coordinates.iter().zip(shapes).enumerate() {
        writer.write(number, &Region::whole(shape), values).await.unwrap();
    }
    let heights = heights();
    for day in 0..DAYS {
        let cell = |(cell, height): (usize, &Option<i64>)| height.map_or(f32::NAN, |height| tmin(day, cell, height));
        let values = floats(&mut heights.iter().enumerate().map(cell));
        let region = Region::new(vec![day as u64, 0, 0], vec![1, rows, columns]);
        writer.write(5, &region, &values).await.unwrap();
    }
    writer.finish().await.unwrap();
}

fn schema() -> StoreSchema {
    let dimension = |name: &str, length: usize| Dimension { name: name.to_string(), length: length as u64 };
    let mut schema = StoreSchema::new(vec![dimension("time", DAYS), dimension("y", ROWS), dimension("x", COLUMNS)]);
    let map: [u64; 2] = [ROWS as u64, COLUMNS as u64];
    schema.variables = vec![
        variable("time", &["time"], &[DAYS as u64], "days since 1980-01-01 12:00:00"),
        variable("y", &["y"], &map[..1], "m"),
        variable("x", &["x"], &map[1..], "m"),
        variable("lat", &["y", "x"], &map, "degrees_north"),
        variable("lon", &["y", "x"], &map, "degrees_east"),
        variable("tmin", &["time", "y", "x"], &[DAYS as u64, map[0], map[1]], "degrees C"),
    ];
    schema.codec = Codec::Blosc { cname: "lz4".to_string(), level: 5, shuffle: Shuffle::Byte };
    schema.zarr_version = 2;
    schema
}

pub fn variable(name: &str, dimensions: &[&str], chunk_shape: &[u64], units: &str) -> VariableSchema {
    let is_time = name == "time";
    VariableSchema {
        name: name.to_string(),
        dimensions: dimensions.iter().map(ToString::to_string).collect(),
        data_type: if is_time { DataType::Timestamp(TimeUnit::Microsecond, None) } else { DataType::Float32 },
        chunk_shape: chunk_shape.to_vec(),
        attributes: [("units".to_string(), units.into())].into_iter().collect(),
        nan_is_missing: !is_time,
        calendar: None,
        coordinate: matches!(name, "lat" | "lon"),
        packing: None,
    }
}
