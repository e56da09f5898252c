//! What a cell of a NetCDF variable holds, and Arrow arrays of such cells.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;

use super::hdf5::Addressing;
use crate::source::zarr::number::Number;
use crate::source::zarr::stored_type::StoredType;

/// What one cell holds, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellType {
    /// A number.
    Number {
        /// Which.
        number: Number,
        /// Whether its highest byte comes first.
        is_big_endian: bool,
    },
    /// One byte, 0 or 1.
    Truth,
    /// Text in that many bytes; what fills it up at its end is no part of it.
    Characters {
        /// Bytes of a cell.
        size: usize,
        /// Whether it ends with the first zero (or else with what is no zero).
        ends_with_zero: bool,
        /// Whether it is filled up with blanks.
        is_blank_padded: bool,
    },
    /// A reference to text that is kept elsewhere in the file.
    Reference(Addressing),
}

impl CellType {
    /// Bytes of a cell.
    pub fn size(self) -> usize {
        match self {
            Self::Number { number, .. } => number.size(),
            Self::Truth => 1,
            Self::Characters { size, .. } => size,
            Self::Reference(addressing) => addressing.reference_size(),
        }
    }

    /// The Arrow type of the cells as stored.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Number { number, .. } => number.arrow(),
            Self::Truth => DataType::Boolean,
            Self::Characters { .. } | Self::Reference(_) => DataType::Utf8,
        }
    }

    /// Its name, for summaries.
    pub fn name(self) -> String {
        match self {
            Self::Number { number, .. } => number.name().to_string(),
            Self::Truth => "bool".to_string(),
            Self::Characters { size, .. } => format!("char({size})"),
            Self::Reference(_) => "string".to_string(),
        }
    }

    /// The Arrow array of cells in stored bytes.
    pub fn array_of(self, bytes: Buffer, cells: usize) -> Result<ArrayRef, String> {
        let expected = self.size().checked_mul(cells);
        if expected != Some(bytes.len()) {
            return Err(format!("{} bytes, expected {expected:?} for {cells} cells", bytes.len()));
        }
        match self {
            Self::Number { number, is_big_endian } => {
                StoredType::Number(number).array_of(native(bytes, number, is_big_endian), cells)
            }
            Self::Truth => StoredType::Bool.array_of(bytes, cells),
            Self::Reference(_) => Err("a reference is no text".to_string()),
            Self::Characters { size: 0, .. } => {
                Ok(Arc::new(StringArray::from_iter_values(std::iter::repeat_n("", cells))))
            }
            Self::Characters { size, ends_with_zero, is_blank_padded } => {
                let texts = bytes.chunks_exact(size).map(|text| text_of(text, ends_with_zero, is_blank_padded));
                Ok(Arc::new(StringArray::from_iter_values(texts)))
            }
        }
    }
}

/// The numbers with their bytes in this machine's order.
pub(super) fn native(bytes: Buffer, number: Number, is_big_endian: bool) -> Buffer {
    if number.size() == 1 || is_big_endian == cfg!(target_endian = "big") {
        return bytes;
    }
    let mut swapped = bytes.as_slice().to_vec();
    match number.size() {
        2 => swapped.as_chunks_mut::<2>().0.iter_mut().for_each(|word| word.reverse()),
        4 => swapped.as_chunks_mut::<4>().0.iter_mut().for_each(|word| word.reverse()),
        _ => swapped.as_chunks_mut::<8>().0.iter_mut().for_each(|word| word.reverse()),
    }
    Buffer::from_vec(swapped)
}

/// The text in bytes, without what fills them up. Bytes that are not UTF-8 are read as Latin-1, as old files have it.
pub(super) fn text_of(bytes: &[u8], ends_with_zero: bool, is_blank_padded: bool) -> String {
    let end = match ends_with_zero {
        true => bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()),
        false => bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1),
    };
    let bytes = &bytes[..end];
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_string(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    };
    if is_blank_padded { text.trim_end_matches(' ').to_string() } else { text }
}
