//! Where statements end.

use std::ops::Range;

use sqlparser::tokenizer::Token;

use crate::lex::{Lexeme, lex};
use crate::span::Span;

/// The statements of a text, without their `;`: separated by `;` outside of strings, comments and brackets. Empty ones
/// are left out.
pub fn split(text: &str) -> Vec<Span> {
    let lexed = lex(text);
    let mut spans: Vec<Span> =
        statements(&lexed.lexemes).into_iter().filter_map(|range| extent(lexed.lexemes.get(range)?)).collect();
    let rest = text.get(lexed.end..).unwrap_or("").trim_end();
    if lexed.failure.is_some() && !rest.is_empty() {
        let rest_end = lexed.end + rest.len();
        let is_continued = !ends_with_semicolon(&lexed.lexemes);
        match spans.last_mut() {
            Some(last) if is_continued => last.end = rest_end,
            _ => spans.push(Span::new(rest_end - rest.trim_start().len(), rest_end)),
        }
    }
    spans
}

/// Whether a shell should run the text rather than ask for another line: it ends in `;`, or there is nothing in it.
///
/// A text with an unterminated string, quoted name or comment is not complete, whatever it ends in.
pub fn is_complete(text: &str) -> bool {
    let lexed = lex(text);
    match lexed.failure {
        Some(failure) => {
            let is_unterminated = ["unterminated", "unexpected eof", "expected close delimiter"]
                .iter()
                .any(|beginning| failure.message.to_lowercase().starts_with(beginning));
            !is_unterminated && text.trim_end().ends_with(';')
        }
        None => {
            let is_blank = !lexed.lexemes.iter().any(Lexeme::is_significant);
            is_blank || ends_with_semicolon(&lexed.lexemes)
        }
    }
}

/// The lexemes of each statement, without its `;`.
pub(crate) fn statements(lexemes: &[Lexeme]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut depth: usize = 0;
    let mut start = 0;
    for (index, lexeme) in lexemes.iter().enumerate() {
        match lexeme.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::SemiColon if depth == 0 => {
                ranges.push(start..index);
                start = index + 1;
            }
            _ => {}
        }
    }
    ranges.push(start..lexemes.len());
    ranges.retain(|range| lexemes.get(range.clone()).is_some_and(|part| part.iter().any(Lexeme::is_significant)));
    ranges
}

/// The bytes from the first significant lexeme to the last.
pub(crate) fn extent(lexemes: &[Lexeme]) -> Option<Span> {
    let first = lexemes.iter().find(|lexeme| lexeme.is_significant())?;
    let last = lexemes.iter().rfind(|lexeme| lexeme.is_significant())?;
    Some(first.span.union(last.span))
}

fn ends_with_semicolon(lexemes: &[Lexeme]) -> bool {
    lexemes.iter().rfind(|lexeme| lexeme.is_significant()).is_some_and(|last| last.token == Token::SemiColon)
}
