//! Which dimensions a dataset of HDF5 has: as NetCDF tells by scales, or by names of our own.

use std::collections::HashMap;

use hdf5_reader::Dataset;
use hdf5_reader::RawAttribute;

use super::Addressing;
use super::attributes::{Resolve, find, value_of};

/// What NetCDF calls a scale that stands for a dimension alone.
const NO_VARIABLE: &str = "This is a netCDF dimension but not a netCDF variable";

/// What NetCDF puts before the name of a variable that has the name of a dimension which is not its own.
const OTHER_THAN_DIMENSION: &str = "_nc4_non_coord_";

/// The dimensions of a group and of those above it.
#[derive(Debug, Default)]
pub(super) struct Scales {
    by_address: HashMap<u64, String>,
    by_number: HashMap<i64, String>,
    lengths: HashMap<String, u64>,
    invented: Vec<(String, u64)>,
}

impl Scales {
    /// Notes a dataset, if it is the scale of a dimension; whether it is no variable besides.
    pub fn note(
        &mut self,
        dataset: &Dataset,
        attributes: &[RawAttribute],
        addressing: Addressing,
        resolve: Resolve<'_>,
    ) -> bool {
        let text = |name: &str| match find(attributes, name).and_then(|found| value_of(found, addressing, resolve)) {
            Some(serde_json::Value::String(text)) => Some(text),
            _ => None,
        };
        if text("CLASS").as_deref() != Some("DIMENSION_SCALE") {
            return false;
        }
        let name = leaf(dataset.name()).to_string();
        let number = find(attributes, "_Netcdf4Dimid").and_then(|found| value_of(found, addressing, resolve));
        if let Some(number) = number.and_then(|number| number.as_i64()) {
            self.by_number.insert(number, name.clone());
        }
        self.by_address.insert(dataset.address(), name.clone());
        // A group's own dimension stands before one of the same name above it.
        self.lengths.insert(name, dataset.shape().first().copied().unwrap_or(0));
        text("NAME").is_some_and(|text| text.starts_with(NO_VARIABLE))
    }

    /// The names of a dataset's dimensions.
    pub fn names(
        &mut self,
        dataset: &Dataset,
        attributes: &[RawAttribute],
        addressing: Addressing,
        resolve: Resolve<'_>,
    ) -> Vec<String> {
        let rank = dataset.ndim();
        if let Some(names) = self.by_numbers(attributes, addressing, resolve).filter(|names| names.len() == rank) {
            return names;
        }
        if rank == 1
            && let Some(own) = self.by_address.get(&dataset.address())
        {
            return vec![own.clone()];
        }
        let listed = self.by_list(attributes, addressing, resolve);
        let mut names: Vec<String> = Vec::with_capacity(rank);
        for (place, &length) in dataset.shape().iter().enumerate() {
            let known = listed.get(place).cloned().flatten().filter(|name| !names.contains(name));
            let name = known.unwrap_or_else(|| self.invented(length, &names, &listed));
            names.push(name);
        }
        names
    }

    /// Cells along a dimension, as far as scales tell.
    pub fn length(&self, name: &str) -> u64 {
        self.lengths.get(name).copied().unwrap_or(0)
    }

    /// A variable has cells along a dimension, which may be longer.
    pub fn extend(&mut self, name: &str, length: u64) {
        let known = self.lengths.entry(name.to_string()).or_default();
        *known = length.max(*known);
    }

    fn by_numbers(
        &self,
        attributes: &[RawAttribute],
        addressing: Addressing,
        resolve: Resolve<'_>,
    ) -> Option<Vec<String>> {
        let numbers = value_of(find(attributes, "_Netcdf4Coordinates")?, addressing, resolve)?;
        let name = |number: &serde_json::Value| self.by_number.get(&number.as_i64()?).cloned();
        match numbers {
            serde_json::Value::Array(list) => list.iter().map(name).collect(),
            one => Some(vec![name(&one)?]),
        }
    }

    /// What the list of scales says, one entry a dimension.
    fn by_list(
        &self,
        attributes: &[RawAttribute],
        addressing: Addressing,
        resolve: Resolve<'_>,
    ) -> Vec<Option<String>> {
        let Some(list) = find(attributes, "DIMENSION_LIST") else { return Vec::new() };
        let scale_of = |reference: &[u8]| {
            let addresses = resolve(reference).ok()?;
            let address = addresses.get(..usize::from(addressing.offset_size))?;
            let address = address.iter().rev().fold(0u64, |address, &byte| address << 8 | u64::from(byte));
            self.by_address.get(&address).cloned()
        };
        list.raw_data.chunks_exact(addressing.reference_size()).take(64).map(scale_of).collect()
    }

    /// A name for a dimension that has none: one for each length, and another where a dataset has two of that length.
    fn invented(&mut self, length: u64, own: &[String], listed: &[Option<String>]) -> String {
        let is_own = |name: &String| own.contains(name) || listed.iter().flatten().any(|other| other == name);
        if let Some((name, _)) = self.invented.iter().find(|(name, known)| *known == length && !is_own(name)) {
            return name.clone();
        }
        let free = (self.invented.len()..).map(|number| format!("dim_{number}"));
        let name = free.into_iter().find(|name| !self.lengths.contains_key(name)).unwrap_or_default();
        self.invented.push((name.clone(), length));
        name
    }
}

/// The name of a variable.
pub(super) fn variable_name(dataset: &str) -> &str {
    let name = leaf(dataset);
    name.strip_prefix(OTHER_THAN_DIMENSION).unwrap_or(name)
}

/// The last part of a path.
fn leaf(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
