//! What surrounds the data: title, legend, axes, marks and labels, and the room they need.

use super::PlotError;
use super::axis::Scale;
use super::canvas::{Anchor, Canvas, Rect, Type};
use super::colour::{Colour, FAINT_INK, GRID, INK, WHITE};
use super::ticks::Ticks;

/// Labels of marks.
pub(crate) const SMALL: Type = Type { size: 13.0, is_bold: false, colour: INK };
const CONTEXT: Type = Type { size: 13.0, is_bold: false, colour: FAINT_INK };
const LABEL: Type = Type { size: 14.0, is_bold: false, colour: INK };
const TITLE: Type = Type { size: 19.0, is_bold: true, colour: INK };

/// Between a drawing's edge and what stands there.
const MARGIN: f64 = 18.0;
/// Between marks, axes and words.
const GAP: f64 = 8.0;
const MARK: f64 = 5.0;

/// What is to be written around the data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Labels {
    pub(crate) title: String,
    pub(crate) x: String,
    pub(crate) y: String,
    /// Names and colours of several series.
    pub(crate) legend: Vec<(String, Colour)>,
}

/// Where the data go.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) area: Rect,
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    x_ticks: Ticks,
    y_ticks: Ticks,
    legend_lines: Vec<Vec<(String, Colour)>>,
}

impl Frame {
    /// Finds room for everything on a page of `size` dots, `reserved` dots of them at the right being taken.
    pub(crate) fn lay_out(
        canvas: &dyn Canvas,
        size: (f64, f64),
        labels: &Labels,
        x: Scale,
        y: Scale,
        reserved: f64,
    ) -> Self {
        let right = size.0 - MARGIN - reserved;
        let legend_lines = legend_lines(canvas, &labels.legend, right - MARGIN);
        let title_height = if labels.title.is_empty() { 0.0 } else { TITLE.size + GAP * 1.5 };
        let legend_height = legend_lines.len() as f64 * (SMALL.size + GAP);
        let top = MARGIN + title_height + legend_height;
        let has_context = x.is_time();
        let bottom_words = SMALL.size + if has_context { SMALL.size + 4.0 } else { 0.0 };
        let x_label = if labels.x.is_empty() { 0.0 } else { LABEL.size + GAP };
        let bottom = size.1 - MARGIN - x_label - bottom_words - MARK - 4.0;
        let y_ticks = rows_of_ticks(&y, bottom - top);
        let widest = y_ticks.marks.iter().map(|mark| canvas.text_width(&mark.label, SMALL)).fold(0.0, f64::max);
        let y_label = if labels.y.is_empty() { 0.0 } else { LABEL.size + GAP * 1.5 };
        let left = MARGIN + y_label + widest + MARK + 4.0;
        let area = Rect { left, top, right: right.max(left + 10.0), bottom: bottom.max(top + 10.0) };
        let x_ticks = fitting_ticks(canvas, &x, area.width());
        Self { area, x, y, x_ticks, y_ticks, legend_lines }
    }

    /// The same frame around a smaller area.
    pub(crate) fn shrink(&mut self, canvas: &dyn Canvas, area: Rect) {
        self.area = area;
        self.x_ticks = fitting_ticks(canvas, &self.x, area.width());
        self.y_ticks = rows_of_ticks(&self.y, area.height());
    }

    /// The dot where a value of the horizontal axis lies.
    pub(crate) fn x_dot(&self, value: f64) -> f64 {
        self.area.left + self.x.share(value) * self.area.width()
    }

    /// The dot where a value of the vertical axis lies: larger ones higher up.
    pub(crate) fn y_dot(&self, value: f64) -> f64 {
        self.area.bottom - self.y.share(value) * self.area.height()
    }

    /// What lies behind the data: the paper and the lines of the grid.
    pub(crate) fn draw_behind(
        &self,
        canvas: &mut dyn Canvas,
        size: (f64, f64),
        has_grid: bool,
    ) -> Result<(), PlotError> {
        canvas.fill(Rect { left: 0.0, top: 0.0, right: size.0, bottom: size.1 }, WHITE)?;
        if has_grid {
            for mark in &self.x_ticks.marks {
                let x = self.x_dot(mark.value);
                canvas.line(&[(x, self.area.top), (x, self.area.bottom)], 1.0, GRID)?;
            }
            for mark in &self.y_ticks.marks {
                let y = self.y_dot(mark.value);
                canvas.line(&[(self.area.left, y), (self.area.right, y)], 1.0, GRID)?;
            }
        }
        Ok(())
    }

    /// What lies over and around the data.
    pub(crate) fn draw_around(&self, canvas: &mut dyn Canvas, labels: &Labels) -> Result<(), PlotError> {
        let Rect { left, top, right, bottom } = self.area;
        canvas.line(&[(left, top), (left, bottom), (right, bottom)], 1.2, INK)?;
        self.draw_x_marks(canvas)?;
        draw_marks_beside(canvas, &self.y_ticks, left, false, |value| self.y_dot(value))?;
        let middle = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        let x_place = (middle.0, self.x_label_base());
        canvas.text(&with_factor(&labels.x, &self.x_ticks), x_place, LABEL, Anchor::Middle, false)?;
        let widest = self.y_ticks.marks.iter().map(|mark| canvas.text_width(&mark.label, SMALL)).fold(0.0, f64::max);
        let y_label_x = left - MARK - 4.0 - widest - GAP;
        canvas.text(&with_factor(&labels.y, &self.y_ticks), (y_label_x, middle.1), LABEL, Anchor::Middle, true)?;
        self.draw_head(canvas, labels)
    }

    /// Writes a remark at the lower right of the data, or else of a page of that width, where the label of the axis leaves
    /// it room.
    pub(crate) fn draw_remark(
        &self,
        canvas: &mut dyn Canvas,
        labels: &Labels,
        remark: &str,
        width: f64,
    ) -> Result<(), PlotError> {
        let label = canvas.text_width(&with_factor(&labels.x, &self.x_ticks), LABEL);
        let label_end = f64::midpoint(self.area.left, self.area.right) + label / 2.0;
        let needed = label_end + GAP * 2.0 + canvas.text_width(remark, CONTEXT);
        match [self.area.right, width - MARGIN].into_iter().find(|&end| needed <= end) {
            Some(end) => canvas.text(remark, (end, self.x_label_base()), CONTEXT, Anchor::End, false),
            None => Ok(()),
        }
    }

    /// The base line of the label of the horizontal axis.
    fn x_label_base(&self) -> f64 {
        let context = if self.x.is_time() { SMALL.size + 4.0 } else { 0.0 };
        self.area.bottom + MARK + 2.0 + SMALL.size + GAP + LABEL.size + context
    }

    /// Says in the middle that there is nothing to be seen.
    pub(crate) fn say_empty(&self, canvas: &mut dyn Canvas) -> Result<(), PlotError> {
        let Rect { left, top, right, bottom } = self.area;
        let middle = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        canvas.text("no values", middle, CONTEXT, Anchor::Middle, false)
    }

    fn draw_head(&self, canvas: &mut dyn Canvas, labels: &Labels) -> Result<(), PlotError> {
        let mut base = MARGIN;
        if !labels.title.is_empty() {
            base += TITLE.size * 0.9;
            canvas.text(&labels.title, (self.area.left, base), TITLE, Anchor::Start, false)?;
            base += GAP * 1.5;
        }
        for line in &self.legend_lines {
            let mut x = self.area.left;
            base += SMALL.size;
            for (name, colour) in line {
                let middle = base - SMALL.size * 0.36;
                canvas.line(&[(x, middle), (x + 18.0, middle)], 3.0, *colour)?;
                canvas.text(name, (x + 24.0, base), SMALL, Anchor::Start, false)?;
                x += legend_width(canvas, name);
            }
            base += GAP;
        }
        Ok(())
    }

    fn draw_x_marks(&self, canvas: &mut dyn Canvas) -> Result<(), PlotError> {
        let base = self.area.bottom + MARK + 4.0 + SMALL.size * 0.8;
        for mark in &self.x_ticks.marks {
            let x = self.x_dot(mark.value);
            canvas.line(&[(x, self.area.bottom), (x, self.area.bottom + MARK)], 1.2, INK)?;
            canvas.text(&mark.label, (x, base), SMALL, Anchor::Middle, false)?;
        }
        for (text, x) in contexts(canvas, self) {
            canvas.text(text, (x, base + SMALL.size + 4.0), CONTEXT, Anchor::Middle, false)?;
        }
        Ok(())
    }
}

/// Marks at the left of a vertical line, or at its right.
pub(crate) fn draw_marks_beside(
    canvas: &mut dyn Canvas,
    ticks: &Ticks,
    x: f64,
    is_right: bool,
    y_dot: impl Fn(f64) -> f64,
) -> Result<(), PlotError> {
    let (direction, anchor) = if is_right { (1.0, Anchor::Start) } else { (-1.0, Anchor::End) };
    for mark in &ticks.marks {
        let y = y_dot(mark.value);
        canvas.line(&[(x, y), (x + direction * MARK, y)], 1.2, INK)?;
        let place = (x + direction * (MARK + 4.0), y + SMALL.size * 0.36);
        canvas.text(&mark.label, place, SMALL, anchor, false)?;
    }
    Ok(())
}

/// A label with the power of ten that the numbers beside it are to be multiplied by.
pub(crate) fn with_factor(label: &str, ticks: &Ticks) -> String {
    match ticks.factor.is_empty() {
        true => label.to_string(),
        false => format!("{label} ({})", ticks.factor).trim().to_string(),
    }
}

/// Marks one above the other: what their labels leave out stands beside the first and wherever it changes.
fn rows_of_ticks(scale: &Scale, height: f64) -> Ticks {
    let mut ticks = scale.ticks(((height / 48.0) as usize).clamp(2, 12));
    let mut last = String::new();
    for mark in &mut ticks.marks {
        if mark.context != last {
            last = std::mem::take(&mut mark.context);
            mark.label = format!("{} {last}", mark.label);
        }
    }
    ticks
}

/// As many marks as fit side by side.
fn fitting_ticks(canvas: &dyn Canvas, scale: &Scale, width: f64) -> Ticks {
    let most = ((width / 45.0) as usize).clamp(1, 14);
    let fits = |ticks: &Ticks| {
        ticks.marks.windows(2).all(|pair| {
            let halves = pair.iter().map(|mark| canvas.text_width(&mark.label, SMALL) / 2.0).sum::<f64>();
            (scale.share(pair[1].value) - scale.share(pair[0].value)) * width >= halves + GAP * 2.0
        })
    };
    (1..=most).rev().map(|count| scale.ticks(count)).find(|ticks| fits(ticks)).unwrap_or_else(|| {
        let mut ticks = scale.ticks(1);
        ticks.marks.truncate(1);
        ticks
    })
}

/// The contexts to write: at the first mark and where they change, the later one where two would overlap.
fn contexts<'a>(canvas: &dyn Canvas, frame: &'a Frame) -> Vec<(&'a str, f64)> {
    let mut shown: Vec<(&str, f64)> = Vec::new();
    let mut last = "";
    for mark in &frame.x_ticks.marks {
        if mark.context != last {
            last = &mark.context;
            shown.push((last, frame.x_dot(mark.value)));
        }
    }
    let overlaps = |left: &(&str, f64), right: &(&str, f64)| {
        let halves = (canvas.text_width(left.0, CONTEXT) + canvas.text_width(right.0, CONTEXT)) / 2.0;
        right.1 - left.1 < halves + GAP
    };
    let mut kept: Vec<(&str, f64)> = Vec::new();
    for candidate in shown.into_iter().rev() {
        if kept.last().is_none_or(|right| !overlaps(&candidate, right)) {
            kept.push(candidate);
        }
    }
    kept
}

fn legend_width(canvas: &dyn Canvas, name: &str) -> f64 {
    24.0 + canvas.text_width(name, SMALL) + 20.0
}

fn legend_lines(canvas: &dyn Canvas, legend: &[(String, Colour)], width: f64) -> Vec<Vec<(String, Colour)>> {
    const MOST_LINES: usize = 4;
    let mut lines: Vec<Vec<(String, Colour)>> = Vec::new();
    let mut used = f64::INFINITY;
    for entry in legend {
        let needed = legend_width(canvas, &entry.0);
        if used + needed > width {
            lines.push(Vec::new());
            used = 0.0;
        }
        used += needed;
        if let Some(line) = lines.last_mut() {
            line.push(entry.clone());
        }
    }
    if lines.len() > MOST_LINES {
        let left_out: usize = lines[MOST_LINES..].iter().map(Vec::len).sum();
        lines.truncate(MOST_LINES);
        lines.push(vec![(format!("and {left_out} more"), WHITE)]);
    }
    lines
}
