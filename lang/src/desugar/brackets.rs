//! What stands in the brackets of a subset: `lat = 30:60, level IN (500, 850), lon[0:1440:4]`.

use sqlparser::tokenizer::Token;

use super::edits::{Edits, null, plain_word};

/// Rewrites the selectors in `start..end` to named arguments.
pub(super) fn rewrite_selectors(edits: &mut Edits<'_>, start: usize, end: usize) {
    let parts = edits.split_commas(start, end);
    if parts.is_empty() {
        edits.expected(
            "a dimension",
            start,
            Some("write `dim = label`, `dim = low:high`, `dim IN (…)` or `dim[position]`"),
        );
    }
    for (start, end) in parts {
        rewrite_selector(edits, start, end);
    }
}

/// Rewrites `low:high:step` in `start..end` to the arguments of a call, and says whether there is a colon at all.
/// What is left out becomes NULL; a step that is left out vanishes.
pub(super) fn rewrite_range(edits: &mut Edits<'_>, start: usize, end: usize) -> bool {
    let colons = range_colons(edits, start, end);
    let count: usize = colons.iter().map(|colon| colon.width).sum();
    if count == 0 {
        return false;
    }
    if count > 2 {
        let position = colons.last().map_or(start, |colon| colon.position);
        edits.expected("at most two colons, as in `low:high:step`", position, None);
        return true;
    }
    let mut part_start = start;
    let mut seen = 0;
    for colon in &colons {
        let mut tokens = Vec::new();
        for _ in 0..colon.width {
            seen += 1;
            let part_is_empty = tokens.last().map_or(part_start == colon.position, |token| *token == Token::Comma);
            if part_is_empty {
                tokens.push(null());
            }
            let step_is_empty = seen == 2 && colon.position + 1 == end;
            if !step_is_empty {
                tokens.push(Token::Comma);
            }
        }
        edits.replace(colon.position, tokens);
        part_start = colon.position + 1;
    }
    if part_start == end && count == 1 {
        edits.close(end - 1, part_start, vec![null()]);
    }
    true
}

struct Colon {
    position: usize,
    width: usize,
}

/// The colons of a range. `::` is two of them, unless a type follows, which makes it a cast.
fn range_colons(edits: &Edits<'_>, start: usize, end: usize) -> Vec<Colon> {
    let mut colons = Vec::new();
    for position in edits.level(start, end) {
        if edits.is(position, &Token::Colon) {
            colons.push(Colon { position, width: 1 });
        } else if edits.is(position, &Token::DoubleColon) && !(position > start && edits.is_name(position + 1)) {
            colons.push(Colon { position, width: 2 });
        }
    }
    colons
}

fn rewrite_selector(edits: &mut Edits<'_>, start: usize, end: usize) {
    if start >= end || !edits.is_name(start) {
        let help = "write `dim = label`, `dim = low:high`, `dim IN (…)` or `dim[position]`";
        edits.expected("a dimension", start, Some(help));
        return;
    }
    let after_name = start + 1;
    if edits.is(after_name, &Token::Eq) && after_name < end {
        rewrite_label(edits, after_name, end);
    } else if edits.is_word(after_name, &["IN"]) && after_name < end {
        let list = after_name + 1;
        if edits.is(list, &Token::LParen) && edits.partner(list) == Some(end - 1) {
            edits.replace(after_name, vec![Token::RArrow, plain_word("labels")]);
            if edits.is_word(list + 1, &["SELECT", "FROM", "WITH", "VALUES"]) {
                edits.claim(list);
                edits.wrap(list, end - 1, vec![Token::LParen], vec![Token::RParen]);
            }
        } else {
            edits.expected("a list of labels in parentheses after IN", list, None);
        }
    } else if edits.is(after_name, &Token::LBracket) && edits.partner(after_name) == Some(end - 1) {
        rewrite_position(edits, after_name, end - 1);
    } else {
        let position = if after_name < end { after_name } else { end };
        let name = edits.found(start);
        edits.expected(&format!("`=`, IN or `[` after the dimension {name}"), position, None);
    }
}

fn rewrite_label(edits: &mut Edits<'_>, equals: usize, end: usize) {
    if equals + 1 >= end {
        edits.expected("a label after `=`", end, None);
    } else if rewrite_range(edits, equals + 1, end) {
        edits.replace(equals, vec![Token::RArrow, plain_word("slice"), Token::LParen]);
        edits.close(end - 1, equals, vec![Token::RParen]);
    } else {
        edits.replace(equals, vec![Token::RArrow]);
    }
}

fn rewrite_position(edits: &mut Edits<'_>, open: usize, close: usize) {
    edits.claim(open);
    if open + 1 == close {
        edits.expected("a position or a range of positions", close, None);
        return;
    }
    let name = if rewrite_range(edits, open + 1, close) { "position_range" } else { "position" };
    edits.replace(open, vec![Token::RArrow, plain_word(name), Token::LParen]);
    edits.replace(close, vec![Token::RParen]);
}
