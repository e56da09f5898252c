//! Cells coloured by value.

use quarray_engine::outcome::Axis;

use super::PlotError;
use super::axis::{Scale, cell_edges};
use super::canvas::{Anchor, Canvas, Image, Rect, Type};
use super::colour::{ColourScale, INK};
use super::frame::{Frame, Labels, SMALL, draw_marks_beside, with_factor};
use super::ticks::number_ticks;

/// What is to be drawn.
pub(crate) struct Cells<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a Axis,
    pub(crate) y: &'a Axis,
    pub(crate) value_label: &'a str,
    /// Row by row.
    pub(crate) values: &'a [f64],
}

const BAR_WIDTH: f64 = 18.0;
const BAR_GAP: f64 = 18.0;
const LABEL: Type = Type { size: 14.0, is_bold: false, colour: INK };

/// Draws the cells on a page of that many dots.
pub(crate) fn draw(canvas: &mut dyn Canvas, size: (f64, f64), cells: &Cells<'_>) -> Result<(), PlotError> {
    let labels = Labels {
        title: cells.title.to_string(),
        x: cells.x.label.clone(),
        y: cells.y.label.clone(),
        legend: Vec::new(),
    };
    let colours = ColourScale::of(cells.values);
    let reserved = BAR_GAP + BAR_WIDTH + 10.0 + bar_words(canvas, colours.as_ref(), size.1);
    let (x, y) = (Scale::of_cells(cells.x), Scale::of_cells(cells.y));
    let mut frame = Frame::lay_out(canvas, size, &labels, x, y, reserved);
    if let Some(area) = true_to_scale(&frame, cells) {
        frame.shrink(canvas, area);
    }
    frame.draw_behind(canvas, size, false)?;
    if colours.is_none() {
        frame.say_empty(canvas)?;
    }
    if let Some(colours) = &colours {
        let fineness = canvas.pixels_per_dot();
        let pixels = |dots: f64| ((dots * fineness).round() as usize).max(1);
        let image = picture(cells, &frame, colours, pixels(frame.area.width()), pixels(frame.area.height()));
        canvas.image(frame.area, image)?;
        draw_bar(canvas, &frame, colours, cells.value_label)?;
    }
    frame.draw_around(canvas, &labels)
}

/// The area in which a unit of both axes has the same length, where they are the same unit: maps are not stretched.
fn true_to_scale(frame: &Frame, cells: &Cells<'_>) -> Option<Rect> {
    let (x_units, y_units) = (units(&cells.x.label)?, units(&cells.y.label)?);
    if x_units != y_units {
        return None;
    }
    let area = frame.area;
    let ratio = (frame.x.high - frame.x.low) / (frame.y.high - frame.y.low);
    let (width, height) = (area.width().min(area.height() * ratio), area.height().min(area.width() / ratio));
    // A thin strip true to scale shows less than a stretched one.
    if width < area.width() * 0.2 || height < area.height() * 0.2 {
        return None;
    }
    let top = area.top + (area.height() - height) / 2.0;
    let left = area.left + (area.width() - width) / 2.0;
    Some(Rect { left, top, right: left + width, bottom: top + height })
}

/// `m` of `y [m]`; degrees of latitude and longitude are the same.
pub(crate) fn units(label: &str) -> Option<&str> {
    let (_, units) = label.strip_suffix(']')?.rsplit_once('[')?;
    Some(units.strip_prefix("degrees").map_or(units, |_| "degrees"))
}

/// A picture of the cells, larger values of the vertical axis higher up.
fn picture(cells: &Cells<'_>, frame: &Frame, colours: &ColourScale, width: usize, height: usize) -> Image {
    let values = cells.means((frame.x.low, frame.x.high), (frame.y.low, frame.y.high), width, height);
    Image { width, height, pixels: values.into_iter().map(|value| colours.colour(value)).collect() }
}

impl Cells<'_> {
    /// For every pixel, from the upper left one on, the mean of the cells it covers, or the value of the cell that it
    /// lies in; NaN where there is none.
    pub(crate) fn means(&self, x: (f64, f64), y: (f64, f64), width: usize, height: usize) -> Vec<f64> {
        let x_edges = cell_edges(self.x);
        let row_length = x_edges.len().saturating_sub(1);
        let columns = covered(&x_edges, x.0, x.1, width);
        let rows = covered(&cell_edges(self.y), y.0, y.1, height);
        let mut means = Vec::with_capacity(width * height);
        for &(row_start, row_end) in rows.iter().rev() {
            for &(start, end) in &columns {
                let range = |row: usize| row * row_length + start..row * row_length + end;
                let values = (row_start..row_end).filter_map(|row| self.values.get(range(row))).flatten();
                means.push(mean(values));
            }
        }
        means
    }
}

fn mean<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    let (sum, count) =
        values.filter(|value| value.is_finite()).fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}

/// For each of `count` equal parts from `low` to `high`, the cells whose middle it covers, or the one it lies in.
fn covered(edges: &[f64], low: f64, high: f64, count: usize) -> Vec<(usize, usize)> {
    let cells = edges.len().saturating_sub(1);
    if cells == 0 {
        return vec![(0, 0); count];
    }
    let is_rising = edges[cells] >= edges[0];
    let cell_at = |share: f64| {
        let value = low + (high - low) * share;
        let before = edges.partition_point(|&edge| if is_rising { edge <= value } else { edge >= value });
        before.saturating_sub(1).min(cells - 1)
    };
    let part = |index: usize| {
        let from = cell_at((index as f64 + 0.01) / count as f64);
        let to = cell_at((index as f64 + 0.99) / count as f64);
        let middle = cell_at((index as f64 + 0.5) / count as f64);
        // Up to two cells a pixel would be a blur: one of them then.
        match from.abs_diff(to) {
            0 | 1 => (middle, middle + 1),
            _ => (from.min(to), from.max(to) + 1),
        }
    };
    (0..count).map(part).collect()
}

fn bar_ticks(colours: &ColourScale, height: f64) -> super::ticks::Ticks {
    let scale = Scale::numbers(colours.low, colours.high);
    number_ticks(scale.low, scale.high, ((height / 60.0) as usize).clamp(2, 10))
}

fn bar_words(canvas: &dyn Canvas, colours: Option<&ColourScale>, height: f64) -> f64 {
    let Some(colours) = colours else { return 0.0 };
    let ticks = bar_ticks(colours, height);
    let widest = ticks.marks.iter().map(|mark| canvas.text_width(&mark.label, SMALL)).fold(0.0, f64::max);
    widest + LABEL.size + 14.0
}

/// The bar that says which colour is which value.
fn draw_bar(canvas: &mut dyn Canvas, frame: &Frame, colours: &ColourScale, label: &str) -> Result<(), PlotError> {
    let left = frame.area.right + BAR_GAP;
    let Rect { top, bottom, .. } = frame.area;
    let bar = Rect { left, top, right: left + BAR_WIDTH, bottom };
    let scale = Scale::numbers(colours.low, colours.high);
    let steps = 256;
    let value = |step: usize| scale.high - (scale.high - scale.low) * (step as f64 + 0.5) / steps as f64;
    let pixels = (0..steps).map(|step| colours.colour(value(step))).collect();
    canvas.image(bar, Image { width: 1, height: steps, pixels })?;
    canvas.line(&[(left, top), (bar.right, top), (bar.right, bottom), (left, bottom), (left, top)], 1.0, INK)?;
    let ticks = bar_ticks(colours, bar.height());
    draw_marks_beside(canvas, &ticks, bar.right, true, |value| bottom - scale.share(value) * bar.height())?;
    let widest = ticks.marks.iter().map(|mark| canvas.text_width(&mark.label, SMALL)).fold(0.0, f64::max);
    let x = bar.right + 9.0 + widest + 8.0 + LABEL.size * 0.8;
    canvas.text(&with_factor(label, &ticks), (x, f64::midpoint(top, bottom)), LABEL, Anchor::Middle, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_find_their_cells_in_either_direction() {
        assert_eq!(covered(&[0.0, 1.0, 2.0], 0.0, 2.0, 4), [(0, 1), (0, 1), (1, 2), (1, 2)]);
        assert_eq!(covered(&[2.0, 1.0, 0.0], 0.0, 2.0, 4), [(1, 2), (1, 2), (0, 1), (0, 1)]);
        let edges: Vec<f64> = (0..=9).map(f64::from).collect();
        assert_eq!(covered(&edges, 0.0, 9.0, 3), [(0, 3), (3, 6), (6, 9)]);
    }

    #[test]
    fn units_of_labels() {
        assert_eq!(units("y [m]"), Some("m"));
        assert_eq!(units("lat [degrees_north]"), units("lon [degrees_east]"));
        assert_eq!(units("time"), None);
    }
}
