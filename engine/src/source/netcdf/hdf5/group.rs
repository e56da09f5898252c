//! What a group of an HDF5 file says of its variables.

use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::storage::DynStorage;
use hdf5_reader::{Dataset, Datatype, Hdf5File, OpenOptions, RawAttribute, StringSize};
use serde_json::{Map, Value};

use super::dimensions::{Scales, variable_name};
use super::storing::Storing;
use super::types::cell_of;
use super::unpacking::summary;
use super::{Addressing, attributes};
use crate::source::netcdf::describe::Described;

/// Bytes of what describes one object, at most.
const OBJECT_BYTES_MAX: usize = 16 << 20;

/// Objects of a group, at most.
const MEMBERS_MAX: usize = 100_000;

/// The attribute that tells which variables are left out, and why.
const LEFT_OUT: &str = "left_out";

type Contents = (Vec<Described>, Map<String, Value>);

/// The variables and attributes of a group, or the path of one that is not there.
pub(super) fn describe(storage: DynStorage, path: &str) -> Result<Result<Contents, String>, Error> {
    let options = OpenOptions {
        chunk_cache_bytes: 0,
        chunk_cache_slots: 1,
        max_object_header_bytes: OBJECT_BYTES_MAX,
        ..OpenOptions::default()
    };
    let file = Hdf5File::from_storage_with_options(storage, options)?;
    let superblock = file.superblock();
    let addressing = Addressing {
        offset_size: superblock.offset_size,
        length_size: superblock.length_size,
        base: superblock.base_address,
    };
    let mut scales = Scales::default();
    let mut group = file.root_group()?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        // The dimensions of the groups above are those of the ones below.
        members(&group, addressing, &mut scales)?;
        group = match group.group(part) {
            Ok(below) => below,
            Err(Error::GroupNotFound(_)) => return Ok(Err(path.to_string())),
            Err(error) => return Err(error),
        };
    }
    let (members, mut left_out) = members(&group, addressing, &mut scales)?;
    let named: Vec<(Member, Vec<String>)> = members
        .into_iter()
        .map(|member| {
            let addresses = |reference: &[u8]| {
                member.dataset.resolve_vlen_reference_bytes(reference, usize::from(addressing.offset_size))
            };
            let names = scales.names(&member.dataset, &member.attributes, addressing, &addresses);
            (member, names)
        })
        .collect();
    for (member, names) in &named {
        member.dataset.shape().iter().zip(names).for_each(|(&length, name)| scales.extend(name, length));
    }
    let mut described = Vec::with_capacity(named.len());
    for (member, names) in named {
        match describe_one(&file, &member, names, &scales, addressing)? {
            Ok(variable) => described.push(variable),
            Err(unsupported) => left_out.push((member.dataset.name().to_string(), unsupported)),
        }
    }
    let raw = group.raw_attributes()?;
    let mut found = attributes::shown(&raw, addressing, &|reference| group.resolve_vlen_reference_bytes(reference, 1));
    if !left_out.is_empty() {
        let notes = left_out.iter().map(|(name, why)| format!("{}: {why}", variable_name(name)));
        found.insert(LEFT_OUT.to_string(), Value::String(notes.collect::<Vec<_>>().join("; ")));
    }
    Ok(Ok((described, found)))
}

/// Names of what cannot be a variable, and why.
type LeftOut = Vec<(String, String)>;

/// A dataset of a group, and its attributes.
struct Member {
    dataset: Dataset,
    attributes: Vec<RawAttribute>,
}

/// The variables of a group and what cannot be one; scales among them are noted.
fn members(group: &Group, addressing: Addressing, scales: &mut Scales) -> Result<(Vec<Member>, LeftOut), Error> {
    let (_, names) = group.member_names()?;
    if names.len() > MEMBERS_MAX {
        return Err(Error::ResourceLimit(format!("a group of more than {MEMBERS_MAX} variables")));
    }
    let (mut members, mut left_out) = (Vec::new(), Vec::new());
    for name in names {
        let found = group.dataset(&name).and_then(|dataset| {
            let attributes = dataset.raw_attributes()?;
            Ok(Member { dataset, attributes })
        });
        match found {
            Ok(member) => {
                let resolve = |reference: &[u8]| member.dataset.resolve_vlen_reference_bytes(reference, 1);
                if !scales.note(&member.dataset, &member.attributes, addressing, &resolve) {
                    members.push(member);
                }
            }
            // Of a kind that the library does not know. What is broken breaks the file.
            Err(
                error @ (Error::UnsupportedDatatypeClass(_)
                | Error::UnsupportedEncoding(_)
                | Error::UnsupportedLayoutClass(_)),
            ) => {
                left_out.push((name, error.to_string()));
            }
            Err(error) => return Err(error.with_context(name)),
        }
    }
    Ok((members, left_out))
}

/// A variable, or why it is none.
fn describe_one(
    file: &Hdf5File,
    member: &Member,
    names: Vec<String>,
    scales: &Scales,
    addressing: Addressing,
) -> Result<Result<Described, String>, Error> {
    let Member { dataset, attributes: raw } = member;
    let cell = match cell_of(dataset.dtype(), addressing) {
        Ok(cell) => cell,
        Err(unsupported) => return Ok(Err(format!("unsupported data type {unsupported}"))),
    };
    let storing = Storing::of(file, dataset)?;
    let mut dimensions: Vec<(String, u64)> = Vec::with_capacity(names.len());
    for (name, &stored) in names.into_iter().zip(dataset.shape()) {
        // Cells that a dimension has, but not the variable, are fill values: only chunks can be missing.
        let length = if storing.is_chunked() { scales.length(&name) } else { stored };
        dimensions.push((name, length));
    }
    // The last dimension of characters is that of a text's.
    let texts_length = match dataset.dtype() {
        Datatype::String { size: StringSize::Fixed(1), .. } => dimensions.pop().map(|(_, length)| length),
        _ => None,
    };
    let shape: Vec<u64> = dimensions.iter().map(|(_, length)| *length).collect();
    let codecs = summary(&storing.filters);
    let (cell, place, chunk_shape) = storing
        .place(dataset, cell, texts_length, &shape, addressing)
        .map_err(|message| Error::InvalidData(message).with_context(dataset.name()))?;
    let resolve = |reference: &[u8]| dataset.resolve_vlen_reference_bytes(reference, 1);
    let attributes = attributes::shown(raw, addressing, &resolve);
    let name = variable_name(dataset.name()).to_string();
    let fill = dataset.fill_value().and_then(|fill| fill.value.clone());
    Ok(Ok(Described { name, dimensions, attributes, cell, place, chunk_shape, fill, codecs }))
}
