//! The messages between a client and its session, beside Arrow's own.

use arrow_flight::sql::Any;
use prost::Message;

/// What a statement gave back, beside its rows.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OutcomeMessage {
    #[prost(oneof = "OutcomeKind", tags = "1, 2, 3, 4")]
    pub kind: Option<OutcomeKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum OutcomeKind {
    #[prost(string, tag = "1")]
    Done(String),
    #[prost(string, tag = "2")]
    Explain(String),
    #[prost(message, tag = "3")]
    Plot(PlotMessage),
    #[prost(message, tag = "4")]
    Rows(RowsMessage),
}

/// What is known of rows before they come. Names of dimensions stand in the metadata of their schema.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RowsMessage {
    #[prost(uint64, optional, tag = "1")]
    pub cells: Option<u64>,
    #[prost(message, optional, tag = "2")]
    pub summary: Option<SummaryMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SummaryMessage {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub uri: String,
    #[prost(message, repeated, tag = "3")]
    pub dimensions: Vec<DimensionMessage>,
    #[prost(message, repeated, tag = "4")]
    pub variables: Vec<VariableMessage>,
    #[prost(message, repeated, tag = "5")]
    pub attributes: Vec<PairMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DimensionMessage {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(uint64, tag = "2")]
    pub length: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct VariableMessage {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(enumeration = "RoleMessage", tag = "2")]
    pub role: i32,
    #[prost(string, repeated, tag = "3")]
    pub dimensions: Vec<String>,
    #[prost(uint64, repeated, tag = "4")]
    pub shape: Vec<u64>,
    #[prost(string, tag = "5")]
    pub data_type: String,
    #[prost(uint64, repeated, tag = "6")]
    pub chunk_shape: Vec<u64>,
    #[prost(string, tag = "7")]
    pub codecs: String,
    #[prost(uint64, tag = "8")]
    pub decoded_bytes: u64,
    #[prost(string, optional, tag = "9")]
    pub units: Option<String>,
    #[prost(string, optional, tag = "10")]
    pub preview: Option<String>,
    #[prost(message, repeated, tag = "11")]
    pub attributes: Vec<PairMessage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum RoleMessage {
    Data = 0,
    Index = 1,
    Coordinate = 2,
}

/// Two texts that belong together.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PairMessage {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PlotMessage {
    #[prost(string, optional, tag = "1")]
    pub target: Option<String>,
    #[prost(double, tag = "2")]
    pub width: f64,
    #[prost(double, tag = "3")]
    pub height: f64,
    #[prost(string, tag = "4")]
    pub title: String,
    #[prost(oneof = "ChartMessage", tags = "5, 6, 7")]
    pub chart: Option<ChartMessage>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum ChartMessage {
    #[prost(message, tag = "5")]
    Line(LineMessage),
    #[prost(message, tag = "6")]
    HeatMap(HeatMapMessage),
    #[prost(message, tag = "7")]
    Histogram(HistogramMessage),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LineMessage {
    #[prost(message, optional, tag = "1")]
    pub x: Option<AxisMessage>,
    #[prost(string, tag = "2")]
    pub y_label: String,
    #[prost(message, repeated, tag = "3")]
    pub series: Vec<SeriesMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SeriesMessage {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(double, repeated, tag = "2")]
    pub values: Vec<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HeatMapMessage {
    #[prost(message, optional, tag = "1")]
    pub x: Option<AxisMessage>,
    #[prost(message, optional, tag = "2")]
    pub y: Option<AxisMessage>,
    #[prost(string, tag = "3")]
    pub value_label: String,
    #[prost(double, repeated, tag = "4")]
    pub values: Vec<f64>,
    #[prost(string, tag = "5")]
    pub long_name: String,
    #[prost(message, optional, tag = "6")]
    pub colours: Option<ColoursMessage>,
    #[prost(message, optional, tag = "7")]
    pub map: Option<MapMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ColoursMessage {
    #[prost(enumeration = "PaletteKind", tag = "1")]
    pub palette: i32,
    #[prost(bool, tag = "2")]
    pub robust: bool,
    #[prost(double, optional, tag = "3")]
    pub min: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub max: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum PaletteKind {
    Automatic = 0,
    Sequential = 1,
    Diverging = 2,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MapMessage {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(enumeration = "MapUnitsKind", tag = "2")]
    pub units: i32,
    /// The name of lengths that are no metres.
    #[prost(string, tag = "3")]
    pub lengths: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum MapUnitsKind {
    Degrees = 0,
    Metres = 1,
    Lengths = 2,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistogramMessage {
    #[prost(string, tag = "1")]
    pub value_label: String,
    #[prost(double, repeated, tag = "2")]
    pub edges: Vec<f64>,
    #[prost(uint64, repeated, tag = "3")]
    pub counts: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AxisMessage {
    #[prost(string, tag = "1")]
    pub label: String,
    #[prost(enumeration = "AxisKind", tag = "2")]
    pub kind: i32,
    #[prost(double, repeated, tag = "3")]
    pub numbers: Vec<f64>,
    #[prost(sint64, repeated, tag = "4")]
    pub times: Vec<i64>,
    #[prost(string, repeated, tag = "5")]
    pub texts: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum AxisKind {
    Numbers = 0,
    Times = 1,
    Texts = 2,
}

/// `google.rpc.Status`: what stands in the details of a call's status, whose code and message it repeats.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StatusMessage {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// An error of the engine, among the details of a status.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FailureMessage {
    #[prost(enumeration = "FailureKind", tag = "1")]
    pub kind: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub diagnostics: Vec<DiagnosticMessage>,
    /// Address, path or array that an error of a store is about.
    #[prost(string, tag = "4")]
    pub place: String,
    #[prost(uint64, repeated, tag = "5")]
    pub chunk: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum FailureKind {
    Unknown = 0,
    Syntax = 1,
    Bind = 2,
    Execution = 3,
    Resources = 4,
    Cancelled = 5,
    Internal = 6,
    NotFound = 7,
    AlreadyExists = 8,
    PermissionDenied = 9,
    Address = 10,
    Metadata = 11,
    Chunk = 12,
    NoRoom = 13,
    Store = 14,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DiagnosticMessage {
    #[prost(string, tag = "1")]
    pub message: String,
    #[prost(uint64, optional, tag = "2")]
    pub start: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    pub end: Option<u64>,
    #[prost(string, optional, tag = "4")]
    pub help: Option<String>,
}

/// The names of a session at one instant.
#[derive(Clone, PartialEq, Message)]
pub(super) struct NamesMessage {
    #[prost(message, repeated, tag = "1")]
    pub tables: Vec<TableMessage>,
    #[prost(string, repeated, tag = "2")]
    pub functions: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    pub clusters: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TableMessage {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub kind: String,
    #[prost(message, repeated, tag = "3")]
    pub columns: Vec<PairMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProgressMessage {
    #[prost(uint64, tag = "1")]
    pub work_total: u64,
    #[prost(uint64, tag = "2")]
    pub work_done: u64,
    #[prost(uint64, tag = "3")]
    pub bytes_read: u64,
    #[prost(uint64, tag = "4")]
    pub bytes_decoded: u64,
    /// The address of the page about the query that runs.
    #[prost(string, optional, tag = "5")]
    pub page: Option<String>,
}
