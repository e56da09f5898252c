//! The classes of the pieces of a text, for a shell to colour.

use sqlparser::tokenizer::{Token, Whitespace};

use crate::cluster;
use crate::lex::{Lexeme, lex};
use crate::span::Span;
use crate::words::is_keyword;

/// What a piece of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenClass {
    /// A word of the language.
    Keyword,
    /// The word that begins a step of a pipe, and the `|>` before it.
    Verb,
    /// The name of a function that is called.
    Function,
    /// A string, a quoted path among them.
    String,
    /// A number.
    Number,
    /// A comment.
    Comment,
    /// An operator, a bracket or a separator.
    Operator,
    /// Any other name.
    Identifier,
    /// What cannot be read: a string or a comment without an end.
    Error,
}

/// The pieces of a text in their order, blanks left out. Never fails: what cannot be read is an error to its end.
pub fn highlight(text: &str) -> Vec<(Span, TokenClass)> {
    let lexed = lex(text);
    let mut pieces: Vec<(Span, TokenClass)> = Vec::new();
    let significant: Vec<&Lexeme> = lexed.lexemes.iter().filter(|lexeme| is_visible(lexeme)).collect();
    let cluster_keywords = cluster::keywords(&lexed.lexemes);
    let mut end = 0;
    for (index, lexeme) in significant.iter().enumerate() {
        let previous = index.checked_sub(1).and_then(|index| significant.get(index)).map(|lexeme| &lexeme.token);
        let next = significant.get(index + 1).map(|lexeme| &lexeme.token);
        // Tokens out of a hint in a comment share its place.
        if lexeme.span.start >= end && lexeme.span.start < lexeme.span.end {
            let is_cluster_keyword =
                cluster_keywords.binary_search_by_key(&lexeme.span.start, |span| span.start).is_ok();
            let class = match is_cluster_keyword {
                true => TokenClass::Keyword,
                false => class_of(&lexeme.token, previous, next),
            };
            pieces.push((lexeme.span, class));
            end = lexeme.span.end;
        }
    }
    let rest = text.get(lexed.end..).unwrap_or("");
    let blank = rest.len() - rest.trim_start().len();
    if lexed.failure.is_some() && blank < rest.len() {
        pieces.push((Span::new(lexed.end.max(end) + blank, text.len()), TokenClass::Error));
    }
    pieces
}

fn is_visible(lexeme: &Lexeme) -> bool {
    lexeme.is_significant() || is_comment(&lexeme.token)
}

fn is_comment(token: &Token) -> bool {
    matches!(token, Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)))
}

fn class_of(token: &Token, previous: Option<&Token>, next: Option<&Token>) -> TokenClass {
    match token {
        token if is_comment(token) => TokenClass::Comment,
        Token::VerticalBarRightAngleBracket => TokenClass::Verb,
        Token::Number(..) => TokenClass::Number,
        Token::Word(word) if word.quote_style.is_some() => TokenClass::Identifier,
        Token::Word(_) if previous == Some(&Token::VerticalBarRightAngleBracket) => TokenClass::Verb,
        Token::Word(_) if previous == Some(&Token::Period) => TokenClass::Identifier,
        Token::Word(word) if is_keyword(&word.value) => TokenClass::Keyword,
        Token::Word(_) if next == Some(&Token::LParen) => TokenClass::Function,
        Token::Word(_) | Token::Placeholder(_) => TokenClass::Identifier,
        Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::TripleSingleQuotedString(_)
        | Token::TripleDoubleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::DoubleQuotedByteStringLiteral(_)
        | Token::SingleQuotedRawStringLiteral(_)
        | Token::DoubleQuotedRawStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::QuoteDelimitedStringLiteral(_)
        | Token::NationalQuoteDelimitedStringLiteral(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::HexStringLiteral(_) => TokenClass::String,
        _ => TokenClass::Operator,
    }
}
