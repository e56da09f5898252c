//! Where a query runs in a session whose large queries go to a cluster: by what its plan has to decode.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use quarray_engine::backend::{Backend, Local};
use quarray_engine::exec::{BlockReadExec, PassesExec, PivotExec};
use quarray_lang::quantity::rounded_bytes_text;

use crate::backend::ClusterBackend;

/// A cell that becomes a row costs about as much as so many that stay in arrays.
const ROW_WEIGHT: u64 = 8;

/// A reduction in passes reads its cells once to count them, and once to compute.
const PASSES_READ: u64 = 2;

/// What a plan costs, about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes that are decoded and stay in arrays, or come from files.
    pub array_bytes: u64,
    /// Bytes that are decoded and become rows.
    pub row_bytes: u64,
}

impl Cost {
    /// The cost of a plan: of the chunks that it reads, of files, and of tables in memory.
    pub fn of(plan: &dyn ExecutionPlan) -> Self {
        let mut cost = Self::default();
        cost.add(plan, 1, false);
        cost
    }

    /// Bytes to decode.
    pub fn bytes(&self) -> u64 {
        self.array_bytes.saturating_add(self.row_bytes)
    }

    /// The cost as bytes that stay in arrays.
    pub fn weight(&self) -> u64 {
        self.array_bytes.saturating_add(self.row_bytes.saturating_mul(ROW_WEIGHT))
    }

    fn add(&mut self, plan: &dyn ExecutionPlan, times: u64, becomes_rows: bool) {
        if let Some(read) = plan.downcast_ref::<BlockReadExec>() {
            let bytes = read.chunks().bytes.saturating_mul(times);
            let sum = if becomes_rows { &mut self.row_bytes } else { &mut self.array_bytes };
            *sum = sum.saturating_add(bytes);
            return;
        }
        if let Some(source) = plan.downcast_ref::<DataSourceExec>() {
            self.array_bytes = self.array_bytes.saturating_add(source_bytes(source));
        }
        let times = if plan.is::<PassesExec>() { times.saturating_mul(PASSES_READ) } else { times };
        let becomes_rows = becomes_rows || plan.is::<PivotExec>();
        plan.children().into_iter().for_each(|child| self.add(child.as_ref(), times, becomes_rows));
    }
}

/// Bytes of files, or of a table in memory.
fn source_bytes(source: &DataSourceExec) -> u64 {
    let source = source.data_source().as_ref() as &dyn std::any::Any;
    if let Some(files) = source.downcast_ref::<FileScanConfig>() {
        let files = files.file_groups.iter().flat_map(|group| group.iter());
        return files.map(|file| file.object_meta.size).fold(0, u64::saturating_add);
    }
    let Some(memory) = source.downcast_ref::<MemorySourceConfig>() else { return 0 };
    let batches = memory.partitions().iter().flatten();
    batches.map(|batch| batch.get_array_memory_size() as u64).fold(0, u64::saturating_add)
}

/// Runs queries on a cluster that decode more than so much, and the others in this process.
#[derive(Debug, Clone)]
pub struct ChoosingBackend {
    cluster: ClusterBackend,
    above: u64,
}

impl ChoosingBackend {
    /// This cluster for queries that decode more than so many bytes.
    pub fn new(cluster: ClusterBackend, above: u64) -> Self {
        Self { cluster, above }
    }

    /// Where a plan runs, and why.
    fn choose(&self, plan: &dyn ExecutionPlan) -> (Option<&ClusterBackend>, String) {
        let cost = Cost::of(plan);
        let rows = match cost.row_bytes {
            0 => String::new(),
            bytes => format!(", {} of them as rows, which count {ROW_WEIGHT} times", rounded_bytes_text(bytes)),
        };
        let (bytes, limit) = (rounded_bytes_text(cost.bytes()), rounded_bytes_text(self.above));
        match cost.weight() > self.above {
            true => (Some(&self.cluster), format!("{bytes} to decode{rows}: more than {limit}")),
            false => (None, format!("{bytes} to decode{rows}: not more than {limit}")),
        }
    }
}

#[async_trait]
impl Backend for ChoosingBackend {
    async fn execute(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        match self.choose(plan.as_ref()).0 {
            Some(cluster) => cluster.execute(plan, context).await,
            None => Local.execute(plan, context).await,
        }
    }

    fn readied(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        match self.choose(plan.as_ref()).0 {
            Some(cluster) => cluster.readied(plan),
            None => Local.readied(plan),
        }
    }

    fn place(&self, plan: &Arc<dyn ExecutionPlan>) -> String {
        match self.choose(plan.as_ref()).0 {
            Some(cluster) => cluster.place(plan),
            None => Local.place(plan),
        }
    }

    fn configure(&self, config: SessionConfig) -> SessionConfig {
        self.cluster.configure(config)
    }

    fn describe(&self) -> String {
        let limit = rounded_bytes_text(self.above);
        format!("{} above {limit} to decode, else this process", self.cluster.describe())
    }

    fn explain(&self, plan: &Arc<dyn ExecutionPlan>, config: &SessionConfig) -> Result<String> {
        match self.choose(plan.as_ref()) {
            (Some(cluster), why) => cluster.explain_because(plan, config, &why),
            (None, why) => Ok(format!("{}, since it has {why}", Local.describe())),
        }
    }

    async fn analyze(&self, plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Option<String>> {
        match self.choose(plan.as_ref()).0 {
            Some(cluster) => cluster.analyze(plan, context).await,
            None => Ok(None),
        }
    }

    fn cluster(&self) -> Option<&str> {
        self.cluster.cluster()
    }
}
