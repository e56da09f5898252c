//! Array syntax in a syntax tree, replaced by names that hold its text.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArguments, Ident, ObjectName, ObjectNamePart, PipeOperator, Query, TableFactor, VisitorMut,
    WindowSpec, WindowType,
};

use super::write;
use crate::syntax::{array_step, cell_reference, subset, window_along};

/// What sqlparser prints before an array step, with a mark that is in no text, so that it can be taken away.
pub(super) const CALL_MARK: &str = "CALL \u{1}";

/// Replaces array syntax by names, from the innermost outwards.
pub(super) struct Resugar;

impl VisitorMut for Resugar {
    type Break = ();

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let text = subset(factor).and_then(|subset| write::subset(&subset));
        if let (Some(text), TableFactor::Table { name, args, .. }) = (text, factor) {
            *name = raw_name(text);
            *args = None;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        let is_call = matches!(expression, Expr::Function(_));
        if let Some(text) = cell_reference(expression).filter(|_| is_call).and_then(|cells| write::cells(&cells)) {
            *expression = Expr::Identifier(Ident::new(text));
        } else if let Expr::Function(function) = expression
            && let Some(WindowType::WindowSpec(window)) = &mut function.over
            && let Some(along) = window_along(window)
        {
            *window = WindowSpec {
                window_name: Some(Ident::new(write::window(&along))),
                partition_by: Vec::new(),
                order_by: Vec::new(),
                window_frame: None,
            };
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for operator in &mut query.pipe_operators {
            if let Some(text) = array_step(operator).and_then(|step| write::step(&step)) {
                *operator = PipeOperator::Call { function: raw_function(&text), alias: None };
            }
        }
        ControlFlow::Continue(())
    }
}

fn raw_name(text: String) -> ObjectName {
    ObjectName(vec![ObjectNamePart::Identifier(Ident::new(text))])
}

fn raw_function(text: &str) -> Function {
    Function {
        name: raw_name(format!("\u{1}{text}")),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::None,
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }
}
