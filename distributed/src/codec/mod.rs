//! The wire form of plans.
//!
//! What travels of an operator of ours is not what it holds but the recipe it was made of: the address of a dataset, which
//! cells, expressions, settings. Labels are read again where the plan runs, and the operator is made by the same functions
//! that planned it, so that both sides see the same blocks in the same partitions. Everything else is left to Ballista.

mod cells;
mod datasets;
mod error;
mod expressions;
mod message;
mod operators;
mod reader;
mod recipes;
mod submission;
mod unprepared;
mod waiting;

pub use error::CodecError;
pub use operators::{VERSION, WireCodec};
pub use submission::{PLAN_BYTES_MAX, decode_plan, encode_plan};
pub use unprepared::{Unprepared, is_to_be_prepared, prepared};
