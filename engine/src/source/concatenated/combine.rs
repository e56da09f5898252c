//! From the datasets of several files to one.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, make_comparator, new_empty_array};
use arrow::compute::{SortOptions, concat};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};

use super::FILES_IN_FLIGHT;
use super::array::ConcatenatedArray;
use crate::array::{Region, unravel};
use crate::dataset::{Dataset, Role, Variable};
use crate::source::{ArraySource, SourceError};

/// The most labels of a dimension in one file.
const LABELS_MAX: u64 = 1 << 26;

/// The dataset of a file, and the labels of its dimensions.
#[derive(Debug)]
pub(super) struct Part {
    dataset: Dataset,
    labels: HashMap<String, ArrayRef>,
}

impl Part {
    /// Opens a file and reads its labels.
    pub async fn read(file: BoxFuture<'static, Result<Dataset, SourceError>>) -> Result<Self, SourceError> {
        let dataset = file.await?;
        let mut labels = HashMap::new();
        for variable in &dataset.variables {
            if variable.role == Role::Index {
                labels.insert(variable.name.clone(), read_labels(&dataset.uri, variable).await?);
            }
        }
        Ok(Self { dataset, labels })
    }
}

/// One dataset of several.
pub(super) async fn combine(uri: &str, parts: Vec<Part>, along: Option<&str>) -> Result<Dataset, SourceError> {
    let Some(first) = parts.first() else { return Err(wrong(uri, "there are no files".to_string())) };
    let along = match along {
        Some(along) if first.dataset.dimension(along).is_some() => along.to_string(),
        Some(along) => {
            return Err(wrong(&first.dataset.uri, format!("there is no dimension `{along}` to concatenate along")));
        }
        None => differing(uri, &parts)?,
    };
    check_labels(&parts, &along)?;
    let mut variables = Vec::with_capacity(first.dataset.variables.len());
    for variable in &first.dataset.variables {
        let others = same_variables(&parts, variable, &along)?;
        let place = variable.dimensions.iter().position(|name| *name == along);
        match place {
            Some(place) => {
                let name = format!("{uri}/{}", variable.name);
                let array = Arc::new(ConcatenatedArray::new(name, others, place));
                variables.push(Variable { array, ..variable.clone() });
            }
            None => {
                // Those of labels were compared.
                if variable.role != Role::Index {
                    check_equal(&parts, variable, others).await?;
                }
                variables.push(variable.clone());
            }
        }
    }
    for part in &parts[1..] {
        let unknown = part.dataset.variables.iter().find(|other| first.dataset.variable(&other.name).is_none());
        if let Some(unknown) = unknown {
            let message = format!("it has the variable `{}`, which {} has not", unknown.name, first.dataset.uri);
            return Err(wrong(&part.dataset.uri, message));
        }
    }
    let mut dimensions = first.dataset.dimensions.clone();
    for dimension in dimensions.iter_mut().filter(|dimension| dimension.name == along) {
        let lengths = parts.iter().filter_map(|part| part.dataset.dimension(&along));
        dimension.length = lengths.map(|dimension| dimension.length).sum();
    }
    Ok(Dataset { uri: uri.to_string(), dimensions, variables, attributes: first.dataset.attributes.clone() })
}

/// The dimension whose labels are not those of the first file in all others.
fn differing(uri: &str, parts: &[Part]) -> Result<String, SourceError> {
    let (first, others) = parts.split_first().ok_or_else(|| wrong(uri, "there are no files".to_string()))?;
    let differs = |name: &str| {
        let labels = first.labels.get(name);
        others.iter().any(|part| part.labels.get(name) != labels)
    };
    let names = first.dataset.dimensions.iter().map(|dimension| dimension.name.as_str());
    let found: Vec<&str> = names.filter(|name| first.labels.contains_key(*name) && differs(name)).collect();
    match found.as_slice() {
        [only] => Ok((*only).to_string()),
        [] if others.is_empty() && first.dataset.dimension("time").is_some() => Ok("time".to_string()),
        [] => Err(wrong(
            uri,
            "no labels differ from file to file: say along what by WITH (concat = 'dimension')".to_string(),
        )),
        several => {
            let message = format!(
                "the labels of {} differ from file to file: say along which by WITH (concat = …)",
                several.join(", ")
            );
            Err(wrong(uri, message))
        }
    }
}

/// Labels go on from file to file, and are the same where they do not.
fn check_labels(parts: &[Part], along: &str) -> Result<(), SourceError> {
    let Some((first, others)) = parts.split_first() else { return Ok(()) };
    for part in others {
        for dimension in &first.dataset.dimensions {
            let name = dimension.name.as_str();
            let (a, b) = (first.labels.get(name), part.labels.get(name));
            if name != along && a != b {
                let message = format!("the labels of `{name}` are not those of {}", first.dataset.uri);
                return Err(wrong(&part.dataset.uri, message));
            }
            if name == along && (a.is_none() != b.is_none() || a.map(|a| a.data_type()) != b.map(|b| b.data_type())) {
                let message = format!("the labels of `{name}` are of another type than those of {}", first.dataset.uri);
                return Err(wrong(&part.dataset.uri, message));
            }
        }
    }
    let labelled: Vec<(&str, &ArrayRef)> =
        parts.iter().filter_map(|part| Some((part.dataset.uri.as_str(), part.labels.get(along)?))).collect();
    let mut direction = None;
    for (number, (file, labels)) in labelled.iter().enumerate() {
        // The last label of the file before, then all of this one.
        let before = labelled[..number].iter().rev().map(|(_, labels)| *labels).find(|labels| !labels.is_empty());
        let mut all: Vec<ArrayRef> = before.map(|labels| labels.slice(labels.len() - 1, 1)).into_iter().collect();
        all.push(Arc::clone(labels));
        let all: Vec<&dyn Array> = all.iter().map(AsRef::as_ref).collect();
        let all = concat(&all).map_err(|error| wrong(file, error.to_string()))?;
        let compare = make_comparator(&all, &all, SortOptions::default()).map_err(|e| wrong(file, e.to_string()))?;
        for place in 1..all.len() {
            let order = compare(place - 1, place);
            if order.is_eq() || *direction.get_or_insert(order) != order {
                let message = format!(
                    "the labels of `{along}` do not go on from file to file: those of this one come too early or too late"
                );
                return Err(wrong(file, message));
            }
        }
    }
    Ok(())
}

/// The arrays of a variable in all files, which are alike but for their lengths along a dimension.
fn same_variables(parts: &[Part], first: &Variable, along: &str) -> Result<Vec<Arc<dyn ArraySource>>, SourceError> {
    let array_of = |part: &Part| {
        let file = part.dataset.uri.as_str();
        let Some(other) = part.dataset.variable(&first.name) else {
            return Err(wrong(file, format!("it has no variable `{}`, which the first file has", first.name)));
        };
        let kind = |variable: &Variable| {
            let lengths: Vec<(String, Option<u64>)> = variable
                .dimensions
                .iter()
                .zip(variable.shape())
                .map(|(name, &length)| (name.clone(), Some(length).filter(|_| name != along)))
                .collect();
            (lengths, variable.data_type.clone(), variable.calendar.clone(), variable.nan_is_missing)
        };
        match kind(first) == kind(other) {
            true => Ok(Arc::clone(&other.array)),
            false => Err(wrong(
                file,
                format!(
                    "`{}` has {:?} {:?} of {}, but {:?} {:?} of {} in the first file",
                    first.name,
                    other.dimensions,
                    other.shape(),
                    other.data_type,
                    first.dimensions,
                    first.shape(),
                    first.data_type
                ),
            )),
        }
    };
    parts.iter().map(array_of).collect()
}

/// Compares a variable that does not continue, chunk by chunk.
async fn check_equal(
    parts: &[Part],
    variable: &Variable,
    arrays: Vec<Arc<dyn ArraySource>>,
) -> Result<(), SourceError> {
    let Some((first, others)) = arrays.split_first() else { return Ok(()) };
    let counts = first.grid().chunk_counts();
    let chunks: u64 = counts.iter().product();
    for linear in 0..if others.is_empty() { 0 } else { chunks } {
        let region = first.grid().chunk_region(&unravel(linear, &counts));
        let expected = read_region(Arc::clone(first), region.clone()).await?.to_data();
        // What the futures look at is their own: borrowed, they could not be sent to other threads.
        let reads: Vec<_> = others.iter().map(|other| read_region(Arc::clone(other), region.clone())).collect();
        let found: Vec<ArrayRef> = stream::iter(reads).buffered(FILES_IN_FLIGHT).try_collect().await?;
        if let Some(other) = found.iter().position(|found| found.to_data() != expected) {
            let file = parts.get(other + 1).map_or("", |part| part.dataset.uri.as_str());
            let message =
                format!("`{}` has other values than in the first file, and does not continue it", variable.name);
            return Err(wrong(file, message));
        }
    }
    Ok(())
}

/// The cells of a region, of an array in chunks of its own.
async fn read_region(array: Arc<dyn ArraySource>, region: Region) -> Result<ArrayRef, SourceError> {
    let chunks = array.grid().chunks_of(&region);
    let mut pieces = Vec::new();
    for linear in 0..chunks.cells().unwrap_or(0) {
        let index = chunks.cell(linear);
        let place = array.grid().chunk_region(&index);
        let Some(here) = place.intersection(&region) else { continue };
        let inside = here.relative_to(&place.start);
        let chunk = array.fetch(&index).await?;
        chunk.wait(&inside).await?;
        pieces.push((here, chunk.read(&inside)?));
    }
    super::region::assembled(&region, pieces).map_err(|message| wrong("", message))
}

async fn read_labels(file: &str, index: &Variable) -> Result<ArrayRef, SourceError> {
    let whole = Region::whole(index.shape());
    match whole.cells() {
        Some(0) => Ok(new_empty_array(&index.data_type)),
        Some(1..=LABELS_MAX) => read_region(Arc::clone(&index.array), whole).await,
        _ => Err(wrong(file, format!("`{}` has more than {LABELS_MAX} labels", index.name))),
    }
}

fn wrong(uri: &str, message: String) -> SourceError {
    SourceError::Address { uri: uri.to_string(), message }
}
