//! Text to tokens, each with its bytes.

use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Location, Span as TokenSpan, Token, TokenWithSpan, Tokenizer};

use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// The dialect the language is a superset of: DataFusion's default.
pub(crate) const DIALECT: GenericDialect = GenericDialect {};

/// A token and where it stands, in sqlparser's counting and in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Lexeme {
    pub token: Token,
    pub location: TokenSpan,
    pub span: Span,
}

impl Lexeme {
    /// False for white space and comments.
    pub fn is_significant(&self) -> bool {
        !matches!(self.token, Token::Whitespace(_))
    }
}

/// The tokens of a text, and what could not be read at its end (an unterminated string, say).
#[derive(Debug)]
pub(crate) struct Lexed {
    pub lexemes: Vec<Lexeme>,
    pub failure: Option<Diagnostic>,
    /// Where the part that could not be read starts; the text's length if all was read.
    pub end: usize,
}

/// Reads as many tokens of `text` as can be read.
pub(crate) fn lex(text: &str) -> Lexed {
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    let result = Tokenizer::new(&DIALECT, text).tokenize_with_location_into_buf(&mut tokens);
    let mut places = Places::new(text);
    let mut lexemes = Vec::with_capacity(tokens.len());
    let mut end = 0;
    for TokenWithSpan { token, span: location } in tokens {
        let span = Span::new(places.byte_at(location.start), places.byte_at(location.end));
        end = end.max(span.end);
        lexemes.push(Lexeme { token, location, span });
    }
    let failure = result.err().map(|error| {
        let message = uncapitalized(&error.message);
        Diagnostic::new(message).at(Span::new(end, first_line_end(text, end)))
    });
    let end = if failure.is_some() { end } else { text.len() };
    Lexed { lexemes, failure, end }
}

/// The message with its first letter in lower case, unless it begins with a word all in capitals, and without a final
/// period.
pub(crate) fn uncapitalized(message: &str) -> String {
    let trimmed = message.trim().trim_end_matches('.');
    let mut characters = trimmed.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(trimmed.chars().skip(1)).collect()
        }
        _ => trimmed.to_string(),
    }
}

fn first_line_end(text: &str, start: usize) -> usize {
    text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |offset| start + offset)
}

/// Turns sqlparser's places into bytes. Remembers the last place, so that a walk over the tokens in their order takes
/// time linear in the text.
pub(crate) struct Places<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    last: (u64, u64, usize),
}

impl<'a> Places<'a> {
    pub fn new(text: &'a str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, line_starts, last: (1, 1, 0) }
    }

    /// The byte at a place; the text's length for a place beyond it.
    pub fn byte_at(&mut self, location: Location) -> usize {
        let line_start = usize::try_from(location.line)
            .ok()
            .and_then(|line| line.checked_sub(1))
            .and_then(|line| self.line_starts.get(line).copied());
        let Some(line_start) = line_start else { return self.text.len() };
        let (last_line, last_column, last_byte) = self.last;
        let (column, byte) = if last_line == location.line && last_column <= location.column {
            (last_column, last_byte)
        } else {
            (1, line_start)
        };
        let skipped = usize::try_from(location.column.saturating_sub(column)).unwrap_or(usize::MAX);
        let rest = self.text.get(byte..).unwrap_or("");
        let found = rest.char_indices().nth(skipped).map_or(self.text.len(), |(offset, _)| byte + offset);
        self.last = (location.line, location.column, found);
        found
    }
}
