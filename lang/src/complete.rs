//! What may come next in a text.

mod cluster;

use sqlparser::tokenizer::{Token, Whitespace};

use crate::desugar::{Edits, SQL_PIPE_VERBS, VERBS};
use crate::lex::{Lexeme, lex};
use crate::words::KEYWORDS;

/// What a column of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// A dimension of a dataset.
    Dimension,
    /// A coordinate that is no dimension.
    Coordinate,
    /// A variable of a dataset.
    Variable,
    /// A column of an ordinary table.
    Column,
}

/// The names there are to complete.
pub trait Names {
    /// Tables, datasets and views, as they are written after FROM.
    fn tables(&self) -> Vec<String>;
    /// The columns of a table, or of a quoted path; none if there is no such table.
    fn columns(&self, table: &str) -> Vec<(String, ColumnKind)>;
    /// Functions, without parentheses.
    fn functions(&self) -> Vec<String>;
    /// Clusters; none where there are no clusters.
    fn clusters(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    /// A word of the language.
    Keyword,
    /// The word that begins a step.
    Verb,
    /// A table, dataset or view.
    Table,
    /// A column of any kind.
    Column(ColumnKind),
    /// A function.
    Function,
    /// A cluster.
    Cluster,
    /// The name of an option.
    Option,
}

/// One text that may stand from the completion's start to the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The text, quoted where it has to be.
    pub text: String,
    /// What it is.
    pub kind: CandidateKind,
}

/// What may replace the word before the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The first byte of the word that is being written.
    pub start: usize,
    /// In the order they are to be offered.
    pub candidates: Vec<Candidate>,
}

/// The candidates for the word that ends at byte `cursor` of `text`. None inside strings and comments.
pub fn complete(text: &str, cursor: usize, names: &dyn Names) -> Completion {
    let before = prefix(text, cursor);
    let word_length: usize =
        before.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
    let start = before.len() - word_length;
    let word = before.get(start..).unwrap_or("").to_lowercase();
    let lexed = lex(before.get(..start).unwrap_or(""));
    let is_in_comment = lexed.lexemes.last().is_some_and(|last| {
        matches!(&last.token, Token::Whitespace(Whitespace::SingleLineComment { comment, .. }) if !comment.ends_with('\n'))
    });
    if lexed.failure.is_some() || is_in_comment {
        return Completion { start, candidates: Vec::new() };
    }
    let statement = lexed.lexemes.iter().rposition(|lexeme| lexeme.token == Token::SemiColon).map_or(0, |at| at + 1);
    let before = Edits::new(lexed.lexemes.get(statement..).unwrap_or_default());
    let mut candidates = Scope { before, text, names }.candidates();
    candidates.retain(|candidate| candidate.text.trim_start_matches('"').to_lowercase().starts_with(&word));
    Completion { start, candidates }
}

/// The text up to the cursor, or to the character it is in.
fn prefix(text: &str, cursor: usize) -> &str {
    (0..=cursor.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or("")
}

/// Words that tell what is being listed after them.
const LISTS: &[&str] = &[
    "FROM",
    "JOIN",
    "SELECT",
    "WHERE",
    "EXTEND",
    "AGGREGATE",
    "REDUCE",
    "MAP",
    "MASK",
    "FILL",
    "COARSEN",
    "RESAMPLE",
    "ALONG",
    "KEEP",
    "BY",
    "TO",
    "SEL",
    "INTERP",
    "RECHUNK",
    "TRANSPOSE",
    "GRID",
    "STACK",
    "CHUNKS",
    "ALIGN",
    "CONCAT",
    "ON",
    "USING",
    "WITH",
    "HAVING",
    "SET",
    "RENAME",
    "DROP",
    "INTO",
    "PLOT",
    "LIMIT",
];

/// Words that begin statements other than queries.
const STATEMENTS: &[&str] =
    &["ALTER", "ATTACH", "CANCEL", "CREATE", "DESCRIBE", "DETACH", "DROP", "EXPLAIN", "LET", "SHOW", "USE", "WITH"];

struct Scope<'a> {
    /// The tokens of the statement before the word that is being written.
    before: Edits<'a>,
    text: &'a str,
    names: &'a dyn Names,
}

impl Scope<'_> {
    fn candidates(&self) -> Vec<Candidate> {
        match self.of_cluster_statement() {
            Some(candidates) => candidates,
            None if self.before.len() == 1 => [self.cluster_pieces(), self.of_query()].concat(),
            None => self.of_query(),
        }
    }

    fn of_query(&self) -> Vec<Candidate> {
        let end = self.before.len();
        let Some(previous) = end.checked_sub(1) else { return self.words(&["SELECT", "FROM"]) };
        if self.before.is(previous, &Token::VerticalBarRightAngleBracket) {
            return verbs();
        }
        if self.before.is(previous, &Token::Period) {
            return self.columns_of_qualifier(previous);
        }
        let begins_element = self.before.is(previous, &Token::Comma);
        if let Some(open) = self.open_bracket() {
            let begins = begins_element || previous == open;
            return if begins { self.dimensions() } else { [self.dimensions(), self.functions()].concat() };
        }
        let Some(list) = self.list_word() else { return self.anything() };
        let begins_list = begins_element || previous == list || self.before.is(previous, &Token::LParen);
        let is = |words: &[&str]| self.before.is_word(list, words);
        let is_grouping = list > 0 && self.before.is_word(list - 1, &["GROUP", "ORDER", "PARTITION"]);
        if begins_list && is(&["FROM", "JOIN", "ALIGN", "CONCAT", "INTO"]) {
            return self.tables();
        }
        let lists_dimensions =
            is(&["ALONG", "KEEP", "TO", "SEL", "INTERP", "RECHUNK", "TRANSPOSE", "GRID", "STACK", "CHUNKS"])
                || is(&["BY"]) && !is_grouping;
        if begins_list && lists_dimensions {
            return self.dimensions();
        }
        self.anything()
    }

    /// The `[` that the word is directly in.
    fn open_bracket(&self) -> Option<usize> {
        let open = self.open_group()?;
        self.before.is(open, &Token::LBracket).then_some(open)
    }

    /// The opening bracket that the word is directly in.
    fn open_group(&self) -> Option<usize> {
        let opens = |position: &usize| {
            let token = self.before.token(*position);
            matches!(token, Some(Token::LParen | Token::LBracket | Token::LBrace))
                && self.before.partner(*position).is_none()
        };
        (0..self.before.len()).rev().find(opens)
    }

    /// The last word that tells what is being listed.
    fn list_word(&self) -> Option<usize> {
        let mut position = self.before.len();
        while let Some(at) = position.checked_sub(1) {
            if self.before.is_word(at, LISTS) {
                return Some(at);
            }
            if self.before.is(at, &Token::VerticalBarRightAngleBracket) {
                return None;
            }
            // Over what is closed.
            position = self.before.partner(at).filter(|open| *open < at).unwrap_or(at);
        }
        None
    }

    fn anything(&self) -> Vec<Candidate> {
        let mut columns = Vec::new();
        for table in self.tables_named() {
            columns.extend(self.columns_of(&table));
        }
        [unique(columns), self.functions(), self.words(KEYWORDS)].concat()
    }

    fn words(&self, words: &[&str]) -> Vec<Candidate> {
        // At its start it may be any statement.
        let more = if self.before.len() == 0 { STATEMENTS } else { &[] };
        words.iter().chain(more).map(|word| candidate(word, CandidateKind::Keyword)).collect()
    }

    fn tables(&self) -> Vec<Candidate> {
        self.names.tables().iter().map(|name| candidate(&quoted(name), CandidateKind::Table)).collect()
    }

    fn functions(&self) -> Vec<Candidate> {
        self.names.functions().iter().map(|name| candidate(name, CandidateKind::Function)).collect()
    }

    fn dimensions(&self) -> Vec<Candidate> {
        let is_dimension = |candidate: &Candidate| candidate.kind == CandidateKind::Column(ColumnKind::Dimension);
        let columns = self.tables_named().into_iter().flat_map(|table| self.columns_of(&table));
        unique(columns.filter(is_dimension).collect())
    }

    fn columns_of(&self, table: &str) -> Vec<Candidate> {
        let columns = self.names.columns(table).into_iter();
        columns.map(|(name, kind)| candidate(&quoted(&name), CandidateKind::Column(kind))).collect()
    }

    /// After `name.`: the columns of the table of that name or alias.
    fn columns_of_qualifier(&self, period: usize) -> Vec<Candidate> {
        let qualifier = match period.checked_sub(1).and_then(|position| self.before.token(position)) {
            Some(Token::Word(word)) => word.value.clone(),
            _ => return Vec::new(),
        };
        let own = self.columns_of(&qualifier);
        if !own.is_empty() {
            return own;
        }
        let lexed = lex(self.text);
        let significant: Vec<&Lexeme> = lexed.lexemes.iter().filter(|lexeme| lexeme.is_significant()).collect();
        let mut table = None;
        for lexeme in significant {
            match &lexeme.token {
                Token::Word(word) if word.value.eq_ignore_ascii_case(&qualifier) => break,
                Token::Word(word) if !self.names.columns(&word.value).is_empty() => table = Some(word.value.clone()),
                Token::SingleQuotedString(path) if !self.names.columns(path).is_empty() => table = Some(path.clone()),
                _ => {}
            }
        }
        table.map(|table| self.columns_of(&table)).unwrap_or_default()
    }

    /// The tables and paths that the whole text names.
    fn tables_named(&self) -> Vec<String> {
        let known = self.names.tables();
        let lexed = lex(self.text);
        let significant: Vec<&Lexeme> = lexed.lexemes.iter().filter(|lexeme| lexeme.is_significant()).collect();
        let mut named: Vec<String> = Vec::new();
        for (index, lexeme) in significant.iter().enumerate() {
            let name = match &lexeme.token {
                Token::Word(word) => known.iter().find(|name| name.eq_ignore_ascii_case(&word.value)).cloned(),
                Token::SingleQuotedString(path) => {
                    let previous = index.checked_sub(1).and_then(|index| significant.get(index));
                    let is_source = |word: &str| ["FROM", "JOIN"].iter().any(|name| name.eq_ignore_ascii_case(word));
                    match previous.map(|lexeme| &lexeme.token) {
                        Some(Token::Word(word)) if is_source(&word.value) => Some(path.clone()),
                        _ => None,
                    }
                }
                _ => None,
            };
            named.extend(name.filter(|name| !named.contains(name)));
        }
        named
    }
}

fn verbs() -> Vec<Candidate> {
    let names = VERBS.iter().map(|verb| verb.name).chain(SQL_PIPE_VERBS.iter().copied());
    let mut names: Vec<&str> = names.filter(|name| *name != "CALL").collect();
    names.sort_unstable();
    names.into_iter().map(|name| candidate(name, CandidateKind::Verb)).collect()
}

fn candidate(text: &str, kind: CandidateKind) -> Candidate {
    Candidate { text: text.to_string(), kind }
}

fn unique(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if !kept.iter().any(|other| other.text == candidate.text) {
            kept.push(candidate);
        }
    }
    kept
}

/// A name as it has to be written: in quotes if SQL would read it as something else. Dots stand between names.
fn quoted(name: &str) -> String {
    let is_plain = |part: &str| {
        part.starts_with(|c: char| c.is_lowercase() || c == '_')
            && part.chars().all(|c| c.is_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let is_quoted = name.starts_with('"') || name.starts_with('\'');
    if is_quoted || name.split('.').all(is_plain) {
        name.to_string()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}
