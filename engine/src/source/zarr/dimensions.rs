//! The dimensions of a dataset: their names, stored or invented, and their lengths.

use std::collections::HashMap;

use super::metadata::ArrayMetadata;
use crate::dataset::Dimension;
use crate::source::SourceError;

/// The dimensions of a group while its arrays are gone through.
#[derive(Debug, Default)]
pub(super) struct Dimensions {
    /// In the order in which arrays first name them.
    pub all: Vec<Dimension>,
    /// The array that first named each, and the place in `all`.
    first: HashMap<String, (String, usize)>,
}

impl Dimensions {
    /// The names of an array's dimensions, where the metadata names them; others are invented once all stored names
    /// are known.
    ///
    /// # Errors
    /// A name that stands for two lengths.
    pub fn add_named(&mut self, array: &str, metadata: &ArrayMetadata) -> Result<(), SourceError> {
        let error = |message: String| SourceError::Metadata { array: array.to_string(), message };
        let names = metadata.dimension_names.iter().flatten();
        let mut own: Vec<&String> = Vec::new();
        for (name, &length) in names.zip(&metadata.shape) {
            let Some(name) = name else { continue };
            if own.contains(&name) {
                return Err(error(format!("two dimensions are both named {name:?}")));
            }
            own.push(name);
            match self.first.get(name) {
                None => self.insert(array, name.clone(), length),
                Some((first, at)) if self.all[*at].length != length => {
                    let before = self.all[*at].length;
                    return Err(error(format!(
                        "the dimension {name:?} has {length} cells, but {before} in {first}: they are no one dataset"
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The names of an array's dimensions, invented (`dim_0` …) where the metadata has none: one name for each length.
    pub fn names(&mut self, array: &str, metadata: &ArrayMetadata) -> Vec<String> {
        let stored = metadata.dimension_names.clone().unwrap_or_else(|| vec![None; metadata.shape.len()]);
        let mut names: Vec<String> = Vec::new();
        for (place, (name, &length)) in stored.iter().zip(&metadata.shape).enumerate() {
            let name = match name {
                Some(name) => name.clone(),
                None => self.invented(array, place, length, |name| {
                    names.iter().any(|own| own == name) || stored.iter().flatten().any(|own| own == name)
                }),
            };
            names.push(name);
        }
        names
    }

    fn invented(&mut self, array: &str, place: usize, length: u64, is_taken: impl Fn(&str) -> bool) -> String {
        let mut number = place;
        loop {
            let name = format!("dim_{number}");
            let fits = self.first.get(&name).is_none_or(|(_, at)| self.all[*at].length == length);
            if fits && !is_taken(&name) {
                if !self.first.contains_key(&name) {
                    self.insert(array, name.clone(), length);
                }
                return name;
            }
            number += 1;
        }
    }

    fn insert(&mut self, array: &str, name: String, length: u64) {
        self.first.insert(name.clone(), (array.to_string(), self.all.len()));
        self.all.push(Dimension { name, length });
    }
}
