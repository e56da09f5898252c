//! A dataset on its way through brackets, `EXTEND`, `MASK` and `WHERE`: its span is not chosen yet.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Expr, Ident};

use crate::dataset::Role;
use arrow::array::Array;

use crate::scan::{Axis, LabelledDataset};

/// A dataset and the steps that keep it one.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The dataset and its labels.
    pub source: Arc<LabelledDataset>,
    /// What its columns are qualified with.
    pub alias: Ident,
    /// Every dimension, as brackets and `WHERE` left it, in the source's order.
    pub axes: Vec<Axis>,
    /// The dimensions that `WHERE` has chosen labels of: they join the span of what ends the pipeline.
    pub joined: Vec<String>,
    /// The columns that can be named.
    pub columns: Vec<PipelineColumn>,
    /// What was done to it.
    pub steps: Vec<PipelineStep>,
}

/// A column of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineColumn {
    /// Its name.
    pub name: String,
    /// Its name in the source or in the step that made it, before it was renamed.
    pub original: String,
    /// The dimensions its values vary along.
    pub dimensions: Vec<String>,
    /// What it is.
    pub kind: PipelineColumnKind,
}

/// What a column of a pipeline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineColumnKind {
    /// Labels of a dimension.
    Dimension,
    /// An auxiliary coordinate.
    Coordinate,
    /// A variable, or what a step made of variables.
    Variable,
}

/// A step of a pipeline.
#[derive(Debug, Clone)]
pub enum PipelineStep {
    /// New columns; expressions name columns of the step before.
    Extend(Vec<(String, Expr)>),
    /// Rows that stay, where labels of single dimensions do not tell.
    Filter(Expr),
    /// Cells that stay: the others become missing in every variable with all of these dimensions.
    Mask {
        /// The condition.
        condition: Expr,
        /// Its dimensions.
        dimensions: Vec<String>,
    },
}

impl Pipeline {
    /// The whole of a dataset.
    pub fn new(source: Arc<LabelledDataset>, alias: Ident) -> Self {
        let dataset = &source.dataset;
        let axes: Vec<Axis> = dataset.dimensions.iter().filter_map(|dimension| source.axis(&dimension.name)).collect();
        let mut columns: Vec<PipelineColumn> = axes
            .iter()
            .map(|axis| PipelineColumn::plain(&axis.name, vec![axis.name.clone()], PipelineColumnKind::Dimension))
            .collect();
        for variable in dataset.variables.iter().filter(|variable| variable.role != Role::Index) {
            let kind = match variable.role {
                Role::Coordinate => PipelineColumnKind::Coordinate,
                _ => PipelineColumnKind::Variable,
            };
            columns.push(PipelineColumn::plain(&variable.name, variable.dimensions.clone(), kind));
        }
        Self { source, alias, axes, joined: Vec::new(), columns, steps: Vec::new() }
    }

    /// The column that an identifier names: exactly, or in any case when it is not quoted.
    pub fn column(&self, ident: &Ident) -> Option<&PipelineColumn> {
        let exact = self.columns.iter().find(|column| column.name == ident.value);
        exact.or_else(|| {
            let is_quoted = ident.quote_style.is_some();
            self.columns.iter().find(|column| !is_quoted && column.name.eq_ignore_ascii_case(&ident.value))
        })
    }

    /// The axis of a dimension.
    pub fn axis(&self, dimension: &str) -> Option<&Axis> {
        self.axes.iter().find(|axis| axis.name == dimension)
    }

    /// The dimension that an identifier names.
    pub fn dimension(&self, ident: &Ident) -> Option<&Axis> {
        let exact = self.axis(&ident.value);
        exact.or_else(|| {
            let is_quoted = ident.quote_style.is_some();
            self.axes.iter().find(|axis| !is_quoted && axis.name.eq_ignore_ascii_case(&ident.value))
        })
    }

    /// The dataset as messages name it: `era5[time, lat, lon]`.
    pub fn describe(&self) -> String {
        let dimensions: Vec<_> = self.axes.iter().map(|axis| axis.name.as_str()).collect();
        format!("{}[{}]", self.alias.value, dimensions.join(", "))
    }

    /// The largest set of dimensions that a variable has.
    pub fn largest_span(&self) -> Vec<String> {
        let variables = self.columns.iter().filter(|column| column.kind == PipelineColumnKind::Variable);
        let others = self.columns.iter().filter(|column| column.kind == PipelineColumnKind::Coordinate);
        let cells = |dimensions: &[String]| {
            let lengths = dimensions.iter().filter_map(|name| self.axis(name)).map(|axis| axis.labels.len() as u64);
            lengths.fold(1u64, u64::saturating_mul)
        };
        let largest = |columns: &mut dyn Iterator<Item = &PipelineColumn>| {
            let mut best: Vec<String> = Vec::new();
            for column in columns {
                let size = |dimensions: &[String]| (dimensions.len(), cells(dimensions));
                if size(&column.dimensions) > size(&best) {
                    best = column.dimensions.clone();
                }
            }
            best
        };
        let span = largest(&mut variables.into_iter());
        let span = if span.is_empty() { largest(&mut others.into_iter()) } else { span };
        match span.is_empty() {
            true => self.axes.iter().map(|axis| axis.name.clone()).collect(),
            false => span,
        }
    }

    /// Where nothing but dimensions is named, a variable on exactly these.
    pub fn variable_on(&self, named: &[String]) -> Option<String> {
        let is_named = |dimension: &String| named.contains(dimension);
        if named.is_empty() || named.iter().any(|name| self.axis(name).is_none()) {
            return None;
        }
        let has_these = |column: &&PipelineColumn| {
            column.kind == PipelineColumnKind::Variable
                && column.dimensions.iter().all(is_named)
                && named.iter().all(|name| column.dimensions.contains(name))
        };
        self.columns.iter().find(has_these).map(|column| column.name.clone())
    }

    /// Whether a step left rows out.
    pub fn is_filtered(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, PipelineStep::Filter(_)))
    }

    /// The pipeline as its first steps leave it.
    pub fn up_to(&self, steps: usize) -> Self {
        let mut before = self.clone();
        before.steps.truncate(steps);
        before
    }

    /// Names of the columns, for advice.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }
}

impl PipelineColumn {
    /// A column under its own name.
    pub fn plain(name: &str, dimensions: Vec<String>, kind: PipelineColumnKind) -> Self {
        Self { name: name.to_string(), original: name.to_string(), dimensions, kind }
    }
}
