//! `(FROM …)` where SQL wants an expression: stock sqlparser knows a subquery there by its SELECT, so it gets one.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use super::edits::Edits;
use super::sources::is_query_from;

/// Words after which stock sqlparser reads `(FROM …)` as it is.
const BEFORE_QUERIES: &[&str] = &[
    "FROM",
    "JOIN",
    "AS",
    "MATERIALIZED",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "MINUS",
    "LATERAL",
    "EXISTS",
    "IN",
    "ARRAY",
    "INTO",
    "ANALYZE",
    "VERBOSE",
    "EXPLAIN",
    "NAME",
    "APPLY",
];

/// Functions whose arguments may begin with FROM.
const FUNCTIONS: &[&str] = &["TRIM", "EXTRACT", "SUBSTRING", "OVERLAY"];

/// Clauses in which a comma may stand between queries.
const LISTS_OF_QUERIES: &[&str] = &["FROM", "JOIN", "ON", "USING", "UNION", "EXCEPT", "INTERSECT", "MINUS"];

/// Gives every FROM-first subquery of an expression its SELECT.
pub(super) fn rewrite(edits: &mut Edits<'_>) {
    for open in 0..edits.len() {
        let is_query = edits.is(open, &Token::LParen) && edits.is_word(open + 1, &["FROM"]);
        let Some(close) = edits.partner(open) else { continue };
        if !is_query || !is_expression(edits, open) {
            continue;
        }
        let select = vec![Token::make_keyword("SELECT"), Token::Mul];
        if has_select(edits, open + 1, close) {
            let opening = [select, vec![Token::make_keyword("FROM"), Token::LParen]].concat();
            edits.wrap(open + 1, close - 1, opening, vec![Token::RParen]);
        } else {
            edits.wrap(open + 1, close - 1, select, Vec::new());
        }
    }
}

/// Whether an expression is wanted at `open`.
fn is_expression(edits: &Edits<'_>, open: usize) -> bool {
    if edits.is_claimed(open) {
        return true;
    }
    let Some(previous) = open.checked_sub(1) else { return false };
    match edits.token(previous) {
        Some(Token::Word(word)) if word.quote_style.is_none() => {
            let is_set_quantifier = edits.is_word(previous, &["ALL", "DISTINCT"])
                && previous > 0
                && edits.is_word(previous - 1, &["UNION", "EXCEPT", "INTERSECT", "MINUS"]);
            let is_verb = previous > 0 && edits.is(previous - 1, &Token::VerticalBarRightAngleBracket);
            // After a word that is no keyword it is a call.
            let is_call = !is_verb && (word.keyword == Keyword::NoKeyword || edits.is_word(previous, FUNCTIONS));
            let is_before_query = match edits.is_word(previous, &["FROM"]) {
                true => is_query_from(edits, previous),
                false => edits.is_word(previous, BEFORE_QUERIES),
            };
            !is_set_quantifier && !is_call && !is_before_query
        }
        Some(Token::LParen) => !is_query(edits, previous),
        Some(Token::Comma) => {
            let clause = edits.clause(previous);
            !clause.is_some_and(|clause| edits.is_word(clause, LISTS_OF_QUERIES))
        }
        Some(Token::SemiColon | Token::VerticalBarRightAngleBracket | Token::RParen | Token::Word(_)) | None => false,
        Some(_) => true,
    }
}

/// Whether the parenthesis at `open` is around a query or a join, and not around an expression or arguments.
fn is_query(edits: &Edits<'_>, open: usize) -> bool {
    let mut open = open;
    loop {
        let Some(previous) = open.checked_sub(1) else { return true };
        if !edits.is(previous, &Token::LParen) {
            return edits.is_word(previous, BEFORE_QUERIES);
        }
        open = previous;
    }
}

fn has_select(edits: &Edits<'_>, start: usize, end: usize) -> bool {
    let level = edits.level(start, end);
    let query = level.iter().take_while(|position| !edits.is(**position, &Token::VerticalBarRightAngleBracket));
    query.into_iter().any(|position| edits.is_word(*position, &["SELECT", "UNION", "EXCEPT", "INTERSECT"]))
}
