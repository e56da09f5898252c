//! The messages of the wire form. A change of what a field means is a new [`super::VERSION`].

use std::collections::BTreeMap;

/// An operator: the recipe of the plan it stands in, and where in it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Operator {
    /// A [`Recipe`], as bytes: operators of one plan have the same.
    #[prost(bytes = "vec", tag = "1")]
    pub recipe: Vec<u8>,
    /// Which input to take, again and again.
    #[prost(uint32, repeated, tag = "2")]
    pub path: Vec<u32>,
    /// DataFusion's message of the schema of its rows, for what stands in its place where it cannot be made.
    #[prost(bytes = "vec", tag = "3")]
    pub schema: Vec<u8>,
    /// Its partitions in this plan.
    #[prost(uint32, tag = "4")]
    pub partitions: u32,
}

/// What a plan over the cells of a table is made of.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Recipe {
    #[prost(message, optional, tag = "1")]
    pub settings: Option<Settings>,
    #[prost(message, optional, tag = "2")]
    pub table: Option<Table>,
    /// One of this and the next.
    #[prost(message, optional, tag = "3")]
    pub reduce: Option<Reduce>,
    #[prost(message, optional, tag = "4")]
    pub cells: Option<Cells>,
    #[prost(message, repeated, tag = "5")]
    pub windows: Vec<Window>,
}

/// How the plan is laid out.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Settings {
    #[prost(uint64, tag = "1")]
    pub threads: u64,
    #[prost(uint64, tag = "2")]
    pub block_bytes: u64,
    #[prost(uint64, tag = "3")]
    pub partitions_max: u64,
}

/// A table of cells.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Table {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub dataset: Option<Dataset>,
    #[prost(message, repeated, tag = "3")]
    pub axes: Vec<Axis>,
}

/// A dataset: where it is, which opening of it is meant, and what it was when the plan was made.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Dataset {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub uri: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub options: BTreeMap<String, String>,
    /// The names of options that are secrets.
    #[prost(string, repeated, tag = "4")]
    pub withheld: Vec<String>,
    /// Variables that are read before anything is planned.
    #[prost(string, repeated, tag = "5")]
    pub loaded: Vec<String>,
    #[prost(fixed64, tag = "6")]
    pub fingerprint: u64,
    /// What whoever made the plan may touch; none: everything.
    #[prost(message, optional, tag = "7")]
    pub access: Option<Access>,
    /// Which opening of it in the session the plan is over: one that was opened before may know less of the store.
    #[prost(fixed64, tag = "8")]
    pub opening: u64,
}

/// What whoever made a plan may touch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Access {
    #[prost(string, repeated, tag = "1")]
    pub roots: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub urls: Vec<String>,
    #[prost(bool, tag = "3")]
    pub may_use_credentials: bool,
    #[prost(bool, tag = "4")]
    pub may_reach_private: bool,
}

/// An axis of a table.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Axis {
    #[prost(string, tag = "1")]
    pub dimension: String,
    #[prost(message, optional, tag = "2")]
    pub positions: Option<Positions>,
    /// What positions are told as places among; none: themselves.
    #[prost(message, optional, tag = "3")]
    pub numbering: Option<Positions>,
    #[prost(double, optional, tag = "4")]
    pub fraction: Option<f64>,
    #[prost(bool, tag = "5")]
    pub scalar: bool,
    /// Labels that are not the dataset's, as an Arrow stream of one column.
    #[prost(bytes = "vec", optional, tag = "6")]
    pub labels: Option<Vec<u8>>,
}

/// Positions along a dimension.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Positions {
    /// Runs of evenly spaced positions, three numbers each: how far the first is from the last one before (from 0), how
    /// many, and from one to the next.
    #[prost(uint64, repeated, tag = "1")]
    pub runs: Vec<u64>,
}

/// A reduction.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Reduce {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub keys: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "2")]
    pub aggregates: Vec<Aggregate>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub mask: Option<Vec<u8>>,
    /// DataFusion's message of a schema.
    #[prost(bytes = "vec", tag = "4")]
    pub schema: Vec<u8>,
}

/// Columns of a table as rows.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Cells {
    #[prost(uint32, repeated, tag = "1")]
    pub columns: Vec<u32>,
}

/// An aggregate.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Aggregate {
    /// See `expressions.rs`.
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    /// The degrees of freedom taken away, or the bits of the fraction of a quantile.
    #[prost(uint64, tag = "2")]
    pub parameter: u64,
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub arguments: Vec<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub filter: Option<Vec<u8>>,
}

/// A column that looks at other cells.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Window {
    #[prost(string, tag = "1")]
    pub name: String,
    /// One of this and the next.
    #[prost(message, optional, tag = "2")]
    pub grouped: Option<Grouped>,
    #[prost(message, optional, tag = "3")]
    pub moving: Option<Moving>,
}

/// An aggregate of the cells of the same group.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Grouped {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub keys: Vec<Vec<u8>>,
    #[prost(message, optional, tag = "2")]
    pub aggregate: Option<Aggregate>,
}

/// An aggregate of neighbours along an axis.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Moving {
    /// See `expressions.rs`.
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    #[prost(uint32, tag = "2")]
    pub ddof: u32,
    #[prost(sint64, tag = "3")]
    pub from: i64,
    #[prost(sint64, tag = "4")]
    pub to: i64,
    #[prost(uint64, tag = "5")]
    pub least: u64,
    #[prost(bytes = "vec", tag = "6")]
    pub argument: Vec<u8>,
    #[prost(uint32, tag = "7")]
    pub axis: u32,
}

/// The labels that a `nearest` means.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Labels {
    #[prost(message, optional, tag = "1")]
    pub dataset: Option<Dataset>,
    #[prost(message, optional, tag = "2")]
    pub axis: Option<Axis>,
}
