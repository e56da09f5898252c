//! `OVER (ALONG a, b ORDER BY …)` to `OVER (PARTITION BY along(a, b) ORDER BY …)`.

use sqlparser::tokenizer::Token;

use super::edits::{Edits, plain_word};

/// Rewrites every window that runs along dimensions.
pub(super) fn rewrite(edits: &mut Edits<'_>) {
    for position in 0..edits.len() {
        let opens = edits.is_word(position, &["OVER"]) && edits.is(position + 1, &Token::LParen);
        if opens && edits.is_word(position + 2, &["ALONG"]) {
            rewrite_window(edits, position + 1, position + 2);
        }
    }
}

fn rewrite_window(edits: &mut Edits<'_>, open: usize, along: usize) {
    let Some(close) = edits.partner(open) else { return };
    let is_end = |position: &usize| edits.is_word(*position, &["ORDER", "ROWS", "RANGE", "GROUPS"]);
    let end = edits.level(along + 1, close).into_iter().find(is_end).unwrap_or(close);
    let names = edits.split_commas(along + 1, end);
    if names.is_empty() {
        edits.expected("a dimension after ALONG", end, None);
        return;
    }
    edits.replace(
        along,
        vec![Token::make_keyword("PARTITION"), Token::make_keyword("BY"), plain_word("along"), Token::LParen],
    );
    for (start, end) in names {
        super::pipes::dimension(edits, start, end);
    }
    edits.close(end - 1, along, vec![Token::RParen]);
}
