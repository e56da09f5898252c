//! Many scenes as one cube: `stack(stac(…), assets => ['B04', 'B08'], crs => 'EPSG:32633', resolution => 10)`.
//!
//! The way of a scene: [`request`] reads what is asked for, [`candidates`] finds items and their assets in a catalog,
//! [`groups`] sorts them into steps of time, [`grid`] finds the cells that all are taken to, and [`describe()`] writes all of
//! it into a [`manifest`]. That text is how the cube is opened, here and on every executor: a catalog is asked once, and
//! what is left out is left out everywhere. [`assemble`] makes the dataset of it; its [`array`] opens a [`scene`] when one
//! of its cells is asked for, takes the cells as [`layer`]s, and lays these on each other ([`mosaic`]).
//!
//! Architecture invariant: which scenes are in a cube is decided once, when it is described. What fails later is an error
//! that names the scene, never a hole in the answer.

mod array;
mod assemble;
mod candidates;
mod describe;
mod grid;
mod groups;
mod layer;
mod manifest;
mod mosaic;
mod request;
mod scene;

pub use assemble::open;
pub use describe::describe;
pub use groups::Group;
pub use manifest::portable;
pub use mosaic::Mosaic;
pub use request::{OnError, StackRequest};

/// The option of an address that holds a manifest.
pub const STACK_OPTION: &str = "stack";
