//! The one place that builds a DataFusion session state: rules, planner, functions.
//!
//! Architecture invariant: client, scheduler and executor build their state here and nowhere else.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use crate::access::{AccessPolicy, confined_files, guard_tables};
use crate::functions;
use crate::physical::GridQueryPlanner;
use crate::progress::Progress;
use crate::totals::totals;

/// Consumers of memory that an out-of-memory error names.
const CONSUMERS_NAMED: usize = 3;

/// How plans treat arrays.
#[derive(Debug, Clone, Copy)]
pub struct GridSettings {
    /// Whether plans may stay in arrays: `false` runs everything as rows, with the same answers.
    pub enabled: bool,
    /// Bytes of a block of cells, which is decoded and reduced before the next one.
    pub block_bytes: u64,
}

impl Default for GridSettings {
    /// Few enough bytes for what is made of a block to stay in the processor's caches on its way through a plan, and
    /// enough for the plan to cost nothing beside it: of 0.5, 1, 1.5, 2 and 4 MiB the best over all benchmarks.
    fn default() -> Self {
        Self { enabled: true, block_bytes: 3 << 19 }
    }
}

/// The threads of this process that work on a query. A plan that comes from another process is made for as many
/// partitions as that one has threads, and its settings come with it.
#[derive(Debug, Clone, Copy)]
pub struct Threads(usize);

impl Threads {
    /// The threads that a session works on.
    pub fn of(config: &SessionConfig) -> usize {
        config.get_extension::<Self>().map_or_else(|| config.target_partitions(), |threads| threads.0)
    }
}

/// Settings of a state.
#[derive(Debug, Clone)]
pub struct StateSettings {
    /// Bytes that queries may hold at once.
    pub memory_limit: usize,
    /// Threads that work on a query.
    pub threads: usize,
    /// How plans treat arrays.
    pub grid: GridSettings,
    /// What statements may touch.
    pub access: AccessPolicy,
    /// Memory that several states have together, in place of the limit.
    pub memory_pool: Option<Arc<dyn MemoryPool>>,
}

/// A state with these settings, whose operators add to `progress`.
pub fn session_state(settings: &StateSettings, progress: &Arc<Progress>) -> Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_target_partitions(settings.threads)
        .with_information_schema(true)
        .with_extension(Arc::new(Threads(settings.threads)))
        .with_extension(Arc::new(settings.grid))
        .with_extension(Arc::clone(progress));
    config.options_mut().sql_parser.collect_spans = true;
    let pool = settings.memory_pool.clone().unwrap_or_else(|| memory_pool(settings.memory_limit));
    totals().watch_pool(&pool);
    let mut runtime =
        RuntimeEnvBuilder::new().with_memory_pool(pool).with_disk_manager_builder(DiskManagerBuilder::default());
    if let Some(files) = confined_files(&settings.access) {
        runtime = runtime.with_object_store_registry(files);
    }
    let runtime = runtime.build_arc()?;
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_query_planner(Arc::new(GridQueryPlanner))
        .build();
    functions::register(&mut state)?;
    guard_tables(&mut state, &settings.access);
    Ok(state)
}

/// Memory of so many bytes, which names who holds the most of it when there is no more.
pub fn memory_pool(bytes: usize) -> Arc<dyn MemoryPool> {
    Arc::new(TrackConsumersPool::new(
        FairSpillPool::new(bytes),
        std::num::NonZeroUsize::new(CONSUMERS_NAMED).unwrap_or(std::num::NonZeroUsize::MIN),
    ))
}
