//! Statements about statements: those that run and those that have ended.
//!
//! ```text
//! SHOW QUERIES
//! CANCEL QUERY 'id'
//! ```
//!
//! The words are keywords only here.

use sqlparser::tokenizer::Token;

use crate::diagnostic::Diagnostic;
use crate::reader::Reader;
use crate::span::Located;

/// A statement about statements.
#[derive(Debug, Clone, PartialEq)]
pub enum QueriesStatement {
    /// `SHOW QUERIES`: those that run, then the last that have ended.
    Show,
    /// `CANCEL QUERY 'id'`
    Cancel {
        /// The statement, by the id that `SHOW QUERIES` has.
        id: Located<String>,
    },
}

/// Reads a statement about statements, if it is one.
pub(crate) fn parse(reader: &Reader<'_, '_>) -> Option<Result<QueriesStatement, Diagnostic>> {
    let tokens = &reader.tokens;
    let is_second = |word: &str| tokens.is_word(1, &[word]);
    match tokens.word(0)?.as_str() {
        // `SHOW queries.limit` shows a variable.
        "SHOW" if is_second("QUERIES") && !tokens.is(2, &Token::Period) => {
            Some(reader.end(2).map(|()| QueriesStatement::Show))
        }
        "CANCEL" if is_second("QUERY") => Some(cancel(reader)),
        _ => None,
    }
}

fn cancel(reader: &Reader<'_, '_>) -> Result<QueriesStatement, Diagnostic> {
    let id = reader.id("the id of a query in quotes", 2)?;
    reader.end(3)?;
    Ok(QueriesStatement::Cancel { id })
}
