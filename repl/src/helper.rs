//! What the line editor needs to know of the language: colours, completion, and where a statement ends.

use std::borrow::Cow;

use quarray_engine::session::KnownNames;
use quarray_lang::complete::{ColumnKind, Names};
use quarray_lang::highlight::TokenClass;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use crate::any_session::AnySession;
use crate::meta;

/// The editor's helper for a session.
pub struct ShellHelper {
    session: AnySession,
    has_colour: bool,
}

impl ShellHelper {
    /// For that session; colours only where they are wanted.
    pub fn new(session: AnySession, has_colour: bool) -> Self {
        Self { session, has_colour }
    }
}

impl Helper for ShellHelper {}

impl Hinter for ShellHelper {
    type Hint = String;
}

impl Validator for ShellHelper {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        Ok(match meta::is_command(text) || quarray_lang::is_complete(text) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Highlighter for ShellHelper {
    fn highlight<'l>(&self, line: &'l str, _cursor: usize) -> Cow<'l, str> {
        match self.has_colour && !meta::is_command(line) {
            true => Cow::Owned(coloured(line)),
            false => Cow::Borrowed(line),
        }
    }

    fn highlight_char(&self, _line: &str, _cursor: usize, kind: CmdKind) -> bool {
        // A letter can turn a name into a keyword: every edit colours anew, moving the cursor does not.
        self.has_colour && kind != CmdKind::MoveCursor
    }
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, cursor: usize, context: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let same = |text: String| Pair { display: text.clone(), replacement: text };
        if meta::is_command(line) {
            if meta::wants_file(line) {
                return FilenameCompleter::new().complete(line, cursor, context);
            }
            let tables = || self.session.names_at_once().tables.into_iter().map(|table| table.name).collect();
            let (start, texts) = meta::complete(line.get(..cursor).unwrap_or(line), tables);
            return Ok((start, texts.into_iter().map(same).collect()));
        }
        let names = SessionNames(self.session.names_at_once());
        let completion = quarray_lang::complete(line, cursor, &names);
        Ok((completion.start, completion.candidates.into_iter().map(|candidate| same(candidate.text)).collect()))
    }
}

/// The names of a session at one instant.
struct SessionNames(KnownNames);

impl Names for SessionNames {
    fn tables(&self) -> Vec<String> {
        self.0.tables.iter().map(|table| table.name.clone()).collect()
    }

    fn columns(&self, name: &str) -> Vec<(String, ColumnKind)> {
        let kind = |text: &str| match text {
            "dimension" => ColumnKind::Dimension,
            "coordinate" => ColumnKind::Coordinate,
            "variable" => ColumnKind::Variable,
            _ => ColumnKind::Column,
        };
        let table = self.0.tables.iter().find(|table| table.name == name);
        let columns = table.map(|table| table.columns.as_slice()).unwrap_or_default();
        columns.iter().map(|(column, text)| (column.clone(), kind(text))).collect()
    }

    fn functions(&self) -> Vec<String> {
        self.0.functions.clone()
    }

    fn clusters(&self) -> Vec<String> {
        self.0.clusters.clone()
    }
}

fn coloured(line: &str) -> String {
    let mut text = String::with_capacity(line.len() * 2);
    let mut end = 0;
    for (span, class) in quarray_lang::highlight(line) {
        let (Some(between), Some(word)) = (line.get(end..span.start), line.get(span.start..span.end)) else {
            return line.to_string();
        };
        text.push_str(between);
        match escape_code(class) {
            Some(code) => text.push_str(&format!("\x1b[{code}m{word}\x1b[0m")),
            None => text.push_str(word),
        }
        end = span.end;
    }
    text.push_str(line.get(end..).unwrap_or_default());
    text
}

fn escape_code(class: TokenClass) -> Option<&'static str> {
    match class {
        TokenClass::Keyword => Some("34"),
        TokenClass::Verb => Some("1;35"),
        TokenClass::Function => Some("36"),
        TokenClass::String => Some("32"),
        TokenClass::Number => Some("33"),
        TokenClass::Comment => Some("2"),
        TokenClass::Error => Some("31"),
        TokenClass::Operator | TokenClass::Identifier => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_leave_the_text_alone() {
        for line in ["FROM era5[time = '2020'] |> REDUCE avg(t) ALONG y; -- ümlaut", "SELECT 'open", ""] {
            let mut plain = coloured(line);
            while let Some(start) = plain.find('\x1b') {
                let length = plain[start..].find('m').map_or(1, |end| end + 1);
                plain.replace_range(start..start + length, "");
            }
            assert_eq!(plain, line);
        }
        assert!(coloured("SELECT 1").contains("\x1b["));
    }

    #[test]
    fn clusters_are_completed() {
        let names = SessionNames(KnownNames { clusters: vec!["pc".to_string()], ..KnownNames::default() });
        let line = "USE CLUSTER p";
        let completion = quarray_lang::complete(line, line.len(), &names);
        let texts: Vec<String> = completion.candidates.into_iter().map(|candidate| candidate.text).collect();
        assert_eq!(texts, ["pc"]);
    }
}
