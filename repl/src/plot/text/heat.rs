//! Heat maps: two coloured cells to a character, or shades where there are no colours.

use super::line::heading;
use super::{Framed, NO_VALUES, Page, row_labels};
use crate::plot::colour::{Colour, ColourScale};
use crate::plot::frame::with_factor;
use crate::plot::heat::Cells;
use crate::plot::limits::Limits;
use crate::plot::map::Ground;
use crate::plot::ticks::number_ticks;

/// The thinnest strip that is still drawn true to scale, as a share of the room.
const THINNEST: f64 = 0.1;

/// Draws the cells.
pub(super) fn draw(page: &Page, cells: &Cells<'_>) -> String {
    let Some(colours) = ColourScale::of(cells) else {
        return NO_VALUES.to_string();
    };
    let ground = Ground::of(cells);
    let (x, y) = (&ground.x, &ground.y);
    let (width, height) = size(page, &ground);
    let (row_labels, ticks) = row_labels(y, height);
    let rows_a_line = if page.style.has_colour { 2 } else { 1 };
    let means = cells.means((x.low, x.high), (y.low, y.high), width, height * rows_a_line);
    let rows = means.chunks(width * rows_a_line).map(|values| match page.style.has_colour {
        true => half_blocks(page, &colours, values, width),
        false => shades(&colours, values),
    });
    let framed = Framed { rows: rows.collect(), width, x, x_label: &ground.x_label, row_labels };
    let head = heading(page, &with_factor(&ground.y_label, &ticks));
    format!("{head}{}{}", framed.render(&page.style), scale_line(page, &colours, cells.value_label))
}

/// Columns and rows of characters: half a character is a square, so maps can be true to scale.
fn size(page: &Page, ground: &Ground) -> (usize, usize) {
    let (labels, _) = row_labels(&ground.y, page.height);
    let gutter = labels.iter().flatten().map(|label| label.chars().count()).max().unwrap_or(0);
    let width = page.width.saturating_sub(gutter + 3).max(10);
    let half_rows = (page.height * 2) as f64;
    match ground.true_to_scale(width as f64, half_rows, THINNEST) {
        Some((columns, half_rows)) => (columns.round().max(4.0) as usize, (half_rows / 2.0).round().max(2.0) as usize),
        None => (width, page.height),
    }
}

fn half_blocks(page: &Page, colours: &ColourScale, values: &[f64], width: usize) -> String {
    let (upper, lower) = values.split_at(width.min(values.len()));
    let pairs: Vec<(Option<Colour>, Option<Colour>)> =
        upper.iter().zip(lower).map(|(&upper, &lower)| (colours.colour(upper), colours.colour(lower))).collect();
    let mut text = String::new();
    for run in pairs.chunk_by(PartialEq::eq) {
        let (character, code) = match run[0] {
            (None, None) => (" ", String::new()),
            (Some(upper), None) => ("▀", page.code(upper, false)),
            (None, Some(lower)) => ("▄", page.code(lower, false)),
            (Some(upper), Some(lower)) => ("▀", format!("{};{}", page.code(upper, false), page.code(lower, true))),
        };
        let word = character.repeat(run.len());
        text.push_str(&if code.is_empty() { word } else { page.style.paint(&code, &word) });
    }
    text
}

const SHADES: [char; 5] = ['·', '░', '▒', '▓', '█'];

fn shades(colours: &ColourScale, values: &[f64]) -> String {
    let shade = |value: &f64| match value.is_finite() {
        true => SHADES[shade_number(colours, *value)],
        false => ' ',
    };
    values.iter().map(shade).collect()
}

fn shade_number(colours: &ColourScale, value: f64) -> usize {
    let Limits { low, high, .. } = colours.limits;
    let share = ((value - low) / (high - low).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
    ((share * SHADES.len() as f64) as usize).min(SHADES.len() - 1)
}

/// `-5 ▒▒▒▒▒▒▒▒▒ 25  tmin [degrees C]`; `<` and `>` at its ends say that there are values beyond.
fn scale_line(page: &Page, colours: &ColourScale, label: &str) -> String {
    let steps = 24;
    let Limits { low, high, has_below, has_above, .. } = colours.limits;
    let value = |step: usize| low + (high - low) * (step as f64 + 0.5) / steps as f64;
    let bar: String = match page.style.has_colour {
        true => (0..steps)
            .filter_map(|step| colours.colour(value(step)))
            .map(|colour| page.style.paint(&page.code(colour, false), "█"))
            .collect(),
        false => (0..steps).map(|step| SHADES[shade_number(colours, value(step))]).collect(),
    };
    let (below, above) = (if has_below { "<" } else { "" }, if has_above { ">" } else { "" });
    format!("{} {below}{bar}{above} {}  {label}\n", number(low, (low, high)), number(high, (low, high)))
}

/// A number with as many digits as tell the ends of the scale apart.
fn number(value: f64, (low, high): (f64, f64)) -> String {
    let step = (high - low) / 100.0;
    let decimals = if step > 0.0 { (-step.log10().floor()).clamp(0.0, 9.0) as usize } else { 3 };
    match number_ticks(low, high, 4).factor.is_empty() {
        true => format!("{value:.decimals$}"),
        false => format!("{value:.3e}"),
    }
}
