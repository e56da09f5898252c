//! How many values fall between neighbouring edges.

use super::PlotError;
use super::axis::Scale;
use super::canvas::{Canvas, Rect};
use super::colour::line_colour;
use super::frame::{Frame, Labels};

/// What is to be drawn.
pub(crate) struct Bins<'a> {
    pub(crate) title: &'a str,
    pub(crate) value_label: &'a str,
    pub(crate) edges: &'a [f64],
    pub(crate) counts: &'a [u64],
}

/// Draws the bins on a page of that many dots.
pub(crate) fn draw(canvas: &mut dyn Canvas, size: (f64, f64), bins: &Bins<'_>) -> Result<(), PlotError> {
    let highest =
        bins.counts.iter().copied().max().filter(|&highest| highest > 0).map_or(f64::NAN, |count| count as f64);
    // Without values there are edges of no meaning.
    let edge = |edge: Option<&f64>| edge.copied().filter(|_| highest.is_finite()).unwrap_or(f64::NAN);
    let x = Scale::numbers(edge(bins.edges.first()), edge(bins.edges.last()));
    let y = Scale::numbers(0.0, highest * 1.05);
    let labels = Labels {
        title: bins.title.to_string(),
        x: bins.value_label.to_string(),
        y: "count".to_string(),
        legend: Vec::new(),
    };
    let frame = Frame::lay_out(canvas, size, &labels, x, y, 12.0);
    frame.draw_behind(canvas, size, true)?;
    for (edges, &count) in bins.edges.windows(2).zip(bins.counts) {
        let (left, right) = (frame.x_dot(edges[0]), frame.x_dot(edges[1]));
        let gap = if right - left > 4.0 { 0.5 } else { 0.0 };
        let bar =
            Rect { left: left + gap, top: frame.y_dot(count as f64), right: right - gap, bottom: frame.area.bottom };
        if count > 0 {
            canvas.fill(bar, line_colour(0))?;
        }
    }
    if highest.is_nan() {
        frame.say_empty(canvas)?;
    }
    frame.draw_around(canvas, &labels)
}
