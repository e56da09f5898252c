//! `WARP`, read back.

use sqlparser::ast::{Expr, Ident, PipeOperator};

use super::calls::{Call, ident_of};

/// `|> WARP TO 'EPSG:3857' [USING cubic] [RESOLUTION 30]`
#[derive(Debug, Clone, PartialEq)]
pub struct Warp {
    /// The coordinate reference system.
    pub to: Expr,
    /// How cells are computed.
    pub using: Option<Ident>,
    /// The side of a cell.
    pub resolution: Option<Expr>,
}

/// The warp that a pipe operator is, or `None` when it is another step.
pub fn warp(operator: &PipeOperator) -> Option<Warp> {
    let PipeOperator::Call { function, alias: None } = operator else { return None };
    let mut call = Call::of(function)?;
    if call.name != "warp" || !call.positional.is_empty() {
        return None;
    }
    let to = call.take("to")?;
    let using = match call.take("using") {
        Some(using) => Some(ident_of(using)?),
        None => None,
    };
    let resolution = call.take("resolution");
    call.has_no_named().then_some(Warp { to, using, resolution })
}
