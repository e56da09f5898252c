//! Cell references and windows along dimensions, read back.

use sqlparser::ast::{AccessExpr, Expr, Ident, Subscript, WindowSpec};

use super::calls::{arguments_of, ident_of, unless_null};
use super::{CellIndex, CellReference, WindowAlong};

/// The cell reference that an expression is, stock subscripts (`t[time-1]`) included, or `None`.
pub fn cell_reference(expression: &Expr) -> Option<CellReference> {
    match expression {
        Expr::CompoundFieldAccess { root, access_chain } => subscripted(root, access_chain),
        Expr::Function(_) => {
            let mut arguments = arguments_of(expression, "cells")?.into_iter();
            let base = arguments.next().filter(is_name)?;
            let indexes = arguments.map(index_of).collect::<Option<Vec<_>>>()?;
            (!indexes.is_empty()).then_some(CellReference { base, indexes })
        }
        _ => None,
    }
}

/// The dimensions of `OVER (ALONG …)`, or `None` for an ordinary window.
pub fn window_along(window: &WindowSpec) -> Option<WindowAlong> {
    let [partition] = window.partition_by.as_slice() else { return None };
    let dimensions = arguments_of(partition, "along")?.into_iter().map(ident_of).collect::<Option<Vec<Ident>>>()?;
    if window.window_name.is_some() || dimensions.is_empty() {
        return None;
    }
    Some(WindowAlong { dimensions, order_by: window.order_by.clone(), frame: window.window_frame.clone() })
}

fn subscripted(root: &Expr, chain: &[AccessExpr]) -> Option<CellReference> {
    let (AccessExpr::Subscript(subscript), fields) = chain.split_last()? else { return None };
    let index = match subscript {
        Subscript::Index { index } => CellIndex::Point(index.clone()),
        Subscript::Slice { lower_bound, upper_bound, stride: None } => {
            CellIndex::Range(lower_bound.clone(), upper_bound.clone())
        }
        Subscript::Slice { .. } => return None,
    };
    let mut names = match root {
        Expr::Identifier(ident) => vec![ident.clone()],
        Expr::CompoundIdentifier(idents) => idents.clone(),
        _ => return None,
    };
    for field in fields {
        match field {
            AccessExpr::Dot(Expr::Identifier(ident)) => names.push(ident.clone()),
            _ => return None,
        }
    }
    let base = match names.len() {
        1 => Expr::Identifier(names.pop()?),
        _ => Expr::CompoundIdentifier(names),
    };
    Some(CellReference { base, indexes: vec![index] })
}

fn index_of(argument: Expr) -> Option<CellIndex> {
    match arguments_of(&argument, "cell_range") {
        None => Some(CellIndex::Point(argument)),
        Some(bounds) => {
            let [low, high]: [Expr; 2] = bounds.try_into().ok()?;
            Some(CellIndex::Range(unless_null(low), unless_null(high)))
        }
    }
}

fn is_name(expression: &Expr) -> bool {
    matches!(expression, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}
