//! Lines over a common axis.

use quarray_engine::outcome::Axis;

use super::PlotError;
use super::axis::{Scale, extent, positions};
use super::canvas::Canvas;
use super::colour::line_colour;
use super::frame::{Frame, Labels};

/// What is to be drawn.
pub(crate) struct Lines<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a Axis,
    pub(crate) y_label: &'a str,
    pub(crate) series: &'a [(String, Vec<f64>)],
}

/// The width of a value without neighbours.
const DOT: f64 = 6.0;

/// Draws the lines on a page of that many dots.
pub(crate) fn draw(canvas: &mut dyn Canvas, size: (f64, f64), lines: &Lines<'_>) -> Result<(), PlotError> {
    let (low, high) = extent(lines.series.iter().flat_map(|(_, values)| values.iter().copied()));
    let room = (high - low) * 0.04;
    let y = Scale::numbers(low - room, high + room);
    let labels = Labels {
        title: lines.title.to_string(),
        x: lines.x.label.clone(),
        y: lines.y_label.to_string(),
        legend: legend(lines),
    };
    let frame = Frame::lay_out(canvas, size, &labels, Scale::of_positions(lines.x), y, 12.0);
    frame.draw_behind(canvas, size, true)?;
    let x_dots: Vec<f64> = positions(lines.x).into_iter().map(|value| frame.x_dot(value)).collect();
    for (index, (_, values)) in lines.series.iter().enumerate() {
        let dots = x_dots.iter().zip(values).map(|(&x, &value)| (x, frame.y_dot(value)));
        let width = if values.len() > 2000 { 1.2 } else { 1.8 };
        for run in runs(dots) {
            // A value without neighbours is a dot: a line as short as that could not be seen.
            let width = if run.len() == 1 { DOT } else { width };
            canvas.line(&thin_out(run), width, line_colour(index))?;
        }
    }
    if low > high {
        frame.say_empty(canvas)?;
    }
    frame.draw_around(canvas, &labels)
}

fn legend(lines: &Lines<'_>) -> Vec<(String, super::colour::Colour)> {
    match lines.series {
        [_] | [] => Vec::new(),
        several => several.iter().enumerate().map(|(index, (name, _))| (name.clone(), line_colour(index))).collect(),
    }
}

/// The stretches between gaps.
fn runs(dots: impl Iterator<Item = (f64, f64)>) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    for dot in dots {
        match (dot.0.is_finite() && dot.1.is_finite(), runs.last_mut()) {
            (true, Some(run)) => run.push(dot),
            (false, Some(run)) if !run.is_empty() => runs.push(Vec::new()),
            _ => {}
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// Of each half dot's column the first, lowest, highest and last point: what is left out could not be seen.
fn thin_out(run: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    const FEW: usize = 4000;
    if run.len() <= FEW {
        return run;
    }
    let column = |point: &(f64, f64)| (point.0 * 2.0).floor() as i64;
    let mut kept = Vec::new();
    for points in run.chunk_by(|left, right| column(left) == column(right)) {
        let by_height = |left: &&(f64, f64), right: &&(f64, f64)| left.1.total_cmp(&right.1);
        kept.extend(points.first());
        kept.extend(points.iter().min_by(by_height));
        kept.extend(points.iter().max_by(by_height));
        kept.extend(points.last());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_end_a_line() {
        let dots = [0.0, 1.0, f64::NAN, f64::NAN, 3.0].into_iter().enumerate().map(|(x, y)| (x as f64, y));
        assert_eq!(runs(dots), [vec![(0.0, 0.0), (1.0, 1.0)], vec![(4.0, 3.0)]]);
    }

    #[test]
    fn thinning_keeps_extremes() {
        let mut run: Vec<(f64, f64)> = (0..100_000).map(|index| (f64::from(index) / 1000.0, 0.0)).collect();
        run[54_321].1 = 9.0;
        let kept = thin_out(run);
        assert!(kept.len() <= 4 * 201 && kept.iter().any(|point| point.1 == 9.0));
    }
}
