//! Texts of any length, which HDF5 keeps in heaps.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::buffer::Buffer;
use hdf5_reader::error::Error;
use hdf5_reader::global_heap::GlobalHeapCollection;

use super::{Addressing, storage};
use crate::source::SourceError;
use crate::source::netcdf::blocks::BlockFile;
use crate::source::netcdf::cells::text_of;

/// Bytes of the texts of a chunk, at most: many references may lead to one text.
const TEXT_BYTES_MAX: usize = 256 << 20;

/// Heaps that are held at the same time.
const HEAPS_MAX: usize = 64;

/// The texts that references lead to.
pub(in crate::source::netcdf) async fn texts(
    file: &Arc<BlockFile>,
    array: &str,
    references: Buffer,
    addressing: Addressing,
) -> Result<ArrayRef, SourceError> {
    let size = addressing.reference_size();
    let found = storage::parse(file, addressing.base, move |storage| {
        let mut heaps: HashMap<u64, GlobalHeapCollection> = HashMap::new();
        let mut texts = StringBuilder::new();
        for reference in references.chunks_exact(size) {
            let (length, rest) = reference.split_at(4);
            let (address, number) = rest.split_at(usize::from(addressing.offset_size));
            let (length, address, number) = (little(length), little(address), little(number));
            if addressing.place(address).is_none() || address == 0 || number == 0 || length == 0 {
                texts.append_value("");
                continue;
            }
            if heaps.len() >= HEAPS_MAX && !heaps.contains_key(&address) {
                heaps.clear();
            }
            let heap = match heaps.entry(address) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    let (offset_size, length_size) = (addressing.offset_size, addressing.length_size);
                    let heap =
                        GlobalHeapCollection::parse_at_storage(storage.as_ref(), address, offset_size, length_size)?;
                    entry.insert(heap)
                }
            };
            let object = u16::try_from(number).ok().and_then(|number| heap.get_object(number));
            let text = object.and_then(|object| object.data.get(..usize::try_from(length).ok()?));
            let text = text.ok_or_else(|| Error::InvalidData(format!("there is no text {number} at {address:#x}")))?;
            texts.append_value(text_of(text, false, false));
            if texts.values_slice().len() > TEXT_BYTES_MAX {
                return Err(Error::ResourceLimit(format!("texts of more than {TEXT_BYTES_MAX} bytes in a chunk")));
            }
        }
        Ok(texts.finish())
    });
    match found.await {
        Ok(texts) => Ok(Arc::new(texts)),
        Err(SourceError::Metadata { message, .. }) => Err(SourceError::Metadata { array: array.to_string(), message }),
        Err(error) => Err(error),
    }
}

/// A number whose lowest byte comes first.
pub(super) fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
