//! A session: attached datasets, views, settings, and the life of a query on one line.

mod catalogs;
mod create_table;
mod into;
mod listing;
mod names;
mod outline;
mod qualified;
mod queries;
mod settings;
mod source_calls;
mod stacks;
mod statements;
mod time_limit;
mod warps;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use datafusion::common::ScalarValue;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as PlannedStatement;
use datafusion::sql::sqlparser::ast::{Query, Statement as Ast};
use futures::future::AbortRegistration;
use futures::future::BoxFuture;
use parking_lot::RwLock;
use quarray_lang::diagnostic::Diagnostic;

use crate::access::AccessPolicy;
use crate::attributes::{Lost, annotate, lost_attributes};
use crate::backend::{Backend, Clusters};
use crate::bind::{Binder, Bound, Named, Relation, RowRelation, Sink, StoreQueries, cast_literals, stem};
use crate::catalog::{Address, Catalog, open_dataset};
use crate::error::{Error, planning_error};
use crate::functions::LabelTables;
use crate::outcome::{DatasetSummary, Outcome, Rows};
use crate::progress::Progress;
use crate::queries::{OpenSession, QueryRegistry, QueryStart, Recording, RunningQuery};
use crate::scan::LabelledDataset;
use crate::source::store::StoreOptions;
use crate::thread_safe::ThreadSafe;

pub use listing::{KnownNames, TableListing};
pub use outline::{StatementClass, StatementOutline};
pub use qualified::{CATALOG, SCHEMA};
pub use settings::SessionBuilder;

/// Attached datasets, views and settings. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Session {
    shared: Arc<ThreadSafe<Shared>>,
    /// The values of the parameters of statements, in a copy of the session that has some.
    parameters: Option<Arc<[ScalarValue]>>,
    /// The statement that is carried out, in the copy of the session that carries it out.
    query: Option<Arc<RunningQuery>>,
}

struct Shared {
    context: SessionContext,
    backend: RwLock<Arc<dyn Backend>>,
    clusters: Option<Arc<dyn Clusters>>,
    access: AccessPolicy,
    time_limit: Option<Duration>,
    catalog: Catalog,
    /// How far the latest statement is.
    progress: RwLock<Arc<Progress>>,
    user: String,
    sees_own_queries: bool,
    opened: OpenSession,
    label_tables: LabelTables,
    statements: AtomicU64,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").field("catalog", &self.shared.catalog).finish_non_exhaustive()
    }
}

impl Session {
    /// Settings of a new session.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Runs one statement. It leaves a record with the registry of the session: see [`Session::queries`].
    pub fn query<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Outcome, Error>> {
        Box::pin(async move {
            let (mut recording, registration) = self.begin(text);
            *self.shared.progress.write() = Arc::clone(recording.query().progress());
            let query = Some(Arc::clone(recording.query()));
            let session = Self { query, ..self.clone() };
            let one = time_limit::within(self.shared.time_limit, session.one(text));
            let ended = Recording::watch(one, registration).await;
            match &ended {
                Ok(Outcome::Rows(_)) => {}
                Ok(_) => recording.done(),
                Err(error) => recording.failed(error),
            }
            ended.map(|outcome| outcome.recorded(recording))
        })
    }

    fn begin(&self, text: &str) -> (Recording, AbortRegistration) {
        let (session, backend) = (self.shared.context.session_id(), self.backend());
        let start = QueryStart { text, user: &self.shared.user, session: &session, place: &place_of(&*backend) };
        self.queries().begin(&start)
    }

    async fn one(&self, text: &str) -> Result<Outcome, Error> {
        let mut statements = quarray_lang::parse(text).map_err(Error::Syntax)?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => self.statement(text, statement).await,
            (None, _) => Err(Error::Bind(Diagnostic::new("expected a statement, found nothing"))),
            (Some(_), false) => Err(Error::Bind(Diagnostic::new("expected one statement, found several"))),
        }
    }

    /// Attaches the store at `uri` as `name`.
    pub async fn attach(&self, name: &str, uri: &str, options: &StoreOptions) -> Result<(), Error> {
        let access = &self.shared.access;
        let dataset = open_dataset(name, uri, options, access).await?;
        let address = Address { uri: uri.to_string(), options: options.clone(), access: access.clone() };
        self.shared.catalog.attach(&name.to_ascii_lowercase(), dataset, address);
        Ok(())
    }

    /// What the session may touch.
    pub fn access(&self) -> &AccessPolicy {
        &self.shared.access
    }

    /// Opens the store at an address, for this session.
    async fn open(&self, uri: &str, options: &StoreOptions) -> Result<Arc<LabelledDataset>, Error> {
        open_dataset(&stem(uri), uri, options, &self.shared.access).await
    }

    /// How far the latest query is.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.shared.progress.read())
    }

    /// The address of the page about the statement that runs, where there are pages about statements.
    pub fn page(&self) -> Option<String> {
        self.queries().latest_of(&self.shared.context.session_id())?.page()
    }

    /// The statements of the session, and of all that share its registry: those that run and those that have ended.
    pub fn queries(&self) -> &Arc<QueryRegistry> {
        self.shared.opened.registry()
    }

    /// Whose session it is; empty where nobody was asked.
    pub fn user(&self) -> &str {
        &self.shared.user
    }

    /// The user whose records the session shows; of all users where there is none.
    fn sees_queries_of(&self) -> Option<&str> {
        self.shared.sees_own_queries.then_some(self.shared.user.as_str())
    }

    /// Where plans run.
    pub fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.shared.backend.read())
    }

    /// Runs plans there from now on. Rows that are on their way stay with the backend that they began on.
    pub fn set_backend(&self, backend: Arc<dyn Backend>) {
        *self.shared.backend.write() = backend;
    }

    /// The DataFusion context underneath: to register tables and functions of one's own.
    pub fn context(&self) -> &SessionContext {
        &self.shared.context
    }

    /// Binds, plans, optimises and runs a query.
    async fn run(&self, text: &str, query: &Query) -> Result<Outcome, Error> {
        let bound = self.bind(text, query).await?;
        let shown = self.bare_summary(&bound);
        match (bound.contents, bound.sink) {
            (Contents::Store(store), Some(Sink::Into(into))) => {
                self.write(text, *store, into, &bound.tables).await.map(Outcome::Done)
            }
            (Contents::Store(_), _) => Err(Error::Internal("the contents of a store have no place".to_string())),
            (Contents::Rows(relation), sink) => {
                let planned = self.plan(text, &relation.query, &bound.tables).await?;
                let cells = relation.cells.map(|cells| cells.count);
                let dimensions = relation.dimensions.into_iter().map(|dimension| dimension.name).collect();
                let rows = self.rows(&planned, dimensions, shown).await?.with_cells(cells);
                match sink {
                    Some(Sink::Plot { to, options }) => crate::plot::plot(rows, to, &options).await.map(Outcome::Plot),
                    _ => Ok(Outcome::Rows(rows)),
                }
            }
        }
    }

    async fn explain(&self, text: &str, query: &Query, analyze: bool) -> Result<Outcome, Error> {
        let bound = self.bind(text, query).await?;
        let query = match bound.contents {
            Contents::Rows(relation) => relation.query,
            Contents::Store(store) => match store.arrays.into_iter().next() {
                Some(array) => array.query,
                None => return Err(Error::Bind(Diagnostic::new("expected variables to explain, found none"))),
            },
        };
        let plan = self.plan(text, &query, &bound.tables).await?.logical;
        let physical = self.physical(&plan).await?;
        match analyze {
            false => {
                let place = self.backend().explain(&physical, self.state().config())?;
                Ok(Outcome::Explain(crate::explain::explain(&query, &plan, physical.as_ref(), &place)))
            }
            true => {
                let (backend, task) = (self.backend(), Arc::new(TaskContext::from(&self.state())));
                self.runs(&physical, &*backend);
                let measured = match backend.analyze(Arc::clone(&physical), task).await? {
                    Some(measured) => measured,
                    None => crate::explain::analyze(physical, self.own_state()).await?,
                };
                let page = self.query.as_ref().and_then(|query| query.page());
                Ok(Outcome::Explain(crate::explain::with_page(measured, page.as_deref())))
            }
        }
    }

    async fn bind(&self, text: &str, query: &Query) -> Result<BoundQuery, Error> {
        let mut query = query.clone();
        // On the heap: opening stores takes futures that are too large to be moved over the stack again and again.
        let names = Box::pin(self.names(&mut query)).await?;
        let state = self.shared.context.state();
        let number = self.shared.statements.fetch_add(1, Ordering::Relaxed);
        let mut binder = Binder::new(text, &state, &names, Arc::clone(&self.shared.label_tables), number);
        let Bound { relation, sink } = binder.bind(&query)?;
        let is_bare = matches!(&relation, Relation::Cells(_));
        let contents = match &sink {
            Some(Sink::Into(_)) => Contents::Store(Box::new(binder.store(relation)?)),
            _ => Contents::Rows(binder.finish(relation)?),
        };
        let tables = binder.tables;
        Ok(BoundQuery { query, contents, sink, tables, is_bare, names })
    }

    /// The optimised logical plan of a query over tables of cells.
    async fn plan(&self, text: &str, query: &Query, tables: &[Arc<crate::scan::CellTable>]) -> Result<Planned, Error> {
        let context = &self.shared.context;
        for table in tables {
            context.register_table(table.name(), Arc::clone(table) as _)?;
        }
        let state = self.state();
        let statement = PlannedStatement::Statement(Box::new(Ast::Query(Box::new(query.clone()))));
        let planned = state.statement_to_plan(statement).await;
        for table in tables {
            context.deregister_table(table.name())?;
        }
        let lost = planned.as_ref().map(lost_attributes).unwrap_or_default();
        let optimized = planned.and_then(cast_literals).and_then(|plan| state.optimize(&plan));
        let logical = optimized.map_err(|error| planning_error(error, text))?;
        Ok(Planned { logical, lost })
    }

    async fn physical(&self, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>, Error> {
        Ok(self.state().create_physical_plan(plan).await?)
    }

    /// The session's state, with the settings that its backend wants.
    fn state(&self) -> SessionState {
        let mut state = self.own_state();
        let config = self.backend().configure(state.config().clone());
        *state.config_mut() = config;
        state
    }

    /// The session's state, whose operators count for the statement that is carried out.
    fn own_state(&self) -> SessionState {
        let mut state = self.shared.context.state();
        if let Some(query) = &self.query {
            state.config_mut().set_extension(Arc::clone(query.progress()));
            state.config_mut().set_extension(Arc::clone(query));
        }
        state
    }

    /// The statement that is carried out runs this plan from now on.
    fn runs(&self, plan: &Arc<dyn ExecutionPlan>, backend: &dyn Backend) {
        if let Some(query) = &self.query {
            query.runs(plan, &backend.place(plan));
        }
    }

    /// The rows of a plan, which starts to run when the first of them is asked for.
    async fn rows(
        &self,
        planned: &Planned,
        dimensions: Vec<String>,
        shown: Option<DatasetSummary>,
    ) -> Result<Rows, Error> {
        let task = Arc::new(TaskContext::from(&self.state()));
        let pool = Arc::clone(task.memory_pool());
        let backend = self.backend();
        let plan = backend.readied(self.physical(&planned.logical).await?)?;
        self.runs(&plan, &*backend);
        let stream = backend.execute(plan, task).await?;
        let mut rows = Rows::new(annotate(stream, &planned.lost), dimensions, shown);
        rows.memory_pool = Some(pool);
        Ok(rows)
    }
}

/// Where a backend runs plans: the name of a cluster, or in a few words.
fn place_of(backend: &dyn Backend) -> String {
    backend.cluster().map_or_else(|| backend.describe(), str::to_string)
}

/// A query bound to tables of cells.
struct BoundQuery {
    /// The query itself, in which paths stand for what is opened in a way of its own.
    query: Query,
    contents: Contents,
    sink: Option<Sink>,
    tables: Vec<Arc<crate::scan::CellTable>>,
    is_bare: bool,
    names: HashMap<String, Named>,
}

/// A query planned.
struct Planned {
    logical: LogicalPlan,
    /// The attributes that its columns have lost on the way.
    lost: Vec<Lost>,
}

/// What a query is to give.
enum Contents {
    /// Rows.
    Rows(RowRelation),
    /// The arrays of a store.
    Store(Box<StoreQueries>),
}
