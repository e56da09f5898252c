//! What a session is built with.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use datafusion::execution::memory_pool::MemoryPool;
use datafusion::prelude::SessionContext;
use parking_lot::RwLock;

use super::{Session, Shared};
use crate::access::{AccessPolicy, with_url_tables};
use crate::backend::{Backend, Clusters, Local};
use crate::catalog::Catalog;
use crate::error::Error;
use crate::functions::{LabelTables, nearest_label};
use crate::progress::Progress;
use crate::queries::{QueryRegistry, SYSTEM_SCHEMA, system_schema};
use crate::state::{GridSettings, StateSettings, session_state};
use crate::thread_safe::ThreadSafe;

/// The memory that queries may hold when nothing else is said, as a share of the machine's.
const MEMORY_SHARE: f64 = 0.6;

/// Settings of a session to be.
#[derive(Debug, Clone, Default)]
pub struct SessionBuilder {
    memory_limit: Option<usize>,
    threads: Option<usize>,
    grid: GridSettings,
    backend: Option<Arc<dyn Backend>>,
    clusters: Option<Arc<dyn Clusters>>,
    access: AccessPolicy,
    memory_pool: Option<Arc<dyn MemoryPool>>,
    time_limit: Option<Duration>,
    queries: Option<Arc<QueryRegistry>>,
    user: String,
    sees_own_queries: bool,
}

impl SessionBuilder {
    /// Bytes that queries of the session may hold at once.
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Threads that work on a query; the cores of the machine by default.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Whether plans may stay in arrays (`true` by default); `false` runs everything as rows, with the same answers.
    #[must_use]
    pub fn grid(mut self, grid: bool) -> Self {
        self.grid.enabled = grid;
        self
    }

    /// Bytes of a block of cells, which is decoded and reduced before the next one. Answers do not depend on it, but for
    /// the last bits of sums of floats.
    #[must_use]
    pub fn block_bytes(mut self, bytes: u64) -> Self {
        self.grid.block_bytes = bytes.max(1);
        self
    }

    /// Where plans run; in this process by default.
    #[must_use]
    pub fn backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.backend = Some(backend);
        self
    }

    /// The clusters that statements speak of; none by default.
    #[must_use]
    pub fn clusters(mut self, clusters: Arc<dyn Clusters>) -> Self {
        self.clusters = Some(clusters);
        self
    }

    /// What the session may touch; whatever the process may by default.
    #[must_use]
    pub fn access(mut self, access: AccessPolicy) -> Self {
        self.access = access;
        self
    }

    /// Memory that the queries of several sessions hold together, in place of a limit of this session's own.
    #[must_use]
    pub fn memory_pool(mut self, pool: Arc<dyn MemoryPool>) -> Self {
        self.memory_pool = Some(pool);
        self
    }

    /// How long a statement may take, until its last row; without end by default.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Where statements leave their records: sessions may share it. By default a session has a registry of its own.
    #[must_use]
    pub fn queries(mut self, queries: Arc<QueryRegistry>) -> Self {
        self.queries = Some(queries);
        self
    }

    /// Whose session it is, for the records of its statements.
    #[must_use]
    pub fn user(mut self, name: &str) -> Self {
        self.user = name.to_string();
        self
    }

    /// Of the records in the registry the session shows those of its user alone.
    #[must_use]
    pub fn sees_own_queries(mut self) -> Self {
        self.sees_own_queries = true;
        self
    }

    /// The session.
    pub fn build(self) -> Result<Session, Error> {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let settings = StateSettings {
            memory_limit: self.memory_limit.unwrap_or_else(default_memory_limit),
            threads: self.threads.unwrap_or_else(cores),
            grid: self.grid,
            access: self.access,
            memory_pool: self.memory_pool,
        };
        let progress = Arc::new(Progress::default());
        let context = SessionContext::new_with_state(session_state(&settings, &progress)?);
        let context = with_url_tables(context, &settings.access);
        let seen = self.sees_own_queries.then(|| self.user.clone());
        let opened = self.queries.unwrap_or_default().open_session();
        if let Some(catalog) = context.catalog("datafusion") {
            catalog.register_schema(SYSTEM_SCHEMA, system_schema(Arc::clone(opened.registry()), seen.clone())?)?;
        }
        crate::source::stac::register(&context, &settings.access);
        let label_tables = LabelTables::default();
        context.register_udf(nearest_label(Arc::clone(&label_tables)));
        let shared = Shared {
            context,
            backend: RwLock::new(self.backend.unwrap_or_else(|| Arc::new(Local))),
            clusters: self.clusters,
            access: settings.access,
            time_limit: self.time_limit,
            catalog: Catalog::default(),
            progress: RwLock::new(progress),
            user: self.user,
            sees_own_queries: self.sees_own_queries,
            opened,
            label_tables,
            statements: AtomicU64::new(0),
        };
        Ok(Session { shared: Arc::new(ThreadSafe::new(shared)), parameters: None, query: None })
    }
}

/// A share of the memory that the machine has, as it tells itself.
fn default_memory_limit() -> usize {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok()
    });
    let bytes = total.map_or(4 << 30, |kibibytes| kibibytes * 1024);
    (bytes as f64 * MEMORY_SHARE) as usize
}
