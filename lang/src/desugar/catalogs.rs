//! Catalogs: `FROM stac('u') ASSET 'a'` to `FROM stac('u', asset => 'a')`, and `SHOW COLLECTIONS FROM stac('u')` to
//! `SELECT * FROM stac_collections('u')`.

use sqlparser::tokenizer::Token;

use super::edits::{Edits, plain_word};

/// Catalogs: calls in FROM that brackets, options and `ASSET` may follow.
const CATALOGS: &[&str] = &["STAC"];

/// Other calls in FROM that brackets and options may follow.
const SOURCES: &[&str] = &["STACK"];

/// Rewrites a statement that shows collections.
pub(super) fn rewrite_show(edits: &mut Edits<'_>) {
    let words: [&[&str]; 4] = [&["SHOW"], &["COLLECTIONS"], &["FROM"], CATALOGS];
    let is_show = words.iter().enumerate().all(|(position, words)| edits.is_word(position, words));
    if is_show && edits.is(4, &Token::LParen) {
        edits.replace(0, vec![Token::make_keyword("SELECT")]);
        edits.replace(1, vec![Token::Mul]);
        edits.replace(3, vec![plain_word("stac_collections")]);
    }
}

/// The position after the catalog whose name stands at `start`, if it is one; an asset that follows becomes its argument.
pub(super) fn rewrite_call(edits: &mut Edits<'_>, start: usize) -> Option<usize> {
    if edits.is_word(start, SOURCES) && edits.is(start + 1, &Token::LParen) {
        return Some(edits.partner(start + 1)? + 1);
    }
    if !edits.is_word(start, CATALOGS) || !edits.is(start + 1, &Token::LParen) {
        return None;
    }
    let close = edits.partner(start + 1)?;
    if !edits.is_word(close + 1, &["ASSET"]) {
        return Some(close + 1);
    }
    let name = close + 2;
    if !matches!(edits.token(name), Some(Token::SingleQuotedString(_) | Token::Placeholder(_))) {
        // `ASSET` alone is an alias.
        return Some(close + 1);
    }
    edits.replace(close, vec![Token::Comma]);
    edits.replace(close + 1, vec![plain_word("asset"), Token::RArrow]);
    edits.close(name, start + 1, vec![Token::RParen]);
    Some(name + 1)
}
