//! Blocks → rows, as late as possible.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column as ColumnExpr;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use super::block::Block;
use super::read::BlockReadExec;
use crate::kernel::gather;
use crate::scan::{CellTable, ColumnKind, Order, nan_to_null};

/// One row a cell: labels, positions and variables, missing cells as nulls.
#[derive(Debug)]
pub struct PivotExec {
    input: Arc<dyn ExecutionPlan>,
    table: Arc<CellTable>,
    columns: Arc<Vec<PivotColumn>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

#[derive(Debug)]
enum PivotColumn {
    /// Values along one axis of the table.
    Along { axis: usize, values: ArrayRef },
    /// A list of the block, over these axes of the table.
    Cells { list: usize, axes: Vec<usize>, nan_is_missing: bool },
}

impl PivotExec {
    /// The rows of `columns` of a table from the blocks of its variables.
    pub fn new(input: Arc<BlockReadExec>, table: Arc<CellTable>, columns: Vec<usize>) -> Result<Self> {
        let fields: Vec<Arc<Field>> =
            columns.iter().map(|&column| Arc::clone(&table.columns()[column].field)).collect();
        let schema = Arc::new(Schema::new(fields));
        let pivoted = columns
            .iter()
            .map(|&number| {
                let column = &table.columns()[number];
                Ok(match column.kind {
                    ColumnKind::Label(axis) => {
                        PivotColumn::Along { axis, values: table.axes()[axis].selected_labels()? }
                    }
                    ColumnKind::Position(axis) => {
                        PivotColumn::Along { axis, values: table.axes()[axis].selected_positions() }
                    }
                    ColumnKind::Variable(_) => PivotColumn::Cells {
                        list: input.columns().iter().position(|&read| read == number).unwrap_or(usize::MAX),
                        axes: column.axes.clone(),
                        nan_is_missing: table.variable(column).is_some_and(|variable| variable.nan_is_missing),
                    },
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let mut equivalence = EquivalenceProperties::new(Arc::clone(&schema));
        if input.work().is_row_order() {
            equivalence.add_orderings(row_orders(&table, &schema));
        }
        let properties = input.properties().as_ref().clone().with_eq_properties(equivalence);
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { input, table, columns: Arc::new(pivoted), schema, properties: Arc::new(properties), metrics })
    }
}

/// The orders that rows in C order have: by positions, and by labels where these are in order.
fn row_orders(table: &CellTable, schema: &SchemaRef) -> Vec<Vec<PhysicalSortExpr>> {
    let sorted = |name: &str, descending: bool| {
        let index = schema.index_of(name).ok()?;
        let options = arrow::compute::SortOptions { descending, nulls_first: descending };
        Some(PhysicalSortExpr::new(Arc::new(ColumnExpr::new(name, index)) as Arc<dyn PhysicalExpr>, options))
    };
    let by_position =
        table.axes().iter().map_while(|axis| sorted(&crate::scan::position_column(&axis.name), false)).collect();
    let by_label = table
        .axes()
        .iter()
        .map_while(|axis| match axis.order {
            Order::Ascending => sorted(&axis.name, false),
            Order::Descending => sorted(&axis.name, true),
            Order::None => None,
        })
        .collect();
    [by_position, by_label].into_iter().filter(|order: &Vec<_>| !order.is_empty()).collect()
}

impl DisplayAs for PivotExec {
    fn fmt_as(&self, _format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        let names: Vec<_> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(formatter, "PivotExec: rows [{}]", names.join(", "))
    }
}

impl ExecutionPlan for PivotExec {
    fn name(&self) -> &str {
        "PivotExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            input: children.swap_remove(0),
            table: Arc::clone(&self.table),
            columns: Arc::clone(&self.columns),
            schema: Arc::clone(&self.schema),
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows_max = context.session_config().batch_size();
        let (columns, table, schema) = (Arc::clone(&self.columns), Arc::clone(&self.table), Arc::clone(&self.schema));
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let blocks = self.input.execute(partition, context)?;
        let rows = blocks
            .map(move |batch| {
                let _timer = baseline.elapsed_compute().timer();
                let mut pieces = Vec::new();
                for block in Block::of_batch(&batch?)? {
                    let pivot = Pivot::new(&block, &columns, &table)?;
                    pieces.push((pivot, block));
                }
                let (columns, schema, baseline) = (Arc::clone(&columns), Arc::clone(&schema), baseline.clone());
                let batches = pieces.into_iter().flat_map(move |(pivot, block)| {
                    let (columns, schema, baseline) = (Arc::clone(&columns), Arc::clone(&schema), baseline.clone());
                    let starts = (0..pivot.cells).step_by(rows_max.max(1));
                    starts.map(move |start| {
                        let rows = rows_max.min(pivot.cells - start);
                        baseline.record_output(rows);
                        pivot.rows(&block, &columns, &schema, start, rows)
                    })
                });
                Ok::<_, DataFusionError>(stream::iter(batches))
            })
            .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// One block on its way into rows.
struct Pivot {
    cells: usize,
    shape: Vec<usize>,
    /// Columns of cells, repeated over every cell of the block; `None` for columns along an axis.
    cell_columns: Vec<Option<ArrayRef>>,
}

impl Pivot {
    fn new(block: &Block, columns: &[PivotColumn], table: &CellTable) -> Result<Self> {
        let shape = block.shape();
        let cell_columns = columns
            .iter()
            .map(|column| match column {
                PivotColumn::Along { .. } => Ok(None),
                PivotColumn::Cells { list, axes, nan_is_missing } => {
                    let values = match *nan_is_missing {
                        true => nan_to_null(&block.values[*list]),
                        false => Arc::clone(&block.values[*list]),
                    };
                    let whole = axes.iter().copied().eq(0..table.axes().len());
                    Ok(Some(if whole { values } else { gather::broadcast(&values, axes, &shape).map_err(kernel)? }))
                }
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { cells: shape.iter().product(), shape, cell_columns })
    }

    fn rows(
        &self,
        block: &Block,
        columns: &[PivotColumn],
        schema: &SchemaRef,
        start: usize,
        rows: usize,
    ) -> Result<RecordBatch> {
        let arrays = columns
            .iter()
            .zip(&self.cell_columns)
            .map(|(column, cells)| match (column, cells) {
                (_, Some(values)) => Ok(values.slice(start, rows)),
                (PivotColumn::Along { axis, values }, None) => {
                    let stride: usize = self.shape[axis + 1..].iter().product();
                    let first = block.region.start[*axis] as usize;
                    let index = |row: usize| (first + row / stride % self.shape[*axis]) as u32;
                    Ok(take(values, &UInt32Array::from_iter_values((start..start + rows).map(index)), None)?)
                }
                (PivotColumn::Cells { .. }, None) => {
                    datafusion::common::internal_err!("a column of cells was not read")
                }
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
    }
}

/// A kernel's error inside DataFusion's.
pub fn kernel(error: crate::kernel::KernelError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
