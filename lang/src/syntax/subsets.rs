//! Sources with brackets or options, and selectors, read back.

use sqlparser::ast::{BinaryOperator, Expr, Ident, TableFactor};

use super::calls::{Call, arguments_of, call_name, object_name_of, options_of, unless_null};
use super::catalogs::is_plain_call;
use super::{Selector, Subset, SubsetSource};

/// The subset that a table factor is, or `None` when it has neither brackets nor options.
pub fn subset(factor: &TableFactor) -> Option<Subset> {
    let TableFactor::Table { name, alias, args: Some(arguments), .. } = factor else { return None };
    if arguments.settings.is_some() {
        return None;
    }
    let call = Call::of_arguments(call_name(name)?, &arguments.args)?;
    subset_of_call(call, alias.as_ref().map(|alias| alias.name.clone()))
}

/// The subset that a call of `sel` is.
pub(super) fn subset_of_call(mut call: Call, alias: Option<Ident>) -> Option<Subset> {
    if call.name != "sel" {
        return None;
    }
    let options = match call.take("with") {
        Some(options) => options_of(&options)?,
        None => Vec::new(),
    };
    let [source]: [Expr; 1] = call.positional.try_into().ok()?;
    let source = match source {
        Expr::Subquery(query) => SubsetSource::Query(query),
        Expr::Function(function) if is_plain_call(&function) => SubsetSource::Call(Box::new(function)),
        other => SubsetSource::Name(object_name_of(&other)?),
    };
    Some(Subset { source, options, selectors: selectors_of(call.named), alias })
}

/// Named arguments as selectors.
pub(super) fn selectors_of(named: Vec<(Ident, Expr)>) -> Vec<(Ident, Selector)> {
    named.into_iter().map(|(dimension, value)| (dimension, selector_of(value))).collect()
}

fn selector_of(value: Expr) -> Selector {
    let range = |name: &str| {
        let mut bounds = arguments_of(&value, name)?;
        bounds.resize_with(bounds.len().max(3), || Expr::value(sqlparser::ast::Value::Null));
        let [low, high, step]: [Expr; 3] = bounds.try_into().ok()?;
        Some((unless_null(low), unless_null(high), unless_null(step)))
    };
    if let Some((low, high, step)) = range("slice") {
        return Selector::LabelRange { low, high, step };
    }
    if let Some((start, stop, step)) = range("position_range") {
        return Selector::PositionRange { start, stop, step };
    }
    if let Some(labels) = arguments_of(&value, "labels") {
        return Selector::Labels(labels);
    }
    match arguments_of(&value, "position").map(<[Expr; 1]>::try_from) {
        Some(Ok([position])) => Selector::Position(position),
        _ => Selector::Label(value),
    }
}

/// `dim = low:high` inside a cell reference: a comparison with a slice.
pub(crate) fn label_range(expression: &Expr) -> Option<(Ident, Selector)> {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = expression else { return None };
    match (left.as_ref(), selector_of(right.as_ref().clone())) {
        (Expr::Identifier(dimension), range @ Selector::LabelRange { .. }) => Some((dimension.clone(), range)),
        _ => None,
    }
}
