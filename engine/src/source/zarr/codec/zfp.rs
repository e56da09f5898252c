//! `zfpy` of numcodecs: a zfp stream with its whole header (magic, type and shape, mode), decoded by the `zfp-rs` crate.
//!
//! The format is that of libzfp's codec version 5 (P. Lindstrom, Fixed-Rate Compressed Floating-Point Arrays, 2014, and
//! `zfp.h`). The header says all that decoding needs, so the settings beside the codec's name are not read. It is the
//! header of a stranger: its type and shape are those of the chunk, or the stream is refused before anything is made of it.

use std::sync::Arc;

use arrow::datatypes::{ArrowNativeType, ToByteSlice};
use bytes::Bytes;
use zfp_rs::{
    ZFP_MAX_BITS, ZFP_MIN_EXP, ZfpBitStream, ZfpConfig, ZfpFieldMetadata, ZfpFieldMut, ZfpHeaderMask, ZfpScalar,
    ZfpScalarType,
};

use super::Step;
use super::foreign::guarded;
use super::parse::{Position, Refusal, Steps};
use crate::source::zarr::number::Number;
use crate::source::zarr::stored_type::StoredType;

/// Bytes of the words that streams are made of.
const WORD_SIZE: usize = 8;

/// Cells of a block along each dimension.
const BLOCK_LENGTH: usize = 4;

/// The step of a zfp stream.
pub(super) fn zfpy(position: &mut Position) -> Result<Steps, Refusal> {
    // Behind a filter of version 2, whose shape and type only the stream tells.
    let expected = match position.serialized {
        true => None,
        false => Some(expected(position)?),
    };
    position.serialized = true;
    Ok(vec![Arc::new(Zfp { expected })])
}

/// The type and the shape that the header of a chunk has.
fn expected(position: &Position) -> Result<(ZfpScalarType, Vec<u64>), Refusal> {
    let scalar_type = match position.stored_type {
        StoredType::Number(Number::Int32) => ZfpScalarType::I32,
        StoredType::Number(Number::Int64) | StoredType::DateTime(_) | StoredType::TimeDelta => ZfpScalarType::I64,
        StoredType::Number(Number::Float32) => ZfpScalarType::F32,
        StoredType::Number(Number::Float64) => ZfpScalarType::F64,
        found => {
            return Err(Refusal::Invalid(format!("cannot hold {found:?}, expected int32, int64, float32 or float64")));
        }
    };
    match position.shape.len() {
        1..=4 => Ok((scalar_type, position.shape.clone())),
        rank => Err(Refusal::Invalid(format!("{rank} dimensions, expected 1 to 4"))),
    }
}

#[derive(Debug)]
struct Zfp {
    expected: Option<(ZfpScalarType, Vec<u64>)>,
}

impl Step for Zfp {
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String> {
        guarded(|| self.cells(&encoded, size)).map_err(|message| format!("zfpy: {message}"))
    }
}

impl Zfp {
    fn cells(&self, encoded: &[u8], size: Option<usize>) -> Result<Bytes, String> {
        // What is missing of the last word would be taken for zeros.
        if !encoded.len().is_multiple_of(WORD_SIZE) {
            return Err(format!("{} bytes are no whole number of {WORD_SIZE}-byte words", encoded.len()));
        }
        let mut stream = ZfpBitStream::from_bytes(encoded).map_err(|error| error.to_string())?;
        let header = stream.read_header(ZfpHeaderMask::FULL).map_err(|error| error.to_string())?;
        let (Some(field), Some(config)) = (header.metadata, header.config) else {
            return Err("the header is not whole".to_string());
        };
        self.check(&field, size)?;
        check_blocks(&field, encoded.len())?;
        let config = as_in_c(config, field.scalar_type)?;
        match field.scalar_type {
            ZfpScalarType::I32 => decode::<i32>(stream, &config, field.dims, encoded.len()),
            ZfpScalarType::I64 => decode::<i64>(stream, &config, field.dims, encoded.len()),
            ZfpScalarType::F32 => decode::<f32>(stream, &config, field.dims, encoded.len()),
            ZfpScalarType::F64 => decode::<f64>(stream, &config, field.dims, encoded.len()),
        }
    }

    /// The header tells of the chunk.
    fn check(&self, field: &ZfpFieldMetadata, size: Option<usize>) -> Result<(), String> {
        // The dimension that varies quickest stands first there, and 0 for one that is not used. A length of 1 changes
        // no place of a cell.
        let told: Vec<u64> =
            field.dims.iter().rev().map(|&length| length as u64).filter(|&length| length > 0).collect();
        let told_size = told
            .iter()
            .try_fold(field.scalar_type.size() as u64, |size, &length| size.checked_mul(length))
            .and_then(|size| usize::try_from(size).ok());
        if let Some((scalar_type, shape)) = &self.expected {
            let longer = |shape: &[u64]| shape.iter().copied().filter(|&length| length > 1).collect::<Vec<u64>>();
            if field.scalar_type != *scalar_type || longer(&told) != longer(shape) {
                let found = field.scalar_type;
                return Err(format!("the header tells of {found} {told:?}, expected {scalar_type} {shape:?}"));
            }
        }
        match size.is_some() && told_size == size {
            true => Ok(()),
            false => Err(format!("the header tells of {} {told:?}, expected {size:?} bytes", field.scalar_type)),
        }
    }
}

/// Whether the bytes can hold the blocks, of which each takes a bit at least.
fn check_blocks(field: &ZfpFieldMetadata, encoded_size: usize) -> Result<(), String> {
    let lengths = field.dims.iter().filter(|&&length| length > 0);
    let blocks = lengths.fold(1usize, |blocks, length| blocks.saturating_mul(length.div_ceil(BLOCK_LENGTH)));
    match blocks / 8 > encoded_size {
        true => Err(format!("{encoded_size} bytes cannot hold {blocks} blocks")),
        false => Ok(()),
    }
}

/// The settings with which the C library decodes a stream with these in its header.
fn as_in_c(config: ZfpConfig, scalar_type: ZfpScalarType) -> Result<ZfpConfig, String> {
    let reversible = config.min_exp() < ZFP_MIN_EXP;
    // The bits before the numbers of a block.
    let block_header = match (reversible, scalar_type) {
        (false, ZfpScalarType::I32 | ZfpScalarType::I64) => 0,
        (false, ZfpScalarType::F32) => 9,
        (false, ZfpScalarType::F64) => 12,
        (true, ZfpScalarType::I32) => 5,
        (true, ZfpScalarType::I64) => 6,
        (true, ZfpScalarType::F32) => 15,
        (true, ZfpScalarType::F64) => 19,
    };
    let max_bits = config.max_bits();
    match (max_bits < block_header, reversible) {
        (false, _) => Ok(config),
        // What is left for the numbers is less than nothing, which it takes for about four billion bits. zfpy writes
        // such streams at low rates (below 3 bits a number in one dimension) where it does not run out of room, and
        // reads them.
        (true, false) => ZfpConfig::expert(config.min_bits(), ZFP_MAX_BITS, config.max_prec(), config.min_exp())
            .map_err(|error| error.to_string()),
        // There is no such mode that zfpy writes.
        (true, true) => Err(format!("the header tells of {max_bits} bits a block, expected at least {block_header}")),
    }
}

/// The cells behind the header, of a shape that was checked.
fn decode<T: ZfpScalar + ArrowNativeType>(
    mut stream: ZfpBitStream,
    config: &ZfpConfig,
    dims: [usize; 4],
    encoded_size: usize,
) -> Result<Bytes, String> {
    let count = dims.iter().filter(|&&length| length > 0).product();
    let mut cells: Vec<T> = Vec::new();
    cells.try_reserve_exact(count).map_err(|_| format!("no memory for {count} cells"))?;
    cells.resize(count, T::default());
    let mut field = ZfpFieldMut::new(&mut cells, dims).map_err(|error| error.to_string())?;
    match stream.decompress(config, &mut field).map_err(|error| error.to_string())? {
        read if read == encoded_size => Ok(Bytes::from_owner(Cells(cells))),
        read => Err(format!("the cells end behind {read} bytes, expected {encoded_size}")),
    }
}

/// Cells as bytes, where they are.
struct Cells<T>(Vec<T>);

impl<T: ArrowNativeType> AsRef<[u8]> for Cells<T> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice().to_byte_slice()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use zfp_rs::ZfpField;

    use super::*;

    /// A stream of numbers written with other settings than its header tells of.
    fn stream(numbers: &[f64], told: ZfpConfig, used: ZfpConfig) -> Vec<u8> {
        let field = ZfpField::new(numbers, numbers.len()).unwrap();
        let mut stream = ZfpBitStream::new(100 * numbers.len()).unwrap();
        stream.write_header(&told, &field.metadata(), ZfpHeaderMask::FULL).unwrap();
        stream.compress(&used, &field).unwrap();
        stream.into_bytes().unwrap()
    }

    fn decoded(encoded: &[u8], cells: u64) -> Result<Vec<u8>, String> {
        let zfp = Zfp { expected: Some((ZfpScalarType::F64, vec![cells])) };
        zfp.decode(Bytes::copy_from_slice(encoded), Some(8 * cells as usize)).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn rates_too_low_for_an_exponent_have_no_limit() {
        let numbers: Vec<f64> = [0.5, -3.25, 280.0, 1e-3].repeat(5).into_iter().chain([0.0; 9]).collect();
        let low = ZfpConfig::expert(10, 10, 64, ZFP_MIN_EXP).unwrap();
        let no_limit = ZfpConfig::expert(10, ZFP_MAX_BITS, 64, ZFP_MIN_EXP).unwrap();
        let found = decoded(&stream(&numbers, low, no_limit), 29).unwrap();
        for (found, expected) in found.as_chunks::<8>().0.iter().zip(&numbers) {
            assert!((f64::from_ne_bytes(*found) - expected).abs() < 1e-12, "{expected}");
        }
        let reversible = ZfpConfig::expert(1, 18, 64, ZFP_MIN_EXP - 1).unwrap();
        let error = decoded(&stream(&numbers, reversible, reversible), 29).unwrap_err();
        assert_eq!(error, "zfpy: the header tells of 18 bits a block, expected at least 19");
    }

    #[test]
    fn few_bytes_hold_few_blocks() {
        let numbers = vec![0.0; 64];
        let encoded = stream(&numbers, ZfpConfig::reversible(), ZfpConfig::reversible());
        assert_eq!(decoded(&encoded, 64).unwrap(), vec![0; 512]);
        let field = ZfpFieldMetadata { scalar_type: ZfpScalarType::F64, dims: [1 << 40, 0, 0, 0] };
        let mut stream = ZfpBitStream::new(64).unwrap();
        stream.write_header(&ZfpConfig::reversible(), &field, ZfpHeaderMask::FULL).unwrap();
        let encoded = stream.into_bytes().unwrap();
        let error = decoded(&encoded, 1 << 40).unwrap_err();
        assert_eq!(error, format!("zfpy: {} bytes cannot hold {} blocks", encoded.len(), 1u64 << 38));
    }
}
