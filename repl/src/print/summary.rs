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

/// Attributes shown from the beginning and from the end on a terminal: what the dataset is stays in sight.
const ATTRIBUTES_EITHER_END: usize = 6;

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
        // After the mark, the columns and the gaps behind them.
        let used = 4 + widths.iter().map(|width| width + 2).sum::<usize>();
        let room = self.style.width.map(|width| width.saturating_sub(used));
        for (row, variable) in rows.iter().zip(variables) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                let _ = write!(line, "{cell}{}  ", " ".repeat(width - cell.width()));
            }
            line.push_str(&details(variable, room));
            let mark = if variable.role == Role::Index { "  * " } else { "    " };
            let line = self.fit(line.trim_end(), 4);
            let _ = writeln!(self.text, "{mark}{line}");
        }
    }

    fn attributes(&mut self, attributes: &[(String, String)]) {
        if attributes.is_empty() {
            return;
        }
        let is_cut = self.style.is_terminal() && attributes.len() > 2 * ATTRIBUTES_EITHER_END + 1;
        let (head, tail) = match is_cut {
            true => {
                let tail = attributes.len() - ATTRIBUTES_EITHER_END;
                (&attributes[..ATTRIBUTES_EITHER_END], &attributes[tail..])
            }
            false => (attributes, &attributes[..0]),
        };
        let count =
            if is_cut { format!(" ({} of {})", head.len() + tail.len(), attributes.len()) } else { String::new() };
        let _ = writeln!(self.text, "{}{count}", self.style.paint("1", "Attributes:"));
        let width = head.iter().chain(tail).map(|(name, _)| name.width() + 1).max().unwrap_or(0);
        self.attribute_lines(head, width);
        if is_cut {
            let _ = writeln!(self.text, "    ⋮");
        }
        self.attribute_lines(tail, width);
    }

    fn attribute_lines(&mut self, attributes: &[(String, String)], width: usize) {
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

fn details(variable: &VariableSummary, room: Option<usize>) -> String {
    if let (Role::Index, Some(preview)) = (variable.role, &variable.preview) {
        // The labels of a time are told as dates: what the store counts them in is no help.
        let is_time = variable.data_type.starts_with("time");
        let units = variable.units.as_deref().filter(|_| !is_time).map(|units| format!("  [{units}]"));
        let units = units.unwrap_or_default();
        let preview = match room {
            Some(room) => fewer_labels(preview, room.saturating_sub(units.width())),
            None => preview.clone(),
        };
        return format!("{preview}{units}");
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

/// The labels with as many of them left out in the middle as it takes to fit; the first and the last one stay.
fn fewer_labels(preview: &str, room: usize) -> String {
    if preview.width() <= room {
        return preview.to_string();
    }
    let labels: Vec<&str> = preview.split(' ').collect();
    let gap = labels.iter().position(|label| *label == "…");
    let (head, tail) = labels.split_at(gap.unwrap_or(labels.len().div_ceil(2)));
    let (mut head, mut tail) = (head.to_vec(), tail[usize::from(gap.is_some())..].to_vec());
    loop {
        let text = [&head[..], &["…"], &tail[..]].concat().join(" ");
        if text.width() <= room || head.len() + tail.len() <= 2 {
            return text;
        }
        if head.len() >= tail.len() {
            head.pop();
        } else {
            tail.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_in_the_middle_give_way() {
        let check = |preview: &str, room: usize, expected: &str| assert_eq!(fewer_labels(preview, room), expected);
        check("1 2 3 … 7 8 9", 13, "1 2 3 … 7 8 9");
        check("1 2 3 … 7 8 9", 12, "1 2 … 7 8 9");
        check("1 2 3 … 7 8 9", 7, "1 … 8 9");
        check("1 2 3 … 7 8 9", 0, "1 … 9");
        check("10 20 30 40", 9, "10 … 40");
        check("10 20", 3, "10 … 20");
        check("10", 1, "10 …");
    }

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
