//! Samples: the numbers of which cells consist, as they are stored and as they are given.

use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::datatypes::*;

use super::bytes::ByteOrder;
use crate::source::cf::Packed;

/// What a sample is, and in how many bits it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// Its kind.
    pub kind: SampleKind,
    /// Its bits.
    pub bits: u32,
}

/// The kinds of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleKind {
    Unsigned,
    Signed,
    Float,
}

use SampleKind::*;

impl Sample {
    /// The sample that tags name, or what is wrong with it.
    pub fn of(format: u64, bits: u64) -> Result<Self, String> {
        let kind = match format {
            // 4: "of no kind".
            1 | 4 => Unsigned,
            2 => Signed,
            3 => Float,
            5 => return Err(format!("complex integers of {bits} bits")),
            6 => return Err(format!("complex floats of {bits} bits")),
            other => return Err(format!("sample format {other}")),
        };
        let is_known = match kind {
            Unsigned => matches!(bits, 1..=32 | 64),
            Signed => matches!(bits, 8 | 16 | 32 | 64),
            Float => matches!(bits, 16 | 24 | 32 | 64),
        };
        match is_known {
            true => Ok(Self { kind, bits: bits as u32 }),
            false => Err(format!("{} of {bits} bits", kind.name())),
        }
    }

    /// Bytes of a sample as it is given: of the next larger number that there is.
    pub fn size(self) -> usize {
        match (self.kind, self.bits) {
            (Float, 0..=32) => 4,
            (_, 0..=8) => 1,
            (_, 9..=16) => 2,
            (_, 17..=32) => 4,
            _ => 8,
        }
    }

    /// The Arrow type of a sample as it is given.
    pub fn arrow(self) -> DataType {
        match (self.kind, self.size()) {
            (Unsigned, 1) => DataType::UInt8,
            (Unsigned, 2) => DataType::UInt16,
            (Unsigned, 4) => DataType::UInt32,
            (Unsigned, _) => DataType::UInt64,
            (Signed, 1) => DataType::Int8,
            (Signed, 2) => DataType::Int16,
            (Signed, 4) => DataType::Int32,
            (Signed, _) => DataType::Int64,
            (Float, 4) => DataType::Float32,
            (Float, _) => DataType::Float64,
        }
    }

    /// The name of its type.
    pub fn name(self) -> &'static str {
        match (self.kind, self.bits) {
            (Float, 16) => "float16",
            (Float, 24) => "float24",
            (Unsigned, 1) => "uint1",
            (Unsigned, 2) => "uint2",
            (Unsigned, 4) => "uint4",
            _ => match self.arrow() {
                DataType::UInt8 => "uint8",
                DataType::UInt16 => "uint16",
                DataType::UInt32 => "uint32",
                DataType::UInt64 => "uint64",
                DataType::Int8 => "int8",
                DataType::Int16 => "int16",
                DataType::Int32 => "int32",
                DataType::Int64 => "int64",
                DataType::Float32 => "float32",
                _ => "float64",
            },
        }
    }

    /// The native bytes of a number as a sample; zeros where it is none.
    pub fn bytes_of(self, value: Option<Packed>) -> Vec<u8> {
        let whole = match value {
            None => 0,
            Some(Packed::Int(whole)) => whole,
            Some(Packed::Float(number)) => number as i128,
        };
        let number = match value {
            None => 0.0,
            Some(Packed::Int(whole)) => whole as f64,
            Some(Packed::Float(number)) => number,
        };
        match self.arrow() {
            DataType::UInt8 => u8::try_from(whole).unwrap_or(0).to_ne_bytes().to_vec(),
            DataType::UInt16 => u16::try_from(whole).unwrap_or(0).to_ne_bytes().to_vec(),
            DataType::UInt32 => u32::try_from(whole).unwrap_or(0).to_ne_bytes().to_vec(),
            DataType::UInt64 => u64::try_from(whole).unwrap_or(0).to_ne_bytes().to_vec(),
            DataType::Int8 => i8::try_from(whole).unwrap_or(0).to_ne_bytes().to_vec(),
            DataType::Int16 => i16::try_from(whole).unwrap_or(0).to_ne_bytes().to_vec(),
            DataType::Int32 => i32::try_from(whole).unwrap_or(0).to_ne_bytes().to_vec(),
            DataType::Int64 => i64::try_from(whole).unwrap_or(0).to_ne_bytes().to_vec(),
            DataType::Float32 => (number as f32).to_ne_bytes().to_vec(),
            _ => number.to_ne_bytes().to_vec(),
        }
    }

    /// The samples in native bytes.
    pub fn array_of(self, bytes: Buffer, count: usize) -> ArrayRef {
        match self.arrow() {
            DataType::UInt8 => primitive::<UInt8Type>(bytes, count),
            DataType::UInt16 => primitive::<UInt16Type>(bytes, count),
            DataType::UInt32 => primitive::<UInt32Type>(bytes, count),
            DataType::UInt64 => primitive::<UInt64Type>(bytes, count),
            DataType::Int8 => primitive::<Int8Type>(bytes, count),
            DataType::Int16 => primitive::<Int16Type>(bytes, count),
            DataType::Int32 => primitive::<Int32Type>(bytes, count),
            DataType::Int64 => primitive::<Int64Type>(bytes, count),
            DataType::Float32 => primitive::<Float32Type>(bytes, count),
            _ => primitive::<Float64Type>(bytes, count),
        }
    }

    /// Rows of samples as they are stored, without their compression, as rows of native ones. Rows begin at bytes.
    pub fn widened(self, stored: Vec<u8>, samples_per_row: usize, order: ByteOrder) -> Vec<u8> {
        match (self.kind, self.bits) {
            (_, 8) => stored,
            (Float, 16) => widened_floats::<2>(&stored, |bits| half::f16::from_bits(bits as u16).to_f32(), order),
            (Float, 24) => widened_floats::<3>(&stored, float_of_24_bits, order),
            // GDAL writes the highest byte first where the lowest is of all other numbers, and the other way round.
            (_, 24) if order == ByteOrder::Little => widened_ints(&stored, ByteOrder::Big),
            (_, 24) => widened_ints(&stored, ByteOrder::Little),
            (_, 16 | 32 | 64) => native(stored, self.size(), order),
            _ => unpacked(&stored, samples_per_row, self.bits),
        }
    }
}

impl SampleKind {
    fn name(self) -> &'static str {
        match self {
            Unsigned => "unsigned integers",
            Signed => "signed integers",
            Float => "floats",
        }
    }
}

fn primitive<T: ArrowPrimitiveType>(bytes: Buffer, count: usize) -> ArrayRef {
    std::sync::Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::new(bytes, 0, count), None))
}

/// Numbers of as many bytes in this machine's order.
pub(super) fn native(mut bytes: Vec<u8>, size: usize, order: ByteOrder) -> Vec<u8> {
    if !order.is_native() && size > 1 {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    bytes
}

fn widened_ints(stored: &[u8], order: ByteOrder) -> Vec<u8> {
    stored.as_chunks::<3>().0.iter().flat_map(|bytes| (order.number(bytes) as u32).to_ne_bytes()).collect()
}

fn widened_floats<const SIZE: usize>(stored: &[u8], widen: impl Fn(u32) -> f32, order: ByteOrder) -> Vec<u8> {
    stored.as_chunks::<SIZE>().0.iter().flat_map(|bytes| widen(order.number(bytes) as u32).to_ne_bytes()).collect()
}

/// A float of one bit for the sign, seven for the exponent and sixteen for the fraction.
fn float_of_24_bits(bits: u32) -> f32 {
    let sign = (bits >> 23 & 1) << 31;
    let (exponent, fraction) = (bits >> 16 & 0x7f, bits & 0xffff);
    match exponent {
        // Without the leading one of the fraction: 2^-62 times it.
        0 => f32::from_bits(sign | (fraction as f32 * 2f32.powi(-62 - 16)).to_bits()),
        0x7f => f32::from_bits(sign | 0x7f80_0000 | fraction << 7),
        _ => f32::from_bits(sign | (exponent + 127 - 63) << 23 | fraction << 7),
    }
}

/// Samples of any number of bits, the highest first, rows beginning at bytes.
fn unpacked(stored: &[u8], samples_per_row: usize, bits: u32) -> Vec<u8> {
    let row_bytes = (samples_per_row * bits as usize).div_ceil(8).max(1);
    let rows = stored.len() / row_bytes;
    let size = if bits <= 8 {
        1
    } else if bits <= 16 {
        2
    } else {
        4
    };
    let mut samples = Vec::with_capacity(rows * samples_per_row * size);
    for row in stored.chunks_exact(row_bytes) {
        let (mut held, mut held_bits, mut bytes) = (0u64, 0u32, row.iter());
        for _ in 0..samples_per_row {
            while held_bits < bits {
                held = held << 8 | u64::from(bytes.next().copied().unwrap_or(0));
                held_bits += 8;
            }
            held_bits -= bits;
            let sample = (held >> held_bits & ((1u64 << bits) - 1)) as u32;
            match size {
                1 => samples.push(sample as u8),
                2 => samples.extend_from_slice(&(sample as u16).to_ne_bytes()),
                _ => samples.extend_from_slice(&sample.to_ne_bytes()),
            }
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(kind: SampleKind, bits: u32) -> Sample {
        Sample { kind, bits }
    }

    #[test]
    fn odd_bits() {
        assert_eq!(unpacked(&[0b1010_0000, 0b0100_0000], 3, 1), [1, 0, 1, 0, 1, 0]);
        assert_eq!(unpacked(&[0x1b], 4, 2), [0, 1, 2, 3]);
        assert_eq!(unpacked(&[0xab, 0xc0], 3, 4), [0xa, 0xb, 0xc]);
        let twelve = unpacked(&[0xab, 0xcd, 0xef], 2, 12);
        assert_eq!(twelve, [0xabcu16.to_ne_bytes(), 0xdefu16.to_ne_bytes()].concat());
        assert_eq!(sample(Unsigned, 24).widened(vec![1, 2, 3], 1, ByteOrder::Little), 0x01_02_03u32.to_ne_bytes());
    }

    #[test]
    fn small_floats() {
        for (bits, expected) in
            [(0x3f_0000, 1.0), (0xbf_8000, -1.5), (0, 0.0), (0x00_0001, 2f32.powi(-78)), (0x7f_0000, f32::INFINITY)]
        {
            assert_eq!(float_of_24_bits(bits), expected, "{bits:x}");
        }
        assert!(float_of_24_bits(0x7f_0001).is_nan());
        assert_eq!(sample(Float, 16).widened(vec![0x3c, 0x00], 1, ByteOrder::Big), 1f32.to_ne_bytes());
    }

    #[test]
    fn what_is_no_sample() {
        assert_eq!(Sample::of(6, 64).err().as_deref(), Some("complex floats of 64 bits"));
        assert_eq!(Sample::of(3, 128).err().as_deref(), Some("floats of 128 bits"));
        assert!(Sample::of(2, 12).is_err() && Sample::of(1, 0).is_err() && Sample::of(9, 8).is_err());
    }
}
