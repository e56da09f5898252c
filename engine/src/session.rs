//! A session: attached datasets, views, settings, and the life of a query on one line.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as PlannedStatement;
use datafusion::sql::sqlparser::ast::{CreateView, ObjectType, Query, Statement as Ast, Visit};
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::statement::{Statement, StatementKind};

use crate::bind::{
    Binder, Bound, Named, Relation, RowRelation, Sink, cast_literals, names_in, plain_name, quoted_path, stem,
};
use crate::catalog::{Catalog, is_file_table, open_dataset};
use crate::error::{Error, planning_error};
use crate::functions::{LabelTables, nearest_label};
use crate::outcome::{DatasetSummary, Outcome, Rows};
use crate::progress::Progress;
use crate::source::store::StoreOptions;
use crate::state::{StateSettings, session_state};
use crate::summary::summary;

/// The memory that queries may hold when nothing else is said, as a share of the machine's.
const MEMORY_SHARE: f64 = 0.6;

/// Settings of a session to be.
#[derive(Debug, Clone, Default)]
pub struct SessionBuilder {
    memory_limit: Option<usize>,
    threads: Option<usize>,
    grid: Option<bool>,
}

/// Attached datasets, views and settings. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

struct Shared {
    context: SessionContext,
    catalog: Catalog,
    progress: Arc<Progress>,
    label_tables: LabelTables,
    statements: AtomicU64,
}

/// A name that queries can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableListing {
    /// The name.
    pub name: String,
    /// `dataset`, `view`, `table`
    pub kind: &'static str,
    /// The columns: name and what it is (`dimension`, `coordinate`, `variable`, `column`).
    pub columns: Vec<(String, &'static str)>,
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
        self.grid = Some(grid);
        self
    }

    /// The session.
    pub fn build(self) -> Result<Session, Error> {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let settings = StateSettings {
            memory_limit: self.memory_limit.unwrap_or_else(default_memory_limit),
            threads: self.threads.unwrap_or_else(cores),
            grid: self.grid.unwrap_or(true),
        };
        let progress = Arc::new(Progress::default());
        let context = SessionContext::new_with_state(session_state(&settings, &progress)?).enable_url_table();
        let label_tables = LabelTables::default();
        context.register_udf(nearest_label(Arc::clone(&label_tables)));
        let shared =
            Shared { context, catalog: Catalog::default(), progress, label_tables, statements: AtomicU64::new(0) };
        Ok(Session { shared: Arc::new(shared) })
    }
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

    /// Runs one statement.
    pub async fn query(&self, text: &str) -> Result<Outcome, Error> {
        self.shared.progress.reset();
        let mut statements = quarray_lang::parse(text).map_err(Error::Syntax)?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => self.statement(text, statement).await,
            (None, _) => Err(Error::Bind(Diagnostic::new("expected a statement, found nothing"))),
            (Some(_), false) => Err(Error::Bind(Diagnostic::new("expected one statement, found several"))),
        }
    }

    /// Attaches the store at `uri` as `name`.
    pub async fn attach(&self, name: &str, uri: &str, options: &StoreOptions) -> Result<(), Error> {
        let dataset = open_dataset(name, uri, options).await?;
        self.shared.catalog.attach(&name.to_ascii_lowercase(), dataset);
        Ok(())
    }

    /// The names that queries can use.
    pub fn tables(&self) -> Vec<TableListing> {
        let ours = self.shared.catalog.list().into_iter().map(|(name, named)| match named {
            Named::View(_) => TableListing { name, kind: "view", columns: Vec::new() },
            Named::Dataset(source) => TableListing { columns: columns_of(&source.dataset), name, kind: "dataset" },
        });
        let context = &self.shared.context;
        let schema = context.catalog("datafusion").and_then(|catalog| catalog.schema("public"));
        let tables = schema.map(|schema| schema.table_names()).unwrap_or_default();
        let tables = tables.into_iter().filter(|name| !name.starts_with("cells_"));
        ours.chain(tables.map(|name| TableListing { name, kind: "table", columns: Vec::new() })).collect()
    }

    /// The functions that queries can call.
    pub fn functions(&self) -> Vec<String> {
        let state = self.shared.context.state();
        let mut names: Vec<String> = state.scalar_functions().keys().cloned().collect();
        names.extend(state.aggregate_functions().keys().cloned());
        names.extend(state.window_functions().keys().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// What an attached name, or the store at a path or URL, holds.
    pub async fn describe(&self, name: &str) -> Result<DatasetSummary, Error> {
        match self.shared.catalog.get(&name.to_ascii_lowercase()) {
            Some(Named::Dataset(source)) => Ok(summary(name, &source)),
            Some(Named::View(_)) => Err(Error::Bind(Diagnostic::new(format!("`{name}` is a view, no dataset")))),
            None => Ok(summary(name, open_dataset(&stem(name), name, &StoreOptions::new()).await?.as_ref())),
        }
    }

    /// How far the running query is.
    pub fn progress(&self) -> &Progress {
        &self.shared.progress
    }

    /// The DataFusion context underneath: to register tables and functions of one's own.
    pub fn context(&self) -> &SessionContext {
        &self.shared.context
    }

    async fn statement(&self, text: &str, statement: Statement) -> Result<Outcome, Error> {
        match statement.kind {
            StatementKind::Attach { uri, name, options } => {
                self.attach(&name.value, &uri, &options.into_iter().collect()).await?;
                Ok(Outcome::Done(format!("attached {}", name.value)))
            }
            StatementKind::Detach { name } => match self.shared.catalog.remove(&name.value.to_ascii_lowercase()) {
                true => Ok(Outcome::Done(format!("detached {}", name.value))),
                false => Err(Error::Bind(Diagnostic::new(format!("nothing is attached as `{}`", name.value)))),
            },
            StatementKind::Let { name, query } => self.create_view(text, &name.value, *query, true).await,
            StatementKind::Stock(text) => self.stock(&text).await,
            StatementKind::Sql(statement) => self.sql(text, *statement).await,
        }
    }

    async fn sql(&self, text: &str, statement: Ast) -> Result<Outcome, Error> {
        match statement {
            Ast::Query(query) => self.run(text, &query).await,
            Ast::Explain { analyze, statement, .. } if matches!(*statement, Ast::Query(_)) => match *statement {
                Ast::Query(query) => self.explain(text, &query, analyze).await,
                _ => Err(Error::Internal("an EXPLAIN lost its query".to_string())),
            },
            Ast::CreateView(CreateView { name, query, or_replace, .. }) => {
                self.create_view(text, &plain_name(&name), *query, or_replace).await
            }
            Ast::Drop { object_type: ObjectType::View | ObjectType::Table, names, .. }
                if names.iter().all(|name| self.shared.catalog.get(&plain_name(name)).is_some()) =>
            {
                names.iter().for_each(|name| {
                    self.shared.catalog.remove(&plain_name(name));
                });
                Ok(Outcome::Done("dropped".to_string()))
            }
            other => self.other(text, other).await,
        }
    }

    /// Binds, plans, optimises and runs a query.
    async fn run(&self, text: &str, query: &Query) -> Result<Outcome, Error> {
        let bound = self.bind(text, query).await?;
        let shown = self.bare_summary(query, &bound);
        let (plan, rows) = self.plan(text, bound.relation, &bound.tables).await?;
        let physical = self.shared.context.state().create_physical_plan(&plan).await.map_err(Error::from)?;
        let stream = datafusion::physical_plan::execute_stream(physical, self.shared.context.task_ctx())?;
        let dimensions = rows.dimensions.into_iter().map(|dimension| dimension.name).collect();
        let rows = Rows::new(stream, dimensions, shown).with_cells(rows.cells.map(|cells| cells.count));
        match bound.sink {
            None => Ok(Outcome::Rows(rows)),
            Some(Sink::Plot { to, options }) => crate::plot::plot(rows, to, &options).await.map(Outcome::Plot),
            Some(Sink::Into { target, chunks, options, mode }) => {
                crate::sink::write_rows(rows, &target, &chunks, &options, &mode).await.map(Outcome::Done)
            }
        }
    }

    async fn explain(&self, text: &str, query: &Query, analyze: bool) -> Result<Outcome, Error> {
        let bound = self.bind(text, query).await?;
        let (plan, rows) = self.plan(text, bound.relation, &bound.tables).await?;
        let physical: Arc<dyn ExecutionPlan> = self.shared.context.state().create_physical_plan(&plan).await?;
        match analyze {
            false => Ok(Outcome::Explain(crate::explain::explain(&rows.query, &plan, physical.as_ref()))),
            true => crate::explain::analyze(physical, self.shared.context.task_ctx()).await.map(Outcome::Explain),
        }
    }

    async fn bind(&self, text: &str, query: &Query) -> Result<BoundQuery, Error> {
        let names = self.names(query).await?;
        let state = self.shared.context.state();
        let number = self.shared.statements.fetch_add(1, Ordering::Relaxed);
        let mut binder = Binder::new(text, &state, &names, Arc::clone(&self.shared.label_tables), number);
        let Bound { relation, sink } = binder.bind(query)?;
        let is_bare = matches!(&relation, Relation::Cells(_));
        let rows = binder.finish(relation)?;
        Ok(BoundQuery { relation: rows, sink, tables: binder.tables, is_bare, names })
    }

    /// The optimised logical plan of a bound query.
    async fn plan(
        &self,
        text: &str,
        rows: RowRelation,
        tables: &[Arc<crate::scan::CellTable>],
    ) -> Result<(LogicalPlan, RowRelation), Error> {
        let context = &self.shared.context;
        for table in tables {
            context.register_table(table.name(), Arc::clone(table) as _)?;
        }
        let state: SessionState = context.state();
        let statement = PlannedStatement::Statement(Box::new(Ast::Query(Box::new(rows.query.clone()))));
        let planned = state.statement_to_plan(statement).await;
        for table in tables {
            context.deregister_table(table.name())?;
        }
        let optimized = planned.and_then(cast_literals).and_then(|plan| state.optimize(&plan));
        let optimized = optimized.map_err(|error| planning_error(error, text));
        Ok((optimized?, rows))
    }

    /// What the names in a query stand for: attached datasets, views and what they name, stores by path.
    async fn names<N: Visit>(&self, node: &N) -> Result<HashMap<String, Named>, Error> {
        let mut found: HashMap<String, Named> = HashMap::new();
        let mut waiting = names_in(node);
        while let Some((name, options)) = waiting.pop() {
            let (key, named) = match quoted_path(&name) {
                Some(path) if is_file_table(&path.value) => continue,
                Some(path) => (path.value.clone(), None),
                None => {
                    // The first part of `ds."lat_lon"` is the dataset's name.
                    let whole = plain_name(&name);
                    let first =
                        name.0.first().and_then(|part| part.as_ident()).map(|ident| ident.value.to_ascii_lowercase());
                    match (self.shared.catalog.get(&whole), first) {
                        (None, Some(first)) => (first.clone(), self.shared.catalog.get(&first)),
                        (named, _) => (whole, named),
                    }
                }
            };
            if found.contains_key(&key) {
                continue;
            }
            match (named, quoted_path(&name)) {
                (Some(Named::View(query)), _) => {
                    waiting.extend(names_in(query.as_ref()));
                    found.insert(key, Named::View(query));
                }
                (Some(dataset), _) => drop(found.insert(key, dataset)),
                (None, Some(path)) => {
                    let dataset = open_dataset(&stem(&path.value), &path.value, &store_options(&options)).await?;
                    found.insert(key, Named::Dataset(dataset));
                }
                (None, None) => {}
            }
        }
        Ok(found)
    }

    async fn create_view(&self, text: &str, name: &str, query: Query, replace: bool) -> Result<Outcome, Error> {
        self.bind(text, &query).await?;
        self.shared.catalog.create_view(&name.to_ascii_lowercase(), query, replace)?;
        Ok(Outcome::Done(format!("created {name}")))
    }

    /// The summary of the dataset that a query is nothing but the name of.
    fn bare_summary(&self, query: &Query, bound: &BoundQuery) -> Option<DatasetSummary> {
        let [(name, _)] = names_in(query).try_into().ok()?;
        let text = query.to_string().replace("FROM ", "");
        if !bound.is_bare || text.trim() != name.to_string() {
            return None;
        }
        let key = quoted_path(&name).map_or_else(|| plain_name(&name), |path| path.value.clone());
        match bound.names.get(&key)? {
            Named::Dataset(source) => Some(summary(&name.to_string().replace('\'', ""), source)),
            Named::View(_) => None,
        }
    }

    /// A statement that DataFusion's own parser reads.
    async fn stock(&self, text: &str) -> Result<Outcome, Error> {
        let frame = self.shared.context.sql(text).await.map_err(|error| planning_error(error, text))?;
        self.frame(frame).await
    }

    /// A statement that is no query: DDL, SHOW, DESCRIBE, …
    async fn other(&self, text: &str, statement: Ast) -> Result<Outcome, Error> {
        if let Ast::ExplainTable { table_name, .. } = &statement
            && let Some(Named::Dataset(source)) = self.shared.catalog.get(&plain_name(table_name))
        {
            let name = table_name.to_string();
            return Ok(Outcome::Explain(crate::explain::columns(&summary(&name, &source))));
        }
        let state = self.shared.context.state();
        let statement = PlannedStatement::Statement(Box::new(statement));
        let plan = state.statement_to_plan(statement).await.map_err(|error| planning_error(error, text))?;
        let frame = self.shared.context.execute_logical_plan(plan).await?;
        self.frame(frame).await
    }

    async fn frame(&self, frame: datafusion::prelude::DataFrame) -> Result<Outcome, Error> {
        let is_empty = frame.schema().fields().is_empty();
        let stream = frame.execute_stream().await?;
        match is_empty {
            true => {
                Rows::new(stream, Vec::new(), None).collect().await?;
                Ok(Outcome::Done("done".to_string()))
            }
            false => Ok(Outcome::Rows(Rows::new(stream, Vec::new(), None))),
        }
    }
}

/// A query bound to tables of cells.
struct BoundQuery {
    relation: RowRelation,
    sink: Option<Sink>,
    tables: Vec<Arc<crate::scan::CellTable>>,
    is_bare: bool,
    names: HashMap<String, Named>,
}

fn store_options(options: &[(String, datafusion::sql::sqlparser::ast::Expr)]) -> StoreOptions {
    let plain = |text: String| text.trim_matches('\'').to_string();
    options.iter().map(|(name, value)| (name.to_ascii_lowercase(), plain(value.to_string()))).collect()
}

fn columns_of(dataset: &crate::dataset::Dataset) -> Vec<(String, &'static str)> {
    use crate::dataset::Role;
    let dimensions = dataset.dimensions.iter().map(|dimension| (dimension.name.clone(), "dimension"));
    let variables = dataset.variables.iter().filter(|variable| variable.role != Role::Index).map(|variable| {
        let what = if variable.role == Role::Coordinate { "coordinate" } else { "variable" };
        (variable.name.clone(), what)
    });
    dimensions.chain(variables).collect()
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
