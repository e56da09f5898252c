//! Windows along dimensions: `t2m[time-6:time]`, `t2m[time-1]`, `OVER (ALONG lon)` → windows of SQL.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Spanned, VisitMut,
    VisitorMut, WindowSpec, WindowType,
};
use quarray_lang::syntax::{CellIndex, CellReference, cell_reference, window_along};

use super::aggregate::{arguments_of, take_named};
use super::frames::{Frame, Offset};
use super::pipeline::Pipeline;
use super::selection::call_of;
use super::{Binder, build};
use crate::error::Error;
use crate::functions::WINDOW_AGGREGATES;
use crate::scan::{Axis, position_column};

/// What is said to windows such as `z[y-1:y+1, x-1:x+1]`.
const SEVERAL_DIMENSIONS: &str = "windows over several dimensions are not there yet";

impl Binder<'_> {
    /// An expression over the cells of a span with its windows spelled as SQL spells them.
    pub(super) fn windows(&self, mut expression: Expr, span: &[Axis], pipeline: &Pipeline) -> Result<Expr, Error> {
        let mut rewrite = Rewrite { binder: self, span, pipeline, subqueries: 0 };
        match VisitMut::visit(&mut expression, &mut rewrite) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(expression),
        }
    }
}

struct Rewrite<'a, 'b> {
    binder: &'a Binder<'b>,
    span: &'a [Axis],
    pipeline: &'a Pipeline,
    subqueries: usize,
}

/// The cells that a reference looks at, along one dimension.
struct Window {
    axis: Axis,
    frame: Frame,
    is_range: bool,
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

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        if self.subqueries > 0 {
            return ControlFlow::Continue(());
        }
        let rewritten = match &*expression {
            Expr::Function(function) => self.function(function.clone()),
            other => match cell_reference(other) {
                Some(reference) if self.is_variable(&reference.base) => self.shifted(&reference, other).map(Some),
                _ => Ok(None),
            },
        };
        match rewritten {
            Ok(Some(rewritten)) => *expression = rewritten,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

impl Rewrite<'_, '_> {
    fn is_variable(&self, base: &Expr) -> bool {
        !super::names::names_of(self.pipeline, base, true).is_empty()
    }

    fn function(&self, mut function: Function) -> Result<Option<Expr>, Error> {
        if let Some(WindowType::WindowSpec(spec)) = &mut function.over {
            return match window_along(spec) {
                None => Ok(None),
                Some(along) => {
                    let dimensions = along.dimensions.iter().map(|ident| match self.pipeline.dimension(ident) {
                        Some(axis) => Ok(axis.name.clone()),
                        None => Err(self.binder.unknown_dimension(self.pipeline, ident)),
                    });
                    let dimensions = dimensions.collect::<Result<Vec<_>, Error>>()?;
                    spec.partition_by = self.others(&dimensions);
                    spec.order_by = along.order_by;
                    spec.window_frame = along.frame;
                    Ok(Some(Expr::Function(function)))
                }
            };
        }
        let reference = arguments_of(&function).first().and_then(cell_reference);
        match reference {
            Some(reference) if self.is_variable(&reference.base) => self.windowed(function, &reference).map(Some),
            Some(_) => Ok(None),
            None => self.spelled_out(function),
        }
    }

    /// The positions along every dimension of the span but these.
    fn others(&self, dimensions: &[String]) -> Vec<Expr> {
        let others = self.span.iter().filter(|axis| !dimensions.contains(&axis.name));
        others.map(|axis| build::column(&position_column(&axis.name))).collect()
    }

    /// `avg(t[time-6:time])`
    fn windowed(&self, mut function: Function, reference: &CellReference) -> Result<Expr, Error> {
        let name = function.name.to_string().to_ascii_lowercase();
        let name = if name == "mean" { "avg".to_string() } else { name };
        if !is_window_aggregate(&name) {
            let known: Vec<_> = WINDOW_AGGREGATES.iter().map(|(name, _)| *name).collect();
            let message = format!("`{name}` has no window over cells, expected one of {}", known.join(", "));
            return Err(self.binder.error_at(function.span(), message));
        }
        let window = self.window(reference)?;
        self.aggregated(&name, &reference.base, &window, take_named(&mut function, "min_count"))
    }

    /// `window_avg(t, time => range(-6, 0), min_count => 3)`
    fn spelled_out(&self, mut function: Function) -> Result<Option<Expr>, Error> {
        let name = function.name.to_string().to_ascii_lowercase();
        let Some(name) = name.strip_prefix("window_").filter(|name| is_window_aggregate(name)) else { return Ok(None) };
        let least = take_named(&mut function, "min_count");
        let named = named_arguments(&function);
        let arguments = arguments_of(&function);
        let ([argument], [(dimension, range)]) = (arguments.as_slice(), named.as_slice()) else {
            if named.len() > 1 {
                return Err(self.binder.error_at(function.span(), SEVERAL_DIMENSIONS));
            }
            return Ok(None);
        };
        let bounds = match call_of(range) {
            Some((called, bounds)) if called == "range" && bounds.len() == 2 => bounds,
            _ => {
                let message = format!("expected a range of cells such as range(-6, 0), found {range}");
                return Err(self.binder.error_at(range.span(), message));
            }
        };
        let axis = self.axis(dimension)?;
        let offsets = (self.binder.offset_of(&bounds[0])?, self.binder.offset_of(&bounds[1])?);
        let frame = self.binder.frame(self.pipeline, &axis, offsets, range)?;
        let window = self.varying(argument, Window { axis, frame, is_range: true })?;
        self.aggregated(name, argument, &window, least).map(Some)
    }

    fn aggregated(&self, name: &str, argument: &Expr, window: &Window, least: Option<Expr>) -> Result<Expr, Error> {
        let least = match least {
            Some(count) => self.binder.integer(&count)?.max(0),
            None => window.frame.least(),
        };
        let count = build::expression(&least.to_string())?;
        let call = build::call(&format!("window_{name}"), &[argument.clone(), count])?;
        self.over(call, window, &window.frame.sql())
    }

    /// `t[time-1]`
    fn shifted(&self, reference: &CellReference, expression: &Expr) -> Result<Expr, Error> {
        let window = self.window(reference)?;
        let offset = match (&window.frame, window.is_range) {
            (Frame::Cells(Some(offset), Some(to)), false) if offset == to => *offset,
            (_, true) => {
                let message = format!("a range of cells stands inside an aggregate: avg({expression})");
                return Err(self.binder.error_at(expression.span(), message));
            }
            _ => {
                let message = format!("`{expression}` is no whole number of cells away: this is not there yet");
                return Err(self.binder.error_at(expression.span(), message));
            }
        };
        let name = if offset <= 0 { "lag" } else { "lead" };
        let distance = build::expression(&offset.unsigned_abs().to_string())?;
        let call = build::call(name, &[reference.base.clone(), distance])?;
        self.over(call, &window, "")
    }

    fn over(&self, call: Expr, window: &Window, frame: &str) -> Result<Expr, Error> {
        let dimension = &window.axis.name;
        let key = match window.frame {
            Frame::Cells(..) => build::column(&position_column(dimension)),
            Frame::Labels(..) => build::column(dimension),
        };
        let template = build::expression(&format!("f() OVER (ORDER BY {key} {frame})"))?;
        match (call, template) {
            (Expr::Function(mut call), Expr::Function(template)) => {
                call.over = template.over;
                if let Some(WindowType::WindowSpec(WindowSpec { partition_by, .. })) = &mut call.over {
                    *partition_by = self.others(std::slice::from_ref(dimension));
                }
                Ok(Expr::Function(call))
            }
            (call, _) => Err(Error::Internal(format!("{call} is no call"))),
        }
    }

    fn window(&self, reference: &CellReference) -> Result<Window, Error> {
        let window = self.any_window(reference)?;
        self.varying(&reference.base, window)
    }

    /// A window along a dimension that every column of its argument varies along.
    fn varying(&self, argument: &Expr, window: Window) -> Result<Window, Error> {
        let named = super::names::names_of(self.pipeline, argument, true);
        let columns = self.pipeline.columns.iter().filter(|column| named.contains(&column.name));
        let longest = columns.max_by_key(|column| column.dimensions.len());
        match longest {
            Some(column) if !column.dimensions.contains(&window.axis.name) => {
                let message = format!("`{}` does not vary along `{}`", column.name, window.axis.name);
                Err(self.binder.error_at(argument.span(), message))
            }
            _ => Ok(window),
        }
    }

    fn any_window(&self, reference: &CellReference) -> Result<Window, Error> {
        let place = &reference.base;
        let [index] = reference.indexes.as_slice() else {
            return Err(self.binder.error_at(place.span(), SEVERAL_DIMENSIONS));
        };
        match index {
            CellIndex::Point(expression) => {
                let (axis, offset) = self.offset(expression)?;
                let frame = self.binder.frame(self.pipeline, &axis, (Some(offset), Some(offset)), expression);
                // An interval between two labels holds no cell.
                let frame =
                    if matches!(offset, Offset::Time(_)) { frame.or(Ok(Frame::Labels(None, None))) } else { frame };
                Ok(Window { axis, frame: frame?, is_range: false })
            }
            CellIndex::Range(low, high) => {
                let low = low.as_ref().map(|low| self.offset(low)).transpose()?;
                let high = high.as_ref().map(|high| self.offset(high)).transpose()?;
                let axis = match (&low, &high) {
                    (Some((a, _)), Some((b, _))) if a.name != b.name => {
                        let message = format!("a window runs along one dimension, found `{}` and `{}`", a.name, b.name);
                        return Err(self.binder.error_at(place.span(), message));
                    }
                    (Some((axis, _)), _) | (None, Some((axis, _))) => axis.clone(),
                    (None, None) => {
                        let message = "a window names its dimension: [time-6:time]";
                        return Err(self.binder.error_at(place.span(), message));
                    }
                };
                let offsets = (low.map(|low| low.1), high.map(|high| high.1));
                let frame = self.binder.frame(self.pipeline, &axis, offsets, place)?;
                Ok(Window { axis, frame, is_range: true })
            }
        }
    }

    /// `time`, `time - 6`, `time + 1`, `time - INTERVAL '3 days'`
    fn offset(&self, expression: &Expr) -> Result<(Axis, Offset), Error> {
        let axis = |name: &Expr| match name {
            Expr::Identifier(ident) => self.axis(ident),
            other => {
                let message = format!("expected a dimension and an offset such as time-6, found {other}");
                Err(self.binder.error_at(other.span(), message))
            }
        };
        let distance = |expression: &Expr| match self.binder.offset_of(expression)? {
            Some(offset) => Ok(offset),
            None => Err(self.binder.error_at(expression.span(), "expected a number of cells, found NULL")),
        };
        match expression {
            Expr::BinaryOp { left, op: BinaryOperator::Minus, right } => Ok((axis(left)?, distance(right)?.negated())),
            Expr::BinaryOp { left, op: BinaryOperator::Plus, right } => Ok((axis(left)?, distance(right)?)),
            other => Ok((axis(other)?, Offset::Cells(0))),
        }
    }

    /// The axis of the span that a name is the dimension of.
    fn axis(&self, ident: &Ident) -> Result<Axis, Error> {
        let Some(axis) = self.pipeline.dimension(ident) else {
            return Err(self.binder.unknown_dimension(self.pipeline, ident));
        };
        match self.span.iter().find(|known| known.name == axis.name) {
            Some(axis) => Ok(axis.clone()),
            None => {
                let message = format!("the variable does not vary along `{}`", axis.name);
                Err(self.binder.error_at(ident.span, message))
            }
        }
    }
}

/// Whether there is a window function of an aggregate.
pub(super) fn is_window_aggregate(name: &str) -> bool {
    WINDOW_AGGREGATES.iter().any(|(known, _)| *known == name)
}

/// The named arguments of a call whose values are expressions.
pub(super) fn named_arguments(function: &Function) -> Vec<(Ident, Expr)> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    let named = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. }
        | FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(value), .. } => {
            Some((name.clone(), value.clone()))
        }
        _ => None,
    });
    named.collect()
}
