//! Boxes around cells: widths, what has to give way to fit the terminal, and the lines themselves.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::terminal::Style;

/// What is to be shown.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    /// The line above the table.
    pub(crate) title: Option<String>,
    pub(crate) columns: Vec<Column>,
    pub(crate) head: Vec<Vec<Text>>,
    /// Whether rows between head and tail are left out.
    pub(crate) is_cut: bool,
    pub(crate) tail: Vec<Vec<Text>>,
    /// The line below the table.
    pub(crate) footer: String,
}

/// The head of a column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) units: Option<String>,
    /// Whether values stand at the right: numbers do.
    pub(crate) is_right: bool,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    Value(String),
    Missing,
}

/// How a cell is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Plain,
    Strong,
    Faint,
}

/// A column that stands for those left out.
const ELISION: &str = "…";
const ROW_ELISION: &str = "⋮";
const MISSING: &str = "NULL";
/// Text columns give way to this width before whole columns do.
const NARROW: usize = 32;

impl Grid {
    /// The lines, cut to the width of the terminal.
    pub(crate) fn render(&self, style: &Style) -> String {
        let mut out = String::new();
        if let Some(title) = &self.title {
            out.push_str(&strong(&clean(title), style));
            out.push('\n');
        }
        if !self.columns.is_empty() {
            Lines::new(self, style).render(&mut out);
        }
        out.push_str(&self.footer);
        out.push('\n');
        out
    }

    fn rows(&self) -> impl Iterator<Item = &Vec<Text>> {
        self.head.iter().chain(&self.tail)
    }
}

/// The shown columns with their widths.
struct Lines<'a> {
    grid: &'a Grid,
    style: &'a Style,
    /// Column and width, left to right; no column is the elision.
    slots: Vec<(Option<usize>, usize)>,
}

impl<'a> Lines<'a> {
    fn new(grid: &'a Grid, style: &'a Style) -> Self {
        let mut widths: Vec<usize> = (0..grid.columns.len()).map(|column| natural_width(grid, column)).collect();
        let kept = match style.width {
            Some(available) => fit(&mut widths, available),
            None => widths.len(),
        };
        let mut slots: Vec<_> = widths.iter().enumerate().map(|(column, &width)| (Some(column), width)).collect();
        if kept < widths.len() {
            // The dimensions come first and the newest column last: what gives way is in the middle.
            let left = kept.div_ceil(2);
            slots.splice(left..widths.len() - (kept - left), [(None, 1)]);
        }
        Self { grid, style, slots }
    }

    fn render(&self, out: &mut String) {
        self.rule("┌", "┬", "┐", out);
        self.row(|column| (clean(&self.grid.columns[column].name), Weight::Strong), ELISION, out);
        if self.grid.columns.iter().any(|column| column.units.is_some()) {
            let units =
                |column: usize| (clean(self.grid.columns[column].units.as_deref().unwrap_or_default()), Weight::Faint);
            self.row(units, "", out);
        }
        self.rule("├", "┼", "┤", out);
        self.cells(&self.grid.head, out);
        if self.grid.is_cut {
            self.row(|_| (Cow::from(ROW_ELISION), Weight::Faint), ROW_ELISION, out);
        }
        self.cells(&self.grid.tail, out);
        self.rule("└", "┴", "┘", out);
    }

    fn cells(&self, rows: &[Vec<Text>], out: &mut String) {
        for row in rows {
            let cell = |column: usize| match row.get(column) {
                Some(Text::Value(value)) => (clean(value), Weight::Plain),
                Some(Text::Missing) | None => (Cow::from(MISSING), Weight::Faint),
            };
            self.row(cell, ELISION, out);
        }
    }

    fn row<'t>(&self, cell: impl Fn(usize) -> (Cow<'t, str>, Weight), elision: &str, out: &mut String) {
        let bar = faint("│", self.style);
        for &(column, width) in &self.slots {
            let (text, weight, is_right) = match column {
                Some(column) => {
                    let (text, weight) = cell(column);
                    (text, weight, self.grid.columns[column].is_right)
                }
                None => (Cow::from(elision), Weight::Faint, false),
            };
            let text = cut(&text, width);
            let padding = " ".repeat(width.saturating_sub(text.width()));
            let text = match weight {
                Weight::Plain => text,
                Weight::Strong => strong(&text, self.style),
                Weight::Faint => faint(&text, self.style),
            };
            match is_right {
                true => out.push_str(&format!("{bar} {padding}{text} ")),
                false => out.push_str(&format!("{bar} {text}{padding} ")),
            }
        }
        out.push_str(&bar);
        out.push('\n');
    }

    fn rule(&self, left: &str, middle: &str, right: &str, out: &mut String) {
        let dashes: Vec<String> = self.slots.iter().map(|&(_, width)| "─".repeat(width + 2)).collect();
        out.push_str(&faint(&format!("{left}{}{right}", dashes.join(middle)), self.style));
        out.push('\n');
    }
}

fn natural_width(grid: &Grid, column: usize) -> usize {
    let head = &grid.columns[column];
    let heads = [clean(&head.name).width(), clean(head.units.as_deref().unwrap_or_default()).width()];
    let cells = grid.rows().filter_map(|row| row.get(column)).map(|cell| match cell {
        Text::Value(value) => clean(value).width(),
        Text::Missing => MISSING.len(),
    });
    heads.into_iter().chain(cells).max().unwrap_or(0)
}

/// Narrows columns, then drops them, until the table is no wider than `available`; answers how many are kept.
fn fit(widths: &mut [usize], available: usize) -> usize {
    let total = |widths: &[usize]| widths.iter().map(|width| width + 3).sum::<usize>() + 1;
    while total(widths) > available {
        let surplus = total(widths) - available;
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > NARROW) else { break };
        *widest = widest.saturating_sub(surplus).max(NARROW);
    }
    let mut kept = widths.len();
    while kept > 1 {
        let left = kept.div_ceil(2);
        let right = &widths[widths.len() - (kept - left)..];
        let elision = if kept < widths.len() { 4 } else { 0 };
        if total(&widths[..left]) + total(right) - 1 + elision <= available {
            break;
        }
        kept -= 1;
    }
    kept
}

/// A text without control characters, which would move the cursor or worse.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::from(text);
    }
    Cow::from(
        text.chars()
            .flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] })
            .collect::<String>(),
    )
}

pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used < width
    };
    text.chars().take_while(fits).chain(ELISION.chars()).collect()
}

fn strong(text: &str, style: &Style) -> String {
    style.paint("1", text)
}

fn faint(text: &str, style: &Style) -> String {
    style.paint("2", text)
}
