//! The options of `PLOT`.

use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::suggest::{closest, did_you_mean};

use crate::error::Error;
use crate::outcome::{ColourOptions, Palette};

const NAMES: [&str; 9] = ["width", "height", "title", "kind", "bins", "colours", "robust", "min", "max"];
const EXTENSIONS: [&str; 2] = ["png", "svg"];
const INCHES_MAX: f64 = 100.0;
const BINS_MAX: usize = 100_000;

/// A kind of drawing that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Line,
    HeatMap,
    Histogram,
}

/// What `WITH (…)` says, and what holds without it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlotOptions {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) title: String,
    pub(super) kind: Option<Kind>,
    pub(super) bins: usize,
    pub(super) colours: ColourOptions,
}

impl PlotOptions {
    /// Reads names (in lower case) and values.
    pub(super) fn parse(options: &[(String, String)]) -> Result<Self, Error> {
        let colours = ColourOptions::default();
        let mut parsed = Self { width: 10.0, height: 5.0, title: String::new(), kind: None, bins: 64, colours };
        for (name, value) in options {
            match name.as_str() {
                "width" => parsed.width = inches(name, value)?,
                "height" => parsed.height = inches(name, value)?,
                "title" => parsed.title.clone_from(value),
                "kind" => parsed.kind = Some(kind(value)?),
                "bins" => parsed.bins = bins(value)?,
                "colours" | "colors" => parsed.colours.palette = palette(value)?,
                "robust" => parsed.colours.robust = flag(name, value)?,
                "min" => parsed.colours.min = Some(limit(name, value)?),
                "max" => parsed.colours.max = Some(limit(name, value)?),
                _ => {
                    let message = format!("PLOT has no option `{name}`: expected one of {}", NAMES.join(", "));
                    return Err(refused(message, name, &NAMES));
                }
            }
        }
        if let (Some(min), Some(max)) = (parsed.colours.min, parsed.colours.max)
            && min >= max
        {
            return Err(Error::Bind(Diagnostic::new(format!("expected a min below max, found {min} and {max}"))));
        }
        Ok(parsed)
    }
}

/// Refuses a file whose name does not say what kind of drawing it is to hold.
pub(super) fn check_target(to: Option<&str>) -> Result<(), Error> {
    let Some(to) = to else { return Ok(()) };
    let extension = std::path::Path::new(to).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    let message = format!("cannot draw to `{to}`: expected a name that ends in .png or .svg");
    Err(refused(message, extension, &EXTENSIONS))
}

fn kind(value: &str) -> Result<Kind, Error> {
    const KINDS: [(&str, Kind); 4] =
        [("line", Kind::Line), ("heatmap", Kind::HeatMap), ("heat map", Kind::HeatMap), ("histogram", Kind::Histogram)];
    let found = KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(value));
    found.map(|(_, kind)| *kind).ok_or_else(|| {
        let message = format!("PLOT has no kind `{value}`: expected line, heatmap or histogram");
        refused(message, value, &["line", "heatmap", "histogram"])
    })
}

fn inches(name: &str, value: &str) -> Result<f64, Error> {
    value.parse().ok().filter(|inches| (1.0..=INCHES_MAX).contains(inches)).ok_or_else(|| {
        Error::Bind(Diagnostic::new(format!("{name}: expected 1 to {INCHES_MAX} inches, found {value}")))
    })
}

fn bins(value: &str) -> Result<usize, Error> {
    value.parse().ok().filter(|bins| (1..=BINS_MAX).contains(bins)).ok_or_else(|| {
        Error::Bind(Diagnostic::new(format!("bins: expected a number from 1 to {BINS_MAX}, found {value}")))
    })
}

fn palette(value: &str) -> Result<Palette, Error> {
    const PALETTES: [(&str, Palette); 3] =
        [("automatic", Palette::Automatic), ("sequential", Palette::Sequential), ("diverging", Palette::Diverging)];
    let found = PALETTES.iter().find(|(name, _)| name.eq_ignore_ascii_case(value));
    found.map(|(_, palette)| *palette).ok_or_else(|| {
        let message = format!("PLOT has no colours `{value}`: expected automatic, sequential or diverging");
        refused(message, value, &PALETTES.map(|(name, _)| name))
    })
}

fn flag(name: &str, value: &str) -> Result<bool, Error> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::Bind(Diagnostic::new(format!("{name}: expected true or false, found {value}")))),
    }
}

fn limit(name: &str, value: &str) -> Result<f64, Error> {
    value
        .parse()
        .ok()
        .filter(|limit: &f64| limit.is_finite())
        .ok_or_else(|| Error::Bind(Diagnostic::new(format!("{name}: expected a number, found {value}"))))
}

fn refused(message: String, found: &str, known: &[&'static str]) -> Error {
    let diagnostic = Diagnostic::new(message);
    Error::Bind(match closest(found, known.iter().copied()) {
        Some(near) => diagnostic.with_help(did_you_mean(near)),
        None => diagnostic,
    })
}
