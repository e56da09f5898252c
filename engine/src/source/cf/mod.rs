//! The CF conventions: what stored values mean.
//!
//! Independent of any file format: from the stored Arrow type and the attributes of a variable, [`Decoding`] tells the
//! type and the meaning of the decoded values, and decodes blocks of them. Where an attribute cannot be understood (a
//! calendar that is not CF's, a unit of time that has no fixed length), values stay numbers.

mod decoding;
mod masks;
mod roles;
mod time;

pub use decoding::{Decoding, Rules};
pub use masks::Packed;
pub use roles::{coordinate_names, named_coordinates};
pub use time::TimeUnits;
