//! Blocks → dense accumulators: the first phase of a grid reduction.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt, stream};

use super::block::{Block, list_of, one_list};
use super::evaluate::{CellExpressions, CellValues, without_widening};
use super::operator::operator_methods;
use super::origin::OriginCell;
use super::pivot::kernel;
use super::read::run_of;
use super::reduce_spec::{AggregateSpec, ReduceSpec, cells_of};
use super::turns::Turns;
use super::work::WorkGrid;
use crate::array::Region;
use crate::kernel::{Accumulator, AggregateKind, Cells};

/// Folds the blocks of a partition into accumulators over the groups that the partition touches, and gives their states
/// as one row: the partition, the box of groups, and a list for every state.
#[derive(Debug)]
pub struct GridReducePartialExec {
    input: Arc<dyn ExecutionPlan>,
    reduction: Arc<Reduction>,
    work: Arc<WorkGrid>,
    turns: Arc<Turns>,
    schema: SchemaRef,
    pub(super) origin: OriginCell,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// A reduction with its expressions prepared.
#[derive(Debug)]
pub struct Reduction {
    /// What is computed.
    pub spec: Arc<ReduceSpec>,
    expressions: CellExpressions,
    mask: Option<usize>,
    /// For each accumulator (the aggregates, then the presence of cells if there is a mask).
    pub accumulators: Vec<PreparedAggregate>,
}

/// An aggregate with its arguments as numbers of prepared expressions.
#[derive(Debug)]
pub struct PreparedAggregate {
    kind: AggregateKind,
    arguments: Vec<usize>,
    types: Vec<DataType>,
    filter: Option<usize>,
}

impl Reduction {
    /// Prepares the expressions of a reduction.
    pub fn new(spec: Arc<ReduceSpec>) -> Result<Self> {
        let mut expressions: Vec<Expr> = Vec::new();
        let mask = spec.mask.as_ref().map(|mask| number_of(&mut expressions, mask));
        let presence = mask.map(|_| AggregateSpec { kind: AggregateKind::CountAll, arguments: vec![], filter: None });
        let mut numbered = Vec::new();
        for aggregate in spec.aggregates.iter().chain(&presence) {
            let arguments: Vec<Expr> = aggregate
                .arguments
                .iter()
                .map(|argument| without_widening(argument, |inner| type_of(&spec, inner)))
                .collect::<Result<_>>()?;
            let arguments: Vec<usize> =
                arguments.iter().map(|argument| number_of(&mut expressions, argument)).collect();
            let filter = aggregate.filter.as_ref().map(|filter| number_of(&mut expressions, filter));
            numbered.push((aggregate.kind.clone(), arguments, filter));
        }
        let expressions = CellExpressions::new(&spec.table, spec.columns.clone(), &expressions)?;
        let accumulators = numbered
            .into_iter()
            .map(|(kind, arguments, filter)| {
                let types = arguments.iter().map(|&argument| expressions.data_type(argument)).collect::<Result<_>>()?;
                Ok(PreparedAggregate { kind, arguments, types, filter })
            })
            .collect::<Result<_>>()?;
        Ok(Self { spec, expressions, mask, accumulators })
    }

    /// Whether the last accumulator counts the cells that the mask lets through.
    pub fn has_presence(&self) -> bool {
        self.mask.is_some()
    }

    /// Accumulators for so many groups.
    pub fn start(&self, groups: usize) -> Result<Vec<Box<dyn Accumulator>>> {
        self.accumulators.iter().map(|prepared| prepared.accumulator(groups)).collect()
    }

    /// Bytes that accumulators for one group take.
    pub fn bytes_per_group(&self) -> usize {
        self.accumulators.iter().map(|prepared| prepared.kind.bytes_per_group(&prepared.types)).sum()
    }

    /// The schema of partial states.
    pub fn partial_schema(&self) -> Result<SchemaRef> {
        let mut fields = vec![Field::new("partition", DataType::UInt64, false)];
        fields.extend(super::block::block_schema([]).fields().iter().map(|field| field.as_ref().clone()));
        for (number, prepared) in self.accumulators.iter().enumerate() {
            for (k, data_type) in prepared.accumulator(0)?.state_types().into_iter().enumerate() {
                fields.push(Field::new(format!("state {number}.{k}"), list_of(data_type), false));
            }
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    fn update(&self, accumulators: &mut [Box<dyn Accumulator>], block: &Block, groups: &Region) -> Result<()> {
        let layout = self.spec.layout(&block.region, groups);
        let mut evaluated: Vec<Option<CellValues>> = vec![None; self.expressions.count()];
        let mask = self.mask.map(|mask| self.expressions.matching(mask, block)).transpose()?;
        for (prepared, accumulator) in self.accumulators.iter().zip(accumulators) {
            for &argument in &prepared.arguments {
                if evaluated[argument].is_none() {
                    evaluated[argument] = Some(self.expressions.evaluate(argument, block)?);
                }
            }
            let arguments: Vec<Cells<'_>> = prepared
                .arguments
                .iter()
                .filter_map(|&argument| evaluated[argument].as_ref())
                .map(|found| Cells { values: &found.values, nan_is_missing: found.nan_is_missing })
                .collect();
            let filter = prepared.filter.map(|filter| self.expressions.matching(filter, block)).transpose()?;
            let mask = both(mask.as_ref(), filter)?;
            accumulator.update(&layout, &arguments, mask.as_ref()).map_err(kernel)?;
        }
        Ok(())
    }
}

impl PreparedAggregate {
    fn accumulator(&self, groups: usize) -> Result<Box<dyn Accumulator>> {
        self.kind.accumulator(&self.types, groups).map_err(kernel)
    }
}

impl GridReducePartialExec {
    /// Which partitions may work: the second phase takes part in it, where it runs beside this one.
    pub fn turns(&self) -> &Arc<Turns> {
        &self.turns
    }

    /// Lets no more partitions work at once than so many threads, before the first is asked for: each holds the memory of
    /// a core.
    pub fn narrow(&self, threads: usize) {
        self.turns.narrow(threads);
    }

    /// The first phase over `input`, a plan that gives the blocks of `work`.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        reduction: Arc<Reduction>,
        work: Arc<WorkGrid>,
        threads: usize,
    ) -> Result<Self> {
        let schema = reduction.partial_schema()?;
        let equivalence = EquivalenceProperties::new(Arc::clone(&schema));
        let properties = input.properties().as_ref().clone().with_eq_properties(equivalence);
        Ok(Self {
            input,
            reduction,
            work,
            turns: Arc::new(Turns::new(threads)),
            schema,
            origin: OriginCell::default(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

impl GridReducePartialExec {
    /// The same over another input, with nobody beside it who takes the states, on so many threads.
    pub fn alone(&self, mut inputs: Vec<Arc<dyn ExecutionPlan>>, threads: usize) -> Result<Self> {
        let input = inputs.swap_remove(0);
        let mut alone = Self::new(input, Arc::clone(&self.reduction), Arc::clone(&self.work), threads)?;
        alone.origin = Arc::clone(&self.origin);
        Ok(alone)
    }
}

impl DisplayAs for GridReducePartialExec {
    fn fmt_as(&self, _format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "GridReducePartialExec: {}", describe(&self.reduction.spec))
    }
}

/// Groups and aggregates of a reduction, for `EXPLAIN`.
pub fn describe(spec: &ReduceSpec) -> String {
    let axes = spec.table.axes().iter().zip(&spec.axes);
    let groups: Vec<_> =
        axes.map(|(axis, groups)| format!("{}: {}→{}", axis.name, axis.count(), groups.count())).collect();
    let aggregates: Vec<_> = spec
        .aggregates
        .iter()
        .map(|aggregate| {
            let arguments: Vec<_> = aggregate.arguments.iter().map(ToString::to_string).collect();
            format!("{:?}({})", aggregate.kind, arguments.join(", "))
        })
        .collect();
    let mask = spec.mask.as_ref().map_or(String::new(), |mask| format!(", where {mask}"));
    format!("groups [{}], {}{mask}", groups.join(", "), aggregates.join(", "))
}

impl ExecutionPlan for GridReducePartialExec {
    operator_methods!("GridReducePartialExec": input);

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.swap_remove(0);
        let mut replaced = Self::new(input, Arc::clone(&self.reduction), Arc::clone(&self.work), 1)?;
        (replaced.turns, replaced.origin) = (Arc::clone(&self.turns), Arc::clone(&self.origin));
        Ok(Arc::new(replaced))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new("GridReducePartialExec").register(context.memory_pool());
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let turns = Arc::clone(&self.turns);
        let (reduction, schema) = (Arc::clone(&self.reduction), Arc::clone(&self.schema));
        let run = run_of(&self.input, partition)?;
        let bounds = self.work.bounds(run.start, run.end);
        let number = run.partition;
        let mut input = self.input.execute(partition, context)?;
        let state = stream::once(async move {
            let _started = turns.start(number).await;
            let first = input.next().await;
            let turn = turns.work().await;
            let input = stream::iter(first).chain(input);
            let folded = fold(&reduction, input, bounds, memory, &baseline).await?;
            turns.finish(number, turn);
            folded.into_batch(number, &schema)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), state)))
    }
}

/// The states of a partition.
struct Folded {
    groups: Region,
    states: Vec<ArrayRef>,
    _memory: MemoryReservation,
}

async fn fold(
    reduction: &Reduction,
    mut input: impl Stream<Item = Result<RecordBatch>> + Unpin,
    bounds: Option<Region>,
    memory: MemoryReservation,
    baseline: &BaselineMetrics,
) -> Result<Folded> {
    let rank = reduction.spec.axes.len();
    let groups = match bounds {
        Some(cells) => reduction.spec.groups_of(&cells),
        None => Region::new(vec![0; rank], vec![if rank == 0 { 1 } else { 0 }; rank]),
    };
    let count = cells_of(&groups)?;
    memory.try_grow(count.saturating_mul(reduction.bytes_per_group()))?;
    let mut accumulators = reduction.start(count)?;
    while let Some(batch) = input.next().await {
        let batch = batch?;
        let _timer = baseline.elapsed_compute().timer();
        for block in Block::of_batch(&batch)? {
            reduction.update(&mut accumulators, &block, &groups)?;
        }
        memory.try_resize(accumulators.iter().map(|accumulator| accumulator.memory_size()).sum())?;
    }
    let mut states = Vec::new();
    for accumulator in &mut accumulators {
        states.extend(accumulator.state().map_err(kernel)?);
    }
    Ok(Folded { groups, states, _memory: memory })
}

impl Folded {
    fn into_batch(self, partition: u64, schema: &SchemaRef) -> Result<RecordBatch> {
        let place = Block { region: self.groups, values: Vec::new() }.into_batch(&super::block::block_schema([]))?;
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(vec![partition]))];
        columns.extend(place.columns().iter().cloned());
        columns.extend(self.states.into_iter().map(one_list));
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}

/// Cells that both let through.
fn both(mask: Option<&BooleanArray>, filter: Option<BooleanArray>) -> Result<Option<BooleanArray>> {
    Ok(match (mask, filter) {
        (Some(mask), Some(filter)) => Some(arrow::compute::and_kleene(mask, &filter)?),
        (Some(mask), None) => Some(mask.clone()),
        (None, filter) => filter,
    })
}

/// The place of an expression in the list, added if it is new.
fn number_of(expressions: &mut Vec<Expr>, expression: &Expr) -> usize {
    expressions.iter().position(|known| known == expression).unwrap_or_else(|| {
        expressions.push(expression.clone());
        expressions.len() - 1
    })
}

/// The type of an expression of the blocks' columns and the table's labels.
fn type_of(spec: &ReduceSpec, expression: &Expr) -> Result<DataType> {
    let probe = CellExpressions::new(&spec.table, spec.columns.clone(), std::slice::from_ref(expression))?;
    probe.data_type(0)
}
