//! Recipes of plans over the cells of a table.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::execution::TaskContext;
use datafusion_proto::protobuf::DfSchema;
use prost::Message;
use quarray_engine::exec::{GridPlan, PlanSettings, Recipe};
use quarray_engine::logical::{GridReduce, GridWindow};
use quarray_engine::scan::CellTable;

use super::cells::{missing, table_message, table_of};
use super::datasets::Datasets;
use super::expressions::Expressions;
use super::{CodecError, message};

/// The bytes of a recipe.
pub fn encode_recipe(recipe: &Recipe, expressions: &Expressions) -> Result<Vec<u8>, CodecError> {
    let loaded: Vec<&str> = recipe.key_variables()?.into_iter().map(|variable| variable.name.as_str()).collect();
    let (mut reduce, mut cells) = (None, None);
    let windows = match &recipe.what {
        GridPlan::Reduce(node) => {
            reduce = Some(reduce_message(node, expressions)?);
            &node.windows
        }
        GridPlan::Cells { columns, windows, .. } => {
            cells = Some(message::Cells { columns: columns.iter().map(|&column| column as u32).collect() });
            windows
        }
    };
    let recipe = message::Recipe {
        settings: Some(settings_message(recipe.settings)),
        table: Some(table_message(recipe.table(), &loaded)?),
        windows: windows.iter().map(|window| expressions.window(window)).collect::<Result<_, _>>()?,
        reduce,
        cells,
    };
    Ok(recipe.encode_to_vec())
}

/// The recipe of these bytes; its dataset is open, and the variables that its keys are made of are read.
pub fn decode_recipe(
    bytes: &[u8],
    datasets: &Datasets,
    expressions: &Expressions,
    context: &TaskContext,
) -> Result<Recipe, CodecError> {
    let recipe = message::Recipe::decode(bytes)?;
    let settings = settings_of(&recipe.settings.ok_or_else(|| missing("settings"))?)?;
    let table = table_of(&recipe.table.ok_or_else(|| missing("a table"))?, datasets)?;
    let rank = table.axes().len();
    let windows = recipe.windows.iter().map(|window| expressions.window_of(window, rank, context));
    let windows = windows.collect::<Result<Vec<_>, _>>()?;
    let what = match (recipe.reduce, recipe.cells) {
        (Some(reduce), None) => GridPlan::Reduce(reduce_of(&reduce, table, windows, expressions, context)?),
        (None, Some(cells)) => {
            let columns: Vec<usize> = cells.columns.iter().map(|&column| column as usize).collect();
            if let Some(column) = columns.iter().find(|&&column| column >= table.columns().len()) {
                return Err(CodecError::Malformed(format!("column {column} of {}", table.columns().len())));
            }
            GridPlan::Cells { table, columns, windows }
        }
        _ => return Err(missing("what is computed")),
    };
    Ok(Recipe { what, settings })
}

fn reduce_message(reduce: &GridReduce, expressions: &Expressions) -> Result<message::Reduce, CodecError> {
    let schema = DfSchema::try_from(reduce.schema.as_ref())
        .map_err(|error| CodecError::NoWireForm { what: "a schema".to_string(), why: error.to_string() })?;
    let aggregates = reduce.aggregates.iter().map(|aggregate| expressions.aggregate(aggregate));
    Ok(message::Reduce {
        keys: expressions.keys(&reduce.keys)?,
        aggregates: aggregates.collect::<Result<_, _>>()?,
        mask: reduce.mask.as_ref().map(|mask| expressions.encode(mask)).transpose()?,
        schema: schema.encode_to_vec(),
    })
}

fn reduce_of(
    reduce: &message::Reduce,
    table: Arc<CellTable>,
    windows: Vec<GridWindow>,
    expressions: &Expressions,
    context: &TaskContext,
) -> Result<GridReduce, CodecError> {
    let schema = DfSchema::decode(reduce.schema.as_slice())?;
    let schema = DFSchema::try_from(&schema).map_err(|error| CodecError::Malformed(error.to_string()))?;
    let keys = expressions.decode_all(&reduce.keys, context)?;
    let aggregates = reduce.aggregates.iter().map(|aggregate| expressions.aggregate_of(aggregate, context));
    let aggregates = aggregates.collect::<Result<Vec<_>, _>>()?;
    let (found, expected) = (schema.fields().len(), keys.len() + aggregates.len());
    if found != expected {
        return Err(CodecError::Malformed(format!("{found} columns of {expected} keys and aggregates")));
    }
    let mask = reduce.mask.as_ref().map(|mask| expressions.decode(mask, context)).transpose()?;
    Ok(GridReduce { table, keys, aggregates, mask, windows, schema: Arc::new(schema) })
}

fn settings_message(settings: PlanSettings) -> message::Settings {
    let PlanSettings { threads, block_bytes, partitions_max } = settings;
    message::Settings { threads: threads as u64, block_bytes, partitions_max }
}

fn settings_of(settings: &message::Settings) -> Result<PlanSettings, CodecError> {
    let message::Settings { threads, block_bytes, partitions_max } = *settings;
    match usize::try_from(threads) {
        Ok(threads) if threads > 0 && block_bytes > 0 && partitions_max > 0 => {
            Ok(PlanSettings { threads, block_bytes, partitions_max })
        }
        _ => Err(CodecError::Malformed(format!("{settings:?}"))),
    }
}
