//! Array steps, read back.

use sqlparser::ast::{Expr, PipeOperator};

use super::calls::{Call, arguments_of, ident_of, names_of, object_name_of, options_of, sizes_of, string_of};
use super::subsets::selectors_of;
use super::{Along, ArrayStep, IntoMode, Item};
use crate::desugar::VERBS;

/// The array step that a pipe operator is, or `None` when it is one of SQL's own.
pub fn array_step(operator: &PipeOperator) -> Option<ArrayStep> {
    let PipeOperator::Call { function, alias: None } = operator else { return None };
    let mut call = Call::of(function)?;
    let step = match call.name.as_str() {
        "sel" if call.positional.is_empty() => ArrayStep::Sel(selectors_of(std::mem::take(&mut call.named))),
        "reduce" => ArrayStep::Reduce { along: along_of(&mut call)?, items: items_of(&call)? },
        "coarsen" => coarsen_of(&mut call)?,
        "resample" => ArrayStep::Resample {
            dimension: ident_of(call.take("dim")?)?,
            to: call.take("to")?,
            items: items_of(&call)?,
        },
        "mask" => {
            let [condition]: [Expr; 1] = std::mem::take(&mut call.positional).try_into().ok()?;
            ArrayStep::Mask(condition)
        }
        "into" => into_of(&mut call)?,
        "plot" => plot_of(&mut call)?,
        name => {
            let verb = VERBS.iter().find(|verb| verb.name.eq_ignore_ascii_case(name))?;
            return Some(ArrayStep::Later { verb: verb.name.to_string(), call: Box::new(operator.clone()) });
        }
    };
    call.has_no_named().then_some(step)
}

/// The items of a step's call: `item(expr, alias)`, `item(expr)` or `expr`.
pub(super) fn items_of(call: &Call) -> Option<Vec<Item>> {
    call.positional.iter().map(item_of).collect()
}

/// One item.
pub(super) fn item_of(expression: &Expr) -> Option<Item> {
    match arguments_of(expression, "item") {
        None => Some(Item { expression: expression.clone(), alias: None }),
        Some(mut parts) if parts.len() == 2 => {
            let alias = ident_of(parts.pop()?)?;
            Some(Item { expression: parts.pop()?, alias: Some(alias) })
        }
        Some(parts) => {
            let [expression]: [Expr; 1] = parts.try_into().ok()?;
            Some(Item { expression, alias: None })
        }
    }
}

fn along_of(call: &mut Call) -> Option<Along> {
    match (call.take("along"), call.take("keep")) {
        (Some(along), None) => Some(Along::Along(names_of(&along)?)),
        (None, Some(keep)) => Some(Along::Keep(names_of(&keep)?)),
        (None, None) => Some(Along::All),
        (Some(_), Some(_)) => None,
    }
}

fn coarsen_of(call: &mut Call) -> Option<ArrayStep> {
    let by = sizes_of(&call.take("by")?)?;
    let using = match call.take("using") {
        Some(using) => Some(ident_of(using)?),
        None => None,
    };
    Some(ArrayStep::Coarsen { items: items_of(call)?, by, using })
}

fn into_of(call: &mut Call) -> Option<ArrayStep> {
    let chunks = call.take("chunks").map_or(Some(Vec::new()), |chunks| sizes_of(&chunks))?;
    let options = call.take("with").map_or(Some(Vec::new()), |options| options_of(&options))?;
    let mode = match (call.take("append"), call.take("region")) {
        (Some(dimension), None) => IntoMode::Append(ident_of(dimension)?),
        (None, Some(_)) => IntoMode::Region,
        (None, None) => IntoMode::New,
        (Some(_), Some(_)) => return None,
    };
    let [target] = call.positional.as_slice() else { return None };
    Some(ArrayStep::Into { target: object_name_of(target)?, chunks, options, mode })
}

fn plot_of(call: &mut Call) -> Option<ArrayStep> {
    let to = match call.take("to") {
        Some(to) => Some(string_of(&to)?),
        None => None,
    };
    let options = call.take("with").map_or(Some(Vec::new()), |options| options_of(&options))?;
    Some(ArrayStep::Plot { items: items_of(call)?, to, options })
}
