//! Cell references that are no stock subscripts: `z[y-1:y+1, x-1:x+1]` to `cells(z, cell_range(y-1, y+1), …)`.
//!
//! One subscript alone (`t[time-1]`, `tp[:time]`) parses as it is and stays as it is; `z[lat = 3]` does not, for
//! sqlparser wants something that binds tighter there.

use sqlparser::tokenizer::Token;

use super::brackets::rewrite_range;
use super::edits::{Edits, call_of, plain_word};

/// Words before which `[` opens an array and not a subscript.
const BEFORE_ARRAYS: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "DEFAULT",
    "DISTINCT",
    "ELSE",
    "EXCEPT",
    "EXTEND",
    "FROM",
    "HAVING",
    "ILIKE",
    "IN",
    "IS",
    "LIKE",
    "LIMIT",
    "MAP",
    "NOT",
    "OFFSET",
    "ON",
    "OR",
    "QUALIFY",
    "RETURN",
    "RETURNING",
    "SELECT",
    "SET",
    "SOME",
    "THEN",
    "TO",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Rewrites every cell reference over more than one dimension, and those by label.
pub(super) fn rewrite(edits: &mut Edits<'_>) {
    for open in 0..edits.len() {
        if !edits.is(open, &Token::LBracket) || edits.is_claimed(open) {
            continue;
        }
        let (Some(close), Some(base)) = (edits.partner(open), base_of(edits, open)) else { continue };
        let parts = edits.split_commas(open + 1, close);
        let is_ours = |part: &(usize, usize)| has_comparison(edits, *part) || begins_like_a_type(edits, *part);
        let needs_rewrite = parts.len() > 1 || parts.iter().any(is_ours);
        if needs_rewrite && parts.iter().all(|(start, end)| start < end) {
            rewrite_cells(edits, base, (open, close), &parts);
        }
    }
}

fn rewrite_cells(edits: &mut Edits<'_>, base: usize, (open, close): (usize, usize), parts: &[(usize, usize)]) {
    edits.wrap(base, close, call_of("cells"), Vec::new());
    edits.replace(open, vec![Token::Comma]);
    edits.replace(close, vec![Token::RParen]);
    for &(start, end) in parts {
        if let Some(value) = label_range(edits, (start, end)) {
            edits.wrap(value, end - 1, call_of("slice"), vec![Token::RParen]);
            rewrite_range(edits, value, end);
        } else if rewrite_range(edits, start, end) {
            edits.wrap(start, end - 1, vec![plain_word("cell_range"), Token::LParen], vec![Token::RParen]);
        }
    }
}

/// The first token of the name that the bracket at `open` is on.
fn base_of(edits: &Edits<'_>, open: usize) -> Option<usize> {
    let mut first = open.checked_sub(1)?;
    if !edits.is_name(first) || edits.is_word(first, BEFORE_ARRAYS) {
        return None;
    }
    while first >= 2 && edits.is(first - 1, &Token::Period) && edits.is_name(first - 2) {
        first -= 2;
    }
    // A name after `::` is a type, after `.` the field of an expression, after `|>` a verb.
    let is_other = |token: &Token| first > 0 && edits.is(first - 1, token);
    let others = [Token::DoubleColon, Token::Period, Token::VerticalBarRightAngleBracket];
    (!others.iter().any(is_other)).then_some(first)
}

/// Whether `=` or IN stands in a subscript, outside of parentheses.
fn has_comparison(edits: &Edits<'_>, (start, end): (usize, usize)) -> bool {
    let is_comparison = |position: usize| edits.is(position, &Token::Eq) || edits.is_word(position, &["IN"]);
    edits.level(start, end).into_iter().any(is_comparison)
}

/// `time:time+3` would be read as a literal of type TIME.
fn begins_like_a_type(edits: &Edits<'_>, (start, end): (usize, usize)) -> bool {
    start + 1 < end
        && edits.is_word(start, &["DATE", "TIME", "TIMESTAMP", "DATETIME"])
        && edits.is(start + 1, &Token::Colon)
}

/// Where the value starts in `dim = low:high`.
fn label_range(edits: &Edits<'_>, (start, end): (usize, usize)) -> Option<usize> {
    let value = start + 2;
    let is_assignment = edits.is_name(start) && edits.is(start + 1, &Token::Eq) && value < end;
    let has_colon = || edits.level(value, end).into_iter().any(|position| edits.is(position, &Token::Colon));
    (is_assignment && has_colon()).then_some(value)
}
