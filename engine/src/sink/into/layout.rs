//! Which dimensions and variables a new store has, and how they are cut into chunks.

use arrow::datatypes::{DataType, Field};
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::suggest::{closest, did_you_mean};
use serde_json::Value;

use super::options::IntoOptions;
use super::stored::stored_as;
use super::{StoreContents, StoreDimension};
use crate::bind::Origin;
use crate::dataset::Dimension;
use crate::error::Error;
use crate::sink::zarr::{StoreSchema, VariableSchema};

/// Bytes of a chunk at most, where nothing else is said.
const CHUNK_BYTES: u64 = 4 << 20;

/// Bytes of chunks that wait for the rest of their rows, where rows come in dimension order and nothing else is said.
const WAITING_BYTES: u64 = 256 << 20;

/// Cells of a chunk of labels at most.
const LABELS_OF_CHUNK: u64 = 1 << 20;

/// Attributes that a column's metadata has for a store.
const ATTRIBUTES: [&str; 3] = ["units", "long_name", "standard_name"];

/// A store to be written.
#[derive(Debug)]
pub(super) struct Layout {
    /// The index coordinates, the scalar ones, then the variables of each array.
    pub(super) schema: StoreSchema,
    /// The numbers of the dimensions that have an index coordinate.
    pub(super) labelled: Vec<usize>,
    /// The names of the variables, for people.
    pub(super) names: Vec<String>,
}

impl Layout {
    /// The store of some contents.
    pub(super) fn new(
        contents: &StoreContents,
        chunks: &[(String, u64)],
        options: &IntoOptions,
    ) -> Result<Self, Error> {
        let length = |dimension: &StoreDimension| dimension.labels.len() as u64;
        let dimensions = contents.dimensions.iter().map(|dimension| {
            let name = dimension.field.name().clone();
            Dimension { name, length: length(dimension) }
        });
        let mut schema = StoreSchema::new(dimensions.collect());
        (schema.codec, schema.zarr_version) = (options.codec.clone(), options.zarr_version);
        schema.attributes = contents.attributes.clone();
        check_chunks(&schema.dimensions, chunks)?;
        let mut labelled = Vec::new();
        for (number, dimension) in contents.dimensions.iter().enumerate() {
            let field = &dimension.field;
            // Positions that stand for labels where there are none.
            if !field.metadata().contains_key("quarray.unlabelled") {
                labelled.push(number);
                let chunk = length(dimension).clamp(1, LABELS_OF_CHUNK);
                let origin = contents.origins.get(field.name());
                schema.variables.push(variable(field, vec![field.name().clone()], vec![chunk], origin));
            }
        }
        for (field, _) in &contents.scalars {
            let scalar = variable(field, Vec::new(), Vec::new(), contents.origins.get(field.name()));
            schema.variables.push(VariableSchema { coordinate: true, ..scalar });
        }
        let mut names = Vec::new();
        let count = contents.arrays.iter().map(|array| array.variables.len()).sum::<usize>().max(1) as u64;
        for array in &contents.arrays {
            let along: Vec<&StoreDimension> =
                array.dimensions.iter().filter_map(|&number| contents.dimensions.get(number)).collect();
            let own: Vec<String> = along.iter().map(|dimension| dimension.field.name().clone()).collect();
            let lengths: Vec<u64> = along.iter().map(|dimension| length(dimension)).collect();
            let fixed: Vec<Option<u64>> = own.iter().map(|name| length_of(chunks, name)).collect();
            let like = array.variables.iter().find_map(|field| contents.origins.get(field.name()));
            for field in &array.variables {
                let origin = contents.origins.get(field.name());
                let source = origin.or(like).filter(|_| fixed.iter().all(Option::is_none));
                let kept = source.and_then(|origin| kept_chunks(&own, &lengths, origin));
                let width = width(field.data_type());
                let chunk_shape = kept.unwrap_or_else(|| chunk_shape(&lengths, &fixed, width, WAITING_BYTES / count));
                schema.variables.push(variable(field, own.clone(), chunk_shape, origin));
                names.push(field.name().clone());
            }
        }
        Ok(Self { schema, labelled, names })
    }
}

fn length_of(chunks: &[(String, u64)], name: &String) -> Option<u64> {
    chunks.iter().find(|(known, _)| known == name).map(|(_, cells)| *cells)
}

/// The chunks of the source, where it has all the dimensions.
fn kept_chunks(names: &[String], lengths: &[u64], origin: &Origin) -> Option<Vec<u64>> {
    let kept = names
        .iter()
        .zip(lengths)
        .map(|(name, &length)| length_of(&origin.chunk_shape, name).map(|cells| cells.min(length).max(1)));
    kept.collect()
}

fn variable(field: &Field, dimensions: Vec<String>, chunk_shape: Vec<u64>, origin: Option<&Origin>) -> VariableSchema {
    let metadata = field.metadata();
    let of_metadata =
        || ATTRIBUTES.iter().filter_map(|name| Some((name.to_string(), Value::String(metadata.get(*name)?.clone()))));
    let (attributes, packing) = match origin {
        Some(origin) => stored_as(field.data_type(), origin),
        None => (of_metadata().collect(), None),
    };
    VariableSchema {
        name: field.name().clone(),
        dimensions,
        data_type: field.data_type().clone(),
        chunk_shape,
        attributes,
        nan_is_missing: field.data_type().is_floating(),
        calendar: metadata.get("calendar").filter(|_| field.data_type() == &DataType::Int64).cloned(),
        coordinate: match origin {
            Some(origin) => origin.is_coordinate,
            None => metadata.get("quarray.role").is_some_and(|role| role == "coordinate"),
        },
        packing,
    }
}

/// Chunks of a few megabytes: those that `CHUNKS` says, and as near to cubes as may be along the other dimensions. Few
/// of them wait for the rest of their rows when rows come in dimension order.
fn chunk_shape(shape: &[u64], fixed: &[Option<u64>], width: u64, waiting_bytes: u64) -> Vec<u64> {
    let whole = |(length, fixed): (&u64, &Option<u64>)| fixed.unwrap_or(*length).min(*length).max(1);
    let mut chunk: Vec<u64> = shape.iter().zip(fixed).map(whole).collect();
    let slab = shape.iter().skip(1).fold(width, |bytes, &length| bytes.saturating_mul(length.max(1)));
    if let (Some(first), Some(None)) = (chunk.first_mut(), fixed.first()) {
        *first = (*first).min((waiting_bytes / slab).max(1));
    }
    while chunk.iter().fold(width, |bytes, &length| bytes.saturating_mul(length)) > CHUNK_BYTES {
        let free = (0..chunk.len()).filter(|&d| fixed[d].is_none() && chunk[d] > 1);
        let Some(longest) = free.max_by_key(|&d| chunk[d]) else { break };
        chunk[longest] = chunk[longest].div_ceil(2);
    }
    chunk
}

fn width(data_type: &DataType) -> u64 {
    const TEXT: u64 = 16;
    data_type.primitive_width().map_or(TEXT, |width| width as u64)
}

fn check_chunks(dimensions: &[Dimension], chunks: &[(String, u64)]) -> Result<(), Error> {
    let names = || dimensions.iter().map(|dimension| dimension.name.as_str());
    for (name, _) in chunks {
        if !names().any(|known| known == name) {
            let all = names().collect::<Vec<_>>().join(", ");
            let diagnostic = Diagnostic::new(format!("CHUNKS: no dimension `{name}` in the result [{all}]"));
            return Err(Error::Bind(match closest(name, names()) {
                Some(near) => diagnostic.with_help(did_you_mean(near)),
                None => diagnostic,
            }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_a_few_megabytes() {
        let check = |shape: &[u64], fixed: &[Option<u64>], expected: &[u64]| {
            assert_eq!(chunk_shape(shape, fixed, 4, WAITING_BYTES), expected);
        };
        check(&[], &[], &[]);
        check(&[0], &[None], &[1]);
        check(&[20_000], &[None], &[20_000]);
        check(&[365, 100, 100], &[None; 3], &[92, 100, 100]);
        // One day of it is 252 MB, and no more than that is to wait.
        check(&[365, 8075, 7814], &[None; 3], &[1, 1010, 977]);
        check(&[365, 8075, 7814], &[Some(365), None, None], &[365, 32, 62]);
        check(&[10, 10], &[Some(3), Some(99)], &[3, 10]);
    }
}
