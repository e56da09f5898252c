//! Aggregate functions of blocks over cells: names of the field, and the rule that no cell is counted twice.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Spanned, VisitMut, VisitorMut,
};

use datafusion::common::ScalarValue;

use super::names::names_of;
use super::pipeline::Pipeline;
use super::{Binder, build};
use crate::error::Error;
use crate::scan::{Axis, position_column};

/// Aggregates that give the same whatever the times a cell is counted.
const INDIFFERENT: &[&str] =
    &["min", "max", "any", "all", "bool_and", "bool_or", "every", "some", "arg_min", "arg_max"];

/// Aggregates that would count a cell twice if it were there twice.
const COUNTING: &[&str] = &[
    "sum",
    "avg",
    "mean",
    "count",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "var",
    "var_pop",
    "var_samp",
    "median",
    "quantile",
    "first",
    "last",
    "weighted_avg",
    "argmin",
    "argmax",
    "idxmin",
    "idxmax",
    "count_if",
    "corr",
    "covar_samp",
    "covar_pop",
    "approx_median",
    "approx_percentile_cont",
    "percentile_cont",
    "array_agg",
    "approx_distinct",
];

/// What aggregates of a block run over.
pub struct Reduced<'a> {
    /// The pipeline whose columns they name.
    pub pipeline: &'a Pipeline,
    /// The axes of the span.
    pub span: &'a [Axis],
    /// The dimensions that no group key is made of.
    pub reduced: Vec<String>,
    /// The dimensions that are group keys themselves: the cells of a group have one position along each.
    pub kept: Vec<String>,
    /// Whether a cell that repeats along a reduced dimension is an error.
    pub strict: bool,
}

/// Whether a name is that of an aggregate function.
pub fn is_aggregate(name: &str) -> bool {
    INDIFFERENT.contains(&name) || COUNTING.contains(&name)
}

/// Whether an expression holds an aggregate that is no window's.
pub fn has_aggregate(expression: &Expr) -> bool {
    let mut found = false;
    let _ = datafusion::sql::sqlparser::ast::visit_expressions(expression, |node| {
        if let Expr::Function(function) = node {
            let name = function.name.to_string().to_ascii_lowercase();
            found |= is_aggregate(&name) && function.over.is_none() && !is_of_cells(function);
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// `avg(t2m[time-6:time])` is a window over cells.
pub fn is_of_cells(function: &Function) -> bool {
    let FunctionArguments::List(list) = &function.args else { return false };
    list.args.iter().any(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => {
            quarray_lang::syntax::cell_reference(expression).is_some_and(|reference| is_relative(&reference))
        }
        _ => false,
    })
}

/// Whether a cell reference has a range or names a dimension: `l[1]` of a list has and does not.
fn is_relative(reference: &quarray_lang::syntax::CellReference) -> bool {
    use quarray_lang::syntax::CellIndex;
    reference.indexes.iter().any(|index| match index {
        CellIndex::Range(..) => true,
        CellIndex::Point(expression) => !matches!(expression, Expr::Value(_)),
    })
}

impl Binder<'_> {
    /// Whether a name is that of an aggregate function, one that was registered with the session included.
    pub(super) fn is_known_aggregate(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        is_aggregate(&name) || self.state.aggregate_functions().contains_key(&name)
    }

    /// Rewrites the aggregates in an expression to functions that DataFusion or Quarray has.
    pub(super) fn aggregates(&self, expression: &mut Expr, over: &Reduced<'_>) -> Result<(), Error> {
        let mut rewrite = Rewrite { binder: self, over, subqueries: 0 };
        match VisitMut::visit(expression, &mut rewrite) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }
}

struct Rewrite<'a, 'b> {
    binder: &'a Binder<'b>,
    over: &'a Reduced<'a>,
    subqueries: usize,
}

impl VisitorMut for Rewrite<'_, '_> {
    type Break = Error;

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.subqueries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.subqueries -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        let Expr::Function(function) = expression else { return ControlFlow::Continue(()) };
        if self.subqueries > 0 {
            return ControlFlow::Continue(());
        }
        match self.rewrite(function.clone()) {
            Ok(Some(rewritten)) => *expression = rewritten,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

impl Rewrite<'_, '_> {
    fn rewrite(&self, mut function: Function) -> Result<Option<Expr>, Error> {
        let name = function.name.to_string().to_ascii_lowercase();
        if !is_aggregate(&name) {
            return Ok(None);
        }
        if function.over.is_none() {
            self.check_counting(&function, &name)?;
        }
        let arguments = arguments_of(&function);
        let weights = take_named(&mut function, "weights");
        let renamed = match (name.as_str(), weights) {
            ("avg" | "mean", Some(weights)) => {
                let [value] = arguments.as_slice() else { return Ok(None) };
                return self.replaced(function, "weighted_avg", &[as_double(value)?, as_double(&weights)?]).map(Some);
            }
            (_, Some(weights)) => {
                let message = format!("{name} takes no weights, only avg does");
                return Err(self.binder.error_at(weights.span(), message));
            }
            ("mean", None) => "avg",
            ("any" | "some", None) => "bool_or",
            ("all" | "every", None) => "bool_and",
            ("quantile", None) => {
                if let [_, fraction] = arguments.as_slice() {
                    let value = self.binder.constant(fraction)?;
                    let number = value.cast_to(&arrow::datatypes::DataType::Float64).ok();
                    let is_fraction = matches!(number, Some(ScalarValue::Float64(Some(q))) if (0.0..=1.0).contains(&q));
                    if !is_fraction {
                        let message = format!("the fraction of a quantile lies between 0 and 1, found {value}");
                        return Err(self.binder.error_at(fraction.span(), message));
                    }
                }
                return Ok(None);
            }
            ("median", None) => {
                let [value] = arguments.as_slice() else { return Ok(None) };
                return self.replaced(function, "quantile", &[value.clone(), build::expression("0.5")?]).map(Some);
            }
            ("count_if", None) => {
                let [condition] = arguments.as_slice() else { return Ok(None) };
                let mut counted = match build::expression("count(*)")? {
                    Expr::Function(counted) => counted,
                    other => return Ok(Some(other)),
                };
                counted.filter = Some(Box::new(condition.clone()));
                return Ok(Some(Expr::Function(counted)));
            }
            ("argmin" | "argmax" | "idxmin" | "idxmax", None) => {
                return self.arg_extreme(function, &name, &arguments).map(Some);
            }
            ("first" | "last", None) if arguments.len() == 1 => {
                let key = self.order_key()?;
                return self.replaced(function, &name, &[arguments[0].clone(), key]).map(Some);
            }
            _ => return Ok(None),
        };
        self.replaced(function, renamed, &arguments).map(Some)
    }

    /// `idxmax(t)` along time is `arg_max(time, t, position)`, and `argmax(t)` has the position in place of the label.
    fn arg_extreme(&self, function: Function, name: &str, arguments: &[Expr]) -> Result<Expr, Error> {
        let [value] = arguments else {
            return Err(self.binder.error_at(function.span(), format!("{name} takes one variable")));
        };
        // A dimension of one chosen label is none of the result's, and nothing is looked for along it.
        let is_long = |name: &&String| self.over.span.iter().any(|axis| axis.name == **name && !axis.scalar);
        let reduced: Vec<&String> = self.over.reduced.iter().filter(is_long).collect();
        let [dimension] = reduced.as_slice() else {
            let found = reduced.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            let message = format!("{name} works along one dimension, found [{found}]");
            return Err(self.binder.error_at(function.span(), message));
        };
        if let (true, Some(axis)) = (name.starts_with("arg"), self.over.pipeline.axis(dimension)) {
            self.binder.check_positions(self.over.pipeline, axis, function.span())?;
        }
        let position = build::column(&position_column(dimension));
        let label = if name.starts_with("idx") { build::column(dimension.as_str()) } else { position.clone() };
        let target = if name.ends_with("min") { "arg_min" } else { "arg_max" };
        self.replaced(function, target, &[label, value.clone(), position])
    }

    /// A key that orders cells as the source does.
    fn order_key(&self) -> Result<Expr, Error> {
        let axes = self.over.span.iter().filter(|axis| !self.over.kept.contains(&axis.name));
        let mut key = String::from("0");
        for axis in axes {
            let column = build::column(&position_column(&axis.name));
            key = format!("({key}) * {} + {column}", axis.count().max(1));
        }
        build::expression(&key)
    }

    fn replaced(&self, function: Function, name: &str, arguments: &[Expr]) -> Result<Expr, Error> {
        match build::call(name, arguments)? {
            Expr::Function(mut replaced) => {
                replaced.filter = function.filter;
                replaced.over = function.over;
                Ok(Expr::Function(replaced))
            }
            other => Ok(other),
        }
    }

    fn check_counting(&self, function: &Function, name: &str) -> Result<(), Error> {
        let is_distinct = matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment.is_some());
        if !self.over.strict || !COUNTING.contains(&name) || is_distinct {
            return Ok(());
        }
        let arguments = arguments_of(function);
        let named: Vec<String> =
            arguments.iter().flat_map(|argument| names_of(self.over.pipeline, argument, true)).collect();
        if named.is_empty() {
            return Ok(());
        }
        let columns = self.over.pipeline.columns.iter().filter(|column| named.contains(&column.name));
        let dimensions: Vec<&String> = columns.flat_map(|column| &column.dimensions).collect();
        let repeats =
            |axis: &&Axis| !axis.scalar && self.over.reduced.contains(&axis.name) && !dimensions.contains(&&axis.name);
        match self.over.span.iter().find(repeats) {
            None => Ok(()),
            Some(axis) => {
                let argument = arguments.first().map_or_else(String::new, ToString::to_string).replace('"', "");
                let message = format!(
                    "{name}({argument}) would count each cell of `{argument}` once for every `{}`, which it does not vary along",
                    axis.name
                );
                let help = format!("group by `{}`, or take it in a query of its own", axis.name);
                Err(self.binder.error_with(function.span(), message, Some(help)))
            }
        }
    }
}

/// The unnamed arguments of a function.
pub fn arguments_of(function: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    let expressions = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression.clone()),
        _ => None,
    });
    expressions.collect()
}

/// Takes a named argument out of a call.
pub fn take_named(function: &mut Function, wanted: &str) -> Option<Expr> {
    let FunctionArguments::List(list) = &mut function.args else { return None };
    let is_wanted = |name: &str| name.eq_ignore_ascii_case(wanted);
    let place = list.args.iter().position(|argument| match argument {
        FunctionArg::Named { name, .. } => is_wanted(&name.value),
        FunctionArg::ExprNamed { name: Expr::Identifier(Ident { value, .. }), .. } => is_wanted(value),
        _ => false,
    })?;
    match list.args.remove(place) {
        FunctionArg::Named { arg: FunctionArgExpr::Expr(expression), .. }
        | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expression), .. } => Some(expression),
        _ => None,
    }
}

fn as_double(value: &Expr) -> Result<Expr, Error> {
    match build::expression("CAST(1 AS DOUBLE)")? {
        Expr::Cast { kind, data_type, format, array, .. } => {
            Ok(Expr::Cast { kind, expr: Box::new(value.clone()), data_type, format, array })
        }
        other => Err(Error::Internal(format!("{other} is no cast"))),
    }
}
