//! Histograms: a bar a line.

use unicode_width::UnicodeWidthStr;

use super::line::heading;
use super::{NO_VALUES, Page};
use crate::plot::colour::line_colour;

/// Draws the bins; neighbours are put together where there are more of them than lines.
pub(super) fn draw(page: &Page, label: &str, edges: &[f64], counts: &[u64]) -> String {
    if counts.iter().all(|&count| count == 0) {
        return format!("{}{NO_VALUES}", heading(page, label));
    }
    let together = counts.len().div_ceil(page.height).max(1);
    let bins: Vec<(f64, f64, u64)> = counts
        .chunks(together)
        .enumerate()
        .filter_map(|(index, chunk)| {
            let start = edges.get(index * together)?;
            let end = edges.get(index * together + chunk.len())?;
            Some((*start, *end, chunk.iter().sum()))
        })
        .collect();
    let decimals = decimals(bins.iter().map(|(start, end, _)| end - start).fold(f64::INFINITY, f64::min));
    let range = |(index, (start, end, _)): (usize, &(f64, f64, u64))| {
        // The last bin has its end too: it is the largest value.
        let close = if index + 1 == bins.len() { ']' } else { ')' };
        format!("[{start:.decimals$}, {end:.decimals$}{close}")
    };
    let ranges: Vec<String> = bins.iter().enumerate().map(range).collect();
    let highest = bins.iter().map(|bin| bin.2).max().unwrap_or(0).max(1);
    let range_width = ranges.iter().map(|range| range.width()).max().unwrap_or(0);
    let room = page.width.saturating_sub(range_width + highest.to_string().len() + 4).max(8);
    let mut text = heading(page, label);
    for (range, (_, _, count)) in ranges.iter().zip(&bins) {
        let bar = bar(*count as f64 / highest as f64, room);
        let padding = " ".repeat(range_width - range.width());
        let painted = page.style.paint(&page.code(line_colour(0), false), &bar);
        let gap = if bar.is_empty() { "" } else { " " };
        text.push_str(&format!("{padding}{range} {}{painted}{gap}{count}\n", page.style.paint("2", "│")));
    }
    text
}

fn bar(share: f64, room: usize) -> String {
    let eighths = (share * (room * 8) as f64).round() as usize;
    let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{partial}", "█".repeat(eighths / 8))
}

fn decimals(width: f64) -> usize {
    if width.is_finite() && width > 0.0 { (1.0 - width.log10().floor()).clamp(0.0, 9.0) as usize } else { 0 }
}
