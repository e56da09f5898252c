//! Calls in FROM that are settled before a query is bound: finding them, and putting others in their places.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, TableFactor, Visit, VisitMut, Visitor, VisitorMut};

use crate::error::Error;

/// What a table factor is, if it is a call of the kind that is looked for.
pub(super) type Recognize<T> = fn(&TableFactor) -> Result<Option<T>, Error>;

/// All such calls of a query, those of its parts too.
pub(super) fn calls_in<T>(query: &Query, recognize: Recognize<T>) -> Result<Vec<T>, Error> {
    let mut found = Found { recognize, calls: Vec::new() };
    match Visit::visit(query, &mut found) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(found.calls),
    }
}

/// Puts something else in the place of every such call.
pub(super) fn replace_calls<T>(
    query: &mut Query,
    recognize: Recognize<T>,
    replace: impl FnMut(&mut TableFactor, T),
) -> Result<(), Error> {
    match VisitMut::visit(query, &mut Replace { recognize, replace }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Found<T> {
    recognize: Recognize<T>,
    calls: Vec<T>,
}

impl<T> Visitor for Found<T> {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        match (self.recognize)(factor) {
            Ok(call) => {
                self.calls.extend(call);
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

struct Replace<T, F> {
    recognize: Recognize<T>,
    replace: F,
}

impl<T, F: FnMut(&mut TableFactor, T)> VisitorMut for Replace<T, F> {
    type Break = Error;

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        match (self.recognize)(factor) {
            Ok(call) => {
                if let Some(call) = call {
                    (self.replace)(factor, call);
                }
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}
