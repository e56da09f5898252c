//! Tasks that end when they are cancelled.
//!
//! Ballista aborts the future of a task, but not what that future has spawned: cancelled work would run to its end. Here
//! a stage's streams are cut as soon as the future is dropped, and with them everything below; joins that are in the middle
//! of a batch look up and end. The work itself is on threads of its own, since a future that is being polled cannot be
//! dropped: Ballista's own thread only waits for it, and hears at once that the task is cancelled.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::serde::protobuf::{RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport};
use ballista_executor::execution_engine::{DefaultExecutionEngine, ExecutionEngine, QueryStageExecutor};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::{Gauge, Metric, MetricValue, MetricsSet};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::prelude::SessionConfig;
use futures::stream::{AbortHandle, Abortable, Stream};
use parking_lot::Mutex;
use quarray_engine::explain::PeakMemory;
use quarray_engine::interruption::Interruption;
use quarray_engine::totals::totals;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::measured::PEAK_MEMORY;
use super::stage_order::{StageInPreparation, StageOrder, narrow};
use super::task_failure::told;
use crate::codec::is_to_be_prepared;
use crate::metrics::task_totals;

/// How often a task looks whether its predecessor has let go of its files.
const PREDECESSOR_POLL: Duration = Duration::from_millis(5);

/// A task waits this long for its predecessor: no block takes longer to come up for air.
const PREDECESSOR_WAIT_MAX: Duration = Duration::from_secs(30);

/// Ballista's engine, whose tasks end when they are cancelled.
pub struct CancellingEngine {
    inner: Arc<DefaultExecutionEngine>,
    tasks: Arc<Tasks>,
    threads: Handle,
    /// Bytes that a task may hold for each of its cores; 0 is any number.
    core_memory: usize,
}

/// The place of a task: what it writes has its name of this.
pub(super) type Slot = (JobId, usize, usize);

/// The latest task of every place.
#[derive(Default)]
struct Tasks {
    latest: Mutex<HashMap<Slot, Weak<Cancellation>>>,
}

impl CancellingEngine {
    /// Around Ballista's engine; tasks work on these threads, and may hold so many bytes for each of their cores.
    pub fn new(inner: DefaultExecutionEngine, threads: Handle, core_memory: usize) -> Self {
        Self { inner: Arc::new(inner), tasks: Arc::default(), threads, core_memory }
    }

    /// Whether no task is there.
    pub fn is_idle(&self) -> bool {
        self.tasks.latest.lock().values().all(|task| task.strong_count() == 0)
    }

    /// Cancels all tasks.
    pub fn cancel_all(&self) {
        let tasks: Vec<_> = self.tasks.latest.lock().values().filter_map(Weak::upgrade).collect();
        tasks.iter().for_each(|task| task.cancel());
    }
}

impl ExecutionEngine for CancellingEngine {
    fn create_query_stage_exec(
        &self,
        job_id: JobId,
        stage_id: usize,
        task_id: usize,
        global_output_partition_ids: Vec<usize>,
        plan: Arc<dyn ExecutionPlan>,
        work_dir: &str,
        config: &SessionConfig,
    ) -> Result<Arc<dyn QueryStageExecutor>> {
        let slot = (job_id, stage_id, task_id);
        let order = StageOrder {
            engine: Arc::clone(&self.inner),
            slot: slot.clone(),
            partitions: global_output_partition_ids,
            work_dir: work_dir.to_string(),
            config: config.clone(),
        };
        let cancellation = Arc::new(Cancellation::default());
        let stage = match is_to_be_prepared(&plan) {
            true => StageInPreparation::of(order, plan),
            false => StageInPreparation::made(order.make(plan, &cancellation)?),
        };
        let (tasks, threads, memory) = (Arc::clone(&self.tasks), self.threads.clone(), Mutex::default());
        let core_memory = self.core_memory;
        Ok(Arc::new(CancellableStage { stage, cancellation, slot, tasks, threads, core_memory, memory }))
    }
}

/// A stage whose streams are cut when its future is dropped.
#[derive(Debug)]
struct CancellableStage {
    stage: StageInPreparation,
    cancellation: Arc<Cancellation>,
    slot: Slot,
    tasks: Arc<Tasks>,
    threads: Handle,
    core_memory: usize,
    /// The memory that it works with, once it does.
    memory: Mutex<Option<Arc<PeakMemory>>>,
}

impl CancellableStage {
    /// The cores that a task has, as the memory tells that it was given.
    fn cores(&self, context: &TaskContext) -> Option<usize> {
        match context.memory_pool().memory_limit() {
            MemoryLimit::Finite(bytes) => bytes.checked_div(self.core_memory),
            _ => None,
        }
    }

    /// What a task works with, its memory measured.
    fn measured(&self, context: &TaskContext) -> Result<Arc<TaskContext>> {
        let runtime = context.runtime_env();
        let memory = Arc::new(PeakMemory::new(Arc::clone(&runtime.memory_pool)));
        *self.memory.lock() = Some(Arc::clone(&memory));
        let runtime = RuntimeEnvBuilder::from_runtime_env(&runtime).with_memory_pool(memory as _).build_arc()?;
        Ok(Arc::new(TaskContext::new(
            context.task_id(),
            context.session_id(),
            context.session_config().clone(),
            context.scalar_functions().clone(),
            context.higher_order_functions().clone(),
            context.aggregate_functions().clone(),
            context.window_functions().clone(),
            runtime,
        )))
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tasks").field("latest", &self.latest.lock().len()).finish()
    }
}

impl fmt::Display for CancellableStage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stage.get() {
            Some(stage) => write!(formatter, "{stage}"),
            None => formatter.write_str("a stage whose datasets are being opened"),
        }
    }
}

#[async_trait]
impl QueryStageExecutor for CancellableStage {
    async fn execute_query_stage(
        &self,
        task_id: usize,
        context: Arc<TaskContext>,
    ) -> Result<Vec<ShuffleWritePartition>> {
        let guard = CancelOnDrop(Arc::clone(&self.cancellation));
        let counted = task_totals().begin();
        totals().watch_pool(context.memory_pool());
        self.tasks.take_place(&self.slot, &self.cancellation).await;
        let (stage, inputs) = match self.stage.prepared(&context, &self.threads, &self.cancellation).await {
            Ok(made) => made,
            Err(error) => {
                counted.ended(false);
                return Err(told(error));
            }
        };
        if let Some(cores) = self.cores(&context) {
            narrow(inputs.as_ref(), cores);
        }
        let (inner, context) = (Arc::clone(&stage), self.measured(&context)?);
        let mut work = JoinSet::new();
        work.spawn_on(async move { inner.execute_query_stage(task_id, context).await }, &self.threads);
        let written = match work.join_next().await {
            Some(Ok(written)) => written,
            Some(Err(error)) => Err(DataFusionError::Internal(format!("a task broke off: {error}"))),
            None => Err(DataFusionError::Internal("a task was not begun".to_string())),
        };
        if let Ok(written) = &written {
            task_totals().add_task(written, &stage.collect_plan_metrics());
        }
        match self.cancellation.is_cancelled() {
            true => drop(counted),
            false => counted.ended(written.is_ok()),
        }
        drop(guard);
        written.map_err(told)
    }

    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        let mut metrics = self.stage.get().map(|stage| stage.collect_plan_metrics()).unwrap_or_default();
        if let (Some(top), Some(memory)) = (metrics.first_mut(), self.memory.lock().as_ref()) {
            let gauge = Gauge::new();
            gauge.set(memory.peak());
            let value = MetricValue::Gauge { name: PEAK_MEMORY.into(), gauge };
            top.push(Arc::new(Metric::new(value, None)));
        }
        metrics
    }

    fn collect_runtime_stats_reports(&self) -> Vec<RuntimeStatsReport> {
        self.stage.get().map(|stage| stage.collect_runtime_stats_reports()).unwrap_or_default()
    }

    fn collect_window_state_reports(&self) -> Result<Vec<WindowStateReport>> {
        self.stage.get().map_or_else(|| Ok(Vec::new()), |stage| stage.collect_window_state_reports())
    }

    fn collect_column_stats(&self) -> Vec<TaskColumnStats> {
        self.stage.get().map(|stage| stage.collect_column_stats()).unwrap_or_default()
    }
}

impl Tasks {
    /// Makes this the task of its place. A cancelled one before it may still write the files that this one is to write.
    async fn take_place(&self, slot: &Slot, task: &Arc<Cancellation>) {
        let before = {
            let mut latest = self.latest.lock();
            latest.retain(|_, task| task.strong_count() > 0);
            latest.insert(slot.clone(), Arc::downgrade(task))
        };
        let Some(before) = before.and_then(|before| before.upgrade()) else {
            return;
        };
        before.cancel();
        let end = tokio::time::Instant::now() + PREDECESSOR_WAIT_MAX;
        while before.streams.load(Ordering::Acquire) > 0 && tokio::time::Instant::now() < end {
            tokio::time::sleep(PREDECESSOR_POLL).await;
        }
    }
}

/// Whether a task is cancelled, and the streams that are to be cut then.
#[derive(Debug, Default)]
pub(super) struct Cancellation {
    pub(super) interruption: Interruption,
    handles: Mutex<Vec<AbortHandle>>,
    /// Streams that are not dropped yet.
    streams: AtomicUsize,
}

impl Cancellation {
    fn cancel(&self) {
        let mut handles = self.handles.lock();
        self.interruption.interrupt();
        handles.drain(..).for_each(|handle| handle.abort());
    }

    fn is_cancelled(&self) -> bool {
        self.interruption.is_interrupted()
    }

    fn cuttable(self: &Arc<Self>, stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let schema = stream.schema();
        let (handle, registration) = AbortHandle::new_pair();
        let mut handles = self.handles.lock();
        match self.is_cancelled() {
            true => handle.abort(),
            false => handles.push(handle),
        }
        self.streams.fetch_add(1, Ordering::AcqRel);
        let stream = Some(Abortable::new(stream, registration));
        Box::pin(CuttableStream { schema, stream, cancellation: Arc::clone(self) })
    }
}

struct CancelOnDrop(Arc<Cancellation>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Hands its input on, until the task is cancelled.
#[derive(Debug)]
pub(super) struct CancellableExec {
    input: Arc<dyn ExecutionPlan>,
    cancellation: Arc<Cancellation>,
}

impl CancellableExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, cancellation: &Arc<Cancellation>) -> Self {
        Self { input, cancellation: Arc::clone(cancellation) }
    }
}

impl DisplayAs for CancellableExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CancellableExec")
    }
}

impl ExecutionPlan for CancellableExec {
    fn name(&self) -> &str {
        "CancellableExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
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

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match <[_; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(Self::new(input, &self.cancellation))),
            Err(found) => Err(DataFusionError::Internal(format!("expected one input, found {}", found.len()))),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Ok(self.cancellation.cuttable(self.input.execute(partition, context)?))
    }
}

/// A stream that ends with an error once its task is cancelled, and is dropped then with all that feeds it.
struct CuttableStream {
    schema: SchemaRef,
    stream: Option<Abortable<SendableRecordBatchStream>>,
    cancellation: Arc<Cancellation>,
}

impl Stream for CuttableStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(stream) = self.stream.as_mut() else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(stream).poll_next(context);
        if self.cancellation.is_cancelled() {
            self.stream = None;
            // An error of the system is one that Ballista tries again: a cancelled task says nothing about its job.
            let error = std::io::Error::new(std::io::ErrorKind::Interrupted, "the task was cancelled");
            return Poll::Ready(Some(Err(DataFusionError::IoError(error))));
        }
        polled
    }
}

impl RecordBatchStream for CuttableStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for CuttableStream {
    fn drop(&mut self) {
        self.cancellation.streams.fetch_sub(1, Ordering::AcqRel);
    }
}
