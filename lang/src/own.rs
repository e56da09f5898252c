//! Statements of our own, and those that are for DataFusion's parser alone.

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Token;

use crate::cluster;
use crate::diagnostic::Diagnostic;
use crate::lex::Lexeme;
use crate::parse::slice;
use crate::queries;
use crate::reader::Reader;
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
    let reader = Reader::new(text, lexemes);
    if let Some(statement) = queries::parse(&reader) {
        let statement = statement.map(|statement| Own::Statement(StatementKind::Queries(statement)));
        return statement.map_err(|diagnostic| vec![diagnostic]);
    }
    if let Some(statement) = cluster::parse(&reader) {
        return statement.map(|statement| Own::Statement(StatementKind::Cluster(statement)));
    }
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
            _ => Ok(Own::None),
        }
    };
    read().map_err(|diagnostic| vec![diagnostic])
}

const STORE: &str = "the path or URL of a store in quotes";

/// The lexemes from the significant one of this number on.
fn after_significant(lexemes: &[Lexeme], count: usize) -> &[Lexeme] {
    let start =
        lexemes.iter().enumerate().filter(|(_, lexeme)| lexeme.is_significant()).map(|(index, _)| index).nth(count);
    start.and_then(|start| lexemes.get(start..)).unwrap_or_default()
}

impl Reader<'_, '_> {
    /// `ATTACH 'uri' AS name [WITH (k = v, …)]`
    fn attach(&self) -> Result<StatementKind, Diagnostic> {
        let uri = self.string(STORE, 1)?;
        self.keyword(2, "AS")?;
        let name = self.name("a name", 3)?;
        let mut options = Vec::new();
        let mut end = 4;
        if self.tokens.is_word(end, &["WITH"]) {
            let close = self.group(end + 1)?;
            for (start, part_end) in self.tokens.split_commas(end + 2, close) {
                let (key, after) = self.key(start, part_end)?;
                options.push((key, self.value(self.equals(after)?, part_end)?));
            }
            end = close + 1;
        }
        self.end(end)?;
        Ok(StatementKind::Attach { uri, name, options })
    }

    /// `DETACH name`
    fn detach(&self) -> Result<StatementKind, Diagnostic> {
        let name = self.name("a name", 1)?;
        self.end(2)?;
        Ok(StatementKind::Detach { name })
    }

    /// `LET name =`
    fn let_name(&self) -> Result<Ident, Diagnostic> {
        let name = self.name("a name", 1)?;
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
        let name = self.name("a name", position)?;
        position += 1;
        let (mut uri, mut options) = (None, Vec::new());
        while position < self.tokens.len() {
            if is_zarr(&position) {
                position += 3;
            } else if self.tokens.is_word(position, &["LOCATION"]) {
                uri = Some(self.string(STORE, position + 1)?);
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
}
