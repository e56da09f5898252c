//! What a statement gave back, as a message and back.

use quarray_engine::dataset::Role;
use quarray_engine::outcome::{
    Axis, AxisLabels, Chart, ColourOptions, DatasetSummary, MapSystem, MapUnits, Palette, PlotSpec, VariableSummary,
};

use super::message::{
    AxisKind, AxisMessage, ChartMessage, ColoursMessage, DimensionMessage, HeatMapMessage, HistogramMessage,
    LineMessage, MapMessage, MapUnitsKind, PairMessage, PaletteKind, PlotMessage, RoleMessage, SeriesMessage,
    SummaryMessage, VariableMessage,
};

/// A message of the server that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("the server's answer has no {0}")]
pub(super) struct Incomplete(pub(super) &'static str);

/// A summary as a message.
pub(super) fn summary_message(summary: DatasetSummary) -> SummaryMessage {
    let dimension = |(name, length)| DimensionMessage { name, length };
    SummaryMessage {
        name: summary.name,
        uri: summary.uri,
        dimensions: summary.dimensions.into_iter().map(dimension).collect(),
        variables: summary.variables.into_iter().map(variable_message).collect(),
        attributes: pairs(summary.attributes),
    }
}

/// A summary that came as a message.
pub(super) fn summary(message: SummaryMessage) -> DatasetSummary {
    DatasetSummary {
        name: message.name,
        uri: message.uri,
        dimensions: message.dimensions.into_iter().map(|dimension| (dimension.name, dimension.length)).collect(),
        variables: message.variables.into_iter().map(variable).collect(),
        attributes: texts(message.attributes),
    }
}

/// A drawing as a message.
pub(super) fn plot_message(spec: PlotSpec) -> PlotMessage {
    let chart = match spec.chart {
        Chart::Line { x, y_label, series } => {
            let series = series.into_iter().map(|(name, values)| SeriesMessage { name, values }).collect();
            ChartMessage::Line(LineMessage { x: Some(axis_message(x)), y_label, series })
        }
        Chart::HeatMap { x, y, value_label, long_name, values, colours, map } => {
            let (x, y) = (Some(axis_message(x)), Some(axis_message(y)));
            let (colours, map) = (Some(colours_message(colours)), map.map(map_message));
            ChartMessage::HeatMap(HeatMapMessage { x, y, value_label, long_name, values, colours, map })
        }
        Chart::Histogram { value_label, edges, counts } => {
            ChartMessage::Histogram(HistogramMessage { value_label, edges, counts })
        }
    };
    let PlotSpec { target, width, height, title, .. } = spec;
    PlotMessage { target, width, height, title, chart: Some(chart) }
}

/// A drawing that came as a message.
pub(super) fn plot(message: PlotMessage) -> Result<PlotSpec, Incomplete> {
    let chart = match message.chart.ok_or(Incomplete("chart"))? {
        ChartMessage::Line(LineMessage { x, y_label, series }) => {
            let series = series.into_iter().map(|series| (series.name, series.values)).collect();
            Chart::Line { x: axis(x)?, y_label, series }
        }
        ChartMessage::HeatMap(HeatMapMessage { x, y, value_label, long_name, values, colours, map }) => {
            let colours = colours.map(colour_options).unwrap_or_default();
            Chart::HeatMap {
                x: axis(x)?,
                y: axis(y)?,
                value_label,
                long_name,
                values,
                colours,
                map: map.map(map_system),
            }
        }
        ChartMessage::Histogram(HistogramMessage { value_label, edges, counts }) => {
            Chart::Histogram { value_label, edges, counts }
        }
    };
    let PlotMessage { target, width, height, title, .. } = message;
    Ok(PlotSpec { target, width, height, title, chart })
}

fn colours_message(colours: ColourOptions) -> ColoursMessage {
    let ColourOptions { palette, robust, min, max } = colours;
    let palette = match palette {
        Palette::Automatic => PaletteKind::Automatic,
        Palette::Sequential => PaletteKind::Sequential,
        Palette::Diverging => PaletteKind::Diverging,
    };
    ColoursMessage { palette: palette.into(), robust, min, max }
}

fn colour_options(message: ColoursMessage) -> ColourOptions {
    let palette = match message.palette() {
        PaletteKind::Automatic => Palette::Automatic,
        PaletteKind::Sequential => Palette::Sequential,
        PaletteKind::Diverging => Palette::Diverging,
    };
    ColourOptions { palette, robust: message.robust, min: message.min, max: message.max }
}

fn map_message(map: MapSystem) -> MapMessage {
    let (units, lengths) = match map.units {
        MapUnits::Degrees => (MapUnitsKind::Degrees, String::new()),
        MapUnits::Metres => (MapUnitsKind::Metres, String::new()),
        MapUnits::Lengths(name) => (MapUnitsKind::Lengths, name),
    };
    MapMessage { name: map.name, units: units.into(), lengths }
}

fn map_system(message: MapMessage) -> MapSystem {
    let units = match message.units() {
        MapUnitsKind::Degrees => MapUnits::Degrees,
        MapUnitsKind::Metres => MapUnits::Metres,
        MapUnitsKind::Lengths => MapUnits::Lengths(message.lengths),
    };
    MapSystem { name: message.name, units }
}

fn axis_message(axis: Axis) -> AxisMessage {
    let empty = AxisMessage { label: axis.label, ..AxisMessage::default() };
    match axis.labels {
        AxisLabels::Numbers(numbers) => AxisMessage { kind: AxisKind::Numbers.into(), numbers, ..empty },
        AxisLabels::Times(times) => AxisMessage { kind: AxisKind::Times.into(), times, ..empty },
        AxisLabels::Texts(texts) => AxisMessage { kind: AxisKind::Texts.into(), texts, ..empty },
    }
}

fn axis(message: Option<AxisMessage>) -> Result<Axis, Incomplete> {
    let message = message.ok_or(Incomplete("axis"))?;
    let labels = match message.kind() {
        AxisKind::Numbers => AxisLabels::Numbers(message.numbers),
        AxisKind::Times => AxisLabels::Times(message.times),
        AxisKind::Texts => AxisLabels::Texts(message.texts),
    };
    Ok(Axis { label: message.label, labels })
}

fn variable_message(variable: VariableSummary) -> VariableMessage {
    let role = match variable.role {
        Role::Index => RoleMessage::Index,
        Role::Coordinate => RoleMessage::Coordinate,
        Role::Data => RoleMessage::Data,
    };
    VariableMessage {
        name: variable.name,
        role: role.into(),
        dimensions: variable.dimensions,
        shape: variable.shape,
        data_type: variable.data_type,
        chunk_shape: variable.chunk_shape,
        codecs: variable.codecs,
        decoded_bytes: variable.decoded_bytes,
        units: variable.units,
        preview: variable.preview,
        attributes: pairs(variable.attributes),
    }
}

fn variable(message: VariableMessage) -> VariableSummary {
    let role = match message.role() {
        RoleMessage::Index => Role::Index,
        RoleMessage::Coordinate => Role::Coordinate,
        RoleMessage::Data => Role::Data,
    };
    VariableSummary {
        name: message.name,
        role,
        dimensions: message.dimensions,
        shape: message.shape,
        data_type: message.data_type,
        chunk_shape: message.chunk_shape,
        codecs: message.codecs,
        decoded_bytes: message.decoded_bytes,
        units: message.units,
        preview: message.preview,
        attributes: texts(message.attributes),
    }
}

fn pairs(texts: Vec<(String, String)>) -> Vec<PairMessage> {
    texts.into_iter().map(|(name, value)| PairMessage { name, value }).collect()
}

fn texts(pairs: Vec<PairMessage>) -> Vec<(String, String)> {
    pairs.into_iter().map(|pair| (pair.name, pair.value)).collect()
}
