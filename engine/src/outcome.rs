//! What a statement gives back.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation, UnboundedMemoryPool};
use futures::TryStreamExt;

use crate::early_end::EarlyEnd;
use crate::error::Error;
use crate::queries::{RecordedStream, Recording};

/// The result of one statement. Results stream: nothing is read before it is asked for.
#[derive(Debug)]
pub enum Outcome {
    /// Rows, or an array in row form.
    Rows(Rows),
    /// Something to draw; the engine never makes pixels.
    Plot(PlotSpec),
    /// The text of an `EXPLAIN`.
    Explain(String),
    /// A statement without a result was carried out: one line that says what was done.
    Done(String),
}

impl Outcome {
    /// The same, whose rows end the record of their statement.
    pub(crate) fn recorded(self, recording: Recording) -> Self {
        match self {
            Self::Rows(rows) => Self::Rows(rows.recorded(recording)),
            other => other,
        }
    }

    /// The rows, of a statement that has rows.
    pub fn into_rows(self) -> Result<Rows, Error> {
        let found = match self {
            Self::Rows(rows) => return Ok(rows),
            Self::Plot(_) => "a drawing",
            Self::Explain(_) => "the text of an EXPLAIN",
            Self::Done(_) => "a statement without a result",
        };
        Err(Error::Execution(format!("expected rows, found {found}")))
    }
}

/// A stream of rows. When `dimensions` is not empty the rows are the cells of an array: those columns hold its labels
/// and are a key, every other column is a variable on exactly these dimensions, and rows come in dimension order.
pub struct Rows {
    /// Names of the dimension columns, outermost first; empty for a plain relation.
    pub dimensions: Vec<String>,
    /// The dataset that the query was nothing but a name of (`FROM daymet`): a terminal prints its summary instead.
    pub summary: Option<DatasetSummary>,
    /// All labels of dimensions, in dimension order, where the planner knows them before the rows come. Where every
    /// dimension has its labels here, rows may come in any order.
    pub labels: Option<Vec<(String, ArrayRef)>>,
    /// How many rows there will be, where that is known before they come.
    pub cells: Option<u64>,
    /// What those who hold rows in memory take it from; unbounded where there is none.
    pub memory_pool: Option<Arc<dyn MemoryPool>>,
    stream: SendableRecordBatchStream,
    early_end: EarlyEnd,
}

impl Rows {
    /// Rows with the dimensions that are their key.
    pub fn new(stream: SendableRecordBatchStream, dimensions: Vec<String>, summary: Option<DatasetSummary>) -> Self {
        Self {
            dimensions,
            summary,
            labels: None,
            cells: None,
            memory_pool: None,
            stream,
            early_end: EarlyEnd::default(),
        }
    }

    /// The rows, of which there will be so many.
    pub(crate) fn with_cells(mut self, cells: Option<u64>) -> Self {
        self.cells = cells;
        self
    }

    /// The same rows by way of another stream, of the same schema.
    pub(crate) fn map_stream(
        mut self,
        map: impl FnOnce(SendableRecordBatchStream) -> SendableRecordBatchStream,
    ) -> Self {
        self.stream = map(self.stream);
        self
    }

    /// The rows, which end the record of their statement. A summary may be all that is wanted of them.
    fn recorded(mut self, recording: Recording) -> Self {
        let stream = RecordedStream::new(self.stream, recording, self.summary.is_some());
        self.early_end.by(stream.cancellation());
        self.stream = Box::pin(stream);
        self
    }

    /// What ends the statement before its last row: for a reader that holds rows and waits for something else.
    pub fn early_end(&self) -> EarlyEnd {
        self.early_end.clone()
    }

    /// The rows, of statements that end so.
    #[must_use]
    pub fn ending(mut self, early_end: EarlyEnd) -> Self {
        self.early_end = early_end;
        self
    }

    /// All labels of a dimension, where they are known before the rows come.
    pub fn labels_of(&self, dimension: &str) -> Option<&ArrayRef> {
        self.labels.as_ref()?.iter().find(|(name, _)| name == dimension).map(|(_, labels)| labels)
    }

    /// A share of the memory, empty at first, for someone who holds rows.
    pub(crate) fn reservation(&self, holder: &str) -> MemoryReservation {
        let unbounded = || Arc::new(UnboundedMemoryPool::default()) as Arc<dyn MemoryPool>;
        MemoryConsumer::new(holder).register(&self.memory_pool.clone().unwrap_or_else(unbounded))
    }

    /// The columns. A field's metadata carries what a label wants: `units`, `long_name`, `calendar`.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// The next batch, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        Ok(self.stream.try_next().await?)
    }

    /// Every batch. What comes back is held in memory whole: for results known to be small.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>, Error> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }

    /// The stream itself, for use with DataFusion.
    pub fn into_stream(self) -> SendableRecordBatchStream {
        self.stream
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Rows").field("schema", &self.schema()).field("dimensions", &self.dimensions).finish()
    }
}

/// A dataset in words and numbers, for `\d name` and a bare `FROM name`.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetSummary {
    /// The name it is attached as, or its address.
    pub name: String,
    /// Its address, secrets taken out.
    pub uri: String,
    /// Names and lengths of the dimensions.
    pub dimensions: Vec<(String, u64)>,
    /// Index coordinates, auxiliary coordinates, then data variables.
    pub variables: Vec<VariableSummary>,
    /// The group's attributes, as name and text.
    pub attributes: Vec<(String, String)>,
}

/// A variable of a [`DatasetSummary`].
#[derive(Debug, Clone, PartialEq)]
pub struct VariableSummary {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: crate::dataset::Role,
    /// Names of its dimensions, outermost first.
    pub dimensions: Vec<String>,
    /// Cells along each of them.
    pub shape: Vec<u64>,
    /// The type of its values: `float32`, `timestamp` …
    pub data_type: String,
    /// Cells of a chunk along each dimension.
    pub chunk_shape: Vec<u64>,
    /// The codecs (`blosc(lz4, 5, shuffle)` …).
    pub codecs: String,
    /// Bytes of all its values, decoded.
    pub decoded_bytes: u64,
    /// `units`
    pub units: Option<String>,
    /// For an index coordinate: its first and last few labels, as text.
    pub preview: Option<String>,
    /// Its attributes, as name and text.
    pub attributes: Vec<(String, String)>,
}

/// What to draw.
#[derive(Debug, Clone, PartialEq)]
pub struct PlotSpec {
    /// A PNG or SVG file, by its extension; `None` is the terminal.
    pub target: Option<String>,
    /// Width in inches (at 100 dots an inch).
    pub width: f64,
    /// Height in inches.
    pub height: f64,
    /// The title, possibly empty.
    pub title: String,
    /// The drawing.
    pub chart: Chart,
}

/// The kinds of drawings.
#[derive(Debug, Clone, PartialEq)]
pub enum Chart {
    /// One or more lines over a common axis; NaN is a gap.
    Line {
        /// The horizontal axis.
        x: Axis,
        /// What the values are, with units: `tmin [degrees C]`.
        y_label: String,
        /// Name and values, as many as `x` has labels.
        series: Vec<(String, Vec<f64>)>,
    },
    /// Cells coloured by value; NaN is a missing cell.
    HeatMap {
        /// The horizontal axis.
        x: Axis,
        /// The vertical axis: row 0 is at the label `y.labels[0]`.
        y: Axis,
        /// What the values are, with units.
        value_label: String,
        /// What they are in more words, possibly empty: `long_name`.
        long_name: String,
        /// Row by row: `y` × `x` values.
        values: Vec<f64>,
        /// How values become colours.
        colours: ColourOptions,
        /// What the labels of the axes measure, where these are those of a map: `x` from west to east, `y` from south to
        /// north.
        map: Option<MapSystem>,
    },
    /// How many values fall between neighbouring edges.
    Histogram {
        /// What the values are, with units.
        value_label: String,
        /// The edges of the bins, one more than there are counts.
        edges: Vec<f64>,
        /// Values in each bin.
        counts: Vec<u64>,
    },
}

/// How values are to become colours.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ColourOptions {
    /// The colours.
    pub palette: Palette,
    /// Whether the first and the last colour are those of the 2nd and the 98th percentile, not of the extremes.
    pub robust: bool,
    /// The value of the first colour, in place of what the values tell.
    pub min: Option<f64>,
    /// The value of the last colour.
    pub max: Option<f64>,
}

/// Which colours stand for values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Palette {
    /// What the values and their name ask for.
    #[default]
    Automatic,
    /// From dark to bright.
    Sequential,
    /// Two colours away from 0.
    Diverging,
}

/// A coordinate reference system, as far as axes show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapSystem {
    /// Its name: an EPSG code, or a definition in the words of PROJ.
    pub name: String,
    /// What its coordinates are measured in.
    pub units: MapUnits,
}

/// What the coordinates of a map are measured in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapUnits {
    /// Degrees of longitude and latitude.
    Degrees,
    /// Metres on the plane of a projection.
    Metres,
    /// Other lengths there, by their name.
    Lengths(String),
}

/// A labelled axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it is, with units: `time`, `y [m]`.
    pub label: String,
    /// Its positions.
    pub labels: AxisLabels,
}

/// Positions along an axis.
#[derive(Debug, Clone, PartialEq)]
pub enum AxisLabels {
    /// Numbers.
    Numbers(Vec<f64>),
    /// Instants, in microseconds since 1970-01-01.
    Times(Vec<i64>),
    /// Anything else, as text, evenly spaced.
    Texts(Vec<String>),
}
