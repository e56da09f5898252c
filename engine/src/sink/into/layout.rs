//! Which dimensions and variables a new store has, and how they are cut into chunks.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::suggest::{closest, did_you_mean};
use serde_json::{Map, Value};

use super::options::IntoOptions;
use super::part::Part;
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
    /// The index coordinates, then the variables of each part.
    pub(super) schema: StoreSchema,
    /// The labels of each dimension.
    pub(super) labels: Vec<ArrayRef>,
}

impl Layout {
    /// The store of all parts.
    pub(super) fn new(parts: &[Part], chunks: &[(String, u64)], options: &IntoOptions) -> Result<Self, Error> {
        let mut schema = StoreSchema::new(Vec::new());
        (schema.codec, schema.zarr_version) = (options.codec.clone(), options.zarr_version);
        let mut labels = Vec::new();
        for (field, along) in parts.iter().flat_map(Part::dimensions) {
            let known = schema.dimensions.iter().position(|dimension| dimension.name == *field.name());
            match known.map(|known| &labels[known]) {
                Some(known) if known == along => continue,
                Some(_) => return Err(different_labels(field.name())),
                None => {}
            }
            let length = along.len() as u64;
            schema.dimensions.push(Dimension { name: field.name().clone(), length });
            let chunk = length.clamp(1, LABELS_OF_CHUNK);
            schema.variables.push(variable(field, vec![field.name().clone()], vec![chunk]));
            labels.push(along.clone());
        }
        check_chunks(&schema.dimensions, chunks)?;
        let variables = parts.iter().map(Part::variable_count).sum::<usize>().max(1) as u64;
        for part in parts {
            let names: Vec<String> = part.dimensions().map(|(field, _)| field.name().clone()).collect();
            let lengths: Vec<u64> = part.dimensions().map(|(_, labels)| labels.len() as u64).collect();
            let asked = |name: &String| chunks.iter().find(|(known, _)| known == name).map(|(_, cells)| *cells);
            let fixed: Vec<Option<u64>> = names.iter().map(asked).collect();
            for field in part.variables() {
                let chunk_shape = chunk_shape(&lengths, &fixed, width(field.data_type()), WAITING_BYTES / variables);
                schema.variables.push(variable(field, names.clone(), chunk_shape));
            }
        }
        Ok(Self { schema, labels })
    }
}

fn variable(field: &Field, dimensions: Vec<String>, chunk_shape: Vec<u64>) -> VariableSchema {
    let metadata = field.metadata();
    let attributes: Map<String, Value> = ATTRIBUTES
        .iter()
        .filter_map(|name| Some((name.to_string(), Value::String(metadata.get(*name)?.clone()))))
        .collect();
    VariableSchema {
        name: field.name().clone(),
        dimensions,
        data_type: field.data_type().clone(),
        chunk_shape,
        attributes,
        nan_is_missing: field.data_type().is_floating(),
        calendar: metadata.get("calendar").filter(|_| field.data_type() == &DataType::Int64).cloned(),
        coordinate: metadata.get("quarray.role").is_some_and(|role| role == "coordinate"),
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

fn different_labels(name: &str) -> Error {
    let message =
        format!("dimension `{name}` has other labels in one variable than in another: expected the same ones");
    Error::Bind(Diagnostic::new(message).with_help("write them into stores of their own"))
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
