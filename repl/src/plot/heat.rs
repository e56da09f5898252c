//! Cells coloured by value.

use quarray_engine::outcome::{Axis, Chart, ColourOptions, MapSystem};

use super::PlotError;
use super::axis::cell_edges;
use super::bar::Bar;
use super::canvas::{Canvas, Image, Rect};
use super::colour::{ColourScale, MISSING};
use super::frame::{Frame, Labels};
use super::map::Ground;

/// What is to be drawn.
pub(crate) struct Cells<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a Axis,
    pub(crate) y: &'a Axis,
    pub(crate) value_label: &'a str,
    pub(crate) long_name: &'a str,
    /// Row by row.
    pub(crate) values: &'a [f64],
    pub(crate) colours: ColourOptions,
    pub(crate) map: Option<&'a MapSystem>,
}

/// The thinnest strip that is still drawn true to scale, as a share of the room: of a map, and of other drawings.
const THINNEST_MAP: f64 = 0.05;
const THINNEST: f64 = 0.2;

/// Draws the cells on a page of that many dots.
pub(crate) fn draw(canvas: &mut dyn Canvas, size: (f64, f64), cells: &Cells<'_>) -> Result<(), PlotError> {
    let ground = Ground::of(cells);
    let labels = Labels {
        title: cells.title.to_string(),
        x: ground.x_label.clone(),
        y: ground.y_label.clone(),
        legend: Vec::new(),
    };
    let bar = ColourScale::of(cells).map(|colours| Bar::new(colours, cells));
    let reserved = bar.as_ref().map_or(12.0, |bar| bar.room(canvas, size.1));
    let mut frame = Frame::lay_out(canvas, size, &labels, ground.x.clone(), ground.y.clone(), reserved);
    let thinnest = if cells.map.is_some() { THINNEST_MAP } else { THINNEST };
    if let Some((width, height)) = ground.true_to_scale(frame.area.width(), frame.area.height(), thinnest) {
        let left = frame.area.left + (frame.area.width() - width) / 2.0;
        let top = frame.area.top + (frame.area.height() - height) / 2.0;
        frame.shrink(canvas, Rect { left, top, right: left + width, bottom: top + height });
    }
    frame.draw_behind(canvas, size, false)?;
    match &bar {
        None => frame.say_empty(canvas)?,
        Some(bar) => {
            let fineness = canvas.pixels_per_dot();
            let pixels = |dots: f64| ((dots * fineness).round() as usize).max(1);
            let image = picture(cells, &frame, bar.colours(), pixels(frame.area.width()), pixels(frame.area.height()));
            canvas.image(frame.area, image)?;
            bar.draw(canvas, frame.area, size.1)?;
        }
    }
    frame.draw_around(canvas, &labels)?;
    match &ground.system {
        Some(system) => frame.draw_remark(canvas, &labels, system, size.0),
        None => Ok(()),
    }
}

/// A picture of the cells, larger values of the vertical axis higher up.
fn picture(cells: &Cells<'_>, frame: &Frame, colours: &ColourScale, width: usize, height: usize) -> Image {
    let values = cells.means((frame.x.low, frame.x.high), (frame.y.low, frame.y.high), width, height);
    let colour = |value| Some(colours.colour(value).unwrap_or(MISSING));
    Image { width, height, pixels: values.into_iter().map(colour).collect() }
}

impl<'a> Cells<'a> {
    /// Those of a chart, if it is a heat map.
    pub(crate) fn of(title: &'a str, chart: &'a Chart) -> Option<Self> {
        let Chart::HeatMap { x, y, value_label, long_name, values, colours, map } = chart else { return None };
        Some(Self { title, x, y, value_label, long_name, values, colours: *colours, map: map.as_ref() })
    }

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
}
