//! sqlparser's errors, in the words and with the spans of the language.

use sqlparser::keywords::Keyword;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::diagnostic::Diagnostic;
use crate::lex::{Lexeme, uncapitalized};
use crate::parse::{run, slice};
use crate::span::Span;
use crate::suggest;
use crate::words::{KEYWORDS, STATEMENT_WORDS};

/// How often a hidden error is looked for inside another.
const SEARCHES_MAX: usize = 16;

/// What is wrong with a statement whose tokens gave this error.
pub(crate) fn diagnose(text: &str, lexemes: &[Lexeme], tokens: &[TokenWithSpan], error: &ParserError) -> Diagnostic {
    let failure = innermost(tokens, Failure::of(tokens, error));
    let statement = Statement { text, lexemes };
    let place = match failure.position.and_then(|position| tokens.get(position)) {
        Some(token) => Place::Lexeme(statement.lexeme_at(token)),
        None if failure.is_at_end => Place::End,
        None => Place::Nowhere,
    };
    statement.describe(&failure, &place)
}

/// An error of sqlparser's, taken apart.
struct Failure {
    expected: Option<String>,
    message: String,
    /// Where in the tokens.
    position: Option<usize>,
    is_at_end: bool,
}

impl Failure {
    fn of(tokens: &[TokenWithSpan], error: &ParserError) -> Self {
        let message = match error {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => message.as_str(),
            ParserError::RecursionLimitExceeded => "the statement is nested too deeply",
        };
        let (message, location) = match message.rfind(" at Line: ") {
            Some(at) => (message.get(..at).unwrap_or(""), message.get(at..).unwrap_or("")),
            None => (message, ""),
        };
        let mut numbers = location.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u64>().ok());
        let (line, column) = (numbers.next(), numbers.next());
        let (expected, found) = match message.strip_prefix("Expected: ").and_then(|rest| rest.rsplit_once(", found: "))
        {
            Some((expected, found)) => (Some(expected.to_string()), found),
            None => (None, ""),
        };
        let at_place =
            |token: &&TokenWithSpan| Some(token.span.start.line) == line && Some(token.span.start.column) == column;
        let is_found = |token: &TokenWithSpan| at_place(&token) && token.token.to_string() == found;
        let position = tokens.iter().position(is_found).or_else(|| tokens.iter().position(|token| at_place(&token)));
        Self { expected, message: message.to_string(), position, is_at_end: found == "EOF" }
    }
}

/// Looks for the error that sqlparser met first and then forgot, having tried another rule from an earlier place on.
fn innermost(tokens: &[TokenWithSpan], failure: Failure) -> Failure {
    let mut failure = failure;
    let explained = explained(tokens).and_then(|start| tokens.get(start..)).map(<[TokenWithSpan]>::to_vec);
    if let Some(Err(error)) = explained.map(|tokens| run(tokens, |parser| parser.parse_statement())) {
        failure = Failure::of(tokens, &error);
    }
    for _ in 0..SEARCHES_MAX {
        let Some(position) = failure.position else { return failure };
        let Some(inner) = retry(tokens, position) else { return failure };
        failure = inner;
    }
    failure
}

/// The error inside the named argument or the subquery that the token at `position` is in, if it lies further on.
fn retry(tokens: &[TokenWithSpan], position: usize) -> Option<Failure> {
    let error = if tokens.get(position)?.token == Token::RArrow {
        run(tokens.get(position + 1..)?.to_vec(), |parser| parser.parse_expr()).err()?
    } else {
        let start = enclosing_query(tokens, position)?;
        run(tokens.get(start..)?.to_vec(), |parser| parser.parse_query()).err()?
    };
    let inner = Failure::of(tokens, &error);
    // The rule stops where its construct ends: that is no error of its own.
    let stopped = inner.expected.as_deref() == Some("end of statement");
    let is_end = |token: &TokenWithSpan| matches!(token.token, Token::RParen | Token::Comma | Token::RBracket);
    if stopped && inner.position.and_then(|at| tokens.get(at)).is_some_and(is_end) {
        return None;
    }
    let is_further = inner.is_at_end || inner.position.is_some_and(|at| at > position);
    is_further.then_some(inner)
}

/// Where the query starts whose parenthesis is the last that is open at `position`.
fn enclosing_query(tokens: &[TokenWithSpan], position: usize) -> Option<usize> {
    let mut closed: usize = 0;
    let before = tokens.get(..position)?.iter().enumerate().rev();
    let (open, _) =
        before.filter(|(_, token)| matches!(token.token, Token::LParen | Token::RParen)).find(|(_, token)| {
            match token.token {
                Token::RParen => closed += 1,
                _ if closed > 0 => closed -= 1,
                _ => return true,
            }
            false
        })?;
    let mut inside = tokens.iter().enumerate().skip(open + 1);
    let (start, first) = inside.find(|(_, token)| !matches!(token.token, Token::Whitespace(_)))?;
    match &first.token {
        Token::Word(word) if word.quote_style.is_none() && is_query_start(word.keyword) => Some(start),
        _ => None,
    }
}

fn is_query_start(keyword: Keyword) -> bool {
    matches!(keyword, Keyword::SELECT | Keyword::FROM | Keyword::WITH | Keyword::VALUES)
}

/// Where the statement starts that an EXPLAIN explains.
fn explained(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut words = tokens.iter().enumerate().filter(|(_, token)| !matches!(token.token, Token::Whitespace(_)));
    let keyword = |token: &TokenWithSpan| match &token.token {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    };
    if keyword(words.next()?.1) != Keyword::EXPLAIN {
        return None;
    }
    let (start, first) = words.find(|(_, token)| !matches!(keyword(token), Keyword::ANALYZE | Keyword::VERBOSE))?;
    is_query_start(keyword(first)).then_some(start)
}

/// Where a failure lies in the text.
enum Place<'a> {
    Lexeme(Option<(usize, &'a Lexeme)>),
    End,
    Nowhere,
}

struct Statement<'a> {
    text: &'a str,
    lexemes: &'a [Lexeme],
}

impl<'a> Statement<'a> {
    fn lexeme_at(&self, token: &TokenWithSpan) -> Option<(usize, &'a Lexeme)> {
        self.lexemes.iter().enumerate().find(|(_, lexeme)| lexeme.location == token.span && lexeme.is_significant())
    }

    fn describe(&self, failure: &Failure, place: &Place<'a>) -> Diagnostic {
        let (span, found, index) = match place {
            Place::Lexeme(Some((index, lexeme))) => {
                (Some(lexeme.span), format!("`{}`", shortened(slice(self.text, lexeme.span))), *index)
            }
            Place::End => (self.end(), "the end of the statement".to_string(), self.lexemes.len()),
            Place::Lexeme(None) | Place::Nowhere => (None, String::new(), 0),
        };
        let Some(expected) = failure.expected.as_deref() else {
            return Diagnostic::new(uncapitalized(&failure.message)).at(span);
        };
        let expected = self.expected(expected, index);
        let message = match found.is_empty() {
            true => uncapitalized(&failure.message),
            false => format!("expected {expected}, found {found}"),
        };
        let diagnostic = Diagnostic::new(message).at(span);
        match self.misspelt_keyword(index) {
            Some((word_span, keyword)) => diagnostic.at(word_span).with_help(suggest::did_you_mean(keyword)),
            None => diagnostic,
        }
    }

    /// The place after the last lexeme.
    fn end(&self) -> Option<Span> {
        let last = self.lexemes.iter().rfind(|lexeme| lexeme.is_significant())?;
        Some(Span::new(last.span.end, last.span.end))
    }

    /// What was expected, in our words. The parenthesis that a rewritten construct waits for is not in the text.
    fn expected(&self, expected: &str, index: usize) -> String {
        match expected {
            ")" => match self.open_bracket(index) {
                Some(Token::LBracket) => "`,` or `]`".to_string(),
                Some(Token::LParen) => "`,` or `)`".to_string(),
                _ => "`,`, a clause or the end of the step".to_string(),
            },
            "end of statement" => "the end of the statement".to_string(),
            "an SQL statement" => "a statement".to_string(),
            "identifier" => "a name".to_string(),
            mark if !mark.chars().any(char::is_alphanumeric) => format!("`{mark}`"),
            other => uncapitalized(other),
        }
    }

    /// The bracket that is open at the lexeme.
    fn open_bracket(&self, index: usize) -> Option<&Token> {
        let mut open = Vec::new();
        for lexeme in self.lexemes.iter().take(index) {
            match lexeme.token {
                Token::LParen | Token::LBracket | Token::LBrace => open.push(&lexeme.token),
                Token::RParen | Token::RBracket | Token::RBrace => {
                    open.pop();
                }
                _ => {}
            }
        }
        open.pop()
    }

    /// The word at the lexeme, or the one before it, if it looks like a keyword misspelt.
    fn misspelt_keyword(&self, index: usize) -> Option<(Span, &'static str)> {
        let here = self.lexemes.get(index);
        let before = self.lexemes.get(..index)?.iter().rfind(|lexeme| lexeme.is_significant());
        [before, here].into_iter().flatten().find_map(|lexeme| match &lexeme.token {
            Token::Word(word) if word.quote_style.is_none() && word.keyword == Keyword::NoKeyword => {
                let keyword = suggest::closest(&word.value, KEYWORDS.iter().chain(STATEMENT_WORDS).copied())?;
                (word.value.chars().count() > 3).then_some((lexeme.span, keyword))
            }
            _ => None,
        })
    }
}

/// The first line of a token, cut if long.
fn shortened(token: &str) -> String {
    let line = token.lines().next().unwrap_or("");
    let cut: String = line.chars().take(40).collect();
    if cut.len() < token.len() { format!("{cut}…") } else { cut }
}
