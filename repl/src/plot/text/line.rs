//! Lines in braille dots.

use quarray_engine::outcome::Axis;

use super::braille::Dots;
use super::{Framed, NO_VALUES, Page, row_labels};
use crate::plot::axis::{Scale, extent, positions};
use crate::plot::colour::line_colour;
use crate::plot::frame::with_factor;

/// Draws the lines.
pub(super) fn draw(page: &Page, x: &Axis, y_label: &str, series: &[(String, Vec<f64>)]) -> String {
    let (low, high) = extent(series.iter().flat_map(|(_, values)| values.iter().copied()));
    if low > high {
        return format!("{}{NO_VALUES}", heading(page, y_label));
    }
    let y = Scale::numbers(low, high);
    let (row_labels, ticks) = row_labels(&y, page.height);
    let gutter = row_labels.iter().flatten().map(|label| label.chars().count()).max().unwrap_or(0);
    let width = page.width.saturating_sub(gutter + 3).max(10);
    let scale = Scale::of_positions(x);
    let mut dots = Dots::new(width, page.height);
    let x_positions = positions(x);
    for (number, (_, values)) in series.iter().enumerate() {
        let place = |(&position, &value): (&f64, &f64)| {
            let across = scale.share(position) * (width * 2 - 1) as f64;
            let down = (1.0 - y.share(value)) * (page.height * 4 - 1) as f64;
            (across.is_finite() && down.is_finite()).then(|| (across.round() as i64, down.round() as i64))
        };
        let mut last = None;
        for dot in x_positions.iter().zip(values).map(place) {
            if let Some(dot) = dot {
                dots.line(last.unwrap_or(dot), dot, number);
            }
            last = dot;
        }
    }
    let rows = (0..page.height).map(|row| painted(page, &dots, row)).collect();
    let framed = Framed { rows, width, x: &scale, x_label: &x.label, row_labels };
    format!("{}{}{}", legend(page, series), heading(page, &with_factor(y_label, &ticks)), framed.render(&page.style))
}

pub(super) fn heading(page: &Page, label: &str) -> String {
    match label.is_empty() {
        true => String::new(),
        false => format!("{}\n", page.style.paint("2", label)),
    }
}

/// A row of dots, runs of one line in its colour.
fn painted(page: &Page, dots: &Dots, row: usize) -> String {
    let characters: Vec<(char, usize)> = dots.row(row).collect();
    let mut text = String::new();
    for run in characters.chunk_by(|left, right| left.1 == right.1 && (left.0 == ' ') == (right.0 == ' ')) {
        let word: String = run.iter().map(|(character, _)| character).collect();
        match word.trim().is_empty() {
            true => text.push_str(&word),
            false => text.push_str(&page.style.paint(&page.code(line_colour(run[0].1), false), &word)),
        }
    }
    text
}

fn legend(page: &Page, series: &[(String, Vec<f64>)]) -> String {
    const MOST: usize = 12;
    if series.len() < 2 {
        return String::new();
    }
    let entry = |(number, (name, _)): (usize, &(String, Vec<f64>))| {
        format!("{} {name}", page.style.paint(&page.code(line_colour(number), false), "━━"))
    };
    let mut entries: Vec<String> = series.iter().enumerate().take(MOST).map(entry).collect();
    if series.len() > MOST {
        entries.push(format!("and {} more", series.len() - MOST));
    }
    format!("{}\n", entries.join("   "))
}
