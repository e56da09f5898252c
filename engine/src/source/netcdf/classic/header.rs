//! The header of a classic file.

use serde_json::{Map, Value};

use super::bytes::{Failure, Reader};
use crate::source::netcdf::cells::text_of;
use crate::source::netcdf::describe::numbers;
use crate::source::zarr::number::Number;

/// What a header says.
#[derive(Debug)]
pub(super) struct Header {
    /// Records there are; `None` where whoever writes the file does not tell.
    pub records: Option<u64>,
    /// Names and lengths; that of records has none.
    pub dimensions: Vec<(String, u64)>,
    /// Of the file.
    pub attributes: Map<String, Value>,
    /// In the order of the file.
    pub variables: Vec<RawVariable>,
}

/// What it says of a variable.
#[derive(Debug)]
pub(super) struct RawVariable {
    /// Its name.
    pub name: String,
    /// Its dimensions, by their numbers.
    pub dimensions: Vec<usize>,
    /// Its attributes.
    pub attributes: Map<String, Value>,
    /// The numbers it has; `None` for characters.
    pub number: Option<Number>,
    /// Where its first cell is.
    pub begin: u64,
}

impl RawVariable {
    /// Whether its first dimension is that of records.
    pub fn is_record(&self, dimensions: &[(String, u64)]) -> bool {
        self.dimensions.first().and_then(|&first| dimensions.get(first)).is_some_and(|(_, length)| *length == 0)
    }

    /// Bytes of its cells, or of those in one record; `None` where they do not fit in 64 bits.
    fn bytes(&self, dimensions: &[(String, u64)]) -> Option<u64> {
        let skipped = usize::from(self.is_record(dimensions));
        let lengths =
            self.dimensions.iter().skip(skipped).map(|&number| dimensions.get(number).map(|(_, length)| *length));
        let size = self.number.map_or(1, Number::size) as u64;
        lengths.into_iter().try_fold(size, |bytes, length| bytes.checked_mul(length?))
    }
}

impl Header {
    /// Reads the header that a file begins with.
    pub fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader::new(bytes);
        let version = reader.take(4)?.last().copied().unwrap_or(0);
        (reader.has_wide_counts, reader.has_wide_places) = match version {
            1 => (false, false),
            2 => (false, true),
            5 => (true, true),
            other => {
                return Err(Failure::Wrong(format!("expected version 1, 2 or 5 of classic NetCDF, found {other}")));
            }
        };
        let records = reader.count()?;
        let unknown = if reader.has_wide_counts { u64::MAX } else { u64::from(u32::MAX) };
        let mut dimensions = Vec::new();
        for _ in 0..reader.list(10, "dimensions")? {
            dimensions.push((reader.name()?, reader.count()?));
        }
        let attributes = attributes(&mut reader)?;
        let mut variables = Vec::new();
        for _ in 0..reader.list(11, "variables")? {
            variables.push(variable(&mut reader)?);
        }
        Ok(Self { records: Some(records).filter(|&records| records != unknown), dimensions, attributes, variables })
    }

    fn records_of(&self) -> impl Iterator<Item = &RawVariable> {
        self.variables.iter().filter(|variable| variable.is_record(&self.dimensions))
    }

    /// Bytes from one record to the next; `None` where they do not fit in 64 bits.
    pub fn record_bytes(&self) -> Option<u64> {
        let mut sizes = self.records_of().map(|variable| variable.bytes(&self.dimensions));
        match (sizes.next(), sizes.next()) {
            (None, _) => Some(0),
            // One alone is not filled up.
            (Some(only), None) => only,
            (Some(first), Some(second)) => [first, second]
                .into_iter()
                .chain(sizes)
                .try_fold(0u64, |sum, size| sum.checked_add(size?.checked_next_multiple_of(4)?)),
        }
    }

    /// Where the first record begins.
    pub fn first_record(&self) -> Option<u64> {
        self.records_of().map(|variable| variable.begin).min()
    }
}

fn variable(reader: &mut Reader<'_>) -> Result<RawVariable, Failure> {
    let name = reader.name()?;
    let mut dimensions = Vec::new();
    for _ in 0..reader.count_here()? {
        dimensions.push(reader.count_here()?);
    }
    let attributes = attributes(reader)?;
    let number = number(reader.word()?)?;
    // The size that the header tells is not used: it has too few bits for large variables.
    reader.count()?;
    let begin = reader.place()?;
    Ok(RawVariable { name, dimensions, attributes, number, begin })
}

fn attributes(reader: &mut Reader<'_>) -> Result<Map<String, Value>, Failure> {
    let mut attributes = Map::new();
    for _ in 0..reader.list(12, "attributes")? {
        let name = reader.name()?;
        let number = number(reader.word()?)?;
        let count = reader.count_here()?;
        let length = count.checked_mul(number.map_or(1, Number::size)).ok_or(Failure::CutOff)?;
        let bytes = reader.take_padded(length)?;
        let value = match number {
            None => Some(Value::String(text_of(bytes, false, false))),
            Some(number) => numbers(number, true, bytes),
        };
        if let Some(value) = value {
            attributes.insert(name, value);
        }
    }
    Ok(attributes)
}

/// The numbers of a type; `None` for characters.
fn number(external_type: u32) -> Result<Option<Number>, Failure> {
    Ok(Some(match external_type {
        1 => Number::Int8,
        2 => return Ok(None),
        3 => Number::Int16,
        4 => Number::Int32,
        5 => Number::Float32,
        6 => Number::Float64,
        7 => Number::UInt8,
        8 => Number::UInt16,
        9 => Number::UInt32,
        10 => Number::Int64,
        11 => Number::UInt64,
        other => return Err(Failure::Wrong(format!("expected a type from 1 to 11, found {other}"))),
    }))
}
