//! The classic formats: CDF-1, CDF-2 (64-bit places) and CDF-5 (64-bit sizes).
//!
//! The format: <https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html>.

mod bytes;
mod header;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::blocks::BlockFile;
use super::cells::CellType;
use super::describe::Described;
use super::place::{Place, contiguous_chunks, record_chunks};
use crate::source::SourceError;
use bytes::Failure;
use header::{Header, RawVariable};

/// Bytes of a header that are read first; four times as many each time they do not suffice.
const HEADER_BYTES: u64 = 64 << 10;

/// The longest header.
const HEADER_BYTES_MAX: u64 = 64 << 20;

/// What the header of a file says.
pub(super) async fn describe(file: &Arc<BlockFile>) -> Result<(Vec<Described>, Map<String, Value>), SourceError> {
    let wrong = |message: String| SourceError::Metadata { array: file.uri().to_string(), message };
    let mut length = HEADER_BYTES.min(file.size());
    let header = loop {
        let bytes = file.read_blocks(0..length).await?;
        match Header::parse(&bytes) {
            Ok(header) => break header,
            Err(Failure::Wrong(message)) => return Err(wrong(message)),
            Err(Failure::CutOff) if length == file.size() => {
                return Err(wrong(format!("the file ends after {length} bytes, within its header")));
            }
            Err(Failure::CutOff) if length == HEADER_BYTES_MAX => {
                return Err(wrong(format!("its header has more than {HEADER_BYTES_MAX} bytes")));
            }
            Err(Failure::CutOff) => length = (4 * length).min(file.size()).min(HEADER_BYTES_MAX),
        }
    };
    let stride = header.record_bytes().ok_or_else(|| wrong("its records do not fit in 64 bits".to_string()))?;
    let records = match header.records {
        Some(records) => records,
        // It was being written: as many as there are.
        None => header.first_record().map_or(0, |first| file.size().saturating_sub(first) / stride.max(1)),
    };
    let Header { variables, dimensions, attributes, .. } = header;
    let described = variables.into_iter().map(|variable| describe_one(variable, &dimensions, records, stride));
    let described: Result<Vec<Described>, String> = described.collect();
    Ok((described.map_err(wrong)?, attributes))
}

fn describe_one(variable: RawVariable, all: &[(String, u64)], records: u64, stride: u64) -> Result<Described, String> {
    let is_record = variable.is_record(all);
    let mut dimensions: Vec<(String, u64)> = Vec::with_capacity(variable.dimensions.len());
    for (place, &number) in variable.dimensions.iter().enumerate() {
        let (name, length) =
            all.get(number).ok_or_else(|| format!("{}: there is no dimension {number}", variable.name))?;
        let length = if place == 0 && is_record { records } else { *length };
        dimensions.push((name.clone(), length));
    }
    let cell = match variable.number {
        Some(number) => CellType::Number { number, is_big_endian: true },
        // The last dimension of characters is that of a text's, unless there are as many texts as records.
        None => {
            let last = if is_record && dimensions.len() == 1 { None } else { dimensions.pop() };
            let size = last.map_or(1, |(_, length)| length);
            let size = usize::try_from(size).map_err(|_| format!("{}: texts of {size} bytes", variable.name))?;
            CellType::Characters { size, ends_with_zero: false, is_blank_padded: false }
        }
    };
    let shape: Vec<u64> = dimensions.iter().map(|(_, length)| *length).collect();
    let (place, chunk_shape) = match is_record {
        true => (Place::Records { start: variable.begin, stride }, record_chunks(&shape, cell.size())),
        false => (Place::Contiguous(variable.begin), contiguous_chunks(&shape, cell.size())),
    };
    let RawVariable { name, attributes, .. } = variable;
    Ok(Described { name, dimensions, attributes, cell, place, chunk_shape, fill: None, codecs: String::new() })
}
