//! What is wrong with a query, and where.

use std::fmt;

use crate::span::Span;

/// Characters of a line that are shown whole.
const LINE_CHARACTERS_MAX: usize = 240;

/// One thing wrong with a query: lower case, no final period, naming what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the query's text; `None` when it has no place.
    pub span: Option<Span>,
    /// What to do about it, if there is more to say ("did you mean `lat`?").
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), span: None, help: None }
    }

    /// The same, pointing at `span`.
    #[must_use]
    pub fn at(mut self, span: impl Into<Option<Span>>) -> Self {
        self.span = span.into();
        self
    }

    /// The same, with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The diagnostic with the line of `text` that it is about, and carets under the place:
    ///
    /// ```text
    /// error: unknown step `REDUC`
    ///  --> 1:14
    ///   |
    /// 1 | FROM era5 |> REDUC avg(t)
    ///   |              ^^^^^
    /// help: did you mean `REDUCE`?
    /// ```
    pub fn render(&self, text: &str) -> String {
        let mut rendered = format!("error: {}\n", self.message);
        if let Some(span) = self.span {
            rendered += &pointer(text, span);
        }
        if let Some(help) = &self.help {
            rendered += &format!("help: {help}\n");
        }
        rendered
    }
}

/// The line that a span starts in, with carets under what of the span is in it.
fn pointer(text: &str, span: Span) -> String {
    let start = floor(text, span.start);
    let before = text.get(..start).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |offset| start + offset);
    let end = floor(text, span.end).clamp(start, line_end);
    let line = text.get(line_start..line_end).unwrap_or("").trim_end_matches('\r');
    let number = (before.matches('\n').count() + 1).to_string();
    let column = text.get(line_start..start).unwrap_or("").chars().count() + 1;
    let (line, lead) = around(line, column - 1);
    // Tabs are kept, so that the carets stand under the place however wide a tab is.
    let indent: String = line.chars().take(lead).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let shown = line.chars().count().saturating_sub(lead);
    let carets = "^".repeat(text.get(start..end).unwrap_or("").chars().count().min(shown).max(1));
    let gutter = " ".repeat(number.len());
    format!("{gutter}--> {number}:{column}\n{gutter} |\n{number} | {line}\n{gutter} | {indent}{carets}\n")
}

/// A line, or of a long one what is around its character `place`; and where in it this character is.
fn around(line: &str, place: usize) -> (String, usize) {
    let length = line.chars().count();
    if length <= LINE_CHARACTERS_MAX {
        return (line.to_string(), place);
    }
    let first = place.saturating_sub(LINE_CHARACTERS_MAX / 2);
    let part: String = line.chars().skip(first).take(LINE_CHARACTERS_MAX).collect();
    let before = if first > 0 { "…" } else { "" };
    let after = if first + LINE_CHARACTERS_MAX < length { "…" } else { "" };
    (format!("{before}{part}{after}"), place - first + before.chars().count())
}

/// The nearest boundary between characters at or before `byte`.
fn floor(text: &str, byte: usize) -> usize {
    (0..=byte.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(formatter, "; {help}"),
            None => Ok(()),
        }
    }
}
