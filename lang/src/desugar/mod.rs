//! Array syntax to ordinary SQL, token by token.
//!
//! Each part of the pass finds one construct and records local edits; the tokens are put together once, at the end.
//! What is plain SQL gets no edit, so its syntax tree is what stock sqlparser makes of it.

mod brackets;
mod catalogs;
mod cells;
mod edits;
mod over;
mod pipes;
mod sources;
mod subqueries;
mod verbs;

use sqlparser::tokenizer::TokenWithSpan;

use crate::diagnostic::Diagnostic;
use crate::lex::Lexeme;

pub(crate) use edits::Edits;
pub(crate) use verbs::{Clause, Head, SQL_PIPE_VERBS, VERBS, Verb, verb_named};

/// The tokens of one statement with its array syntax rewritten.
pub(crate) fn desugar(lexemes: &[Lexeme]) -> Result<Vec<TokenWithSpan>, Vec<Diagnostic>> {
    let mut edits = Edits::new(lexemes);
    catalogs::rewrite_show(&mut edits);
    over::rewrite(&mut edits);
    pipes::rewrite(&mut edits);
    sources::rewrite(&mut edits);
    subqueries::rewrite(&mut edits);
    // Last: brackets that are a subset's or a selector's are claimed by now.
    cells::rewrite(&mut edits);
    edits.finish()
}
