//! Statements of our own, and those that are for DataFusion's parser alone.

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Token;

use crate::desugar::Edits;
use crate::diagnostic::Diagnostic;
use crate::lex::Lexeme;
use crate::parse::slice;
use crate::span::Span;
use crate::statement::StatementKind;

/// What a statement turned out to be.
pub(crate) enum Own<'a> {
    /// A statement, whole.
    Statement(StatementKind),
    /// `LET name = query`: the query is still to be parsed.
    Let { name: Ident, query: &'a [Lexeme] },
    /// SQL.
    None,
}

/// The formats of an EXPLAIN that DataFusion's parser knows and stock sqlparser does not.
const FOREIGN_FORMATS: &[&str] = &["INDENT", "PGJSON"];

/// Reads a statement of our own, if it is one.
pub(crate) fn parse<'a>(text: &str, span: Span, lexemes: &'a [Lexeme]) -> Result<Own<'a>, Vec<Diagnostic>> {
    let reader = Reader { tokens: Edits::new(lexemes), text };
    let tokens = &reader.tokens;
    let stock = || StatementKind::Stock(slice(text, span).to_string());
    let read = || -> Result<Own<'a>, Diagnostic> {
        let is_second = |words: &[&str]| tokens.is_word(1, words);
        match tokens.word(0).unwrap_or_default().as_str() {
            "ATTACH" if !is_second(&["DATABASE"]) => reader.attach().map(Own::Statement),
            "DETACH" if !is_second(&["DATABASE", "IF"]) => reader.detach().map(Own::Statement),
            "LET" => reader.let_name().map(|name| Own::Let { name, query: after_significant(lexemes, 3) }),
            "CREATE" if reader.external_table().is_some() => match reader.attach_external()? {
                Some(kind) => Ok(Own::Statement(kind)),
                None => Ok(Own::Statement(stock())),
            },
            "COPY" if !is_second(&["INTO"]) => Ok(Own::Statement(stock())),
            "EXPLAIN" if reader.is_foreign_explain() => Ok(Own::Statement(stock())),
            "CREATE" | "ALTER" | "DROP" | "USE" if is_second(&["CLUSTER"]) => Err(reader.not_there_yet(1)),
            "SHOW" if is_second(&["EXECUTORS", "CLUSTER", "CLUSTERS"]) => Err(reader.not_there_yet(1)),
            _ => Ok(Own::None),
        }
    };
    read().map_err(|diagnostic| vec![diagnostic])
}

/// The lexemes from the significant one of this number on.
fn after_significant(lexemes: &[Lexeme], count: usize) -> &[Lexeme] {
    let start =
        lexemes.iter().enumerate().filter(|(_, lexeme)| lexeme.is_significant()).map(|(index, _)| index).nth(count);
    start.and_then(|start| lexemes.get(start..)).unwrap_or_default()
}

struct Reader<'a, 'text> {
    tokens: Edits<'a>,
    text: &'text str,
}

impl Reader<'_, '_> {
    /// `ATTACH 'uri' AS name [WITH (k = v, …)]`
    fn attach(&self) -> Result<StatementKind, Diagnostic> {
        let uri = self.string(1)?;
        self.keyword(2, "AS")?;
        let name = self.name(3)?;
        let mut options = Vec::new();
        let mut end = 4;
        if self.tokens.is_word(end, &["WITH"]) {
            let close = self.group(end + 1)?;
            for (start, part_end) in self.tokens.split_commas(end + 2, close) {
                let (key, value) = self.key(start, part_end)?;
                if !self.tokens.is(value, &Token::Eq) {
                    return Err(self.expected("`=` after the name of an option", value));
                }
                options.push((key, self.value(value + 1, part_end)?));
            }
            end = close + 1;
        }
        self.end(end)?;
        Ok(StatementKind::Attach { uri, name, options })
    }

    /// `DETACH name`
    fn detach(&self) -> Result<StatementKind, Diagnostic> {
        let name = self.name(1)?;
        self.end(2)?;
        Ok(StatementKind::Detach { name })
    }

    /// `LET name =`
    fn let_name(&self) -> Result<Ident, Diagnostic> {
        let name = self.name(1)?;
        if !self.tokens.is(2, &Token::Eq) {
            return Err(self.expected("`=` after the name", 2));
        }
        if self.tokens.token(3).is_none() {
            return Err(self.expected("a query after `=`", 3));
        }
        Ok(name)
    }

    /// The position after `CREATE [OR REPLACE] [UNBOUNDED] EXTERNAL TABLE`.
    fn external_table(&self) -> Option<usize> {
        let mut position = 1;
        for words in [&["OR"], &["REPLACE"], &["UNBOUNDED"]] {
            position += usize::from(self.tokens.is_word(position, words));
        }
        let is_external = self.tokens.is_word(position, &["EXTERNAL"]) && self.tokens.is_word(position + 1, &["TABLE"]);
        is_external.then_some(position + 2)
    }

    /// `… name STORED AS ZARR LOCATION 'uri' [OPTIONS (k v, …)]`; `None` for another format.
    fn attach_external(&self) -> Result<Option<StatementKind>, Diagnostic> {
        let Some(mut position) = self.external_table() else { return Ok(None) };
        let level = self.tokens.level(position, self.tokens.len());
        let is_zarr = |at: &usize| {
            self.tokens.is_word(*at, &["STORED"])
                && self.tokens.is_word(at + 1, &["AS"])
                && self.tokens.is_word(at + 2, &["ZARR"])
        };
        if !level.iter().any(is_zarr) {
            return Ok(None);
        }
        if self.tokens.is_word(position, &["IF"]) {
            return Err(self.expected("a name", position));
        }
        let name = self.name(position)?;
        position += 1;
        let (mut uri, mut options) = (None, Vec::new());
        while position < self.tokens.len() {
            if is_zarr(&position) {
                position += 3;
            } else if self.tokens.is_word(position, &["LOCATION"]) {
                uri = Some(self.string(position + 1)?);
                position += 2;
            } else if self.tokens.is_word(position, &["OPTIONS"]) {
                let close = self.group(position + 1)?;
                options = self.external_options(position + 2, close)?;
                position = close + 1;
            } else {
                return Err(self.expected("LOCATION or OPTIONS", position));
            }
        }
        let uri = uri.ok_or_else(|| self.expected("LOCATION and the path or URL of a store", position))?;
        Ok(Some(StatementKind::Attach { uri, name, options }))
    }

    fn external_options(&self, start: usize, end: usize) -> Result<Vec<(String, String)>, Diagnostic> {
        let mut options = Vec::new();
        for (start, end) in self.tokens.split_commas(start, end) {
            let (key, value) = self.key(start, end)?;
            options.push((key, self.value(value, end)?));
        }
        Ok(options)
    }

    /// Whether an EXPLAIN is of a statement, or in a format, that only DataFusion's parser reads.
    fn is_foreign_explain(&self) -> bool {
        let mut position = 1;
        while self.tokens.is_word(position, &["ANALYZE", "VERBOSE"]) {
            position += 1;
        }
        if self.tokens.is_word(position, &["FORMAT"]) {
            return self.tokens.is_word(position + 1, FOREIGN_FORMATS);
        }
        self.tokens.is_word(position, &["COPY"])
    }

    /// The text of the string at `position`.
    fn string(&self, position: usize) -> Result<String, Diagnostic> {
        match self.tokens.token(position) {
            Some(Token::SingleQuotedString(text)) => Ok(text.clone()),
            _ => Err(self.expected("the path or URL of a store in quotes", position)),
        }
    }

    fn name(&self, position: usize) -> Result<Ident, Diagnostic> {
        match self.tokens.token(position) {
            Some(Token::Word(word)) => {
                Ok(Ident { value: word.value.clone(), quote_style: word.quote_style, ..Ident::new("") })
            }
            _ => Err(self.expected("a name", position)),
        }
    }

    fn keyword(&self, position: usize, keyword: &str) -> Result<(), Diagnostic> {
        if self.tokens.is_word(position, &[keyword]) { Ok(()) } else { Err(self.expected(keyword, position)) }
    }

    /// The closing parenthesis of the group that opens at `position`.
    fn group(&self, position: usize) -> Result<usize, Diagnostic> {
        match (self.tokens.is(position, &Token::LParen), self.tokens.partner(position)) {
            (true, Some(close)) => Ok(close),
            (true, None) => Err(self.expected("`)`", self.tokens.len())),
            (false, _) => Err(self.expected("`(`", position)),
        }
    }

    /// The name of an option, in lower case, and the position after it: words with dots between them, or a string.
    fn key(&self, start: usize, end: usize) -> Result<(String, usize), Diagnostic> {
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

    /// The value of an option: a string's content, else what is written.
    fn value(&self, start: usize, end: usize) -> Result<String, Diagnostic> {
        if start >= end {
            return Err(self.expected("a value", end));
        }
        match self.tokens.token(start) {
            Some(Token::SingleQuotedString(text)) if start + 1 == end => Ok(text.clone()),
            _ => Ok(slice(self.text, self.tokens.span(start).union(self.tokens.span(end - 1))).to_string()),
        }
    }

    fn end(&self, position: usize) -> Result<(), Diagnostic> {
        match self.tokens.token(position) {
            None => Ok(()),
            Some(_) => Err(self.expected("the end of the statement", position)),
        }
    }

    fn expected(&self, expected: &str, position: usize) -> Diagnostic {
        let message = format!("expected {expected}, found {}", self.tokens.found(position));
        Diagnostic::new(message).at(self.tokens.span(position))
    }

    fn not_there_yet(&self, position: usize) -> Diagnostic {
        let span = self.tokens.span(0).union(self.tokens.span(position));
        let help = "queries run on this machine";
        Diagnostic::new(format!("{} is not there yet", slice(self.text, span))).at(span).with_help(help)
    }
}
