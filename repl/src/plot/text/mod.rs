//! Drawings in characters, for the terminal.

mod braille;
mod heat;
mod histogram;
mod line;

use quarray_engine::outcome::{Chart, PlotSpec};
use unicode_width::UnicodeWidthStr;

use super::axis::Scale;
use super::colour::Colour;
use super::ticks::Ticks;
use crate::terminal::Style;

/// Draws in characters, sized to the terminal.
pub fn draw_text(spec: &PlotSpec, style: &Style) -> String {
    let page = Page::new(style);
    let mut text = String::new();
    if !spec.title.is_empty() {
        text.push_str(&style.paint("1", &spec.title));
        text.push('\n');
    }
    text.push_str(&match &spec.chart {
        Chart::Line { x, y_label, series } => line::draw(&page, x, y_label, series),
        Chart::HeatMap { .. } => {
            super::heat::Cells::of(&spec.title, &spec.chart).map(|cells| heat::draw(&page, &cells)).unwrap_or_default()
        }
        Chart::Histogram { value_label, edges, counts } => histogram::draw(&page, value_label, edges, counts),
    });
    text
}

/// Stands in place of a drawing without a single value.
const NO_VALUES: &str = "no values\n";

/// The room there is.
#[derive(Debug, Clone)]
struct Page {
    style: Style,
    width: usize,
    height: usize,
    has_all_colours: bool,
}

impl Page {
    fn new(style: &Style) -> Self {
        let is_true_colour = |value: std::ffi::OsString| value == "truecolor" || value == "24bit";
        Self {
            style: style.clone(),
            width: style.width.unwrap_or(80).clamp(30, 160),
            // Title, labels and the next prompt want lines too.
            height: style.height.unwrap_or(24).saturating_sub(7).clamp(6, 32),
            has_all_colours: std::env::var_os("COLORTERM").is_some_and(is_true_colour),
        }
    }

    /// The escape code of a colour, as a foreground or background.
    fn code(&self, colour: Colour, is_background: bool) -> String {
        let ground = if is_background { 48 } else { 38 };
        if self.has_all_colours {
            return format!("{ground};2;{};{};{}", colour.0, colour.1, colour.2);
        }
        // The 6 × 6 × 6 cube of the 256 colours that every terminal has.
        let level = |channel: u8| match channel {
            0..48 => 0,
            48..115 => 1,
            other => (usize::from(other) - 35) / 40,
        };
        format!("{ground};5;{}", 16 + 36 * level(colour.0) + 6 * level(colour.1) + level(colour.2))
    }
}

/// A drawing with its axes: `rows` of `width` columns, marks at the left and below.
struct Framed<'a> {
    rows: Vec<String>,
    width: usize,
    x: &'a Scale,
    x_label: &'a str,
    /// Labels at the left, by row.
    row_labels: Vec<Option<String>>,
}

impl Framed<'_> {
    fn render(&self, style: &Style) -> String {
        let gutter = self.row_labels.iter().flatten().map(|label| label.width()).max().unwrap_or(0);
        let mut text = String::new();
        for (row, label) in self.rows.iter().zip(&self.row_labels) {
            let (label, tick) = label.as_ref().map_or(("", '│'), |label| (label.as_str(), '┤'));
            let padding = " ".repeat(gutter - label.width());
            text.push_str(&format!("{padding}{label} {}{}\n", style.paint("2", &tick.to_string()), row.trim_end()));
        }
        let (rule, labels, contexts) = below(self.x, self.width);
        let indent = " ".repeat(gutter + 1);
        text.push_str(&format!("{indent}{}\n", style.paint("2", &format!("└{rule}"))));
        text.push_str(&format!("{indent} {}\n", labels.trim_end()));
        if !contexts.trim().is_empty() {
            text.push_str(&format!("{indent} {}\n", style.paint("2", contexts.trim_end())));
        }
        if !self.x_label.is_empty() {
            let middle = self.width.saturating_sub(self.x_label.width()) / 2;
            text.push_str(&format!("{indent} {}{}\n", " ".repeat(middle), self.x_label));
        }
        text
    }
}

/// The labels of rows, at the marks of a scale that has its high end in the first row.
fn row_labels(scale: &Scale, rows: usize) -> (Vec<Option<String>>, Ticks) {
    let ticks = scale.ticks((rows / 4).clamp(2, 8));
    let mut labels = vec![None; rows];
    for mark in &ticks.marks {
        let row = ((1.0 - scale.share(mark.value)) * rows as f64).floor();
        let slot = labels.get_mut((row.max(0.0) as usize).min(rows.saturating_sub(1)));
        if let Some(slot @ None) = slot {
            let context = if mark.context.is_empty() { String::new() } else { format!(" {}", mark.context) };
            *slot = Some(format!("{}{context}", mark.label));
        }
    }
    (labels, ticks)
}

/// The lines below a drawing: marks, labels and their contexts.
fn below(scale: &Scale, width: usize) -> (String, String, String) {
    let most = (width / 8).clamp(1, 12);
    let column =
        |value: f64| ((scale.share(value) * width as f64).floor().max(0.0) as usize).min(width.saturating_sub(1));
    let fits = |ticks: &Ticks| {
        ticks.marks.windows(2).all(|pair| {
            let halves = pair[0].label.width().div_ceil(2) + pair[1].label.width().div_ceil(2);
            column(pair[1].value).saturating_sub(column(pair[0].value)) > halves + 1
        })
    };
    let ticks = (1..=most).rev().map(|count| scale.ticks(count)).find(fits).unwrap_or_default();
    let mut rule = vec!['─'; width];
    let mut labels = Line::new(width);
    let mut contexts = Line::new(width);
    let mut last = "";
    for mark in &ticks.marks {
        let at = column(mark.value);
        rule[at] = '┬';
        labels.write(at, &mark.label);
        if mark.context != last {
            last = &mark.context;
            contexts.write(at, last);
        }
    }
    (rule.into_iter().collect(), labels.text, contexts.text)
}

/// A line that words are written on from left to right.
struct Line {
    text: String,
    width: usize,
}

impl Line {
    fn new(width: usize) -> Self {
        Self { text: String::new(), width }
    }

    /// Writes around a column, unless something stands there.
    fn write(&mut self, middle: usize, word: &str) {
        let used = self.text.width();
        let latest = self.width.saturating_sub(word.width());
        let start = middle.saturating_sub(word.width() / 2).min(latest);
        if used == 0 || start > used {
            self.text.push_str(&" ".repeat(start - used));
            self.text.push_str(word);
        }
    }
}
