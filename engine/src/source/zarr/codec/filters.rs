//! The filters of numcodecs that change numbers: delta, fixedscaleoffset, astype and quantize, packbits.

use std::sync::Arc;

use bytes::Bytes;

use super::Step;
use super::layout::swap;
use super::parse::{Ordered, Position, Refusal, Steps, number_setting, setting};
use crate::source::zarr::metadata::CodecSpec;
use crate::source::zarr::number::Number;
use crate::source::zarr::stored_type::StoredType;

/// A change of numbers from one type to another, with the byte orders on both sides where they are bytes already.
fn converting(
    position: &mut Position,
    decoded: Ordered,
    encoded: Ordered,
    step: Arc<dyn Step>,
) -> Result<Steps, Refusal> {
    if position.serialized {
        let mut steps = swap(decoded.0.size(), decoded.1);
        steps.push(step);
        steps.extend(swap(encoded.0.size(), encoded.1));
        return Ok(steps);
    }
    // Before `bytes`, whose byte order is that of the array's own type.
    match decoded.0.size() == encoded.0.size() && *position.stored_type == StoredType::Number(decoded.0) {
        true => Ok(vec![step]),
        false => Err(Refusal::Invalid(format!("from {:?} to {:?} before the bytes", decoded.0, encoded.0))),
    }
}

/// The decoded type (`dtype`) and the encoded one (`astype`).
fn types(spec: &CodecSpec, decoded: &str, encoded: &str) -> Result<(Ordered, Ordered), Refusal> {
    let Some(first) = number_setting(spec, decoded)? else {
        return Err(Refusal::Invalid(format!("{decoded} is {}, expected a number type", setting(spec, decoded))));
    };
    Ok((first, number_setting(spec, encoded)?.unwrap_or(first)))
}

/// `delta`: each number is stored as the difference to the one before.
pub(super) fn delta(spec: &CodecSpec, position: &mut Position) -> Result<Steps, Refusal> {
    let (decoded, encoded) = types(spec, "dtype", "astype")?;
    converting(position, decoded, encoded, Arc::new(Delta { decoded: decoded.0, encoded: encoded.0 }))
}

#[derive(Debug)]
struct Delta {
    decoded: Number,
    encoded: Number,
}

impl Step for Delta {
    fn decode(&self, encoded: Bytes, _size: Option<usize>) -> Result<Bytes, String> {
        check_whole(&encoded, self.encoded)?;
        let bytes = match self.decoded {
            Number::Float16 | Number::Float32 => {
                // The sums are rounded as they were when they were made.
                let sum = |sum: &mut f32, value: f64| {
                    *sum += value as f32;
                    Some(f64::from(*sum))
                };
                self.decoded
                    .bytes_of_floats(&self.encoded.floats(&encoded).into_iter().scan(0f32, sum).collect::<Vec<_>>())
            }
            Number::Float64 => {
                let sum = |sum: &mut f64, value: f64| {
                    *sum += value;
                    Some(*sum)
                };
                self.decoded
                    .bytes_of_floats(&self.encoded.floats(&encoded).into_iter().scan(0f64, sum).collect::<Vec<_>>())
            }
            _ => {
                let sum = |sum: &mut i64, value: i64| {
                    *sum = sum.wrapping_add(value);
                    Some(*sum)
                };
                self.decoded.bytes_of_ints(&self.encoded.ints(&encoded).into_iter().scan(0i64, sum).collect::<Vec<_>>())
            }
        };
        Ok(bytes.into())
    }

    fn encoded_size(&self, size: usize) -> Option<usize> {
        (size / self.decoded.size()).checked_mul(self.encoded.size())
    }
}

/// `fixedscaleoffset`: stored is `round((number - offset) * scale)`.
pub(super) fn fixed_scale_offset(spec: &CodecSpec, position: &mut Position) -> Result<Steps, Refusal> {
    let (decoded, encoded) = types(spec, "dtype", "astype")?;
    let (Some(scale), Some(offset)) = (spec.number("scale"), spec.number("offset")) else {
        return Err(Refusal::Invalid(format!(
            "scale is {}, offset is {}",
            setting(spec, "scale"),
            setting(spec, "offset")
        )));
    };
    let step = FixedScaleOffset { decoded: decoded.0, encoded: encoded.0, scale, offset };
    converting(position, decoded, encoded, Arc::new(step))
}

#[derive(Debug)]
struct FixedScaleOffset {
    decoded: Number,
    encoded: Number,
    scale: f64,
    offset: f64,
}

impl Step for FixedScaleOffset {
    fn decode(&self, encoded: Bytes, _size: Option<usize>) -> Result<Bytes, String> {
        check_whole(&encoded, self.encoded)?;
        let mut values = self.encoded.floats(&encoded);
        match self.encoded {
            // numpy stays in the type of the stored floats.
            Number::Float32 => values.iter_mut().for_each(|value| {
                *value = f64::from(*value as f32 / self.scale as f32 + self.offset as f32);
            }),
            _ => values.iter_mut().for_each(|value| *value = *value / self.scale + self.offset),
        }
        Ok(self.decoded.bytes_of_floats(&values).into())
    }

    fn encoded_size(&self, size: usize) -> Option<usize> {
        (size / self.decoded.size()).checked_mul(self.encoded.size())
    }
}

/// `astype` and `quantize`: the numbers are stored in another type.
pub(super) fn cast(spec: &CodecSpec, position: &mut Position) -> Result<Steps, Refusal> {
    let (decoded, encoded) = match spec.name.as_str() {
        "astype" => types(spec, "decode_dtype", "encode_dtype")?,
        _ => types(spec, "dtype", "astype")?,
    };
    converting(position, decoded, encoded, Arc::new(Cast { decoded: decoded.0, encoded: encoded.0 }))
}

#[derive(Debug)]
struct Cast {
    decoded: Number,
    encoded: Number,
}

impl Step for Cast {
    fn decode(&self, encoded: Bytes, _size: Option<usize>) -> Result<Bytes, String> {
        check_whole(&encoded, self.encoded)?;
        match self.decoded == self.encoded {
            true => Ok(encoded),
            false => Ok(self.encoded.cast(&encoded, self.decoded).into()),
        }
    }

    fn encoded_size(&self, size: usize) -> Option<usize> {
        (size / self.decoded.size()).checked_mul(self.encoded.size())
    }
}

/// `packbits` of numcodecs: eight truths a byte, the first one highest, behind a byte that counts the padding bits.
#[derive(Debug)]
pub(super) struct PackBits;

impl Step for PackBits {
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String> {
        let Some((&padding, bits)) = encoded.split_first() else {
            return Err("packbits: no bytes".to_string());
        };
        let truths =
            (bits.len() * 8).checked_sub(usize::from(padding)).filter(|&truths| size.is_none_or(|size| truths == size));
        let Some(truths) = truths else {
            return Err(format!("packbits: {} bits less {padding}, expected {size:?}", bits.len() * 8));
        };
        Ok((0..truths).map(|bit| bits[bit / 8] >> (7 - bit % 8) & 1).collect::<Vec<u8>>().into())
    }

    fn encoded_size(&self, size: usize) -> Option<usize> {
        Some(1 + size.div_ceil(8))
    }
}

fn check_whole(bytes: &[u8], number: Number) -> Result<(), String> {
    match bytes.len().is_multiple_of(number.size()) {
        true => Ok(()),
        false => Err(format!("{} bytes are no whole number of {}", bytes.len(), number.name())),
    }
}
