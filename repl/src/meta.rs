//! Commands of the shell that are no statements: a backslash and a word.

use crate::args::Format;
use clap::ValueEnum;

/// A command of the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetaCommand {
    /// The names there are.
    List,
    /// What a name, path or address holds.
    Describe(String),
    /// Times on or off.
    Timing,
    /// The format of results, or which it is.
    Format(Option<Format>),
    /// The last query in an editor.
    Edit,
    /// The statements of a file.
    Include(String),
    /// Results to a file; to the terminal again without one.
    Output(Option<String>),
    /// What there is to know.
    Help,
    /// The end.
    Quit,
}

/// What `\?` prints.
pub const HELP: &str = "\
A statement ends with `;` and may span lines. Tab completes, the arrows go back to earlier statements.

  \\d              datasets, views and tables
  \\d NAME         what a dataset holds
  \\format FORMAT  table, csv, json, jsonl, arrow or parquet
  \\o FILE         results go to FILE, complete once \\o is given again
  \\i FILE         runs the statements of FILE
  \\e              edits the last statement with $EDITOR, then runs it
  \\timing         how long statements take, on or off
  \\q              leaves, as does Ctrl-D; Ctrl-C ends the running statement

  FROM 'path-or-url'                            what a store holds
  ATTACH 'path-or-url' AS name;                 gives it a name
  FROM name[time = '2010'] |> REDUCE avg(v) ALONG y, x;
";

const NAMES: [&str; 9] = ["\\d", "\\format", "\\o", "\\i", "\\e", "\\timing", "\\?", "\\q", "\\help"];

/// Whether a line is a command rather than part of a statement. The words that people try first are, too.
pub fn is_command(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('\\') || is_plain_word(line, &["exit", "quit", "help"])
}

/// Whether the argument that is being written names a file.
pub fn wants_file(line: &str) -> bool {
    let (command, argument) = split(line);
    matches!(command, "\\i" | "\\o") && argument.is_some()
}

/// Where a completion of the command before the cursor starts, and what it may be.
pub fn complete(before: &str, tables: impl FnOnce() -> Vec<String>) -> (usize, Vec<String>) {
    let (command, argument) = split(before);
    let start = before.len() - argument.unwrap_or(command).len();
    let word = before.get(start..).unwrap_or_default();
    let candidates: Vec<String> = match (command, argument) {
        (_, None) => NAMES.iter().map(ToString::to_string).collect(),
        ("\\d", _) => tables(),
        ("\\format", _) => Format::value_variants().iter().filter_map(Format::to_possible_value).map(name_of).collect(),
        _ => Vec::new(),
    };
    (start, candidates.into_iter().filter(|candidate| candidate.starts_with(word)).collect())
}

impl MetaCommand {
    /// Reads a command.
    pub fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim().trim_end_matches(';').trim_end();
        let (command, argument) = split(line);
        let argument = argument.map(str::trim).filter(|argument| !argument.is_empty()).map(unquote);
        match (command, argument) {
            ("\\d" | "\\dt", None) => Ok(Self::List),
            ("\\d", Some(name)) => Ok(Self::Describe(name.to_string())),
            ("\\timing", None) => Ok(Self::Timing),
            ("\\format", None) => Ok(Self::Format(None)),
            ("\\format", Some(name)) => match Format::from_str(name, true) {
                Ok(format) => Ok(Self::Format(Some(format))),
                Err(_) => Err(format!("no format `{name}`; there are table, csv, json, jsonl, arrow and parquet")),
            },
            ("\\e", None) => Ok(Self::Edit),
            ("\\i", Some(path)) => Ok(Self::Include(path.to_string())),
            ("\\i", None) => Err("\\i needs the name of a file".to_string()),
            ("\\o", path) => Ok(Self::Output(path.map(str::to_string))),
            ("\\?" | "\\h" | "\\help" | "help", None) => Ok(Self::Help),
            ("\\q" | "\\quit" | "quit" | "exit", None) => Ok(Self::Quit),
            (known, Some(argument)) if NAMES.contains(&known) => Err(format!("{known} takes no `{argument}`")),
            (unknown, _) => Err(format!("no command `{unknown}`; \\? lists them")),
        }
    }
}

/// The name of a format as it is written.
pub fn format_name(format: Format) -> String {
    format.to_possible_value().map(name_of).unwrap_or_default()
}

fn name_of(value: clap::builder::PossibleValue) -> String {
    value.get_name().to_string()
}

fn split(line: &str) -> (&str, Option<&str>) {
    match line.trim_start().split_once(char::is_whitespace) {
        Some((command, argument)) => (command, Some(argument.trim_start())),
        None => (line.trim_start(), None),
    }
}

fn unquote(argument: &str) -> &str {
    argument.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(argument)
}

fn is_plain_word(line: &str, words: &[&str]) -> bool {
    words.contains(&line.trim_end_matches(';').trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_their_arguments() {
        let check = |line: &str, expected: Result<MetaCommand, &str>| {
            assert_eq!(MetaCommand::parse(line), expected.map_err(str::to_string), "{line}");
        };
        check("\\d", Ok(MetaCommand::List));
        check(" \\d  era5 ;", Ok(MetaCommand::Describe("era5".to_string())));
        check("\\d 'a b.zarr'", Ok(MetaCommand::Describe("a b.zarr".to_string())));
        check("\\format CSV", Ok(MetaCommand::Format(Some(Format::Csv))));
        check("\\format xml", Err("no format `xml`; there are table, csv, json, jsonl, arrow and parquet"));
        check("\\o", Ok(MetaCommand::Output(None)));
        check("\\i", Err("\\i needs the name of a file"));
        check("\\timing now", Err("\\timing takes no `now`"));
        check("\\x", Err("no command `\\x`; \\? lists them"));
        check("quit;", Ok(MetaCommand::Quit));
        assert!(is_command("exit") && !is_command("exit now") && !is_command("SELECT 1"));
    }

    #[test]
    fn completion_of_commands() {
        let tables = || vec!["era5".to_string(), "daymet".to_string()];
        assert_eq!(complete("\\fo", tables), (0, vec!["\\format".to_string()]));
        assert_eq!(complete("\\d er", tables), (3, vec!["era5".to_string()]));
        assert_eq!(complete("\\format js", tables), (8, vec!["json".to_string(), "jsonl".to_string()]));
        assert_eq!(complete("\\timing x", tables), (8, vec![]));
    }
}
