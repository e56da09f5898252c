//! Statements with array syntax → plain SQL over tables of cells.
//!
//! Binding is where a dataset becomes a relation: every block of a query is given the span of dimensions that the
//! columns it names are on (LANGUAGE: no cell is counted twice), array steps become `SELECT`s, and what SQL cannot say is
//! refused with a place in the text. What comes out is planned by DataFusion's own SQL planner.

mod absent;
mod aggregate;
mod block;
mod build;
mod calendars;
mod filter;
mod first_cells;
mod frames;
mod grouped;
mod interpolate;
mod items;
mod join;
mod labels;
mod literals;
mod looks;
mod names;
mod parameters;
mod parts;
mod pipeline;
mod query;
mod reduce;
mod select;
mod selection;
mod source;
mod steps;
mod store;
mod unknown;
mod windows;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::{Ident, PipeOperator, Query};
use datafusion::sql::sqlparser::tokenizer::Span as TokenSpan;
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::span::Span;
use quarray_lang::syntax::IntoMode;

use crate::error::Error;
use crate::functions::LabelTables;
use crate::scan::{CellTable, LabelledDataset, Order};

pub use first_cells::CellRows;
pub use labels::LabelSource;
pub use literals::cast_literals;
pub use parameters::Parameters;
pub use pipeline::Pipeline;
pub use source::{names_in, plain_name, quoted_path, stem};
pub use store::{ArrayQuery, DimensionQuery, Origin, StoreQueries};

/// What a name in `FROM` can stand for besides DataFusion's own tables.
#[derive(Debug, Clone)]
pub enum Named {
    /// An attached or opened dataset.
    Dataset(Arc<LabelledDataset>),
    /// A view.
    View(Arc<Query>),
}

/// A relation on its way through a query.
#[derive(Debug, Clone)]
pub enum Relation {
    /// A dataset: every variable on its own dimensions.
    Cells(Pipeline),
    /// A plain query, and the dimensions that are a key of it.
    Rows(RowRelation),
}

/// A plain query.
#[derive(Debug, Clone)]
pub struct RowRelation {
    /// The query.
    pub query: Query,
    /// What its columns are qualified with.
    pub alias: Option<Ident>,
    /// The columns that are a key, outermost dimension first; empty for a relation without one.
    pub dimensions: Vec<ResultDimension>,
    /// Whether it says in which order its rows come, or how many.
    pub is_ordered: bool,
    /// The same rows as a store wants them, where it is known where each belongs.
    pub placed: Option<Placed>,
    /// What is known of its rows where they are the cells of a table.
    pub cells: Option<CellRows>,
}

/// Rows in any order, with a column for every dimension that tells the place along it.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The query. The column of a dimension is that of its [`LabelSource`], or of its labels.
    pub query: Query,
    /// What the variables that are shown as they are were in the source.
    pub origins: HashMap<String, Origin>,
}

/// A dimension of a result.
#[derive(Debug, Clone)]
pub struct ResultDimension {
    /// Its column.
    pub name: String,
    /// How its labels follow each other in dimension order.
    pub order: Order,
    /// Where its labels come from, where they can be told without the rows.
    pub labels: Option<Arc<LabelSource>>,
}

/// What is done with the result of a query.
#[derive(Debug, Clone)]
pub enum Sink {
    /// `INTO target`
    Into(IntoClause),
    /// `PLOT`
    Plot {
        /// A file; the terminal without it.
        to: Option<String>,
        /// Options, names in lower case.
        options: Vec<(String, String)>,
    },
}

/// What `INTO` says.
#[derive(Debug, Clone)]
pub struct IntoClause {
    /// Where to.
    pub target: IntoTarget,
    /// Cells of a chunk along dimensions.
    pub chunks: Vec<(String, u64)>,
    /// Options, names in lower case.
    pub options: Vec<(String, String)>,
    /// New, append or region.
    pub mode: IntoMode,
}

/// Where `INTO` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntoTarget {
    /// A path or URL.
    Address(String),
    /// The name of an attached store, and its place in the text.
    Attached(Ident),
}

/// A query ready to be planned.
#[derive(Debug)]
pub struct Bound {
    /// The relation.
    pub relation: Relation,
    /// What is done with it; to be shown when there is none.
    pub sink: Option<Sink>,
}

/// Binds the queries of one statement.
pub struct Binder<'a> {
    /// The statement's text, for places in it.
    pub text: &'a str,
    /// A state that evaluates constants.
    pub state: &'a SessionState,
    /// What names stand for.
    pub names: &'a HashMap<String, Named>,
    /// Labels for `nearest` in joins.
    pub label_tables: LabelTables,
    /// The tables of cells made so far: the plan's tables.
    pub tables: Vec<Arc<CellTable>>,
    /// A number that no other statement of the session has.
    pub statement: u64,
    /// Common table expressions in scope, innermost last.
    scopes: Vec<HashMap<String, Relation>>,
    /// The steps that follow the `FROM` being bound: what they name belongs to its span.
    later: Vec<PipeOperator>,
    depth: usize,
}

/// Views inside views, at most.
const VIEW_DEPTH_MAX: usize = 64;

impl<'a> Binder<'a> {
    /// A binder of one statement.
    pub fn new(
        text: &'a str,
        state: &'a SessionState,
        names: &'a HashMap<String, Named>,
        label_tables: LabelTables,
        statement: u64,
    ) -> Self {
        Self {
            text,
            state,
            names,
            label_tables,
            tables: Vec::new(),
            statement,
            scopes: Vec::new(),
            later: Vec::new(),
            depth: 0,
        }
    }

    /// Binds a query and the sink at its end.
    pub fn bind(&mut self, query: &Query) -> Result<Bound, Error> {
        let (query, sink) = self.split_sink(query)?;
        let relation = self.query(&query)?;
        Ok(Bound { relation, sink })
    }

    /// A relation as rows in dimension order: what is planned and shown.
    pub fn finish(&mut self, relation: Relation) -> Result<RowRelation, Error> {
        let mut rows = self.rows(relation)?;
        let is_sortable = rows.dimensions.iter().all(|dimension| dimension.order != Order::None);
        if !rows.is_ordered && !rows.dimensions.is_empty() && is_sortable {
            let columns: Vec<_> = rows
                .dimensions
                .iter()
                .map(|dimension| (dimension.name.clone(), dimension.order == Order::Descending))
                .collect();
            rows.query = build::query(build::select_all(rows.query, rows.alias.as_ref())?)?;
            rows.query.order_by = Some(build::order_by(&columns));
        }
        Ok(rows)
    }

    /// Registers a table of cells under a name that nothing else has.
    fn register(&mut self, make: impl FnOnce(String) -> CellTable) -> Arc<CellTable> {
        let name = format!("cells_{}_{}", self.statement, self.tables.len());
        let table = Arc::new(make(name));
        self.tables.push(Arc::clone(&table));
        table
    }

    /// An error at a token of the text.
    fn error_at(&self, span: TokenSpan, message: impl Into<String>) -> Error {
        Error::Bind(Diagnostic::new(message).at(Span::of_tokens(self.text, span)))
    }

    /// The same, with advice.
    fn error_with(&self, span: TokenSpan, message: impl Into<String>, help: Option<String>) -> Error {
        let diagnostic = Diagnostic::new(message).at(Span::of_tokens(self.text, span));
        Error::Bind(match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        })
    }
}

/// An error without a place.
fn plain_error(message: impl Into<String>) -> Error {
    Error::Bind(Diagnostic::new(message))
}
