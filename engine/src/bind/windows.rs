//! Windows along dimensions: `t2m[time-6:time]`, `t2m[time-1]`, `OVER (ALONG lon)` → windows of SQL.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, Query, Spanned, VisitMut, VisitorMut, WindowSpec, WindowType,
};
use quarray_lang::syntax::{CellIndex, CellReference, cell_reference, window_along};

use super::aggregate::{arguments_of, take_named};
use super::pipeline::Pipeline;
use super::{Binder, build};
use crate::error::Error;
use crate::functions::WINDOW_AGGREGATES;
use crate::scan::{Axis, position_column};

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
    dimension: String,
    /// Positions from the cell itself; `None` is open.
    from: Option<i64>,
    to: Option<i64>,
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
            _ => Ok(None),
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
        if !WINDOW_AGGREGATES.iter().any(|(known, _)| *known == name) {
            let known: Vec<_> = WINDOW_AGGREGATES.iter().map(|(name, _)| *name).collect();
            let message = format!("`{name}` has no window over cells, expected one of {}", known.join(", "));
            return Err(self.binder.error_at(function.span(), message));
        }
        let window = self.window(reference)?;
        let least = match take_named(&mut function, "min_count") {
            Some(count) => self.binder.integer(&count)?.max(0),
            None => match (window.from, window.to) {
                (Some(from), Some(to)) => to - from + 1,
                _ => 1,
            },
        };
        let count = build::expression(&least.to_string())?;
        let call = build::call(&format!("window_{name}"), &[reference.base.clone(), count])?;
        let frame = format!("ROWS BETWEEN {} AND {}", bound(window.from, "PRECEDING"), bound(window.to, "FOLLOWING"));
        self.over(call, &window, &frame)
    }

    /// `t[time-1]`
    fn shifted(&self, reference: &CellReference, expression: &Expr) -> Result<Expr, Error> {
        let window = self.window(reference)?;
        let (Some(offset), false) = (window.from, window.is_range) else {
            let message = format!("a range of cells stands inside an aggregate: avg({expression})");
            return Err(self.binder.error_at(expression.span(), message));
        };
        let name = if offset <= 0 { "lag" } else { "lead" };
        let distance = build::expression(&offset.unsigned_abs().to_string())?;
        let call = build::call(name, &[reference.base.clone(), distance])?;
        self.over(call, &window, "")
    }

    fn over(&self, call: Expr, window: &Window, frame: &str) -> Result<Expr, Error> {
        let position = build::column(&position_column(&window.dimension));
        let template = build::expression(&format!("f() OVER (ORDER BY {position} {frame})"))?;
        match (call, template) {
            (Expr::Function(mut call), Expr::Function(template)) => {
                call.over = template.over;
                if let Some(WindowType::WindowSpec(WindowSpec { partition_by, .. })) = &mut call.over {
                    *partition_by = self.others(std::slice::from_ref(&window.dimension));
                }
                Ok(Expr::Function(call))
            }
            (call, _) => Err(Error::Internal(format!("{call} is no call"))),
        }
    }

    fn window(&self, reference: &CellReference) -> Result<Window, Error> {
        let window = self.any_window(reference)?;
        let named = super::names::names_of(self.pipeline, &reference.base, true);
        let column = self.pipeline.columns.iter().find(|column| named.contains(&column.name));
        match column {
            Some(column) if !column.dimensions.contains(&window.dimension) => {
                let message = format!("`{}` does not vary along `{}`", column.name, window.dimension);
                Err(self.binder.error_at(reference.base.span(), message))
            }
            _ => Ok(window),
        }
    }

    fn any_window(&self, reference: &CellReference) -> Result<Window, Error> {
        let [index] = reference.indexes.as_slice() else {
            return Err(self
                .binder
                .error_at(reference.base.span(), "windows over several dimensions are not there yet"));
        };
        match index {
            CellIndex::Point(expression) => {
                let (dimension, offset) = self.offset(expression)?;
                Ok(Window { dimension, from: Some(offset), to: Some(offset), is_range: false })
            }
            CellIndex::Range(low, high) => {
                let low = low.as_ref().map(|low| self.offset(low)).transpose()?;
                let high = high.as_ref().map(|high| self.offset(high)).transpose()?;
                let dimension = match (&low, &high) {
                    (Some((a, _)), Some((b, _))) if a != b => {
                        let message = format!("a window runs along one dimension, found `{a}` and `{b}`");
                        return Err(self.binder.error_at(reference.base.span(), message));
                    }
                    (Some((dimension, _)), _) | (None, Some((dimension, _))) => dimension.clone(),
                    (None, None) => {
                        let message = "a window names its dimension: [time-6:time]";
                        return Err(self.binder.error_at(reference.base.span(), message));
                    }
                };
                let (from, to) = (low.map(|low| low.1), high.map(|high| high.1));
                if matches!((from, to), (Some(from), Some(to)) if from > to) {
                    let message = "a window ends where it begins or later: [time-6:time]";
                    return Err(self.binder.error_at(reference.base.span(), message));
                }
                Ok(Window { dimension, from, to, is_range: true })
            }
        }
    }

    /// `time`, `time - 6`, `time + 1`
    fn offset(&self, expression: &Expr) -> Result<(String, i64), Error> {
        let axis = |name: &Expr| match name {
            Expr::Identifier(ident) => match self.pipeline.dimension(ident) {
                Some(axis) if self.span.iter().any(|known| known.name == axis.name) => Ok(axis.name.clone()),
                Some(axis) => {
                    let message = format!("the variable does not vary along `{}`", axis.name);
                    Err(self.binder.error_at(ident.span, message))
                }
                None => Err(self.binder.unknown_dimension(self.pipeline, ident)),
            },
            other => {
                let message = format!("expected a dimension and an offset such as time-6, found {other}");
                Err(self.binder.error_at(other.span(), message))
            }
        };
        match expression {
            Expr::BinaryOp { left, op: BinaryOperator::Minus, right } => Ok((axis(left)?, -self.whole(right)?)),
            Expr::BinaryOp { left, op: BinaryOperator::Plus, right } => Ok((axis(left)?, self.whole(right)?)),
            other => Ok((axis(other)?, 0)),
        }
    }

    fn whole(&self, expression: &Expr) -> Result<i64, Error> {
        if matches!(expression, Expr::Interval(_)) {
            return Err(self.binder.error_at(expression.span(), "windows by an interval of labels are not there yet"));
        }
        self.binder.integer(expression)
    }
}

fn bound(offset: Option<i64>, open: &str) -> String {
    match offset {
        None => format!("UNBOUNDED {open}"),
        Some(0) => "CURRENT ROW".to_string(),
        Some(offset) if offset < 0 => format!("{} PRECEDING", -offset),
        Some(offset) => format!("{offset} FOLLOWING"),
    }
}
