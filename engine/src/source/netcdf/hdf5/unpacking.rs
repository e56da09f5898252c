//! The filters of HDF5: how a chunk is packed.

use bytes::Bytes;
use hdf5_reader::FilterRegistry;
use hdf5_reader::messages::filter_pipeline::FilterDescription;

use crate::source::zarr::codec::{unpack_blosc, unpack_zstd};

const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;
const LZF: u16 = 32000;
const BLOSC: u16 = 32001;
const ZSTD: u16 = 32015;

/// Filters by their numbers: those that are known by name, and whether they can be undone.
const FILTERS: [(u16, &str, bool); 15] = [
    (DEFLATE, "deflate", true),
    (SHUFFLE, "shuffle", true),
    (3, "fletcher32", true),
    (4, "szip", true),
    (5, "nbit", true),
    (6, "scaleoffset", true),
    (307, "bzip2", false),
    (LZF, "lzf", true),
    (BLOSC, "blosc", true),
    (32004, "lz4", true),
    (32008, "bitshuffle", false),
    (32013, "zfp", false),
    (ZSTD, "zstd", true),
    (32017, "sz", false),
    (32026, "blosc2", false),
];

/// Bytes by which the filters between may make a chunk longer: checksums.
const LONGER_MAX: usize = 64;

/// How the chunks of a dataset are packed.
#[derive(Debug)]
pub(in crate::source::netcdf) struct Unpacking {
    filters: Vec<FilterDescription>,
    element_size: usize,
    /// Bytes of an unpacked chunk.
    pub unpacked_size: usize,
}

impl Unpacking {
    /// Of chunks of `dims` elements.
    pub fn new(filters: Vec<FilterDescription>, dims: &[u32], element_size: usize) -> Result<Self, String> {
        let size = dims.iter().try_fold(element_size, |size, &length| size.checked_mul(length as usize));
        // Places in a chunk have 32 bits.
        let unpacked_size = size.filter(|&size| size > 0 && u32::try_from(size).is_ok());
        let unpacked_size = unpacked_size.ok_or_else(|| format!("chunks of {dims:?} cells of {element_size} bytes"))?;
        if filters.len() > 32 {
            return Err(format!("{} filters, expected at most 32", filters.len()));
        }
        Ok(Self { filters, element_size, unpacked_size })
    }

    /// The bytes of a chunk; `left_out` has a bit for each filter that was not applied to it.
    pub fn unpack(&self, packed: Bytes, left_out: u32) -> Result<Bytes, String> {
        let registry = FilterRegistry::new();
        let limit = self.unpacked_size + LONGER_MAX;
        let mut bytes = packed;
        for (place, filter) in self.filters.iter().enumerate().rev() {
            if left_out & (1 << place) != 0 {
                continue;
            }
            bytes = match filter.id {
                ZSTD => unpack_zstd(bytes, self.unpacked_size)?,
                BLOSC => unpack_blosc(bytes, self.unpacked_size)?,
                LZF => unpack_lzf(&bytes, limit)?.into(),
                _ => {
                    let unpacked = registry.apply_with_limit(filter, &bytes, self.element_size, Some(limit));
                    unpacked.map(Bytes::from).map_err(|error| error.to_string())?
                }
            };
            if bytes.len() > limit {
                return Err(format!("filter {}: more than {limit} bytes", name(filter.id)));
            }
        }
        match bytes.len() == self.unpacked_size {
            true => Ok(bytes),
            false => Err(format!("{} bytes were unpacked, expected {}", bytes.len(), self.unpacked_size)),
        }
    }
}

/// Undoes LZF, which packs runs of bytes as they are and repetitions of what came before.
fn unpack_lzf(packed: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    let broken = || "lzf: broken".to_string();
    let mut bytes: Vec<u8> = Vec::new();
    let mut rest = packed;
    while let Some((&control, behind)) = rest.split_first() {
        rest = behind;
        let control = usize::from(control);
        if control < 32 {
            let (literal, behind) = rest.split_at_checked(control + 1).ok_or_else(broken)?;
            bytes.extend_from_slice(literal);
            rest = behind;
        } else {
            let mut length = (control >> 5) + 2;
            if control >> 5 == 7 {
                let (&more, behind) = rest.split_first().ok_or_else(broken)?;
                length += usize::from(more);
                rest = behind;
            }
            let (&low, behind) = rest.split_first().ok_or_else(broken)?;
            rest = behind;
            let back = ((control & 31) << 8 | usize::from(low)) + 1;
            let start = bytes.len().checked_sub(back).ok_or_else(broken)?;
            // It may repeat what it is just writing.
            (start..start + length).for_each(|at| bytes.push(bytes[at]));
        }
        if bytes.len() > limit {
            return Err(format!("lzf: more than {limit} bytes"));
        }
    }
    Ok(bytes)
}

/// The filters, for summaries.
pub(super) fn summary(filters: &[FilterDescription]) -> String {
    let shown = |filter: &FilterDescription| match (filter.id, filter.client_data.first()) {
        (DEFLATE, Some(level)) => format!("deflate({level})"),
        (id, _) => name(id),
    };
    filters.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// A filter that cannot be undone, if there is one.
pub(super) fn unsupported(filters: &[FilterDescription]) -> Option<String> {
    let is_known = |id: u16| FILTERS.iter().any(|(known, _, can)| *known == id && *can);
    filters.iter().find(|filter| !is_known(filter.id)).map(|filter| name(filter.id))
}

fn name(id: u16) -> String {
    FILTERS
        .iter()
        .find(|(known, ..)| *known == id)
        .map_or_else(|| format!("number {id}"), |(_, name, _)| (*name).to_string())
}
