//! A result → what to draw. Pixels are made elsewhere.

mod axis;
mod histogram;
mod map;
mod options;
mod relation;

use std::collections::HashMap;

use arrow::datatypes::DataType;
use quarray_lang::diagnostic::Diagnostic;

use crate::error::Error;
use crate::labelled::{CELLS_MAX, Labelled, LabelledVariable, is_number, numbers};
use crate::outcome::{Chart, ColourOptions, PlotSpec, Rows};
use axis::{axis_of, with_units};
use options::{Kind, PlotOptions};

/// What to draw of a result: an array of one dimension is a line a variable, one of two dimensions a heat map of its
/// first variable (a map where these are rows and columns of a known reference system), rows without dimensions a line a column over the first one. With `kind = 'histogram'` it is how often
/// each value of the first variable comes, whatever the dimensions.
pub async fn plot(rows: Rows, to: Option<String>, options: &[(String, String)]) -> Result<PlotSpec, Error> {
    let options = PlotOptions::parse(options)?;
    options::check_target(to.as_deref())?;
    let chart = match options.kind {
        Some(Kind::Histogram) => histogram::histogram(rows, options.bins).await?,
        Some(Kind::HeatMap) if rows.dimensions.is_empty() => return Err(shape_error("a heat map", "two", &[])),
        kind if rows.dimensions.is_empty() => relation::lines(rows, kind).await?,
        kind => array_chart(rows, kind, options.colours).await?,
    };
    Ok(PlotSpec { target: to, width: options.width, height: options.height, title: options.title, chart })
}

/// The drawing of an array. Dimensions of one label are left out when there are too many.
async fn array_chart(rows: Rows, kind: Option<Kind>, colours: ColourOptions) -> Result<Chart, Error> {
    let mut spare = spare_dimensions(&rows);
    let drawn = rows.dimensions.len() - spare;
    match (kind, drawn) {
        (None, 1 | 2) | (Some(Kind::Line), 1) | (Some(Kind::HeatMap), 2) => {}
        (Some(Kind::Line), _) => return Err(shape_error("a line", "one", &rows.dimensions)),
        (Some(Kind::HeatMap), _) => return Err(shape_error("a heat map", "two", &rows.dimensions)),
        _ => return Err(shape_error("a drawing", "one or two", &rows.dimensions)),
    }
    let mut labelled = rows.into_labelled(CELLS_MAX).await?;
    labelled.dimensions.retain(|dimension| {
        let leave_out = spare > 0 && dimension.labels.len() == 1;
        spare -= usize::from(leave_out);
        !leave_out
    });
    match drawn {
        1 => lines(&labelled),
        _ => heat_map(&labelled, colours),
    }
}

/// How many dimensions can be left out, as they are known to have one label, where there are more than two.
fn spare_dimensions(rows: &Rows) -> usize {
    let is_short = |name: &&String| rows.labels_of(name).is_some_and(|labels| labels.len() == 1);
    match rows.dimensions.len() {
        rank @ 3.. => rows.dimensions.iter().filter(is_short).count().min(rank - 1),
        _ => 0,
    }
}

fn lines(labelled: &Labelled) -> Result<Chart, Error> {
    let [x] = labelled.dimensions.as_slice() else {
        return Err(Error::Internal("a line of several dimensions".to_string()));
    };
    let variables = drawable(&labelled.variables)?;
    let x = axis_of(&x.name, &x.labels, &x.metadata)?;
    let series = variables.iter().map(|variable| Ok((variable.name.clone(), values_of(variable)?)));
    let series = series.collect::<Result<_, Error>>()?;
    let names = variables.iter().map(|variable| (variable.name.as_str(), &variable.metadata));
    Ok(Chart::Line { x, y_label: common_label(&names.collect::<Vec<_>>()), series })
}

fn heat_map(labelled: &Labelled, colours: ColourOptions) -> Result<Chart, Error> {
    let [y, x] = labelled.dimensions.as_slice() else {
        return Err(Error::Internal("a heat map of other than two dimensions".to_string()));
    };
    let variables = drawable(&labelled.variables)?;
    let Some(variable) = variables.first() else { return Err(nothing_to_draw(&[])) };
    let (mut x, mut y) = (axis_of(&x.name, &x.labels, &x.metadata)?, axis_of(&y.name, &y.labels, &y.metadata)?);
    let mut values = values_of(variable)?;
    let map = map::system_of(labelled);
    if let Some(placed) = &map {
        // What is measured is written at the marks.
        [x.label, y.label] = [&labelled.dimensions[1].name, &labelled.dimensions[0].name].map(String::clone);
        if placed.is_turned {
            values = map::turned(&values, labelled.dimensions[1].labels.len());
            std::mem::swap(&mut x, &mut y);
        }
    }
    Ok(Chart::HeatMap {
        x,
        y,
        value_label: with_units(&variable.name, &variable.metadata),
        long_name: variable.metadata.get("long_name").cloned().unwrap_or_default(),
        values,
        colours,
        map: map.map(|placed| placed.system),
    })
}

/// The variables whose values are numbers; coordinates that came along only when there is nothing else.
fn drawable(variables: &[LabelledVariable]) -> Result<Vec<&LabelledVariable>, Error> {
    let numeric: Vec<_> =
        variables.iter().filter(|variable| is_drawable(variable.values.data_type(), &variable.metadata)).collect();
    let own: Vec<_> = numeric.iter().copied().filter(|variable| !is_coordinate(&variable.metadata)).collect();
    match (own.is_empty(), numeric.is_empty()) {
        (false, _) => Ok(own),
        (true, false) => Ok(numeric),
        (true, true) => {
            let found = variables.iter().map(|variable| (variable.name.as_str(), variable.values.data_type()));
            Err(nothing_to_draw(&found.collect::<Vec<_>>()))
        }
    }
}

fn values_of(variable: &LabelledVariable) -> Result<Vec<f64>, Error> {
    numbers(&variable.values).ok_or_else(|| nothing_to_draw(&[(&variable.name, variable.values.data_type())]))
}

/// Whether values of a type can be drawn. Times of other calendars are numbers only on the outside.
fn is_drawable(data_type: &DataType, metadata: &HashMap<String, String>) -> bool {
    is_number(data_type) && !metadata.contains_key("calendar")
}

/// Whether a column is a coordinate, or the label of a dimension of which one was selected.
fn is_coordinate(metadata: &HashMap<String, String>) -> bool {
    metadata.get("quarray.role").is_some_and(|role| role == "coordinate" || role == "dimension")
}

/// What several series are together: their names, with units after all of them where these are the same.
fn common_label(series: &[(&str, &HashMap<String, String>)]) -> String {
    const NAMES_MAX: usize = 3;
    let joined = |names: Vec<String>| if names.len() > NAMES_MAX { "values".to_string() } else { names.join(", ") };
    let units = |metadata: &HashMap<String, String>| metadata.get("units").cloned();
    match series {
        [(_, first), rest @ ..] if rest.iter().all(|(_, other)| units(other) == units(first)) => {
            with_units(&joined(series.iter().map(|(name, _)| name.to_string()).collect()), first)
        }
        _ => joined(series.iter().map(|(name, metadata)| with_units(name, metadata)).collect()),
    }
}

fn nothing_to_draw(found: &[(&str, &DataType)]) -> Error {
    let found: Vec<String> = found.iter().map(|(name, data_type)| format!("`{name}` ({data_type})")).collect();
    let found = if found.is_empty() { "none".to_string() } else { found.join(", ") };
    Error::Bind(Diagnostic::new(format!("nothing to draw: expected a variable of numbers, found {found}")))
}

fn shape_error(what: &str, expected: &str, dimensions: &[String]) -> Error {
    let found = match dimensions.len() {
        0 => "none".to_string(),
        count => format!("{count}: [{}]", dimensions.join(", ")),
    };
    let plural = if expected == "one" { "dimension" } else { "dimensions" };
    let diagnostic = Diagnostic::new(format!("{what} has {expected} {plural}, found {found}"));
    Error::Bind(match dimensions {
        [] => diagnostic.with_help("keep a dimension out of ALONG, or name the dimensions of rows with |> GRID"),
        [first, ..] => diagnostic.with_help(format!("reduce the others (|> REDUCE … ALONG {first}) or select a label")),
    })
}

#[cfg(test)]
mod tests;
