//! The edits that the pass makes to a statement's tokens. Each is local, so edits of nested constructs compose.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::diagnostic::Diagnostic;
use crate::lex::Lexeme;
use crate::span::Span;

/// Tokens inserted beside a token, and the token at the other end of what they wrap.
struct Insertion {
    partner: usize,
    tokens: Vec<Token>,
}

/// The significant tokens of one statement, and what is to become of them. Positions count significant tokens.
pub(crate) struct Edits<'a> {
    all: &'a [Lexeme],
    significant: Vec<&'a Lexeme>,
    partners: Vec<Option<usize>>,
    enclosing: Vec<Option<usize>>,
    clauses: Vec<Option<usize>>,
    before: Vec<Vec<Insertion>>,
    after: Vec<Vec<Insertion>>,
    replaced: Vec<Option<Vec<Token>>>,
    claimed: Vec<bool>,
    /// What is wrong with the array syntax.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Edits<'a> {
    pub fn new(lexemes: &'a [Lexeme]) -> Self {
        let significant: Vec<&Lexeme> = lexemes.iter().filter(|lexeme| lexeme.is_significant()).collect();
        let count = significant.len();
        let Brackets { partners, enclosing, clauses } = match_brackets(&significant);
        Self {
            all: lexemes,
            partners,
            enclosing,
            clauses,
            significant,
            before: (0..count).map(|_| Vec::new()).collect(),
            after: (0..count).map(|_| Vec::new()).collect(),
            replaced: vec![None; count],
            claimed: vec![false; count],
            diagnostics: Vec::new(),
        }
    }

    /// How many significant tokens there are.
    pub fn len(&self) -> usize {
        self.significant.len()
    }

    pub fn token(&self, position: usize) -> Option<&'a Token> {
        self.significant.get(position).map(|lexeme| &lexeme.token)
    }

    pub fn is(&self, position: usize, token: &Token) -> bool {
        self.token(position) == Some(token)
    }

    /// The unquoted word at `position`, in upper case.
    pub fn word(&self, position: usize) -> Option<String> {
        match self.token(position)? {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
            _ => None,
        }
    }

    /// Whether the unquoted word at `position` is one of `words`, which are in upper case.
    pub fn is_word(&self, position: usize, words: &[&str]) -> bool {
        match self.token(position) {
            Some(Token::Word(word)) if word.quote_style.is_none() => {
                words.iter().any(|candidate| candidate.eq_ignore_ascii_case(&word.value))
            }
            _ => false,
        }
    }

    /// Whether a word, quoted or not, stands at `position`.
    pub fn is_name(&self, position: usize) -> bool {
        matches!(self.token(position), Some(Token::Word(_)))
    }

    /// The matching bracket of the one at `position`.
    pub fn partner(&self, position: usize) -> Option<usize> {
        self.partners.get(position).copied().flatten()
    }

    /// What is wrong with the brackets, if one of them has no partner.
    pub fn unmatched_bracket(&self) -> Option<Diagnostic> {
        let mut opening = None;
        for position in 0..self.len() {
            if self.partner(position).is_some() {
                continue;
            }
            match self.token(position)? {
                Token::LParen | Token::LBracket | Token::LBrace => opening = opening.or(Some(position)),
                Token::RParen | Token::RBracket | Token::RBrace => {
                    let message = format!("{} closes nothing", self.found(position));
                    return Some(Diagnostic::new(message).at(self.span(position)));
                }
                _ => {}
            }
        }
        let position = opening?;
        Some(Diagnostic::new(format!("{} is never closed", self.found(position))).at(self.span(position)))
    }

    /// The opening bracket that the token at `position` is directly in.
    pub fn enclosing(&self, position: usize) -> Option<usize> {
        self.enclosing.get(position).copied().flatten()
    }

    /// The last word before `position`, at its depth, that begins a clause of a query.
    pub fn clause(&self, position: usize) -> Option<usize> {
        self.clauses.get(position).copied().flatten()
    }

    /// The next position at the same depth: past the group that opens at `position`, if one does.
    pub fn next_at_level(&self, position: usize) -> usize {
        match self.partner(position) {
            Some(partner) if partner > position => partner + 1,
            _ => position + 1,
        }
    }

    /// The positions in `start..end` at the depth of `start`, group openers included, what is in groups not.
    pub fn level(&self, start: usize, end: usize) -> Vec<usize> {
        let mut positions = Vec::new();
        let mut position = start;
        while position < end {
            positions.push(position);
            position = self.next_at_level(position);
        }
        positions
    }

    /// The parts of `start..end` between commas at its depth; none for an empty range.
    pub fn split_commas(&self, start: usize, end: usize) -> Vec<(usize, usize)> {
        if start >= end {
            return Vec::new();
        }
        let mut parts = Vec::new();
        let mut part_start = start;
        for position in self.level(start, end) {
            if self.is(position, &Token::Comma) {
                parts.push((part_start, position));
                part_start = position + 1;
            }
        }
        parts.push((part_start, end));
        parts
    }

    /// Replaces the token at `position`.
    pub fn replace(&mut self, position: usize, tokens: Vec<Token>) {
        if let Some(slot) = self.replaced.get_mut(position) {
            *slot = Some(tokens);
        }
    }

    /// Inserts `opening` before the token `first` and `closing` after the token `last`.
    pub fn wrap(&mut self, first: usize, last: usize, opening: Vec<Token>, closing: Vec<Token>) {
        if let Some(insertions) = self.before.get_mut(first) {
            insertions.push(Insertion { partner: last, tokens: opening });
        }
        self.close(last, first, closing);
    }

    /// Inserts `closing` after the token `last`, as the end of what began at `first`.
    pub fn close(&mut self, last: usize, first: usize, closing: Vec<Token>) {
        if let Some(insertions) = self.after.get_mut(last) {
            insertions.push(Insertion { partner: first, tokens: closing });
        }
    }

    /// Marks the bracket at `position` as dealt with.
    pub fn claim(&mut self, position: usize) {
        if let Some(claimed) = self.claimed.get_mut(position) {
            *claimed = true;
        }
    }

    /// Whether the bracket at `position` has been dealt with.
    pub fn is_claimed(&self, position: usize) -> bool {
        self.claimed.get(position).copied().unwrap_or(false)
    }

    /// The bytes of the token at `position`; of the place after the last token for a position beyond it.
    pub fn span(&self, position: usize) -> Span {
        match (self.significant.get(position), self.significant.last()) {
            (Some(lexeme), _) => lexeme.span,
            (None, Some(last)) => Span::new(last.span.end, last.span.end),
            (None, None) => Span::default(),
        }
    }

    /// The token at `position` as a message names it.
    pub fn found(&self, position: usize) -> String {
        self.token(position).map_or_else(|| "the end of the statement".to_string(), |token| format!("`{token}`"))
    }

    /// Records that `expected` was to stand at `position`.
    pub fn expected(&mut self, expected: &str, position: usize, help: Option<&str>) {
        let message = format!("expected {expected}, found {}", self.found(position));
        let diagnostic = Diagnostic::new(message).at(self.span(position));
        self.diagnostics.push(match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        });
    }

    /// The edited tokens. What is inserted takes the span of the token it is beside.
    pub fn finish(mut self) -> Result<Vec<TokenWithSpan>, Vec<Diagnostic>> {
        if !self.diagnostics.is_empty() {
            return Err(self.diagnostics);
        }
        let mut tokens = Vec::with_capacity(self.all.len() * 2);
        let mut position = 0;
        for lexeme in self.all {
            let span = lexeme.location;
            if !lexeme.is_significant() {
                tokens.push(TokenWithSpan { token: lexeme.token.clone(), span });
                continue;
            }
            let (mut before, mut after) = (take(&mut self.before, position), take(&mut self.after, position));
            // What ends last opens first, what begins last closes first.
            before.sort_by_key(|insertion| std::cmp::Reverse(insertion.partner));
            after.sort_by_key(|insertion| std::cmp::Reverse(insertion.partner));
            let own = match self.replaced.get_mut(position).and_then(Option::take) {
                Some(replacement) => replacement,
                None => vec![lexeme.token.clone()],
            };
            let inserted_before = before.into_iter().flat_map(|insertion| insertion.tokens);
            let inserted_after = after.into_iter().flat_map(|insertion| insertion.tokens);
            tokens.extend(inserted_before.chain(own).chain(inserted_after).map(|token| TokenWithSpan { token, span }));
            position += 1;
        }
        Ok(tokens)
    }
}

/// A word that is no keyword wherever it stands.
pub(crate) fn plain_word(value: &str) -> Token {
    Token::Word(Word { value: value.to_string(), quote_style: None, keyword: Keyword::NoKeyword })
}

/// The same token, and if it is a word, one that is no keyword wherever it stands.
pub(crate) fn as_plain_word(token: &Token) -> Token {
    match token {
        Token::Word(word) => Token::Word(Word { keyword: Keyword::NoKeyword, ..word.clone() }),
        other => other.clone(),
    }
}

/// `name (`
pub(crate) fn call_of(name: &str) -> Vec<Token> {
    vec![plain_word(name), Token::LParen]
}

/// `NULL`: a bound that is not given.
pub(crate) fn null() -> Token {
    Token::make_keyword("NULL")
}

fn take(insertions: &mut [Vec<Insertion>], position: usize) -> Vec<Insertion> {
    insertions.get_mut(position).map(std::mem::take).unwrap_or_default()
}

/// Words that begin a clause of a query.
const CLAUSES: &[&str] = &[
    "AGGREGATE",
    "BY",
    "EXCEPT",
    "EXTEND",
    "FROM",
    "HAVING",
    "INTERSECT",
    "JOIN",
    "LIMIT",
    "MINUS",
    "OFFSET",
    "ON",
    "QUALIFY",
    "SELECT",
    "SET",
    "UNION",
    "USING",
    "VALUES",
    "WHERE",
];

/// For each token, its matching bracket, the bracket it is in, and the clause it is in.
struct Brackets {
    partners: Vec<Option<usize>>,
    enclosing: Vec<Option<usize>>,
    clauses: Vec<Option<usize>>,
}

fn match_brackets(lexemes: &[&Lexeme]) -> Brackets {
    let count = lexemes.len();
    let mut brackets =
        Brackets { partners: vec![None; count], enclosing: vec![None; count], clauses: vec![None; count] };
    let mut open: Vec<(usize, Token, Option<usize>)> = Vec::new();
    let mut clause = None;
    for (position, lexeme) in lexemes.iter().enumerate() {
        let closes = open.last().is_some_and(|(_, closing, _)| *closing == lexeme.token);
        if let (true, Some((start, _, outer_clause))) = (closes, if closes { open.pop() } else { None }) {
            brackets.partners[start] = Some(position);
            brackets.partners[position] = Some(start);
            clause = outer_clause;
        }
        brackets.enclosing[position] = open.last().map(|(start, _, _)| *start);
        brackets.clauses[position] = clause;
        let closing = match &lexeme.token {
            Token::LParen => Token::RParen,
            Token::LBracket => Token::RBracket,
            Token::LBrace => Token::RBrace,
            Token::Word(word) if CLAUSES.iter().any(|name| name.eq_ignore_ascii_case(&word.value)) => {
                clause = Some(position);
                continue;
            }
            _ => continue,
        };
        open.push((position, closing, clause.take()));
    }
    brackets
}
