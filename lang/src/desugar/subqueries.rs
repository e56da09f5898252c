//! `(FROM …)` where SQL wants an expression: stock sqlparser knows a subquery there by its SELECT, so it gets one.

use sqlparser::tokenizer::Token;

use super::edits::Edits;

/// Words after which stock sqlparser reads `(FROM …)` as it is.
const BEFORE_QUERIES: &[&str] = &[
    "FROM", "JOIN", "AS", "MATERIALIZED", "UNION", "EXCEPT", "INTERSECT", "MINUS", "LATERAL", "EXISTS", "IN", "ARRAY", "INTO",
    "ANALYZE", "VERBOSE", "EXPLAIN", "NAME", "APPLY",
];

/// Gives every FROM-first subquery of an expression its SELECT.
pub(super) fn rewrite(edits: &mut Edits<'_>) {
    for open in 0..edits.len() {
        let is_query = edits.is(open, &Token::LParen) && edits.is_word(open + 1, &["FROM"]);
        let Some(close) = edits.partner(open) else { continue };
        if !is_query || !is_expression(edits, open, close) {
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
fn is_expression(edits: &Edits<'_>, open: usize, close: usize) -> bool {
    // `(query)[…]` becomes the argument of a call.
    if edits.is_claimed(close + 1) || edits.is_made_argument(open) {
        return true;
    }
    let Some(previous) = open.checked_sub(1) else { return false };
    match edits.token(previous) {
        Some(Token::Word(word)) if word.quote_style.is_none() => {
            let is_set_quantifier = edits.is_word(previous, &["ALL", "DISTINCT"])
                && previous > 0
                && edits.is_word(previous - 1, &["UNION", "EXCEPT", "INTERSECT", "MINUS"]);
            // After an ordinary word it is a call: `trim(FROM x)`.
            !is_set_quantifier
                && !edits.is_word(previous, BEFORE_QUERIES)
                && word.keyword != sqlparser::keywords::Keyword::NoKeyword
                && !edits.is_word(previous, &["TRIM", "EXTRACT", "SUBSTRING", "OVERLAY"])
        }
        Some(Token::LParen | Token::Comma) => !in_query_position(edits, previous),
        Some(Token::SemiColon | Token::VerticalBarRightAngleBracket | Token::RParen | Token::Word(_)) => false,
        Some(_) => true,
        None => false,
    }
}

/// Whether the parenthesis or comma at `position` is one of a FROM clause, of `|> UNION (…), (…)`, or a query's own.
fn in_query_position(edits: &Edits<'_>, position: usize) -> bool {
    let mut at = position;
    loop {
        if edits.is(at, &Token::LParen) && at == position {
            let Some(previous) = at.checked_sub(1) else { return true };
            return match edits.token(previous) {
                Some(Token::LParen) => in_query_position(edits, previous),
                _ => edits.is_word(previous, BEFORE_QUERIES),
            };
        }
        let Some(previous) = at.checked_sub(1) else { return false };
        at = match (edits.token(previous), edits.partner(previous)) {
            (Some(Token::RParen | Token::RBracket | Token::RBrace), Some(open)) => open,
            (Some(Token::LParen | Token::LBracket | Token::LBrace), _) => return false,
            _ => previous,
        };
        if edits.is_word(at, &["FROM", "UNION", "EXCEPT", "INTERSECT"]) {
            return true;
        }
        if edits.is_word(at, &["SELECT", "WHERE", "BY", "EXTEND", "AGGREGATE", "ON", "HAVING", "SET", "VALUES"]) {
            return false;
        }
    }
}

fn has_select(edits: &Edits<'_>, start: usize, end: usize) -> bool {
    let level = edits.level(start, end);
    let query = level.iter().take_while(|position| !edits.is(**position, &Token::VerticalBarRightAngleBracket));
    query.into_iter().any(|position| edits.is_word(*position, &["SELECT", "UNION", "EXCEPT", "INTERSECT"]))
}
