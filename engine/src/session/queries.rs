//! `SHOW QUERIES` and `CANCEL QUERY`.

use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::span::Located;

use super::Session;
use crate::error::Error;
use crate::labelled::arrow_error;
use crate::outcome::{Outcome, Rows};
use crate::queries::{batch_of, queries_schema};

impl Session {
    /// The statements that the user may see: those that run, the oldest first, then the last that have ended, the latest first.
    pub(super) fn show_queries(&self) -> Result<Rows, Error> {
        let batch = batch_of(self.queries(), self.sees_queries_of()).map_err(arrow_error)?;
        let stream = RecordBatchStreamAdapter::new(queries_schema(), stream::iter([Ok(batch)]));
        Ok(Rows::new(Box::pin(stream), Vec::new(), None))
    }

    /// Cancels a statement of the same user.
    pub(super) fn cancel_query(&self, id: &Located<String>) -> Result<Outcome, Error> {
        let query = self.queries().query(&id.value).filter(|query| query.user() == self.user());
        match query {
            Some(query) => {
                query.cancel();
                Ok(Outcome::Done(format!("cancelled {}", id.value)))
            }
            None => Err(Error::Bind(Diagnostic::new(format!("no query `{}` runs", id.value)).at(id.span))),
        }
    }
}
