//! Brackets and options on what FROM and JOIN name: `era5[lat = 1]` to `sel(era5, lat => 1)`.

use sqlparser::tokenizer::Token;

use super::brackets::rewrite_selectors;
use super::catalogs::rewrite_call;
use super::edits::{Edits, call_of, plain_word};
use super::pipes::rewrite_options;

/// Words that end the list of a FROM clause.
const AFTER_FROM: &[&str] = &[
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "MINUS",
    "WINDOW",
    "QUALIFY",
    "SELECT",
    "SET",
    "RETURNING",
    "PREWHERE",
    "FORMAT",
    "SETTINGS",
    "FOR",
    "CONNECT",
    "START",
    "CLUSTER",
    "DISTRIBUTE",
    "SORT",
    "WHEN",
];

/// Functions whose arguments hold a FROM of their own.
const FUNCTIONS_WITH_FROM: &[&str] = &["EXTRACT", "TRIM", "SUBSTRING", "SUBSTR", "OVERLAY", "POSITION"];

/// Words that begin a table factor and are no table's name.
const NO_NAMES: &[&str] = &["SELECT", "WITH", "FROM", "VALUES", "TABLE", "UNNEST"];

/// Rewrites every source with brackets or options.
pub(super) fn rewrite(edits: &mut Edits<'_>) {
    for position in 0..edits.len() {
        if is_query_from(edits, position) {
            rewrite_from_list(edits, position + 1);
        } else if edits.is_word(position, &["JOIN"]) && !(position > 0 && edits.is_word(position - 1, &["ARRAY"])) {
            rewrite_source(edits, position + 1);
        }
    }
}

/// Whether the token at `position` is the FROM of a query, not of `EXTRACT(… FROM …)` or `IS DISTINCT FROM`.
pub(super) fn is_query_from(edits: &Edits<'_>, position: usize) -> bool {
    if !edits.is_word(position, &["FROM"]) {
        return false;
    }
    let is_comparison =
        position >= 2 && edits.is_word(position - 1, &["DISTINCT"]) && edits.is_word(position - 2, &["IS", "NOT"]);
    if is_comparison || (position > 0 && edits.is(position - 1, &Token::Period)) {
        return false;
    }
    match edits.enclosing(position) {
        Some(open) if open > 0 && edits.is_word(open - 1, FUNCTIONS_WITH_FROM) => {
            edits.is_word(open + 1, &["SELECT", "WITH"])
        }
        Some(open) => edits.is(open, &Token::LParen),
        None => true,
    }
}

/// Rewrites the sources of a FROM clause that commas separate; JOIN finds the others.
fn rewrite_from_list(edits: &mut Edits<'_>, start: usize) {
    rewrite_source(edits, start);
    let mut position = start;
    while position < edits.len() {
        match edits.token(position) {
            Some(Token::Comma) => rewrite_source(edits, position + 1),
            Some(Token::RParen | Token::RBracket | Token::RBrace | Token::SemiColon) => return,
            Some(Token::VerticalBarRightAngleBracket) => return,
            _ if edits.is_word(position, AFTER_FROM) => return,
            _ => {}
        }
        position = edits.next_at_level(position);
    }
}

/// Rewrites the source that starts at `start`, if it has brackets or options.
pub(super) fn rewrite_source(edits: &mut Edits<'_>, start: usize) {
    let start = if edits.is_word(start, &["LATERAL"]) { start + 1 } else { start };
    let call_end = rewrite_call(edits, start);
    let Some(mut end) = call_end.or_else(|| source_end(edits, start)) else { return };
    if edits.is(start, &Token::LParen) && !starts_query(edits, start + 1) {
        // `FROM (a[…] JOIN b)`
        rewrite_source(edits, start + 1);
    }
    let options = options_at(edits, end);
    let selectors = options.map_or(end, |(_, close)| close + 1);
    let brackets = match (edits.is(selectors, &Token::LBracket), edits.partner(selectors)) {
        (true, Some(close)) => Some((selectors, close)),
        _ => None,
    };
    if options.is_none() && brackets.is_none() {
        return;
    }
    // A query becomes the argument of a call.
    edits.claim(start);
    if let Some((with, close)) = options {
        edits.replace(with, vec![Token::Comma, plain_word("with"), Token::RArrow, plain_word("list")]);
        rewrite_options(edits, with + 2, close);
        end = close + 1;
    }
    match brackets {
        Some((open, close)) => {
            edits.claim(open);
            edits.wrap(start, close, call_of("sel"), Vec::new());
            edits.replace(open, vec![Token::Comma]);
            edits.replace(close, vec![Token::RParen]);
            rewrite_selectors(edits, open + 1, close);
        }
        None => edits.wrap(start, end - 1, call_of("sel"), vec![Token::RParen]),
    }
}

/// The position after the name, path or parenthesis that starts at `start`.
fn source_end(edits: &Edits<'_>, start: usize) -> Option<usize> {
    if edits.is(start, &Token::LParen) {
        return edits.partner(start).map(|close| close + 1);
    }
    let is_part =
        |position| edits.is_name(position) || matches!(edits.token(position), Some(Token::SingleQuotedString(_)));
    if !is_part(start) || edits.is_word(start, NO_NAMES) {
        return None;
    }
    let mut end = start + 1;
    while edits.is(end, &Token::Period) && is_part(end + 1) {
        end += 2;
    }
    Some(end)
}

fn starts_query(edits: &Edits<'_>, position: usize) -> bool {
    edits.is_word(position, &["SELECT", "FROM", "WITH", "VALUES", "TABLE"])
}

/// The `WITH` and the closing parenthesis of `WITH (k = …)` at `position`.
fn options_at(edits: &Edits<'_>, position: usize) -> Option<(usize, usize)> {
    let opens = edits.is_word(position, &["WITH"]) && edits.is(position + 1, &Token::LParen);
    let is_string = matches!(edits.token(position + 2), Some(Token::SingleQuotedString(_)));
    let has_value = (edits.is_name(position + 2) || is_string) && edits.is(position + 3, &Token::Eq);
    let close = edits.partner(position + 1)?;
    (opens && has_value).then_some((position, close))
}
