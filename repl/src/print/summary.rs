//! A dataset in words and numbers, in the manner of xarray.

use std::fmt::Write;

use quarray_engine::dataset::Role;
use quarray_engine::outcome::{DatasetSummary, VariableSummary};
use unicode_width::UnicodeWidthStr;

use super::layout::{clean, cut};
use crate::terminal::Style;

/// The summary as text, a line a variable, cut to the width of the terminal.
pub fn print_summary(summary: &DatasetSummary, style: &Style) -> String {
    let mut page = Page { style, text: String::new() };
    page.heading(&summary.name, &summary.uri);
    let dimensions = summary.dimensions.iter().map(|(name, length)| format!("{name}: {length}"));
    page.line("Dimensions: ", &format!("({})", dimensions.collect::<Vec<_>>().join(", ")));
    let of_role = |is_wanted: fn(Role) -> bool| {
        summary.variables.iter().filter(|variable| is_wanted(variable.role)).collect::<Vec<_>>()
    };
    page.variables("Coordinates:", &of_role(|role| role != Role::Data));
    page.variables("Data variables:", &of_role(|role| role == Role::Data));
    page.attributes(&summary.attributes);
    page.text
}

/// Bytes for people: `1.2 GB`, decimal units.
pub fn bytes_text(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    match (unit, value < 9.95) {
        (0, _) => format!("{bytes} B"),
        (_, true) => format!("{value:.1} {}", units[unit]),
        (_, false) => format!("{value:.0} {}", units[unit]),
    }
}

struct Page<'a> {
    style: &'a Style,
    text: String,
}

impl Page<'_> {
    fn heading(&mut self, name: &str, uri: &str) {
        let address = if uri == name || uri.is_empty() { String::new() } else { format!("  {}", clean(uri)) };
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{}{}", self.style.paint("1", &clean(name)), self.style.paint("2", &address));
    }

    fn line(&mut self, label: &str, rest: &str) {
        let rest = self.fit(rest, label.width());
        let _ = writeln!(self.text, "{}{rest}", self.style.paint("1", label));
    }

    fn variables(&mut self, heading: &str, variables: &[&VariableSummary]) {
        if variables.is_empty() {
            return;
        }
        let _ = writeln!(self.text, "{}", self.style.paint("1", heading));
        let rows: Vec<[String; 4]> = variables.iter().map(|variable| leading_cells(variable)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        for (row, variable) in rows.iter().zip(variables) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                let _ = write!(line, "{cell}{}  ", " ".repeat(width - cell.width()));
            }
            line.push_str(&details(variable));
            let mark = if variable.role == Role::Index { "  * " } else { "    " };
            let line = self.fit(line.trim_end(), 4);
            let _ = writeln!(self.text, "{mark}{line}");
        }
    }

    fn attributes(&mut self, attributes: &[(String, String)]) {
        if attributes.is_empty() {
            return;
        }
        let _ = writeln!(self.text, "{}", self.style.paint("1", "Attributes:"));
        let width = attributes.iter().map(|(name, _)| name.width() + 1).max().unwrap_or(0);
        for (name, value) in attributes {
            let padding = " ".repeat(width - name.width());
            let line = self.fit(&format!("{name}:{padding}{value}"), 4);
            let _ = writeln!(self.text, "    {line}");
        }
    }

    fn fit(&self, line: &str, indent: usize) -> String {
        let line = clean(line);
        match self.style.width {
            Some(width) => cut(&line, width.saturating_sub(indent).max(20)),
            None => line.into_owned(),
        }
    }
}

fn leading_cells(variable: &VariableSummary) -> [String; 4] {
    [
        variable.name.clone(),
        format!("({})", variable.dimensions.join(", ")),
        variable.data_type.clone(),
        bytes_text(variable.decoded_bytes),
    ]
}

fn details(variable: &VariableSummary) -> String {
    if let (Role::Index, Some(preview)) = (variable.role, &variable.preview) {
        let units = variable.units.as_deref().map(|units| format!("  [{units}]"));
        return format!("{preview}{}", units.unwrap_or_default());
    }
    let mut parts = Vec::new();
    if let Some(units) = &variable.units {
        parts.push(format!("[{units}]"));
    }
    if !variable.chunk_shape.is_empty() {
        let lengths: Vec<String> = variable.chunk_shape.iter().map(u64::to_string).collect();
        parts.push(format!("chunks ({})", lengths.join(", ")));
    }
    if !variable.codecs.is_empty() {
        parts.push(variable.codecs.clone());
    }
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_900, "1.0 MB"),
            (12_345_678, "12 MB"),
            (9_940_000_000, "9.9 GB"),
        ] {
            assert_eq!(bytes_text(bytes), expected);
        }
    }
}
