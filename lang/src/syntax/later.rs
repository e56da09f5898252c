//! Steps that are parsed but not executed yet, read back so that they print.

use sqlparser::ast::{Expr, Ident, PipeOperator};

use super::calls::{Call, names_of, object_name_of, size_of};
use super::steps::item_of;
use super::subsets::{selectors_of, subset_of_call};
use super::{Item, Selector, Subset, SubsetSource};
use crate::desugar::{Clause, Head, Verb, verb_named};

/// The parts of a step, whatever its verb.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct LaterStep {
    pub items: Vec<Item>,
    pub sources: Vec<(Subset, Option<Ident>)>,
    pub selectors: Vec<(Ident, Selector)>,
    pub sizes: Vec<(Ident, Expr)>,
    /// Keywords and what follows them, in the order of the verb's clauses.
    pub clauses: Vec<(&'static str, ClauseValue)>,
}

/// What follows the keyword of a clause.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ClauseValue {
    /// Dimensions.
    Names(Vec<Ident>),
    /// One value.
    Value(Expr),
}

/// The parts of the step that a call is.
pub(crate) fn later_step(operator: &PipeOperator) -> Option<LaterStep> {
    let PipeOperator::Call { function, alias: None } = operator else { return None };
    let mut call = Call::of(function)?;
    let verb = verb_named(&call.name)?;
    let clauses = clauses_of(verb, &mut call)?;
    let mut step = LaterStep { clauses, ..LaterStep::default() };
    match verb.head {
        Head::Selectors => step.selectors = selectors_of(std::mem::take(&mut call.named)),
        Head::Items => step.items = call.positional.iter().map(item_of).collect::<Option<_>>()?,
        Head::Sources => step.sources = call.positional.iter().map(source_of).collect::<Option<_>>()?,
        Head::Sizes => step.sizes = call.positional.iter().map(size_of).collect::<Option<_>>()?,
        Head::Nothing if call.positional.is_empty() => {}
        Head::Nothing | Head::OptionalItems | Head::Condition => return None,
    }
    call.has_no_named().then_some(step)
}

fn clauses_of(verb: &Verb, call: &mut Call) -> Option<Vec<(&'static str, ClauseValue)>> {
    let mut clauses = Vec::new();
    for clause in verb.clauses {
        let Some(value) = call.take(&clause.keyword().to_lowercase()) else { continue };
        let value = match clause {
            Clause::Along | Clause::Keep => ClauseValue::Names(names_of(&value)?),
            Clause::To | Clause::Using | Clause::Resolution | Clause::WithValue => ClauseValue::Value(value),
            // Only verbs that have a view of their own take these.
            Clause::By | Clause::Chunks | Clause::WithOptions => return None,
            Clause::ToDimension | Clause::Append | Clause::Region => return None,
        };
        clauses.push((clause.keyword(), value));
    }
    Some(clauses)
}

fn source_of(expression: &Expr) -> Option<(Subset, Option<Ident>)> {
    let Item { expression, alias } = item_of(expression)?;
    let source = match &expression {
        Expr::Function(function) => return Some((subset_of_call(Call::of(function)?, None)?, alias)),
        Expr::Subquery(query) => SubsetSource::Query(query.clone()),
        other => SubsetSource::Name(object_name_of(other)?),
    };
    Some((Subset { source, options: Vec::new(), selectors: Vec::new(), alias: None }, alias))
}
