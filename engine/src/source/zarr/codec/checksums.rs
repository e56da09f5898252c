//! Checksums of four bytes, lowest first, before or behind the bytes they check.

use bytes::Bytes;

use super::Step;
use super::parse::Refusal;
use crate::source::zarr::metadata::CodecSpec;

/// A checksum that is verified and cut off.
#[derive(Debug)]
pub(super) struct Checksum {
    name: &'static str,
    at_start: bool,
    compute: fn(&[u8]) -> u32,
}

impl Checksum {
    /// Castagnoli's; at the end.
    pub fn crc32c(spec: &CodecSpec) -> Result<Self, Refusal> {
        Ok(Self { name: "crc32c", at_start: at_start(spec, false)?, compute: crc32c::crc32c })
    }

    /// zlib's; numcodecs puts it at the start.
    pub fn crc32(spec: &CodecSpec) -> Result<Self, Refusal> {
        let compute = |bytes: &[u8]| {
            let mut crc = flate2::Crc::new();
            crc.update(bytes);
            crc.sum()
        };
        Ok(Self { name: "crc32", at_start: at_start(spec, true)?, compute })
    }

    /// zlib's other one; numcodecs puts it at the start.
    pub fn adler32(spec: &CodecSpec) -> Result<Self, Refusal> {
        Ok(Self { name: "adler32", at_start: at_start(spec, true)?, compute: adler32 })
    }
}

fn at_start(spec: &CodecSpec, default: bool) -> Result<bool, Refusal> {
    match spec.text("location") {
        None => Ok(default),
        Some("start") => Ok(true),
        Some("end") => Ok(false),
        Some(found) => Err(Refusal::Invalid(format!("location is {found:?}, expected \"start\" or \"end\""))),
    }
}

/// RFC 1950; the sums stay below 2^32 for 5552 bytes at a time.
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    let (mut low, mut high) = (1u32, 0u32);
    for block in bytes.chunks(5552) {
        for &byte in block {
            low += u32::from(byte);
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    high << 16 | low
}

impl Step for Checksum {
    fn decode(&self, encoded: Bytes, _size: Option<usize>) -> Result<Bytes, String> {
        let parts = match self.at_start {
            true => encoded.split_first_chunk::<4>().map(|(sum, rest)| (*sum, encoded.slice_ref(rest))),
            false => encoded.split_last_chunk::<4>().map(|(rest, sum)| (*sum, encoded.slice_ref(rest))),
        };
        let Some((sum, bytes)) = parts else {
            return Err(format!("{}: {} bytes, expected at least 4", self.name, encoded.len()));
        };
        let (stored, found) = (u32::from_le_bytes(sum), (self.compute)(&bytes));
        match stored == found {
            true => Ok(bytes),
            false => Err(format!("{}: the checksum is {found:#010x}, expected {stored:#010x}", self.name)),
        }
    }

    fn encoded_size(&self, size: usize) -> Option<usize> {
        size.checked_add(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sums() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }
}
