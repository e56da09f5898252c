//! Small Zarr stores written by hand: no compression, every byte known, so that tests can also break them.

use std::fmt::Write as _;
use std::path::Path;

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    F4,
    F8,
    I2,
    I4,
    I8,
    U1,
}

/// An array to write. Missing cells are NaN in floats and [`FILL`] in integers.
#[derive(Debug, Clone)]
pub struct ArrayToWrite {
    pub name: String,
    pub dimensions: Vec<String>,
    pub shape: Vec<usize>,
    pub chunk_shape: Vec<usize>,
    pub stored: Stored,
    pub values: Vec<Option<f64>>,
    /// More attributes, as the inside of a JSON object.
    pub attributes: String,
}

/// The stored value of a missing integer.
pub const FILL: u8 = 250;

impl Stored {
    fn is_float(self) -> bool {
        matches!(self, Self::F4 | Self::F8)
    }

    fn name_v2(self) -> &'static str {
        match self {
            Self::F4 => "<f4",
            Self::F8 => "<f8",
            Self::I2 => "<i2",
            Self::I4 => "<i4",
            Self::I8 => "<i8",
            Self::U1 => "|u1",
        }
    }

    fn name_v3(self) -> &'static str {
        match self {
            Self::F4 => "float32",
            Self::F8 => "float64",
            Self::I2 => "int16",
            Self::I4 => "int32",
            Self::I8 => "int64",
            Self::U1 => "uint8",
        }
    }

    fn bytes(self, value: Option<f64>) -> Vec<u8> {
        let number = value.unwrap_or(if self.is_float() { f64::NAN } else { f64::from(FILL) });
        match self {
            Self::F4 => (number as f32).to_le_bytes().to_vec(),
            Self::F8 => number.to_le_bytes().to_vec(),
            Self::I2 => (number as i16).to_le_bytes().to_vec(),
            Self::I4 => (number as i32).to_le_bytes().to_vec(),
            Self::I8 => (number as i64).to_le_bytes().to_vec(),
            Self::U1 => vec![number as u8],
        }
    }
}

/// Writes a store of `version` 2 or 3; chunks of nothing but missing cells are left out when `sparse`.
pub fn write_store(folder: &Path, version: u8, sparse: bool, arrays: &[ArrayToWrite]) {
    std::fs::create_dir_all(folder).unwrap();
    match version {
        2 => std::fs::write(folder.join(".zgroup"), r#"{"zarr_format":2}"#).unwrap(),
        _ => std::fs::write(folder.join("zarr.json"), r#"{"zarr_format":3,"node_type":"group"}"#).unwrap(),
    }
    for array in arrays {
        let home = folder.join(&array.name);
        std::fs::create_dir_all(&home).unwrap();
        match version {
            2 => write_metadata_v2(&home, array),
            _ => write_metadata_v3(&home, array),
        }
        write_chunks(&home, version, sparse, array);
    }
}

fn write_metadata_v2(home: &Path, array: &ArrayToWrite) {
    let fill = if array.stored.is_float() { "\"NaN\"".to_string() } else { FILL.to_string() };
    let metadata = format!(
        r#"{{"zarr_format":2,"shape":{:?},"chunks":{:?},"dtype":"{}","compressor":null,"fill_value":{fill},"order":"C","filters":null}}"#,
        array.shape,
        array.chunk_shape,
        array.stored.name_v2()
    );
    std::fs::write(home.join(".zarray"), metadata).unwrap();
    let more = if array.attributes.is_empty() { String::new() } else { format!(",{}", array.attributes) };
    let attributes = format!(r#"{{"_ARRAY_DIMENSIONS":{:?}{more}}}"#, array.dimensions);
    std::fs::write(home.join(".zattrs"), attributes).unwrap();
}

fn write_metadata_v3(home: &Path, array: &ArrayToWrite) {
    let is_float = array.stored.is_float();
    let fill = if is_float { "\"NaN\"".to_string() } else { FILL.to_string() };
    let mut attributes = if is_float { String::new() } else { format!("\"_FillValue\":{FILL}") };
    if !array.attributes.is_empty() {
        let comma = if attributes.is_empty() { "" } else { "," };
        write!(attributes, "{comma}{}", array.attributes).unwrap();
    }
    let metadata = format!(
        r#"{{"zarr_format":3,"node_type":"array","shape":{:?},"data_type":"{}","chunk_grid":{{"name":"regular","configuration":{{"chunk_shape":{:?}}}}},"chunk_key_encoding":{{"name":"default","configuration":{{"separator":"/"}}}},"fill_value":{fill},"codecs":[{{"name":"bytes","configuration":{{"endian":"little"}}}}],"dimension_names":{:?},"attributes":{{{attributes}}}}}"#,
        array.shape,
        array.stored.name_v3(),
        array.chunk_shape,
        array.dimensions
    );
    std::fs::write(home.join("zarr.json"), metadata).unwrap();
}

fn write_chunks(home: &Path, version: u8, sparse: bool, array: &ArrayToWrite) {
    let counts: Vec<usize> =
        array.shape.iter().zip(&array.chunk_shape).map(|(cells, chunk)| cells.div_ceil(*chunk)).collect();
    for chunk in indexes(&counts) {
        let mut bytes = Vec::new();
        let mut is_empty = true;
        for inner in indexes(&array.chunk_shape) {
            let cell: Vec<usize> = (0..chunk.len()).map(|d| chunk[d] * array.chunk_shape[d] + inner[d]).collect();
            let is_inside = cell.iter().zip(&array.shape).all(|(at, length)| at < length);
            let value = if is_inside { array.values[offset(&cell, &array.shape)] } else { None };
            is_empty &= value.is_none();
            bytes.extend(array.stored.bytes(value));
        }
        if !(sparse && is_empty) {
            let path = home.join(chunk_key(&chunk, version));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}

fn chunk_key(chunk: &[usize], version: u8) -> String {
    let parts: Vec<String> = chunk.iter().map(ToString::to_string).collect();
    match version {
        2 if parts.is_empty() => "0".to_string(),
        2 => parts.join("."),
        _ => ["c".to_string()].into_iter().chain(parts).collect::<Vec<_>>().join("/"),
    }
}

/// Every index of an array of `shape`, in C order.
pub fn indexes(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let shape = shape.to_vec();
    (0..shape.iter().product::<usize>()).map(move |mut flat| {
        let mut index = vec![0; shape.len()];
        for dimension in (0..shape.len()).rev() {
            index[dimension] = flat % shape[dimension];
            flat /= shape[dimension];
        }
        index
    })
}

/// Where an index stands in C order.
pub fn offset(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |flat, (at, length)| flat * length + at)
}
