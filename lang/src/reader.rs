//! Reading the tokens of a statement of our own by their positions.

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Token;

use crate::desugar::Edits;
use crate::diagnostic::Diagnostic;
use crate::lex::Lexeme;
use crate::parse::slice;
use crate::span::{Located, Span};

/// The tokens of one statement. Every method takes the position of a token and says what was expected there, if it is
/// something else.
pub(crate) struct Reader<'a, 'text> {
    pub tokens: Edits<'a>,
    text: &'text str,
}

impl<'a, 'text> Reader<'a, 'text> {
    pub fn new(text: &'text str, lexemes: &'a [Lexeme]) -> Self {
        Self { tokens: Edits::new(lexemes), text }
    }

    /// The text of the string at `position`.
    pub fn string(&self, expected: &str, position: usize) -> Result<String, Diagnostic> {
        match self.tokens.token(position) {
            Some(Token::SingleQuotedString(text)) => Ok(text.clone()),
            _ => Err(self.expected(expected, position)),
        }
    }

    /// The id in quotes at `position`.
    pub fn id(&self, expected: &str, position: usize) -> Result<Located<String>, Diagnostic> {
        let id = self.string(expected, position)?;
        match id.trim().is_empty() {
            true => Err(self.expected(expected, position)),
            false => Ok(Located::new(id, self.tokens.span(position))),
        }
    }

    /// The name at `position`, quoted or not.
    pub fn name(&self, expected: &str, position: usize) -> Result<Ident, Diagnostic> {
        match self.tokens.token(position) {
            Some(Token::Word(word)) => {
                Ok(Ident { value: word.value.clone(), quote_style: word.quote_style, ..Ident::new("") })
            }
            _ => Err(self.expected(expected, position)),
        }
    }

    pub fn keyword(&self, position: usize, keyword: &str) -> Result<(), Diagnostic> {
        if self.tokens.is_word(position, &[keyword]) { Ok(()) } else { Err(self.expected(keyword, position)) }
    }

    /// The closing parenthesis of the group that opens at `position`.
    pub fn group(&self, position: usize) -> Result<usize, Diagnostic> {
        match (self.tokens.is(position, &Token::LParen), self.tokens.partner(position)) {
            (true, Some(close)) => Ok(close),
            (true, None) => Err(self.expected("`)`", self.tokens.len())),
            (false, _) => Err(self.expected("`(`", position)),
        }
    }

    /// The name of an option, in lower case, and the position after it: words with dots between them, or a string.
    pub fn key(&self, start: usize, end: usize) -> Result<(String, usize), Diagnostic> {
        let mut key = String::new();
        let mut position = start;
        loop {
            match self.tokens.token(position) {
                Some(Token::Word(word)) if position < end => key.push_str(&word.value.to_lowercase()),
                Some(Token::SingleQuotedString(text)) if position < end => key.push_str(&text.to_lowercase()),
                _ => return Err(self.expected("the name of an option", position)),
            }
            position += 1;
            if !self.tokens.is(position, &Token::Period) || position >= end {
                return Ok((key, position));
            }
            key.push('.');
            position += 1;
        }
    }

    /// Takes the `=` after the name of an option: the position after it.
    pub fn equals(&self, position: usize) -> Result<usize, Diagnostic> {
        match self.tokens.is(position, &Token::Eq) {
            true => Ok(position + 1),
            false => Err(self.expected("`=` after the name of an option", position)),
        }
    }

    /// The value of an option: a string's content, else what is written.
    pub fn value(&self, start: usize, end: usize) -> Result<String, Diagnostic> {
        if start >= end {
            return Err(self.expected("a value", end));
        }
        match self.tokens.token(start) {
            Some(Token::SingleQuotedString(text)) if start + 1 == end => Ok(text.clone()),
            _ => Ok(self.written(start, end).to_string()),
        }
    }

    /// The bytes of the tokens `start..end`; of the place at `start` if there are none.
    pub fn span(&self, start: usize, end: usize) -> Span {
        match end.checked_sub(1) {
            Some(last) if last > start => self.tokens.span(start).union(self.tokens.span(last)),
            _ => self.tokens.span(start),
        }
    }

    /// The tokens `start..end` as they are written.
    pub fn written(&self, start: usize, end: usize) -> &'text str {
        slice(self.text, self.span(start, end))
    }

    pub fn end(&self, position: usize) -> Result<(), Diagnostic> {
        match self.tokens.token(position) {
            None => Ok(()),
            Some(_) => Err(self.expected("the end of the statement", position)),
        }
    }

    /// That `expected` was to stand at `position`.
    pub fn expected(&self, expected: &str, position: usize) -> Diagnostic {
        let message = format!("expected {expected}, found {}", self.tokens.found(position));
        Diagnostic::new(message).at(self.tokens.span(position))
    }
}
