//! From the documents of a group to a dataset.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::DecodeOptions;
use super::array::ZarrArray;
use super::chunk::Layout;
use super::codec;
use super::dimensions::Dimensions;
use super::fill::Fill;
use super::hierarchy::{ArrayNode, Hierarchy};
use super::metadata::{self, ArrayMetadata};
use super::shard::Sharding;
use super::stored_type::StoredType;
use crate::array::ChunkGrid;
use crate::dataset::{Dataset, Dimension, Encoding, Role, Variable};
use crate::source::SourceError;
use crate::source::cf::{Decoding, Packed, Rules, coordinate_names};
use crate::source::store::Store;

/// The dataset of a group's arrays.
pub(super) fn dataset(store: Store, hierarchy: Hierarchy, options: &DecodeOptions) -> Result<Dataset, SourceError> {
    let mut arrays: Vec<(ArrayNode, String, ArrayMetadata)> = Vec::new();
    let mut dimensions = Dimensions::default();
    for node in hierarchy.arrays {
        let address = if node.path.is_empty() { store.uri.clone() } else { format!("{}/{}", store.uri, node.path) };
        let metadata = metadata::parse(&address, &node.document)?;
        dimensions.add_named(&address, &metadata)?;
        arrays.push((node, address, metadata));
    }
    let mut described: BTreeSet<String> = coordinate_names(&hierarchy.attributes);
    for (_, _, metadata) in &arrays {
        described.extend(coordinate_names(&metadata.attributes));
    }
    let mut variables = Vec::with_capacity(arrays.len());
    for (node, address, metadata) in arrays {
        let names = dimensions.names(&address, &metadata);
        let role = match names.as_slice() {
            [only] if *only == node.name => Role::Index,
            _ if described.contains(&node.name) => Role::Coordinate,
            _ => Role::Data,
        };
        variables.push(variable(&store, node, address, metadata, names, role, options)?);
    }
    let dimensions = in_the_order_of_data(dimensions.all, &variables);
    Ok(Dataset { uri: store.uri, dimensions, variables, attributes: hierarchy.attributes })
}

/// The dimensions as the data have them, outermost first: those of the variable with the most of them, then those of the
/// others. A store lists its arrays in an order of its own, often that of the alphabet.
pub(in crate::source) fn in_the_order_of_data(
    mut dimensions: Vec<Dimension>,
    variables: &[Variable],
) -> Vec<Dimension> {
    let mut variables: Vec<&Variable> = variables.iter().collect();
    variables.sort_by_key(|variable| (variable.role != Role::Data, std::cmp::Reverse(variable.dimensions.len())));
    let names: Vec<&String> = variables.iter().flat_map(|variable| &variable.dimensions).collect();
    dimensions.sort_by_key(|dimension| names.iter().position(|name| **name == dimension.name).unwrap_or(names.len()));
    dimensions
}

fn variable(
    store: &Store,
    node: ArrayNode,
    address: String,
    metadata: ArrayMetadata,
    dimensions: Vec<String>,
    role: Role,
    options: &DecodeOptions,
) -> Result<Variable, SourceError> {
    let rules = Rules { decode_cf: options.decode_cf, nan_as_null: options.nan_as_null };
    let decoding = Decoding::new(&metadata.stored_type.arrow(), &metadata.attributes, missing_fill(&metadata), rules);
    let sharding = Sharding::of(&address, &metadata)?;
    let (chunk_shape, codecs, shards) = match sharding {
        Some(sharding) => (sharding.chunk_shape, sharding.codecs, Some(sharding.shards)),
        None => (metadata.chunk_shape.clone(), metadata.codecs.clone(), None),
    };
    let encoding = Encoding {
        stored_type: metadata.type_name.clone(),
        codecs: codec::summary(&codecs),
        shard_shape: shards.is_some().then(|| metadata.chunk_shape.clone()),
        fill_value: metadata.fill_value.as_ref().map(|value| value.to_string().trim_matches('"').to_string()),
        missing_value: metadata.fill_value.clone().filter(|_| metadata.fill_is_missing),
    };
    let chain = codec::parse(&address, &codecs, &metadata.stored_type, &metadata.fill, &chunk_shape)?;
    let (data_type, nan_is_missing) = (decoding.data_type().clone(), decoding.nan_is_missing());
    let calendar = decoding.calendar().map(String::from);
    let ArrayMetadata { shape, stored_type, fill, keys, attributes, .. } = metadata;
    let layout = Layout { array: address, stored_type, chunk_shape: chunk_shape.clone(), fill, chain, decoding };
    let array = ZarrArray {
        store: store.clone(),
        path: node.path,
        keys,
        grid: ChunkGrid::new(shape, chunk_shape),
        layout: Arc::new(layout),
        shards,
    };
    Ok(Variable {
        name: node.name,
        dimensions,
        role,
        data_type,
        nan_is_missing,
        calendar,
        attributes,
        encoding,
        array: Arc::new(array),
    })
}

/// The fill value as a missing value, where the version has it so.
fn missing_fill(metadata: &ArrayMetadata) -> Option<Packed> {
    metadata.fill_value.as_ref().filter(|_| metadata.fill_is_missing)?;
    let (StoredType::Number(number), Fill::Bytes(cell)) = (&metadata.stored_type, &metadata.fill) else { return None };
    match number.is_float() {
        true => number.floats(cell).first().map(|&value| Packed::Float(value)),
        false if *number == super::number::Number::UInt64 => {
            number.ints(cell).first().map(|&value| Packed::Int(i128::from(value as u64)))
        }
        false => number.ints(cell).first().map(|&value| Packed::Int(i128::from(value))),
    }
}
