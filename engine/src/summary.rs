//! A dataset in words and numbers.

use arrow::array::Array;
use arrow::util::display::array_value_to_string;
use serde_json::{Map, Value};

use crate::dataset::{Dataset, Role, Variable};
use crate::outcome::{DatasetSummary, VariableSummary};
use crate::scan::LabelledDataset;

/// Labels shown from each end of a dimension.
const PREVIEW: usize = 3;

/// The summary of a dataset under a name.
pub fn summary(name: &str, source: &LabelledDataset) -> DatasetSummary {
    let dataset = &source.dataset;
    let mut variables: Vec<VariableSummary> =
        dataset.variables.iter().map(|variable| variable_summary(variable, source)).collect();
    let place = |name: &str| dataset.dimensions.iter().position(|dimension| dimension.name == name);
    variables.sort_by_key(|variable| match variable.role {
        Role::Index => (0, place(&variable.name)),
        Role::Coordinate => (1, None),
        Role::Data => (2, None),
    });
    DatasetSummary {
        name: name.to_string(),
        uri: dataset.uri.clone(),
        dimensions: dataset.dimensions.iter().map(|dimension| (dimension.name.clone(), dimension.length)).collect(),
        variables,
        attributes: texts(&dataset.attributes),
    }
}

/// The columns of a dataset as a table, each with what it is.
pub fn columns_of(dataset: &Dataset) -> Vec<(String, &'static str)> {
    let dimensions = dataset.dimensions.iter().map(|dimension| (dimension.name.clone(), "dimension"));
    let variables = dataset.variables.iter().filter(|variable| variable.role != Role::Index).map(|variable| {
        let what = if variable.role == Role::Coordinate { "coordinate" } else { "variable" };
        (variable.name.clone(), what)
    });
    dimensions.chain(variables).collect()
}

fn variable_summary(variable: &Variable, source: &LabelledDataset) -> VariableSummary {
    let grid = variable.array.grid();
    let cells = grid.shape().iter().fold(1u64, |cells, &length| cells.saturating_mul(length));
    let width = variable.data_type.primitive_width().unwrap_or(16) as u64;
    let preview = match variable.role {
        Role::Index => source.axis(&variable.name).map(|axis| preview(axis.labels.as_ref())),
        _ => None,
    };
    VariableSummary {
        name: variable.name.clone(),
        role: variable.role,
        dimensions: variable.dimensions.clone(),
        shape: grid.shape().to_vec(),
        data_type: type_name(variable),
        chunk_shape: grid.chunk_shape().to_vec(),
        codecs: variable.encoding.codecs.clone(),
        decoded_bytes: cells.saturating_mul(width),
        units: variable.units().map(str::to_string),
        preview,
        attributes: texts(&variable.attributes),
    }
}

fn type_name(variable: &Variable) -> String {
    match (&variable.data_type, &variable.calendar) {
        (_, Some(calendar)) => format!("time ({calendar})"),
        (arrow::datatypes::DataType::Timestamp(..), None) => "timestamp".to_string(),
        (arrow::datatypes::DataType::Utf8, None) => "string".to_string(),
        (other, None) => other.to_string().to_lowercase(),
    }
}

fn preview(labels: &dyn Array) -> String {
    let text = |index: usize| array_value_to_string(labels, index).unwrap_or_default();
    let all: Vec<String> = match labels.len() {
        length if length <= 2 * PREVIEW => (0..length).map(text).collect(),
        length => {
            let head = (0..PREVIEW).map(text);
            let tail = (length - PREVIEW..length).map(text);
            head.chain(["…".to_string()]).chain(tail).collect()
        }
    };
    // Days are days, as long as none of them has a time of day.
    let days: Option<Vec<&str>> =
        all.iter().map(|text| if text == "…" { Some("…") } else { text.strip_suffix("T00:00:00") }).collect();
    days.map_or_else(|| all.join(" "), |days| days.join(" "))
}

fn texts(attributes: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    attributes.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}
