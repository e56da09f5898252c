//! Blocks → rows, as late as possible.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column as ColumnExpr;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use super::block::Block;
use super::evaluate::BlockColumn;
use super::operator::operator_methods;
use super::origin::OriginCell;
use super::windowed::BlockPlan;
use crate::kernel::gather;
use crate::scan::{CellTable, ColumnKind, Order};

/// One row a cell: labels, positions and variables, missing cells as nulls.
#[derive(Debug)]
pub struct PivotExec {
    input: Arc<dyn ExecutionPlan>,
    table: Arc<CellTable>,
    columns: Arc<Vec<PivotColumn>>,
    schema: SchemaRef,
    pub(super) origin: OriginCell,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

#[derive(Debug)]
enum PivotColumn {
    /// Values along one axis of the table.
    Along { axis: usize, values: ArrayRef },
    /// A list of the block.
    Cells { list: usize, column: BlockColumn },
}

impl PivotExec {
    /// The rows of `columns` of a table, and of the windows of these names, from the blocks that hold them.
    pub fn with_windows<'a>(
        plan: &BlockPlan,
        table: Arc<CellTable>,
        columns: &[usize],
        windows: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self> {
        let list = |name: &str| plan.columns.iter().position(|column| column.name == name);
        let mut fields: Vec<Arc<Field>> = Vec::new();
        let mut pivoted = Vec::new();
        for &number in columns {
            let column = &table.columns()[number];
            fields.push(Arc::clone(&column.field));
            pivoted.push(match column.kind {
                ColumnKind::Label(axis) => PivotColumn::Along { axis, values: table.axes()[axis].selected_labels()? },
                ColumnKind::Position(axis) => {
                    PivotColumn::Along { axis, values: table.axes()[axis].selected_positions() }
                }
                ColumnKind::Variable(_) => PivotColumn::cells(plan, list(column.field.name()))?,
            });
        }
        for name in windows {
            let column = PivotColumn::cells(plan, list(name))?;
            let PivotColumn::Cells { list, .. } = &column else { continue };
            fields.push(Arc::new(Field::new(name, plan.columns[*list].data_type.clone(), true)));
            pivoted.push(column);
        }
        let schema = Arc::new(Schema::new(fields));
        let mut equivalence = EquivalenceProperties::new(Arc::clone(&schema));
        if plan.work.is_row_order() {
            equivalence.add_orderings(row_orders(&table, &schema));
        }
        let input = Arc::clone(&plan.blocks);
        let properties = Arc::new(input.properties().as_ref().clone().with_eq_properties(equivalence));
        let (columns, origin, metrics) = (Arc::new(pivoted), OriginCell::default(), ExecutionPlanMetricsSet::new());
        Ok(Self { input, table, columns, schema, origin, properties, metrics })
    }
}

impl PivotColumn {
    /// The cells of a list of the blocks.
    fn cells(plan: &BlockPlan, list: Option<usize>) -> Result<Self> {
        match list {
            Some(list) => Ok(Self::Cells { list, column: plan.columns[list].clone() }),
            None => datafusion::common::internal_err!("the blocks lack a column of the rows"),
        }
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
    operator_methods!("PivotExec": input);

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.swap_remove(0);
        // A scheduler may leave some of the partitions only.
        let equivalence = self.properties.eq_properties.clone();
        let properties = Arc::new(input.properties().as_ref().clone().with_eq_properties(equivalence));
        Ok(Arc::new(Self {
            input,
            table: Arc::clone(&self.table),
            columns: Arc::clone(&self.columns),
            schema: Arc::clone(&self.schema),
            origin: Arc::clone(&self.origin),
            properties,
            metrics: ExecutionPlanMetricsSet::new(),
        }))
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
                PivotColumn::Cells { list, column } => {
                    let values = column.with_nulls(&block.values[*list]);
                    let whole = column.axes.iter().copied().eq(0..table.axes().len());
                    Ok(Some(match whole {
                        true => values,
                        false => gather::broadcast(&values, &column.axes, &shape).map_err(kernel)?,
                    }))
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
