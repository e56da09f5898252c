//! The bar that says which colour is which value.

use super::PlotError;
use super::axis::Scale;
use super::canvas::{Anchor, Canvas, Image, Rect, Type};
use super::colour::{ColourScale, INK};
use super::frame::{SMALL, draw_marks_beside, with_factor};
use super::heat::Cells;
use super::ticks::{Ticks, number_ticks};

const WIDTH: f64 = 18.0;
/// Between the data and the bar, and between what stands beside it.
const GAP: f64 = 18.0;
const WORDS_GAP: f64 = 8.0;
/// The room of marks.
const MARKS: f64 = 9.0;
/// The height of an arrow.
const ARROW: f64 = 15.0;
const LABEL: Type = Type { size: 14.0, is_bold: false, colour: INK };

/// The bar beside a heat map.
pub(crate) struct Bar {
    colours: ColourScale,
    scale: Scale,
    /// What the values are, in most words first.
    names: Vec<String>,
}

impl Bar {
    /// The bar of a scale of colours, for the values of cells.
    pub(crate) fn new(colours: ColourScale, cells: &Cells<'_>) -> Self {
        let scale = Scale::numbers(colours.limits.low, colours.limits.high);
        Self { colours, scale, names: names(cells.value_label, cells.long_name) }
    }

    /// Which value has which colour.
    pub(crate) fn colours(&self) -> &ColourScale {
        &self.colours
    }

    /// The dots that it takes at the right of the data, on a page of a height.
    pub(crate) fn room(&self, canvas: &dyn Canvas, height: f64) -> f64 {
        GAP + WIDTH + MARKS + widest(canvas, &self.ticks(height)) + WORDS_GAP + LABEL.size
    }

    /// Draws it at the right of the data. Arrows at its ends say that there are values beyond.
    pub(crate) fn draw(&self, canvas: &mut dyn Canvas, data: Rect, page_height: f64) -> Result<(), PlotError> {
        let (left, right) = (data.right + GAP, data.right + GAP + WIDTH);
        let limits = self.colours.limits;
        let arrow = ARROW.min(data.height() / 4.0);
        let top = data.top + if limits.has_above { arrow } else { 0.0 };
        let bottom = data.bottom - if limits.has_below { arrow } else { 0.0 };
        let height = bottom - top;
        let steps = 256;
        let value =
            |step: usize| self.scale.high - (self.scale.high - self.scale.low) * (step as f64 + 0.5) / steps as f64;
        let pixels = (0..steps).map(|step| self.colours.colour(value(step))).collect();
        canvas.image(Rect { left, top, right, bottom }, Image { width: 1, height: steps, pixels })?;
        let (above, below) = ((f64::midpoint(left, right), data.top), (f64::midpoint(left, right), data.bottom));
        let mut outline = vec![(left, bottom), (left, top)];
        if let (true, Some(colour)) = (limits.has_above, self.colours.colour(limits.high)) {
            canvas.polygon(&[(left, top), above, (right, top)], colour)?;
            outline.push(above);
        }
        outline.extend([(right, top), (right, bottom)]);
        if let (true, Some(colour)) = (limits.has_below, self.colours.colour(limits.low)) {
            canvas.polygon(&[(left, bottom), below, (right, bottom)], colour)?;
            outline.push(below);
        }
        outline.push((left, bottom));
        canvas.line(&outline, 1.0, INK)?;
        let ticks = self.ticks(height);
        draw_marks_beside(canvas, &ticks, right, true, |value| bottom - self.scale.share(value) * height)?;
        let x = right + MARKS + widest(canvas, &ticks) + WORDS_GAP + LABEL.size * 0.8;
        let middle = f64::midpoint(data.top, data.bottom);
        let name = self.fitting_name(canvas, &ticks, middle.min(page_height - middle) * 2.0 - WORDS_GAP);
        canvas.text(&name, (x, middle), LABEL, Anchor::Middle, true)
    }

    fn ticks(&self, height: f64) -> Ticks {
        number_ticks(self.scale.low, self.scale.high, ((height / 60.0) as usize).clamp(2, 10))
    }

    /// The name in as many words as there is room for.
    fn fitting_name(&self, canvas: &dyn Canvas, ticks: &Ticks, room: f64) -> String {
        let fits = |name: &String| canvas.text_width(name, LABEL) <= room;
        let mut names = self.names.iter().map(|name| with_factor(name, ticks));
        if let Some(name) = names.find(|name| fits(name)) {
            return name;
        }
        let shortest = with_factor(self.names.last().map_or("", String::as_str), ticks);
        let cut = |length: usize| shortest.chars().take(length).chain(['…']).collect::<String>();
        (0..shortest.chars().count()).rev().map(cut).find(fits).unwrap_or_default()
    }
}

fn widest(canvas: &dyn Canvas, ticks: &Ticks) -> f64 {
    ticks.marks.iter().map(|mark| canvas.text_width(&mark.label, SMALL)).fold(0.0, f64::max)
}

/// What values are called, in most words first: `near-surface temperature (tas) [K]`, `tas [K]`.
fn names(value_label: &str, long_name: &str) -> Vec<String> {
    let (name, units) = match value_label.strip_suffix(']').and_then(|label| label.rsplit_once(" [")) {
        Some((name, units)) => (name, format!(" [{units}]")),
        None => (value_label, String::new()),
    };
    let plain = |text: &str| text.trim().replace('_', " ").to_lowercase();
    let mut names = Vec::new();
    if !long_name.trim().is_empty() && plain(long_name) != plain(name) {
        names.push(format!("{} ({name}){units}", long_name.trim()));
    }
    names.push(value_label.to_string());
    names
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn values_are_called_by_both_of_their_names() {
        assert_eq!(names("tas [K]", "surface temperature"), ["surface temperature (tas) [K]", "tas [K]"]);
        assert_eq!(names("tas", "surface temperature"), ["surface temperature (tas)", "tas"]);
        assert_eq!(names("sea_ice [1]", "Sea ice"), ["sea_ice [1]"]);
        assert_eq!(names("ndvi", " "), ["ndvi"]);
    }
}
