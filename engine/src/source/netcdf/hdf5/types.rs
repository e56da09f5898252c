//! Types of HDF5 as cells.

use hdf5_reader::{ByteOrder, Datatype, StringPadding, StringSize, VarLenKind};

use super::Addressing;
use crate::source::netcdf::cells::CellType;
use crate::source::zarr::number::Number;

/// What a cell of a type holds, or the name of a type that is not supported.
pub(super) fn cell_of(datatype: &Datatype, addressing: Addressing) -> Result<CellType, String> {
    Ok(match datatype {
        Datatype::FixedPoint { size, signed, byte_order } => integer(*size, *signed, *byte_order)?,
        Datatype::FloatingPoint { size, byte_order } => {
            let number = match size {
                2 => Number::Float16,
                4 => Number::Float32,
                8 => Number::Float64,
                other => return Err(format!("float of {other} bytes")),
            };
            CellType::Number { number, is_big_endian: *byte_order == ByteOrder::BigEndian }
        }
        Datatype::Bitfield { size, byte_order } => integer(*size, false, *byte_order)?,
        Datatype::String { size: StringSize::Fixed(size), padding, .. } => CellType::Characters {
            size: *size as usize,
            ends_with_zero: *padding == StringPadding::NullTerminate && *size > 1,
            is_blank_padded: *padding == StringPadding::SpacePad,
        },
        Datatype::String { size: StringSize::Variable, .. } | Datatype::VarLen { kind: VarLenKind::String, .. } => {
            CellType::Reference(addressing)
        }
        Datatype::Enum { base, members } => {
            let mut names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
            names.sort_unstable();
            match cell_of(base, addressing)? {
                // How truths are written.
                CellType::Number { number: Number::Int8 | Number::UInt8, .. } if names == ["FALSE", "TRUE"] => {
                    CellType::Truth
                }
                number @ CellType::Number { .. } => number,
                _ => return Err("enumeration of what is no number".to_string()),
            }
        }
        Datatype::Compound { .. } => return Err("compound".to_string()),
        Datatype::Array { .. } => return Err("array within a cell".to_string()),
        Datatype::VarLen { .. } => return Err("list of any length".to_string()),
        Datatype::Opaque { .. } => return Err("opaque".to_string()),
        Datatype::Reference { .. } => return Err("reference".to_string()),
    })
}

fn integer(size: u8, is_signed: bool, byte_order: ByteOrder) -> Result<CellType, String> {
    let number = match (size, is_signed) {
        (1, true) => Number::Int8,
        (2, true) => Number::Int16,
        (4, true) => Number::Int32,
        (8, true) => Number::Int64,
        (1, false) => Number::UInt8,
        (2, false) => Number::UInt16,
        (4, false) => Number::UInt32,
        (8, false) => Number::UInt64,
        (other, _) => return Err(format!("integer of {other} bytes")),
    };
    Ok(CellType::Number { number, is_big_endian: byte_order == ByteOrder::BigEndian })
}

impl Addressing {
    /// Bytes of a reference to text: a length, a place and a number.
    pub fn reference_size(self) -> usize {
        8 + usize::from(self.offset_size)
    }
}
